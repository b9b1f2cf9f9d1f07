#!/usr/bin/env bash
# What the steps of the Kubernetes test have in common, beside what they share with the compose
# test's (`step`, `until_true`, `call`, …); tests/kubernetes/run.sh sources it.
# The variables `root` and `work` are of the script that sources this.
# shellcheck disable=SC2154
set -euo pipefail

# shellcheck source=tests/compose/lib.sh
source "$root/tests/compose/lib.sh"
# shellcheck source=scripts/lib/told-commands.sh
source "$root/scripts/lib/told-commands.sh"

readonly SECTION=Kubernetes
readonly NODE_FAIL2BAN=/run/node-fail2ban
fail2ban_pid=''

# Every cluster command of the section, a line each: `HEADING<tab>COMMAND`.
all_told() { (cd "$root" && told_lines "$SECTION" console); }

# told HEADING [PATTERN]: runs the commands below a heading of docs/INSTALL.md as they stand there,
# or the one that the pattern finds. Only the node's name is the test's.
told() {
  local commands
  commands=$(all_told | awk -F '\t' -v heading="$1" -v pattern="${2:-.}" \
    '$1 == heading && $2 ~ pattern { print $2 }')
  [ -n "$commands" ] || { echo "docs/INSTALL.md has no such command: $*" && return 1; }
  while IFS= read -r line; do printf '%s\t%s\n' "$1" "$line"; done <<<"$commands" >>"$work/told"
  (cd "$work/copy" && timeout "$STEP_LIMIT_SECONDS" bash -eu -c "${commands//NODE/node}") </dev/null
}

# forward HEADING PATTERN PORT: the told command that makes a port of the cluster one of ours.
forward() {
  local command
  command=$(all_told | awk -F '\t' -v heading="$1" -v pattern="$2" \
    '$1 == heading && $2 ~ pattern { print $2; exit }')
  [ -n "$command" ] || { say "docs/INSTALL.md has no such command: $*" && return 1; }
  printf '%s\t%s\n' "$1" "$command" >>"$work/told"
  keep_forward "$3" "${command#kubectl }"
}

# A forward ends with its pod, as its user meets it; the test begins it again.
keep_forward() {
  local port=$1 arguments
  read -ra arguments <<<"$2"
  while true; do
    kubectl "${arguments[@]}" >>"$work/forward-$port.log" 2>&1 </dev/null || true
    sleep 0.3
  done &
}

in_bangui() { kubectl --namespace bangui "$@"; }
# of_pod POD JSONPATH
of_pod() { in_bangui get pod "$1" --output "jsonpath={$2}"; }
all_ready() {
  in_bangui wait pod --all --for condition=Ready --timeout 5s
}
is_ready() {
  equal "$(of_pod "$1" '.status.conditions[?(@.type=="Ready")].status')" True "$1: ready"
}
pod_of() { in_bangui get pod --selector "app.kubernetes.io/name=$1" --output 'jsonpath={.items[0].metadata.name}'; }
# The process id, as the node sees it, of a pod's container.
process_of() {
  local container
  container=$(of_pod "$1" '.status.containerStatuses[0].containerID')
  ctr task ls | awk -v id="${container#containerd://}" '$1 == id { print $2 }' | grep .
}

is_connected() {
  contains "$(curl --silent --fail --max-time 5 "$BANGUI/health")" '"degraded":[]'
}

cannot() { ! "$@" || { echo "it could: $*" && return 1; }; }

# The node's fail2ban: a real one, whose socket lies where systemd would have it, with the group and
# mode that the node's drop-in gives it, by the drop-in's own command. Its log is not in the folder
# that the pod sees, as on a node.
start_fail2ban() {
  local begun=$SECONDS
  mkdir -p /run/fail2ban "$NODE_FAIL2BAN"
  FAIL2BAN_ROOT=$fail2ban_root "$root/scripts/serve-fail2ban.sh" "$NODE_FAIL2BAN" \
    >>"$work/fail2ban.log" 2>&1 &
  fail2ban_pid=$!
  until [ -S "$NODE_FAIL2BAN/fail2ban.sock" ]; do
    [ $((SECONDS - begun)) -lt 30 ] || { tail -n 3 "$work/fail2ban.log"; return 1; }
    sleep 0.2
  done
  ln -f "$NODE_FAIL2BAN/fail2ban.sock" /run/fail2ban/fail2ban.sock
  awk '/^ExecStartPost=-/ { on = 1; sub(/^ExecStartPost=-/, "") } on' \
    "$root/deploy/kubernetes/fail2ban-node.conf" | sh -eu
}
stop_fail2ban() {
  kill -TERM "$fail2ban_pid"
  wait "$fail2ban_pid" 2>/dev/null || true
  rm -f /run/fail2ban/fail2ban.sock
}

# attack ADDRESS: the lines of three failures, as sshd writes them on the node.
attack() { "$root/scripts/attack.sh" "$NODE_FAIL2BAN/auth.log" "$1"; }
# ban ADDRESS: an operator's, and keeps its trace's id.
ban() {
  curl --silent --show-error --fail-with-body --max-time 15 --cookie "$work/cookies" \
    --dump-header - --output /dev/null --header 'content-type: application/json' \
    --data "{\"jail\":\"sshd\",\"ip\":\"$1\"}" "$BANGUI/api/bans" |
    sed -n 's/^x-correlation-id: \([0-9a-f]*\).*$/\1/p' | grep . >"$work/trace"
}
