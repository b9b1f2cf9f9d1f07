#!/usr/bin/env bash
# Reads every compose file with compose itself and checks what it makes of them, and the
# Dockerfiles; no engine is needed. The short form of `make compose-test`, and part of `make ci`.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
compose=$(scripts/build-compose.sh)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Nothing of the caller's shell or of `.env` has a part in it.
configure() {
  env -i PATH="$PATH" HOME="$HOME" COMPOSE_DISABLE_ENV_FILE=1 \
    "$compose" "$@" --profile '*' config --format json >"$work/config.json"
  python3 tests/compose/lint.py compose "$work/config.json"
}
configure --file docker-compose.yml
for file in docker-compose.contrib.yml compose.host-fail2ban.yml; do
  configure --file docker-compose.yml --file "$file"
done
python3 tests/compose/lint.py settings
# The stand-ins of compilers run in builds alone, as root like what they stand for.
mapfile -t dockerfiles < <(git ls-files -co --exclude-standard '*Dockerfile' ':!tests/dockerfiles')
python3 tests/compose/lint.py dockerfile "${dockerfiles[@]}"
printf '3 compose configurations and %s Dockerfiles are clean\n' "${#dockerfiles[@]}"
