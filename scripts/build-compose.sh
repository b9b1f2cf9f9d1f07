#!/usr/bin/env bash
# Builds compose v2 from its Go module when the cache lacks it, and prints the binary's path. It
# serves as `docker-compose` and, in a folder `cli-plugins`, as `docker compose`.
#
# The module's own go.sum verifies everything below it, and the sum here verifies the module.
set -euo pipefail

readonly COMPOSE_VERSION=v2.40.3
readonly COMPOSE_SUM=h1:XeYkQu1svDtyfZPv5nTwFryQ25ZJMkIlc4pz9HalMPI=

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here tool=docker-compose
# shellcheck source=scripts/lib/cached-build.sh
source "$here/lib/cached-build.sh"

build() {
    local ldflags="-s -w -X github.com/docker/compose/v2/internal.Version=$COMPOSE_VERSION"
    build_module "$1" github.com/docker/compose/v2 "$COMPOSE_VERSION" "$COMPOSE_SUM" \
        ./cmd "$ldflags"
}

export COMPOSE_VERSION COMPOSE_SUM
cached_build "3 minutes" "$here/build-compose.sh"
