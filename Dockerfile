# Image of BanGUI: the page, then the binary that embeds it, then nothing but what that needs to run:
# no shell, no package manager.
#
# Both first stages run on the builder's own architecture and compile for the image's, so that
# `docker buildx build --platform linux/amd64,linux/arm64 .` needs no emulation. With
# `--build-arg BINARY=prebuilt` they are left out, and the folder `prebuilt` of the context holds what
# scripts/image-root.sh laid out.
ARG BINARY=compiled

FROM --platform=$BUILDPLATFORM node:22.20.0-bookworm-slim AS page
WORKDIR /src/ui
# The packages first, so that a change of the page does not fetch them again.
COPY ui/package.json ui/package-lock.json ./
RUN --mount=type=cache,target=/root/.npm npm ci --no-audit --no-fund
COPY ui/ ./
RUN npm run build

FROM --platform=$BUILDPLATFORM rust:1.95.0-bookworm AS compiled
ARG TARGETARCH
WORKDIR /src
# Debian's cross compiler when the image is not for the builder's own architecture.
RUN if [ "${TARGETARCH:=$(dpkg --print-architecture)}" != "$(dpkg --print-architecture)" ]; then \
        apt-get update && apt-get install --yes --no-install-recommends \
        "crossbuild-essential-$TARGETARCH" && rm -rf /var/lib/apt/lists/*; fi
COPY . .
COPY --from=page /src/ui/dist ui/dist
# What an earlier version has compiled of the packages below it is kept by the engine. Cargo compares
# times alone, so our own sources become the newest: a build of another checkout must not pass for
# this one's.
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    find . -path ./target -prune -o -type f -exec touch {} + \
    && scripts/build-for.sh "${TARGETARCH:-$(dpkg --print-architecture)}" /prebuilt

FROM scratch AS prebuilt
COPY prebuilt /prebuilt

# hadolint ignore=DL3006
FROM ${BINARY} AS binary

# Files that are the same on every architecture.
FROM --platform=$BUILDPLATFORM debian:12-slim AS common
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates tzdata \
    && rm -rf /var/lib/apt/lists/* \
    && mkdir -p /image/etc/ssl/certs /image/usr/share /empty \
    && cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ \
    && cp -r /usr/share/zoneinfo /image/usr/share/ \
    && rm -rf /image/usr/share/zoneinfo/posix /image/usr/share/zoneinfo/right \
    && echo 'bangui:x:10001:10001::/var/lib/bangui:/usr/sbin/nologin' >/image/etc/passwd \
    && echo 'bangui:x:10001:' >/image/etc/group \
    && echo 'hosts: files dns' >/image/etc/nsswitch.conf

FROM scratch
COPY --from=common /image /
COPY --from=binary /prebuilt /
# A fresh volume takes over the owner of the folder that it is mounted on.
COPY --from=common --chown=10001:10001 --chmod=0700 /empty /var/lib/bangui
COPY --from=common --chown=10001:10001 --chmod=0700 /empty /var/lib/otelcol
COPY --from=common --chown=10001:10001 --chmod=0700 /empty /run/fail2ban
COPY --from=common --chmod=1777 /empty /tmp
USER 10001:10001
ENV BANGUI_LISTEN=0.0.0.0:8000 BANGUI_DATA_DIR=/var/lib/bangui \
    BANGUI_COLLECTOR_DIR=/var/lib/otelcol
VOLUME /var/lib/bangui
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=5s --start-period=20s --retries=3 \
    CMD ["/usr/local/bin/bangui", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/bangui"]
CMD ["serve"]
# Last, so that another revision does not build the rest anew.
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="BanGUI" \
    org.opencontainers.image.description="A web service in front of fail2ban, with OpenTelemetry" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="$VERSION" \
    org.opencontainers.image.revision="$REVISION"
