# Stands for the public image of Rust where no image registry can be reached: this machine's
# toolchain and rustup where that image has them, Debian's compiler, and the authorities that this
# machine trusts, for package registries behind a proxy of its own.
FROM debian:12-slim
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev make \
    && rm -rf /var/lib/apt/lists/*
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY rustup /usr/local/cargo/bin/rustup
ARG TOOLCHAIN
ENV RUSTUP_HOME=/usr/local/rustup CARGO_HOME=/usr/local/cargo PATH=/usr/local/cargo/bin:$PATH \
    RUSTUP_TOOLCHAIN=$TOOLCHAIN CARGO_HTTP_CAINFO=/etc/ssl/certs/ca-certificates.crt \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
# The public image has no library of another architecture. In one step, because rustup cannot move
# the folders of a layer below.
RUN --mount=type=bind,source=toolchain,target=/toolchain \
    for name in cargo rustc rustdoc; do ln -s rustup "/usr/local/cargo/bin/$name"; done \
    && mkdir -p "$RUSTUP_HOME/toolchains" && cp -r /toolchain "$RUSTUP_HOME/toolchains/$TOOLCHAIN" \
    && for target in $(rustup target list --installed | grep -v "^$(uname -m)-"); do \
        rustup target remove "$target"; done
# A build of all packages that takes minutes and not half an hour: it shows that the stages work, and
# nobody runs what they make for its speed.
ENV CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=off \
    CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
