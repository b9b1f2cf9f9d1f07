#!/usr/bin/env bash
# What the scripts that build a Go program into the cache have in common; it is sourced.
#
# The script sets `tool` to the program's name and defines `build FOLDER`, which leaves a binary of
# that name in the folder. What `build` uses of the script, the script exports.
set -euo pipefail

# A build that takes longer than this hangs: a cold one takes minutes even on two busy cores.
readonly BUILD_LIMIT_SECONDS=2700

say() { echo "$tool: $*" >&2; }
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

# build_module FOLDER MODULE VERSION SUM [PACKAGE [LDFLAGS]]: builds a program of a published Go
# module, `./cmd/$tool` unless a package is named. Its own go.sum verifies everything below it, and
# the sum here verifies the module.
build_module() {
    local work=$1 version=$2@$3 module folder sum
    cd "$work"
    # The sum is compared below, so the checksum database is not needed and may be unreachable.
    module=$(GOSUMDB=off go mod download -json "$version")
    folder=$(json_field Dir <<<"$module")
    sum=$(json_field Sum <<<"$module")
    [[ $sum == "$4" ]] || fail "the module's sum is $sum and not $4"
    # The module cache is read-only, and a build must not write into it.
    cp -r "$folder" source
    chmod -R u+w source
    cd source
    go build -mod=readonly -trimpath -ldflags="${6:--s -w}" -o "../$tool" "${5:-./cmd/$tool}"
}

# cached_build DURATION FILE…: prints the path of the binary, and builds it first when the cache
# has none that was made of these files by this version of Go.
cached_build() {
    local duration=$1 cache key binary work started_seconds
    shift
    prepare_go
    cache=${BANGUI_BUILD_CACHE:-$HOME/.cache/bangui-build}/$tool
    mkdir -p "$cache"
    # Outside of any module, whose go.mod could choose another version of Go.
    key=$( (cat "$@"; cd "$cache" && go version) | sha256sum | cut -c1-16)
    binary=$cache/$tool-$key
    if [[ ! -x $binary ]]; then
        # Two callers at once (make run beside the tests) must not build twice.
        exec 9>"$cache/lock"
        flock -n 9 || { say "waiting for another build of it"; flock -w "$BUILD_LIMIT_SECONDS" 9 \
            || fail "another build holds $cache/lock for too long"; }
    fi
    if [[ ! -x $binary ]]; then
        say "building it, about $duration the first time"
        started_seconds=$SECONDS
        rm -rf "$cache"/work.*
        work=$(mktemp -d "$cache/work.XXXXXX")
        # The path is expanded now, for the variable is gone when the trap runs.
        # shellcheck disable=SC2064
        trap "rm -rf '$work'" EXIT
        export -f build build_module fail json_field say
        export tool
        timeout "$BUILD_LIMIT_SECONDS" nice -n 5 bash -euo pipefail -c 'build "$1"' _ "$work" >&2 \
            || fail "the build failed"
        # A move within one file system is atomic: nobody ever sees half a binary.
        mv "$work/$tool" "$binary"
        say "built in $((SECONDS - started_seconds)) s"
    fi
    echo "$binary"
}
