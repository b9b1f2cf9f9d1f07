#!/usr/bin/env bash
# Formats, vets and tests the sink; ends with the line `N passed, M failed`.
set -euo pipefail

PATH=$PATH:/usr/local/go/bin
cd "$(dirname "${BASH_SOURCE[0]}")/../otel-collector/sink"
# The sums are committed, so the checksum database is not needed and may be unreachable.
GOPROXY=$(go env GOPROXY | sed 's/[,|]direct$//')
export GOPROXY GOSUMDB=off GOFLAGS='-buildvcs=false -mod=readonly' GOWORK=off

unformatted=$(gofmt -l .)
[[ -z $unformatted ]] || { echo "not formatted: $unformatted" >&2; exit 1; }
go vet ./...
output=$(mktemp)
trap 'rm -f "$output"' EXIT
status=0
go test -count=1 -v ./... 2>&1 | tee "$output" || status=$?
echo "$(grep -c '^--- PASS' "$output" || true) passed, $(grep -c '^--- FAIL' "$output" || true) failed"
exit "$status"
