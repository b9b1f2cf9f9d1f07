#!/usr/bin/env bash
# Runs parts of the tests, each to its end, and closes with one line: `N passed, M failed`.
#
#   scripts/test.sh PART…
#
#   ui          installs and builds the page, type-checks it, runs its unit tests
#   cargo       every Rust test: unit, protocol, and integration against the real servers
#   rules       the alert rules do what their tests say
#   browser     the story in a real Chromium
#   collector   the collector accepts its configuration
#   deploy      confinement of the system services, Kubernetes objects
#   components  the collector's own components
#   destinations   what arrives where the collector sends it
#   chaos       the same through minutes of faults and restarts of the real servers; and five
#               instances on one database, paused and killed for INSTANCES_SECONDS (180) each on
#               SQLite and Postgres. INSTANCES_SEED repeats the faults of an earlier run
#
# A part that fails does not keep the next from running. A part that fails without counting a
# failed test (it did not compile, say) counts as one. A run without a single test is a failure.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
[ $# -gt 0 ] || {
  printf '%s\n' "test: usage: test.sh PART…" >&2
  exit 1
}

# Tests that take minutes each; `destinations` has the same faults at all vendors at once.
CHAOS=(elasticsearch::outages papertrail::outages papertrail::security figures::a_day outages::forty)

passed=0 failed=0
# How long each step took, as lines.
times=()
output=$(mktemp)
trap 'rm -f "$output"' EXIT
# Counts are read from plain text.
export NO_COLOR=1 CARGO_TERM_COLOR=never

# Adds up the last column of what the awk program $1 prints from the part's output.
sum() { sed 's/\x1b\[[0-9;]*m//g' "$output" | awk "$1 END { print n + 0 }"; }

# Prints what the part's output says was passed or failed ($1), in the words of whichever runner
# wrote it: cargo, vitest, node's own runner, or a line `N passed, M failed`.
count() {
  local cargo vitest node plain
  cargo=$(sum "/^test result:/ {
    for (i = 2; i <= NF; i++) if (\$i ~ /^$1;?\$/) n += \$(i - 1) }")
  vitest=$(sum "/^ *Tests +[0-9]/ {
    for (i = 2; i <= NF; i++) if (\$i == \"$1\") n += \$(i - 1) }")
  node=$(sum "/^(#|ℹ) ${1%ed} [0-9]+\$/ { n += \$3 }")
  plain=$(sum "/^[0-9]+ passed, [0-9]+ failed\$/ { n += \$(\"$1\" == \"passed\" ? 1 : 3) }")
  printf '%s' $((cargo + vitest + node + plain))
}

# Runs one step of a part; what it counts goes into the sums.
step() {
  local name=$1 status=0 begun=$SECONDS part_passed part_failed
  shift
  printf '\n== %s\n' "$name"
  "$@" 2>&1 | tee "$output" || status=$?
  times+=("$(printf '%5d s  %s' $((SECONDS - begun)) "$name")")
  part_passed=$(count passed)
  part_failed=$(count failed)
  if [ "$status" -ne 0 ] && [ "$part_failed" -eq 0 ]; then
    part_failed=1
    printf 'test: %s failed (exit code %s)\n' "$name" "$status"
  fi
  passed=$((passed + part_passed))
  failed=$((failed + part_failed))
  return "$status"
}

# A check has no tests of its own to count: it is one.
check() {
  if step "$@"; then passed=$((passed + 1)); fi
}

# The binary that cargo test has just built is the one that the browser sees: built once, for both.
# Alone, this part has none and lets make run build it.
browser() {
  local binary=${CARGO_TARGET_DIR:-target}/debug/bangui
  case " $parts " in
    *' cargo '*) [ ! -x "$binary" ] || export RUN_BINARY=$binary ;;
  esac
  step "browser" tests/browser/run.sh || true
}

run_part() {
  case $1 in
    ui)
      # Without its packages, nothing of the page can be checked.
      step "page: build" make --no-print-directory ui || return 0
      check "page: types" npm --prefix ui run --silent check
      step "page: unit tests" npm --prefix ui test --silent || true
      ;;
    cargo)
      # One more than cores: the heavy ones take turns, and who waits for its turn has a thread.
      RUST_TEST_THREADS=$(($(nproc) + 1)) step "cargo test" \
        cargo test --locked --no-fail-fast || true
      ;;
    rules) check "prometheus: alert rules" scripts/test-rules.sh ;;
    browser) browser ;;
    components) step "collector: components" scripts/test-components.sh || true ;;
    destinations)
      # What the others rely on to have seen what was sent.
      step "destinations: the sink" scripts/test-sink.sh || true
      # Nearly all of them take turns (tests/support/turns.rs), so that the number of threads is not
      # that of tests at work: who waits for a turn must not keep out those who need another.
      step "destinations" cargo test --locked --no-fail-fast --test destinations -- \
        --test-threads=16 "${CHAOS[@]/#/--skip=}" || true
      ;;
    chaos)
      step "chaos" cargo test --locked --no-fail-fast --test destinations -- \
        --nocapture "${CHAOS[@]}" || true
      # The same tests have a short form among those of `cargo`.
      INSTANCES_SECONDS=${INSTANCES_SECONDS:-180} step "chaos: instances" \
        cargo test --locked --no-fail-fast --test it instances::five -- --nocapture || true
      ;;
    collector) check "collector: configuration" scripts/validate-collector.sh ;;
    deploy)
      step "deploy: system services" scripts/test-units.sh || true
      step "deploy: Kubernetes" scripts/test-kubernetes.sh || true
      ;;
    *)
      printf 'test: no such part: %s\n' "$1" >&2
      exit 1
      ;;
  esac
}

parts=$*
for part in "$@"; do
  run_part "$part"
done

[ $((passed + failed)) -gt 0 ] || printf '\ntest: no test ran\n'
printf '\n== how long it took\n'
printf '%s\n' "${times[@]}"
printf '\n%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
