#!/usr/bin/env bash
# Builds our OpenTelemetry Collector when the cache lacks it, and prints the binary's path.
#
#   otel-collector/build.sh            build if needed; the path goes to stdout, progress to stderr
#   otel-collector/build.sh --update   resolve builder.yaml anew and rewrite go.mod and go.sum
#
# The builder itself is a `tool` of go.mod, so it is verified by the committed go.sum like every
# other module. Its generated Go sources live in the cache only: manifest, go.mod, go.sum and our own
# components are all that is needed to make them again.
set -euo pipefail

readonly BUILDER_VERSION=v0.141.0
# A build that takes longer than this hangs: a cold one takes minutes even on two busy cores.
readonly BUILD_LIMIT_SECONDS=2700

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here
readonly cache=${BANGUI_BUILD_CACHE:-$HOME/.cache/bangui-build}/collector

say() { echo "collector: $*" >&2; }
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

cache_key() {
    {
        cat "$here/builder.yaml" "$here/go.mod" "$here/go.sum" "$here/build.sh"
        (cd "$here" && go version && find components -type f ! -name '*_test.go' ! -name '*.md' |
            sort | xargs sha256sum)
    } | sha256sum | cut -c1-16
}

# Leaves go.mod alone: a module whose content differs from the committed go.sum fails the build.
build() {
    local work=$1
    export GOFLAGS='-buildvcs=false -mod=readonly'
    cp -r "$here/builder.yaml" "$here/go.mod" "$here/go.sum" "$here/components" "$work/"
    cd "$work"
    go build -o builder go.opentelemetry.io/collector/cmd/builder
    ./builder --config builder.yaml --skip-get-modules --skip-compilation >builder.log 2>&1 \
        || { cat builder.log >&2; fail "the builder refused builder.yaml"; }
    # The builder writes a go.mod of its own; ours pins every module below it too.
    cp "$here/go.mod" go.mod
    go build -trimpath -ldflags='-s -w' -o otelcol-bangui .
}

# The checksum database does not answer for some modules, so that the sums are taken once, here,
# and committed; every build after that verifies against them.
update() {
    local work=$1
    export GOFLAGS='-buildvcs=false -mod=mod' GOSUMDB=off
    cp -r "$here/builder.yaml" "$here/components" "$work/"
    cd "$work"
    go run "go.opentelemetry.io/collector/cmd/builder@$BUILDER_VERSION" \
        --config builder.yaml --skip-compilation >&2
    go get -tool "go.opentelemetry.io/collector/cmd/builder@$BUILDER_VERSION"
    go mod tidy
    # The builder names our components by the folder in which it happened to run.
    sed -i "s|=> $work/|=> ./|" go.mod
    cp go.mod go.sum "$here/"
}

main() {
    prepare_go
    mkdir -p "$cache"
    if [[ ${1:-} == --update ]]; then
        work=$(mktemp -d "$cache/work.XXXXXX")
        trap 'rm -rf "$work"' EXIT
        update "$work"
        say "go.mod and go.sum are rewritten"
        return
    fi
    [[ $# -eq 0 ]] || fail "unknown argument '$1'; only --update is known"

    binary=$cache/otelcol-bangui-$(cache_key)
    if [[ ! -x $binary ]]; then
        # Two callers at once (make run beside the tests) must not build twice.
        exec 9>"$cache/lock"
        flock -n 9 || { say "waiting for another build of it"; flock -w "$BUILD_LIMIT_SECONDS" 9 \
            || fail "another build holds $cache/lock for too long"; }
    fi
    if [[ ! -x $binary ]]; then
        say "building it, about 5 minutes the first time"
        started_seconds=$SECONDS
        rm -rf "$cache"/work.*
        work=$(mktemp -d "$cache/work.XXXXXX")
        trap 'rm -rf "$work"' EXIT
        export -f build fail say
        export here
        timeout "$BUILD_LIMIT_SECONDS" nice -n 5 bash -euo pipefail -c 'build "$1"' _ "$work" >&2 \
            || fail "the build failed"
        # A move within one file system is atomic: nobody ever sees half a binary.
        mv "$work/otelcol-bangui" "$binary"
        say "built in $((SECONDS - started_seconds)) s"
    fi
    echo "$binary"
}

main "$@"
