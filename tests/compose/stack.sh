#!/usr/bin/env bash
# From nothing to a signed-in page, a ban on it and its trace; and what each container may do.
# tests/compose/run.sh sources it.
# The variables `root`, `work` and `password` are of the script that sources this.
# shellcheck disable=SC2154
set -euo pipefail

readonly SERVICES='bangui fail2ban otel-collector jaeger prometheus'
# Started by the attack lines, lifted by an operator.
readonly ATTACKER=198.51.100.7

comes_up() {
  documented 'cp .env.example .env'
  documented 'docker compose up --detach --wait'
  local service
  for service in $SERVICES; do is_healthy "$service"; done
}

# Whether service $1 was started only when $2 was healthy: its first good check came before.
started_after() {
  local healthy started
  healthy=$(field "$2" '{{range .State.Health.Log}}{{if eq .ExitCode 0}}{{.End.UTC.UnixNano}} {{end}}{{end}}')
  started=$(field "$1" '{{.State.StartedAt}}')
  started=$(date -d "$started" +%s%N)
  # The engine keeps the last five checks only; then the start of the other has to do.
  [ "${healthy%% *}" -lt "$started" ] || {
    healthy=$(date -d "$(field "$2" '{{.State.StartedAt}}')" +%s%N)
    [ "$healthy" -lt "$started" ] || { echo "$1 started before $2" && return 1; }
  }
}

starts_in_order() {
  started_after otel-collector jaeger
  started_after bangui otel-collector
  started_after bangui fail2ban
  started_after prometheus bangui
}

is_set_up() {
  local told
  told=$(documented 'docker compose exec -T bangui bangui admin setup-code')
  set_up "$(tail -n 1 <<<"$told")"
}

sees_a_ban() {
  attack "$ATTACKER"
  until_true 30 is_banned "$ATTACKER"
}

writes_the_line() {
  contains "$(documented 'docker compose logs --no-log-prefix bangui')" "$ATTACKER"
  line_of "$ATTACKER" ban_observed | json 'it["trace_id"]' >"$work/trace"
}

shows_in_prometheus() {
  until_true 45 bans_are_counted
  until_true 30 prometheus bangui_bans_total
  documented "curl -s 'http://localhost:9090/api/v1/query?query=bangui_bans_total'" |
    json 'it["data"]["result"][0]["value"][1]'
}
bans_are_counted() { [ "$(prometheus 'max(bangui_bans_observed_total)')" -ge 1 ]; }

shows_in_jaeger() {
  contains "$(documented 'curl -s http://localhost:16686/api/services')" '"bangui"'
  until_true 30 is_in_jaeger "$(cat "$work/trace")"
}

# An operator bans and lifts; both are in the audit log with the trace that Jaeger has.
is_audited() {
  call POST /api/bans '{"jail":"sshd","ip":"198.51.100.8"}'
  call DELETE /api/bans/sshd/198.51.100.8
  contains "$(call GET /api/audit)" 198.51.100.8
}

attacks_itself() {
  documented 'docker compose --profile demo up --detach --wait'
  until_true 90 has_demo_ban
  docker compose --profile demo rm --stop --force demo
}
has_demo_ban() { contains "$(call GET '/api/bans')" '"198.51.100.1"'; }

lists_dead_letters() {
  contains "$(documented 'docker compose exec -T bangui bangui dead-letters list')" \
    '/var/lib/otelcol/dead-letters'
}

# What service $1 was given, by the engine's own account.
is_confined() {
  equal "$(field "$1" '{{.HostConfig.ReadonlyRootfs}}')" true "$1: read-only root"
  equal "$(field "$1" '{{.HostConfig.CapDrop}} {{.HostConfig.CapAdd}}')" '[ALL] []' "$1: capabilities"
  equal "$(field "$1" '{{.HostConfig.SecurityOpt}}')" '[no-new-privileges:true]' "$1: options"
  equal "$(field "$1" '{{.HostConfig.Privileged}}')" false "$1: privileged"
  equal "$(field "$1" '{{.HostConfig.RestartPolicy.Name}}')" unless-stopped "$1: restart"
  local limit
  for limit in Memory NanoCpus PidsLimit; do
    [ "$(field "$1" "{{.HostConfig.$limit}}")" -gt 0 ] || { echo "$1: no $limit" && return 1; }
  done
  local addresses
  addresses=$(field "$1" '{{range .HostConfig.PortBindings}}{{range .}}{{.HostIp}} {{end}}{{end}}')
  [ -z "$(tr -d ' ' <<<"${addresses//127.0.0.1/}")" ] || { echo "$1: ports $addresses" && return 1; }
}

# And by the kernel's, of its first process.
has_no_power() {
  local status
  status=/proc/$(field "$1" '{{.State.Pid}}')/status
  equal "$(awk '/^CapEff:/ { print $2 }' "$status")" 0000000000000000 "$1: effective capabilities"
  equal "$(awk '/^CapBnd:/ { print $2 }' "$status")" 0000000000000000 "$1: bounding set"
  equal "$(awk '/^NoNewPrivs:/ { print $2 }' "$status")" 1 "$1: no new privileges"
  equal "$(awk '/^Seccomp:/ { print $2 }' "$status")" 2 "$1: seccomp filter"
  [ "$(awk '/^Uid:/ { print $2 }' "$status")" -ne 0 ] || { echo "$1 runs as root" && return 1; }
}

has_one_network() {
  local network=${COMPOSE_PROJECT_NAME}_default service
  for service in $SERVICES; do
    equal "$(field "$service" '{{range $name, $it := .NetworkSettings.Networks}}{{$name}} {{end}}')" \
      "$network " "$service: networks"
  done
}

test_stack() {
  step 'docker compose up brings all of it up, healthy' comes_up
  step 'each starts when those that it needs are healthy' starts_in_order
  step 'the set-up code opens the page' is_set_up
  step 'attack lines become a ban on the page' sees_a_ban
  step 'and a line on stdout' writes_the_line
  step 'and a number in Prometheus' shows_in_prometheus
  step 'and a trace in Jaeger' shows_in_jaeger
  step "an operator's ban is audited" is_audited
  step 'the profile demo brings attackers' attacks_itself
  step 'dead letters can be listed' lists_dead_letters
  step 'there is one network' has_one_network
  local service
  for service in $SERVICES; do
    step "$service: read-only, no capabilities, limits, loopback" is_confined "$service"
    step "$service: the kernel agrees, and it is not root" has_no_power "$service"
  done
}
