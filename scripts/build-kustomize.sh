#!/usr/bin/env bash
# Builds kustomize from its Go module when the cache lacks it, and prints the binary's path.
#
# The module's own go.sum verifies everything below it, and the sum here verifies the module.
set -euo pipefail

readonly KUSTOMIZE_VERSION=v5.8.1
readonly KUSTOMIZE_SUM=h1:Pgsg5psubpVEy7Nf6S89PARg5VmmWUC1l9dC6Dl4PG0=

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here tool=kustomize
# shellcheck source=scripts/lib/cached-build.sh
source "$here/lib/cached-build.sh"

build() {
    build_module "$1" sigs.k8s.io/kustomize/kustomize/v5 "$KUSTOMIZE_VERSION" "$KUSTOMIZE_SUM" .
}

export KUSTOMIZE_VERSION KUSTOMIZE_SUM
cached_build "2 minutes" "$here/build-kustomize.sh"
