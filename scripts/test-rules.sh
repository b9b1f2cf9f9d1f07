#!/usr/bin/env bash
# Checks and tests the alert rules in deploy/prometheus/rules with promtool, the host's own or
# Debian's, which is unpacked into the build cache.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
promtool=$(command -v promtool) ||
  promtool=$(scripts/debian-packages.sh prometheus)/usr/bin/promtool
[ -x "$promtool" ] || {
  printf '%s\n' "test-rules: promtool is missing: $promtool" >&2
  exit 1
}

"$promtool" check rules deploy/prometheus/rules/*.yml
"$promtool" test rules deploy/prometheus/rules/tests/*.yml
