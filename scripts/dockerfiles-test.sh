#!/usr/bin/env bash
# Builds BanGUI's image and its collector's program for arm64 from a clone, with the stages of the
# Dockerfiles as they stand, and runs both under Debian's qemu; and all images of the compose file, by
# compose. `make dockerfiles-test` calls it. Ends with the line `N passed, M failed`.
#
# Where no image registry can be reached, images made of this machine's own Node, Rust and Go stand
# for those that the first stages start from (scripts/lib/stand-ins.sh); in these Rust compiles
# without optimisation, to take minutes. It is the last commit that is cloned and built.
# The engine keeps what was compiled of other packages; the first run takes much longer than a later.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
DOCKERFILES_TEST_WORK=$(mktemp -d /tmp/bangui-dockerfiles.XXXXXX)
export DOCKERFILES_TEST_WORK
trap 'rm -rf "$DOCKERFILES_TEST_WORK"' EXIT
readonly BUILD_LIMIT_SECONDS=5400 RUN_LIMIT_SECONDS=900
# shellcheck source=scripts/lib/host-test.sh
source "$root/scripts/lib/host-test.sh"

# part SECONDS COMMAND…: a command that leaves its counts in a file.
part() {
  local counts=$DOCKERFILES_TEST_WORK/counts
  rm -f "$counts"
  COUNTS_FILE=$counts timeout --foreground --kill-after=60 "$@" || true
  add_counts "$counts" "dockerfiles-test: ${*:2}"
}

begun=$SECONDS
# Before the parts run, the second of which has no network.
"$root/scripts/debian-packages.sh" qemu-user-static >/dev/null
tests=$root/tests/dockerfiles
part "$BUILD_LIMIT_SECONDS" "$root/scripts/with-engine.sh" --build "$tests/build.sh"
# With a network and processes of its own: no port is taken, and nothing is left.
part "$RUN_LIMIT_SECONDS" unshare --net --mount --pid --fork --kill-child --mount-proc \
  "$tests/arm64.sh"
printf 'dockerfiles-test: %s s\n' $((SECONDS - begun))
conclude
