#!/usr/bin/env bash
# Builds what a test cluster is given beside Kubernetes itself, its DNS and what makes network
# policies hold, as one binary when the cache lacks it, and prints its path: scripts/with-cluster.sh
# runs it. Its own go.sum verifies every module that it is made of.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here tool=cluster-addons
# shellcheck source=scripts/lib/cached-build.sh
source "$here/lib/cached-build.sh"
sources=$here/../tests/kubernetes/addons
readonly sources

build() {
    cd "$sources"
    # One of the two runs in a container without any library.
    CGO_ENABLED=0 GOSUMDB=off go build -mod=readonly -trimpath -ldflags="-s -w" -o "$1/$tool" .
}

export sources
cached_build "5 minutes" "$here/build-cluster-addons.sh" "$sources/go.mod" "$sources/go.sum" \
    "$sources/main.go"
