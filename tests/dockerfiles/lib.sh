#!/usr/bin/env bash
# What the parts of the Dockerfiles' test have in common; they source it.
# DOCKERFILES_TEST_WORK is the folder that scripts/dockerfiles-test.sh made for all of them.
# shellcheck disable=SC2034
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=${DOCKERFILES_TEST_WORK:?scripts/dockerfiles-test.sh sets it}
readonly root work password=correct-horse-battery-staple
# shellcheck source=tests/compose/lib.sh
source "$root/tests/compose/lib.sh"

# For the commands that the documentation tells, which name the project.
export COMPOSE_PROJECT_NAME=bangui-dockerfiles-test
# Not tags of the user's.
readonly ARM64_IMAGE=bangui-dockerfiles-test:arm64
readonly ARM64_COLLECTOR_IMAGE=bangui-dockerfiles-test:collector-arm64
# Nothing of the caller's shell configures what is tested.
for name in $(compgen -e); do
  case $name in BANGUI_BUILD_CACHE) ;; BANGUI_* | OTEL_* | AWS_* | COLLECTOR_*) unset "$name" ;; esac
done

report() {
  printf '%s passed, %s failed\n' "$passed" "$failed" | tee "${COUNTS_FILE:-/dev/null}"
  [ "$failed" -eq 0 ]
}
