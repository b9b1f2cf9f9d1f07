#!/usr/bin/env bash
# Rates the confinement of the system services with `systemd-analyze security`; part of `make ci`.
# Debian's systemd is unpacked into the build cache when the host has none.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# Tenths, as systemd-analyze has it: an exposure of 1.5 of 10. What is left is that the services
# listen, connect and see the host's programs.
readonly EXPOSURE_MAX_TENTHS=15

run=()
if command -v systemd-analyze >/dev/null; then
  analyze=systemd-analyze
else
  root=$(scripts/debian-packages.sh --with-dependencies systemd)
  analyze=$root/usr/bin/systemd-analyze
  [ -x "$analyze" ] || analyze=$root/bin/systemd-analyze
  run=(env "LD_LIBRARY_PATH=$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu:$root/lib/systemd")
fi

failed=0 passed=0
# rate UNIT: whether its exposure is within the limit.
rate() {
  "${run[@]}" "$analyze" security --offline=true --no-pager \
    --threshold="$EXPOSURE_MAX_TENTHS" "$1" 2>&1
}
for unit in bangui bangui-collector; do
  if told=$(rate "deploy/systemd/$unit.service"); then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    grep '^✗' <<<"$told" || true
  fi
  tail -n 1 <<<"$told"
done

# The check itself: a unit that gives something up is over the limit.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
grep -vE '^(SystemCallFilter|CapabilityBoundingSet|NoNewPrivileges)=' \
  deploy/systemd/bangui.service >"$work/bangui.service"
if rate "$work/bangui.service" >/dev/null; then
  echo "test-units: a unit without system call filter would pass"
  failed=$((failed + 1))
else
  passed=$((passed + 1))
fi
printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
