#!/usr/bin/env bash
# Builds grpcurl from its Go module when the cache lacks it, and prints the binary's path.
#
# It is what people call a gRPC API with, so the tests call ours with it. The module's own go.sum
# verifies everything below it, and the sum here verifies the module.
set -euo pipefail

readonly GRPCURL_VERSION=v1.9.3
readonly GRPCURL_SUM=h1:PC1Xi3w+JAvEE2Tg2Gf2RfVgPbf9+tbuQr1ZkyVU3jk=
# A build that takes longer than this hangs: a cold one takes a minute on two busy cores.
readonly BUILD_LIMIT_SECONDS=900

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here
readonly cache=${BANGUI_BUILD_CACHE:-$HOME/.cache/bangui-build}/grpcurl

say() { echo "grpcurl: $*" >&2; }
fail() { say "$*"; exit 1; }

# Go is asked for here so that its lack is one clear line and not a failure in the middle.
prepare_go() {
    PATH=$PATH:/usr/local/go/bin
    command -v go >/dev/null || fail "cannot be built: Go (1.24 or newer) is not installed"
    # Without `direct`, a version that is not served fails at once instead of trying git.
    GOPROXY=$(go env GOPROXY | sed 's/[,|]direct$//')
    # A GOFLAGS, GOOS or GOWORK of the caller must not change what is built here.
    export GOPROXY GOFLAGS=-buildvcs=false GOWORK=off
    unset GOOS GOARCH
}

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

main() {
    local key binary started_seconds work
    prepare_go
    mkdir -p "$cache"
    key=$( (cat "$here/build-grpcurl.sh"; cd "$here" && go version) | sha256sum | cut -c1-16)
    binary=$cache/grpcurl-$key
    if [[ ! -x $binary ]]; then
        # Two tests that begin at once must not build twice.
        exec 9>"$cache/lock"
        flock -n 9 || { say "waiting for another build of it"; flock -w "$BUILD_LIMIT_SECONDS" 9 \
            || fail "another build holds $cache/lock for too long"; }
    fi
    if [[ ! -x $binary ]]; then
        say "building it, about a minute the first time"
        started_seconds=$SECONDS
        rm -rf "$cache"/work.*
        work=$(mktemp -d "$cache/work.XXXXXX")
        # shellcheck disable=SC2064 # The folder is known now and nothing else is removed later.
        trap "rm -rf '$work'" EXIT
        export -f build fail say json_field
        export GRPCURL_VERSION GRPCURL_SUM
        timeout "$BUILD_LIMIT_SECONDS" nice -n 5 bash -euo pipefail -c 'build "$1"' _ "$work" >&2 \
            || fail "the build failed"
        # A move within one file system is atomic: nobody ever sees half a binary.
        mv "$work/grpcurl" "$binary"
        say "built in $((SECONDS - started_seconds)) s"
    fi
    echo "$binary"
}

main "$@"
