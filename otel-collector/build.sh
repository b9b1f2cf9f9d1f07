#!/usr/bin/env bash
# Builds our OpenTelemetry Collector when the cache lacks it, and prints the binary's path.
#
#   otel-collector/build.sh            build if needed; the path goes to stdout, progress to stderr
#   otel-collector/build.sh --update   resolve builder.yaml anew and rewrite go.mod and go.sum
#
# Environment (an empty value counts as unset):
#   TARGET_ARCHITECTURE   amd64 or arm64; default: this machine's
#
# The builder itself is a `tool` of go.mod, so it is verified by the committed go.sum like every
# other module. Its generated Go sources live in the cache only: manifest, go.mod, go.sum and our own
# components are all that is needed to make them again.
set -euo pipefail

readonly BUILDER_VERSION=v0.141.0

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here tool=otelcol-bangui
# shellcheck source=scripts/lib/cached-build.sh
source "$here/../scripts/lib/cached-build.sh"

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
    GOARCH=$architecture go build -trimpath -ldflags='-s -w' -o "$tool" .
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
    if [[ ${1:-} == --update ]]; then
        local work
        prepare_go
        work=$(mktemp -d)
        # The path is expanded now, for the variable is gone when the trap runs.
        # shellcheck disable=SC2064
        trap "rm -rf '$work'" EXIT
        update "$work"
        say "go.mod and go.sum are rewritten"
        return
    fi
    [[ $# -eq 0 ]] || fail "unknown argument '$1'; only --update is known"

    architecture=${TARGET_ARCHITECTURE:-}
    case $architecture in
        '' | amd64 | arm64) ;;
        *) fail "TARGET_ARCHITECTURE is '$architecture' and not amd64 or arm64" ;;
    esac
    export here architecture
    mapfile -t components < <(
        find "$here/components" -type f ! -name '*_test.go' ! -name '*.md' | sort)
    cached_build "5 minutes" "$here"/{builder.yaml,go.mod,go.sum,build.sh} "${components[@]}" \
        <(printf '%s' "$architecture")
}

main "$@"
