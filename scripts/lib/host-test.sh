#!/usr/bin/env bash
# What tests have in common that run a stack beside this machine's own services, in parts that count,
# and leave nothing behind; it is sourced. `work` is a folder of the script that sources it, and
# `state_of_host` its function that prints what could be left, a line each.
#
#   bounded SECONDS COMMAND…   a signal to the script ends the command, too, and what it has started
#   add_counts FILE NAME       adds the `N passed, M failed` that a part has left in a file
#   remember_host              before everything
#   check_host                 after it: a test of its own, that the host is as it was
#   conclude                   prints the sums; fails if anything failed
# shellcheck disable=SC2154
set -euo pipefail

passed=0 failed=0

bounded() {
  local status=0
  timeout --kill-after=60 "$@" &
  trap 'kill -TERM "$!"; wait "$!"; exit 143' TERM INT
  wait "$!" || status=$?
  trap - TERM INT
  return "$status"
}

add_counts() {
  [[ $(cat "$1" 2>/dev/null) =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]] || {
    echo "$2: it ended early" >&2
    exit 1
  }
  passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
}

remember_host() { state_of_host | LC_ALL=C sort >"$work/before"; }

check_host() {
  state_of_host | LC_ALL=C sort >"$work/after"
  if diff "$work/before" "$work/after"; then
    passed=$((passed + 1))
    echo "ok      nothing is left on this machine"
  else
    failed=$((failed + 1))
    echo "FAILED  the host is not as it was (< before, > after)"
  fi
}

conclude() {
  printf '%s passed, %s failed\n' "$passed" "$failed"
  [ "$failed" -eq 0 ]
}
