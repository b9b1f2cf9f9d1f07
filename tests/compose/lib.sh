#!/usr/bin/env bash
# What the steps of the compose test have in common; tests/compose/run.sh sources it.
#
# A step is a function: `step NAME FUNCTION…` runs it in a shell of its own and counts it as passed
# or failed. What a step prints is shown when it fails.
# The variables `root`, `work` and `password` are of the script that sources this.
# shellcheck disable=SC2154
set -euo pipefail

passed=0 failed=0
readonly BANGUI=http://127.0.0.1:${PUBLISH_PORT:-8000}
readonly PROMETHEUS=http://127.0.0.1:${PUBLISH_PROMETHEUS_PORT:-9090}
readonly JAEGER=http://127.0.0.1:${PUBLISH_JAEGER_PORT:-16686}
# No single step takes longer; a stack that comes up on a busy machine takes a minute.
readonly STEP_LIMIT_SECONDS=240

say() { printf '%s\n' "compose-test: $*" >&2; }

# Not `if "$@"`, in which `set -e` would not hold.
step() {
  local name=$1 output=$work/step.out status=0 started_seconds=$SECONDS
  shift
  set +e
  (
    set -e
    "$@"
  ) >"$output" 2>&1
  status=$?
  set -e
  if [ "$status" -eq 0 ]; then
    passed=$((passed + 1))
    printf 'ok      %s (%s s)\n' "$name" $((SECONDS - started_seconds))
  else
    failed=$((failed + 1))
    printf 'FAILED  %s (%s s)\n' "$name" $((SECONDS - started_seconds))
    tail -n 15 "$output" | cut -c1-300 | sed 's/^/        /'
  fi
}

# until_true SECONDS COMMAND…: again and again, as long as it fails.
until_true() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$deadline" ] || {
      echo "still not true: $*"
      "$@"
      return 1
    }
    sleep 0.5
  done
}

equal() { [ "$1" = "$2" ] || { echo "${3:-value} is '$1' and not '$2'" && return 1; }; }

contains() { [[ $1 == *"$2"* ]] || { echo "'$2' is not in: $(cut -c1-600 <<<"$1")" && return 1; }; }

# documented COMMAND [ARGUMENT…]: runs a command that docs/INSTALL.md tells, which must have that very
# line; the arguments are added to it. Volumes and the network are those of this project.
documented() {
  grep -qxF -- "$1" "$root/docs/INSTALL.md" || { echo "not in docs/INSTALL.md: $1" && return 1; }
  printf '%s\n' "$1" >>"$work/documented"
  local command=$1 name
  for name in default collector-state; do
    command=${command//bangui_$name/${COMPOSE_PROJECT_NAME}_$name}
  done
  timeout "$STEP_LIMIT_SECONDS" bash -c "$command ${*:2}" </dev/null
}

container() { docker compose ps --all --quiet "$1"; }

# field SERVICE FORMAT: of its container.
field() { docker inspect --format "$2" "$(container "$1")"; }

# json EXPRESSION: of the document on stdin, which is `it` in the expression (Python).
json() {
  python3 -c 'import json, sys
it = json.load(sys.stdin)
print(eval(sys.argv[1], {"it": it}))' "$1"
}

# call METHOD PATH [BODY]: BanGUI's API as the admin; the answer's body.
call() {
  local body=()
  [ $# -lt 3 ] || body=(--header 'content-type: application/json' --data "$3")
  curl --silent --show-error --fail-with-body --max-time 15 --cookie "$work/cookies" \
    --request "$1" "${body[@]}" "$BANGUI$2"
}

sign_in() {
  rm -f "$work/cookies"
  curl --silent --show-error --fail --max-time 15 --cookie-jar "$work/cookies" \
    --header 'content-type: application/json' \
    --data "{\"username\":\"admin\",\"password\":\"$password\"}" "$BANGUI/api/auth/login"
}

# set_up CODE: the password is chosen with the set-up code, as the page does it.
set_up() {
  curl --silent --show-error --fail-with-body --max-time 15 \
    --header 'content-type: application/json' \
    --data "{\"code\":\"$1\",\"password\":\"$password\"}" "$BANGUI/api/auth/setup"
  sign_in
  contains "$(curl --silent --fail --max-time 15 "$BANGUI/")" '<div id="app">'
  contains "$(call GET /api/dashboard/status)" '"jails"'
}

# attack ADDRESS: the lines of three failures, as the page would see them from a real sshd.
attack() {
  docker compose exec -T fail2ban sh -c 'for i in 1 2 3; do
    echo "$(date "+%b %e %T") demo sshd[$i]: Failed password for root from $1 port 4222 ssh2"
  done >>/run/fail2ban/auth.log' sh "$1"
}

is_banned() { contains "$(call GET "/api/bans?q=$1")" "\"$1\""; }

# The line that BanGUI wrote to stdout about an address.
line_of() {
  docker compose logs --no-log-prefix bangui | grep -F "\"event\":\"$2\"" | grep -F "\"$1\"" |
    tail -n 1 | grep .
}

is_in_jaeger() {
  local trace
  trace=$(curl --silent --fail --max-time 15 "$JAEGER/api/traces/$1") || return 1
  contains "$trace" '"operationName"'
}

# prometheus QUERY: the value of the first series.
prometheus() {
  curl --silent --fail --max-time 15 --get --data-urlencode "query=$1" \
    "$PROMETHEUS/api/v1/query" | json 'it["data"]["result"][0]["value"][1]'
}

is_healthy() { equal "$(field "$1" '{{.State.Health.Status}}')" healthy "$1"; }
