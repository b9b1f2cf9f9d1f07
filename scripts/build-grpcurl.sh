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

json_field() { sed -n "s/^.*\"$1\": \"\(.*\)\".*$/\1/p"; }

build() {
    local work=$1 module folder sum
    cd "$work"
    # The sum is compared below, so the checksum database is not needed and may be unreachable.
    module=$(GOSUMDB=off go mod download -json "github.com/fullstorydev/grpcurl@$GRPCURL_VERSION")
    folder=$(json_field Dir <<<"$module")
    sum=$(json_field Sum <<<"$module")
    [[ $sum == "$GRPCURL_SUM" ]] || fail "the module's sum is $sum and not $GRPCURL_SUM"
    # The module cache is read-only, and a build must not write into it.
    cp -r "$folder" source
    chmod -R u+w source
    cd source
    go build -mod=readonly -trimpath -ldflags='-s -w' -o ../grpcurl ./cmd/grpcurl
}

export -f json_field
export GRPCURL_VERSION GRPCURL_SUM
cached_build "a minute" "$here/build-grpcurl.sh"
