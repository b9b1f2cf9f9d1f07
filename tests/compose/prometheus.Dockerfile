# Stands for prom/prometheus where no image registry can be reached: Debian's Prometheus in the
# layout of the public image (its paths, user, volume and entry point, and busybox for `wget`).
FROM debian:12-slim
RUN apt-get update && apt-get install --yes --no-install-recommends busybox prometheus \
    && rm -rf /var/lib/apt/lists/* /var/lib/prometheus && ln -s busybox /bin/wget \
    && install -d -o nobody -g nogroup -m 0777 /prometheus
USER nobody
WORKDIR /prometheus
VOLUME /prometheus
EXPOSE 9090
ENTRYPOINT ["/bin/prometheus"]
CMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]
