#!/usr/bin/env bash
# Runs ShellCheck over every script of the repository; part of `make ci`. Debian's shellcheck is
# unpacked into the build cache when the host has none.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
shellcheck=$(command -v shellcheck) ||
  shellcheck=$(scripts/debian-packages.sh shellcheck)/usr/bin/shellcheck

mapfile -t files < <(find .ci scripts otel-collector deploy tests ui -name node_modules -prune \
  -o -type f \( -name '*.sh' -o -path .ci/run \) -print 2>/dev/null | sort)
"$shellcheck" --severity=warning "${files[@]}"
printf '%s scripts are clean\n' "${#files[@]}"
