# Stands for jaegertracing/jaeger where no image registry can be reached: Jaeger as
# scripts/build-jaeger.sh builds it, in the layout of the public image (its paths, user, volume and
# entry point, and busybox for `wget`), so that the compose file is used as it is. Its page is only
# a placeholder; the public image has the real one.
FROM debian:12-slim
RUN apt-get update && apt-get install --yes --no-install-recommends busybox ca-certificates \
    && rm -rf /var/lib/apt/lists/* && ln -s busybox /bin/wget
ENV JAEGER_LISTEN_HOST=0.0.0.0
COPY jaeger /cmd/jaeger/jaeger-linux
VOLUME /tmp
USER 10001
ENTRYPOINT ["/cmd/jaeger/jaeger-linux"]
