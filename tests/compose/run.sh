#!/usr/bin/env bash
# Takes the compose file through what its users do, on the engine that DOCKER_HOST names and with
# the images that scripts/images.sh built; scripts/compose-test.sh calls it. Ends with the line
# `N passed, M failed`.
#
# The files are used as they are, in a copy of the repository and as a project of its own, so that
# a stack of the user's is not touched; its ports have to be free (PUBLISH_… moves them).
# COMPOSE_TEST_PARTS="stack proxy" runs these parts alone; all others need `stack` before them.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
readonly root work password=correct-horse-battery-staple
# shellcheck source=tests/compose/lib.sh
source "$root/tests/compose/lib.sh"
for part in stack images recovery proxy delivery host; do
  # shellcheck source=/dev/null
  source "$root/tests/compose/$part.sh"
done

mkdir "$work/copy"
cp -r "$root"/{docker-compose.yml,docker-compose.contrib.yml,compose.host-fail2ban.yml,.env.example} \
  "$root"/{deploy,scripts,otel-collector} "$work/copy/"
cd "$work/copy"
export COMPOSE_PROJECT_NAME=bangui-compose-test COMPOSE_FILE=docker-compose.yml
# Nothing of the caller's shell configures the stack.
for name in $(compgen -e); do
  case $name in BANGUI_* | OTEL_* | AWS_* | COLLECTOR_*) unset "$name" ;; esac
done

tear_down() {
  docker rm --force --volumes "$COMPOSE_PROJECT_NAME-intake" >/dev/null 2>&1 || true
  docker compose --profile '*' down --volumes --remove-orphans --timeout 20 >/dev/null 2>&1 || true
}
finish() {
  end_host_fail2ban
  end_proxy
  tear_down
  rm -rf "$work"
}
trap finish EXIT
# What a run that was killed has left on an engine of the user's.
tear_down

# What has no image here is taken out of the stack by one more file, which all commands then read.
if ! docker image inspect "$(sed -n 's/^    image: \(grafana.*\)/\1/p' docker-compose.yml)" \
  >/dev/null 2>&1; then
  say "Grafana has no image here and is left out"
  printf 'services:\n  grafana: !reset null\n' >"$work/without-grafana.yml"
  COMPOSE_FILE=docker-compose.yml:$work/without-grafana.yml
fi

for part in ${COMPOSE_TEST_PARTS:-stack images recovery proxy delivery host removal}; do
  "test_$part"
done
# For the script around this one, which counts on.
printf '%s passed, %s failed\n' "$passed" "$failed" | tee "${COUNTS_FILE:-/dev/null}"
[ "$failed" -eq 0 ]
