# Image of BanGUI: the page, then the binary that embeds it, then as little as it needs to run.
FROM node:22.20.0-bookworm-slim AS page
WORKDIR /src/ui
# The packages first, so that a change of the page does not fetch them again.
COPY ui/package.json ui/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY ui/ ./
RUN npm run build

FROM rust:1.95.0-bookworm AS binary
WORKDIR /src
COPY . .
COPY --from=page /src/ui/dist ui/dist
RUN cargo build --release --locked --bin bangui

FROM debian:12-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates tzdata \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 bangui \
    && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin bangui \
    && install -d -o 10001 -g 10001 -m 0700 /var/lib/bangui /run/fail2ban
COPY --from=binary /src/target/release/bangui /usr/local/bin/bangui
USER 10001:10001
ENV BANGUI_LISTEN=0.0.0.0:8000 BANGUI_DATA_DIR=/var/lib/bangui \
    BANGUI_COLLECTOR_DIR=/var/lib/otelcol
VOLUME /var/lib/bangui
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["/usr/local/bin/bangui", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/bangui"]
CMD ["serve"]
