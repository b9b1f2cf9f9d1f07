#!/usr/bin/env bash
# Builds the programs of a Kubernetes cluster as one binary when the cache lacks it, and prints its
# path: scripts/with-cluster.sh runs them. Its own go.sum verifies every module that it is made of.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here tool=hyperkube
# shellcheck source=scripts/lib/cached-build.sh
source "$here/lib/cached-build.sh"
sources=$here/../tests/kubernetes/hyperkube
readonly sources

build() {
    cd "$sources"
    # Programs and clients compare versions, so it must be the real one.
    local version package=k8s.io/component-base/version
    version=$(sed -n 's/^.*k8s.io\/kubernetes v\([0-9.]*\)$/v\1/p' go.mod)
    # The sums are committed, so the checksum database is not needed and may be unreachable.
    GOSUMDB=off go build -mod=readonly -trimpath -o "$1/$tool" -ldflags="-s -w
        -X $package.gitVersion=$version -X $package.gitMajor=1
        -X $package.gitMinor=$(cut -d. -f2 <<<"$version")" .
}

export sources
cached_build "15 minutes" "$here/build-hyperkube.sh" "$sources/go.mod" "$sources/go.sum" \
    "$sources/main.go"
