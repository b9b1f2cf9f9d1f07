#!/usr/bin/env bash
# Builds the sink, which stands for vendors' clouds in tests, when the cache lacks it, and prints
# the binary's path. Its own go.sum verifies every module that it is made of.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here tool=sink
# shellcheck source=scripts/lib/cached-build.sh
source "$here/lib/cached-build.sh"
sources=$here/../otel-collector/sink
readonly sources

build() {
    cd "$sources"
    # The sums are committed, so the checksum database is not needed and may be unreachable.
    GOSUMDB=off go build -mod=readonly -trimpath -ldflags='-s -w' -o "$1/sink" .
}

export sources
mapfile -t files < <(find "$sources" -name '*.go' ! -name '*_test.go' | LC_ALL=C sort)
cached_build "a minute" "$here/build-sink.sh" "$sources/go.mod" "$sources/go.sum" "${files[@]}"
