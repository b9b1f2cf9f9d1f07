#!/usr/bin/env bash
# Compiles a release of BanGUI for one of Debian's architectures and lays it out for an image; the
# Dockerfile calls it.
#
#   scripts/build-for.sh amd64|arm64 FOLDER
#
# Another architecture than this machine's needs Debian's cross compiler (crossbuild-essential-…)
# and Rust's library for it, which rustup adds.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
[ $# -eq 2 ] || {
  echo "build-for: usage: build-for.sh amd64|arm64 FOLDER" >&2
  exit 1
}
architecture=$1 folder=$2
case $architecture in
  amd64) machine=x86_64 ;;
  arm64) machine=aarch64 ;;
  *)
    echo "build-for: $architecture is not amd64 or arm64" >&2
    exit 1
    ;;
esac
target=$machine-unknown-linux-gnu compiler=gcc
if [ "$machine" != "$(uname -m)" ]; then
  compiler=$machine-linux-gnu-gcc
  rustup target list --installed | grep -qx "$target" || rustup target add "$target"
  name=${target//-/_}
  export "CC_$name=$compiler" "CARGO_TARGET_${name^^}_LINKER=$compiler"
fi
cargo build --release --locked --bin bangui --target "$target"
scripts/image-root.sh "${CARGO_TARGET_DIR:-target}/$target/release/bangui" "$folder" "$compiler"
