#!/usr/bin/env bash
# Containers that are killed come back with what they knew; tests/compose/run.sh sources it.
# The variables `root`, `work` and `password` are of the script that sources this.
# shellcheck disable=SC2154
set -euo pipefail

# As a crash or the kernel's out-of-memory killer: `docker kill` would count as a stop by hand, after
# which nothing restarts.
killed_comes_back() {
  local service=$1 count
  count=$(field "$service" '{{.RestartCount}}')
  kill -KILL "$(field "$service" '{{.State.Pid}}')"
  until_true 30 was_restarted "$service" "$count"
  until_true 90 is_healthy "$service"
}
was_restarted() { [ "$(field "$1" '{{.RestartCount}}')" -gt "$2" ]; }

# What was seen before is still there: the ban, the operator's audit rows, the trace, the series.
nothing_is_lost() {
  until_true 30 is_banned "$ATTACKER"
  contains "$(call GET /api/audit)" 198.51.100.8
  until_true 30 is_in_jaeger "$(cat "$work/trace")"
  until_true 30 bans_were_counted
}
bans_were_counted() { [ "$(prometheus 'max(max_over_time(bangui_bans_observed_total[1h]))')" -ge 1 ]; }

# A new ban goes all the way. $1: its address.
works_on() {
  attack "$1"
  until_true 45 is_banned "$1"
  until_true 20 line_of "$1" ban_observed
  until_true 60 is_in_jaeger "$(line_of "$1" ban_observed | json 'it["trace_id"]')"
}

# The containers are made anew, the volumes stay.
is_made_anew() {
  documented 'docker compose down'
  documented 'docker compose up --detach --wait'
  sign_in
}

test_recovery() {
  local service number=20
  for service in $SERVICES; do
    number=$((number + 1))
    step "$service is killed and comes back" killed_comes_back "$service"
    step 'nothing is lost' nothing_is_lost
    step 'the next ban goes all the way' works_on "198.51.100.$number"
  done
  step 'down and up again' is_made_anew
  step 'nothing is lost by that either' nothing_is_lost
}
