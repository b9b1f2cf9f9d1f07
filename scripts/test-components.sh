#!/usr/bin/env bash
# Checks and tests the collector's own components; closes with `N passed, M failed`.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../otel-collector/components"
PATH=$PATH:/usr/local/go/bin
command -v go >/dev/null || {
  printf '%s\n' "test-components: Go (1.24 or newer) is not installed" >&2
  exit 1
}
# A module that differs from the committed go.sum fails; one that is not served fails at once.
GOPROXY=$(go env GOPROXY | sed 's/[,|]direct$//')
export GOPROXY GOFLAGS='-buildvcs=false -mod=readonly' GOWORK=off

unformatted=$(gofmt -l .)
[ -z "$unformatted" ] || {
  printf 'test-components: not formatted: %s\n' $unformatted >&2
  exit 1
}
go vet ./...
output=$(mktemp)
trap 'rm -f "$output"' EXIT
status=0
go test -v ./... >"$output" 2>&1 || status=$?
failed=$(grep -c '^--- FAIL' "$output" || true)
# A package that did not compile counts as one.
[ "$status" -eq 0 ] || [ "$failed" -gt 0 ] || failed=1
[ "$failed" -eq 0 ] || cat "$output"
printf '%s passed, %s failed\n' "$(grep -c '^--- PASS' "$output" || true)" "$failed"
[ "$failed" -eq 0 ]
