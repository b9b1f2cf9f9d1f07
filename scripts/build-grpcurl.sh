#!/usr/bin/env bash
# Builds grpcurl from its Go module when the cache lacks it, and prints the binary's path.
#
# It is what people call a gRPC API with, so the tests call ours with it. The module's own go.sum
# verifies everything below it, and the sum here verifies the module.
set -euo pipefail

readonly GRPCURL_VERSION=v1.9.3
readonly GRPCURL_SUM=h1:PC1Xi3w+JAvEE2Tg2Gf2RfVgPbf9+tbuQr1ZkyVU3jk=

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here tool=grpcurl
# shellcheck source=scripts/lib/cached-build.sh
source "$here/lib/cached-build.sh"

build() { build_module "$1" github.com/fullstorydev/grpcurl "$GRPCURL_VERSION" "$GRPCURL_SUM"; }

export GRPCURL_VERSION GRPCURL_SUM
cached_build "a minute" "$here/build-grpcurl.sh"
