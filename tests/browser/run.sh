#!/usr/bin/env bash
# Walks the story in a browser against the whole product: gets what the test needs, starts
# `make run` in a private folder on free ports, waits until telemetry flows, runs story.mjs, and
# ends what it started. Its exit code is the story's.
#
#   tests/browser/run.sh
#
# Environment (optional): SCREENSHOT, where the picture of the overview goes.
set -euo pipefail

# A cold machine compiles BanGUI, the collector and Jaeger first.
readonly START_SECONDS=3600
readonly STORY_SECONDS=420
# run.sh ends its services in order, each within its own limit.
readonly STOP_SECONDS=45
readonly PROGRESS_SECONDS=30

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)

say() { printf 'browser test: %s\n' "$*" >&2; }

# mktemp's default is a short path, as the socket of fail2ban needs it (108 bytes at most).
run_dir=$(mktemp -d)
run_log=$run_dir/run.log
run_pid=''

# Ends the run by its pid; the run then ends its services. The folder is kept after a failure.
finish() {
  local status=$? until=$((SECONDS + STOP_SECONDS))
  trap - EXIT INT TERM
  if [ -n "$run_pid" ]; then
    kill -s TERM "$run_pid" 2>/dev/null || true
    while kill -0 "$run_pid" 2>/dev/null && [ "$SECONDS" -lt "$until" ]; do sleep 0.1; done
    if kill -s KILL "$run_pid" 2>/dev/null; then
      say "the run did not end within $STOP_SECONDS s and was killed"
      [ "$status" -ne 0 ] || status=1
    fi
    wait "$run_pid" 2>/dev/null || true
  fi
  if [ "$status" -eq 0 ]; then
    rm -rf "$run_dir"
  else
    say "failed; the logs of the run are in $run_dir"
  fi
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

in_use() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Exports free ports under the given names, from a range that neither the kernel nor run.sh uses
# for ports of their own choice.
export_free_ports() {
  local candidate=$((10000 + RANDOM % 9000)) name
  for name in "$@"; do
    while in_use "$candidate"; do candidate=$((candidate + 1)); done
    export "$name=$candidate"
    candidate=$((candidate + 1))
  done
}

install_packages() {
  cd "$here"
  # npm writes this file last, so it is older than the lock file when packages are out of date.
  if ! [ node_modules/.package-lock.json -nt package-lock.json ]; then
    say "installing npm packages"
    npm ci --no-audit --no-fund --loglevel=error >&2
  fi
}

# Waits until the run has said a line that matches $1; $2 matches lines that end all hope.
wait_for_line() {
  local next_progress=$((SECONDS + PROGRESS_SECONDS))
  until grep -qE "$1" "$run_log"; do
    if [ -n "${2:-}" ] && grep -E "$2" "$run_log" >&2; then return 1; fi
    if ! kill -0 "$run_pid" 2>/dev/null; then
      say "the run has ended before it was ready:"
      tail -n 20 "$run_log" >&2
      return 1
    fi
    if [ "$SECONDS" -ge "$START_SECONDS" ]; then
      say "not ready after $START_SECONDS s: $1"
      return 1
    fi
    if [ "$SECONDS" -ge "$next_progress" ]; then
      say "waiting (${SECONDS} s): $(grep -E '^(run:|ready )' "$run_log" | tail -n 1)"
      next_progress=$((SECONDS + PROGRESS_SECONDS))
    fi
    sleep 0.2
  done
}

start_run() {
  export_free_ports RUN_PORT RUN_OTLP_GRPC_PORT RUN_OTLP_HTTP_PORT RUN_EXPOSITION_PORT \
    RUN_PROMETHEUS_PORT RUN_JAEGER_PORT
  : >"$run_log"
  say "starting BanGUI and all that belongs to it"
  # Should this script be killed outright, the kernel passes a TERM on to the run.
  RUN_DIR=$run_dir RUN_REPLAY=false setpriv --pdeathsig TERM -- "$root/scripts/run.sh" \
    </dev/null >"$run_log" 2>&1 &
  run_pid=$!
  wait_for_line '^ready http'
  wait_for_line '^run: fail2ban is ready' '^run: left out: fail2ban'
  wait_for_line '^run: the collector is ready' '^run: left out: the collector'
  wait_for_line '^run: Jaeger is ready' '^run: left out: Jaeger'
  wait_for_line '^run: Prometheus is ready' '^run: left out: Prometheus'
  say "everything is ready after $SECONDS s"
}

main() {
  install_packages
  CHROMIUM=$("$root/scripts/chromium.sh")
  start_run
  BASE_URL=$(sed -n 's/^ready \(http[^ ]*\).*/\1/p' "$run_log" | head -n 1)
  ADMIN_PASSWORD=$(cat "$run_dir/admin-password")
  AUTH_LOG=$run_dir/auth.log
  ATTACK=$root/scripts/attack.sh
  SCREENSHOT=${SCREENSHOT:-$here/overview.png}
  export CHROMIUM BASE_URL ADMIN_PASSWORD AUTH_LOG ATTACK SCREENSHOT
  timeout --kill-after=10 "$STORY_SECONDS" node --test --test-reporter=spec "$here/story.mjs"
}

main
