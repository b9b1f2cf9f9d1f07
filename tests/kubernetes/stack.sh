#!/usr/bin/env bash
# From nothing to a signed-in page, a ban on it, its trace and its number; and what each pod may do.
# tests/kubernetes/run.sh sources it.
# The variables `work` and `password` are of the scripts that source this.
# shellcheck disable=SC2154
set -euo pipefail

# Banned by the node's fail2ban, for what it reads in the node's log.
readonly ATTACKER=198.51.100.7

names_the_images() {
  told Images
  contains "$(kustomize build "$work/copy/deploy/kubernetes/overlays/traces")" \
    'image: registry.example.com/bangui-otelcol:0.1.0'
}

# Nothing but the folder of the node breaks the standard that the namespace warns about.
comes_up() {
  told Start >"$work/start" 2>&1 || { cat "$work/start" && return 1; }
  grep '^Warning' "$work/start" >"$work/warnings" || true
  equal "$(wc -l <"$work/warnings")" 1 'warnings'
  contains "$(cat "$work/warnings")" 'restricted volume types (volume "fail2ban"'
  equal "$(grep -o '(' "$work/warnings" | wc -l)" 1 'what the warning names'
}

is_set_up() {
  local told
  told=$(told 'Sign in' 'setup-code')
  set_up "$(tail -n 1 <<<"$told")"
}
page_answers() { curl --silent --fail --max-time 5 --output /dev/null "$BANGUI/health"; }

sees_a_ban() {
  attack "$ATTACKER"
  until_true 30 is_banned "$ATTACKER"
}

writes_the_line() {
  in_bangui logs bangui-0 | grep -F '"event":"ban_observed"' | grep -F "\"$ATTACKER\"" |
    tail -n 1 | json 'it["trace_id"]' >"$work/trace"
}

shows_in_jaeger() { until_true 60 is_in_jaeger "$(cat "$work/trace")"; }

shows_on_the_page() {
  contains "$(call GET "/api/traces/$(cat "$work/trace")")" '"spans"'
}

bans_are_counted() { [ "$(prometheus 'max(bangui_bans_observed_total)')" -ge 1 ]; }

# Prometheus scrapes both, and its rules are there.
scrapes_all() {
  equal "$(prometheus 'count(up == 0) or vector(0)')" 0 'targets that do not answer'
  curl --silent --fail --max-time 15 "$PROMETHEUS/api/v1/rules" |
    json 'len(it["data"]["groups"])' | grep -qx '[1-9][0-9]*'
}

# What the kernel says of the first process of a pod.
has_no_power() {
  local pod process status mounts
  pod=$(pod_of "$1")
  process=$(process_of "$pod")
  status=/proc/$process/status
  mounts=/proc/$process/mountinfo
  equal "$(awk '/^CapEff:/ { print $2 }' "$status")" 0000000000000000 "$1: effective capabilities"
  equal "$(awk '/^CapBnd:/ { print $2 }' "$status")" 0000000000000000 "$1: bounding set"
  equal "$(awk '/^NoNewPrivs:/ { print $2 }' "$status")" 1 "$1: no new privileges"
  equal "$(awk '/^Seccomp:/ { print $2 }' "$status")" 2 "$1: seccomp filter"
  [ "$(awk '/^Uid:/ { print $2 }' "$status")" -ne 0 ] || { echo "$1 runs as root" && return 1; }
  contains ",$(awk '$5 == "/" { print $6 }' "$mounts" | tail -n 1)," ,ro,
  ! grep -q kubernetes.io/serviceaccount "$mounts" || { echo "$1 has a token" && return 1; }
  ! tr '\0' '\n' <"/proc/$process/environ" | grep -E '_SERVICE_HOST=|_PORT=tcp' |
    grep -v ^KUBERNETES_ || { echo "$1 has addresses of services" && return 1; }
}

# Only this pod may have the group of the node's socket, whose folder it sees read-only.
shares_the_socket() {
  local process
  process=$(process_of bangui-0)
  contains " $(awk '/^Groups:/' "/proc/$process/status" | tr '\t' ' ') " ' 10002 '
  contains ",$(awk '$5 == "/run/fail2ban" { print $6 }' "/proc/$process/mountinfo")," ,ro,
  process=$(process_of otel-collector-0)
  ! grep -w '^Groups:.*10002' "/proc/$process/status" || return 1
}

test_stack() {
  step 'the images are named as the documentation tells' names_the_images
  step 'the node is labelled' told 'Prepare the node'
  step 'the manifests are applied, with one warning, and roll out' comes_up
  step 'all pods are ready' until_true 180 all_ready
  forward 'Sign in' port-forward 8000
  keep_forward 16686 '--namespace bangui port-forward service/jaeger 16686'
  keep_forward 9090 '--namespace bangui port-forward service/prometheus 9090'
  step 'the page answers through the forwarded port' until_true 30 page_answers
  step "the node's fail2ban is reached" until_true 30 is_connected
  step 'the set-up code opens the page' is_set_up
  step 'attack lines on the node become a ban on the page' sees_a_ban
  step 'and a line on stdout' writes_the_line
  step 'and a trace in Jaeger' shows_in_jaeger
  step 'which the page shows' shows_on_the_page
  step 'and a number in Prometheus' until_true 60 bans_are_counted
  step 'Prometheus reaches what it scrapes, and has its rules' until_true 60 scrapes_all
  local name
  for name in bangui otel-collector jaeger prometheus; do
    step "$name: the kernel gives it no power, a read-only root and no token" has_no_power "$name"
  done
  step "BanGUI alone has the socket's group" shares_the_socket
}
