# Stands for a vendor's cloud in the compose test: the sink, in a container of its own.
FROM debian:12-slim
COPY sink /usr/local/bin/sink
USER 65534:65534
ENTRYPOINT ["/usr/local/bin/sink"]
