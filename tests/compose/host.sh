#!/usr/bin/env bash
# The host's own fail2ban, by compose.host-fail2ban.yml; tests/compose/run.sh sources it.
# The variables `root`, `work` and `password` are of the script that sources this.
# shellcheck disable=SC2154
set -euo pipefail

# The group that the drop-in gives the socket to; no account here is in it.
readonly SOCKET_GROUP=10002

host_fail2ban=

# As root, as the host's does: its socket is root's alone.
start_host_fail2ban() {
  mkdir -p "$work/host"
  # A user of a container has to reach the socket through the folders above it.
  chmod 755 "$work" "$work/host"
  "$root/scripts/serve-fail2ban.sh" "$work/host" >"$work/host.log" 2>&1 &
  host_fail2ban=$!
  until_true 60 test -S "$work/host/fail2ban.sock"
}

end_host_fail2ban() {
  [ -n "$host_fail2ban" ] || return 0
  kill -TERM "$host_fail2ban" 2>/dev/null || true
  wait "$host_fail2ban" 2>/dev/null || true
  host_fail2ban=
}

starts_as_root() {
  equal "$(stat -c '%U %a' "$work/host/fail2ban.sock")" 'root 700' 'the socket'
}

# The drop-in's own command, with this socket in the place of the host's.
shares_the_socket() {
  local command
  # systemd reads a line that ends in a backslash and the next one as one.
  command=$(sed -e ':join' -e '/\\$/{N;s/\\\n/ /;b join' -e '}' \
    "$root/deploy/fail2ban/socket-group.conf" |
    sed -n "s/^ExecStartPost=-.bin.sh -c '\(.*\)'\$/\1/p")
  [ -n "$command" ]
  sh -c "${command//\/run\/fail2ban/$work/host}"
  equal "$(stat -c '%U %g %a' "$work/host/fail2ban.sock")" "root $SOCKET_GROUP 660" 'the socket'
}

comes_up_with_the_host() {
  export FAIL2BAN_SOCKET_DIR=$work/host
  # Only what this needs; Grafana's image may not be there.
  documented 'docker compose -f docker-compose.yml -f compose.host-fail2ban.yml up --detach --wait' \
    bangui
}

# The connection, by what the service tells of itself.
sees_fail2ban() { contains "$(curl -s --max-time 10 "$BANGUI/health")" '"degraded":[]'; }

is_locked_out() {
  export FAIL2BAN_GROUP_ID=10001
  comes_up_with_the_host
  until_true 30 says_so
}
says_so() { contains "$(curl -s --max-time 10 "$BANGUI/health")" fail2ban; }

is_let_in() {
  comes_up_with_the_host
  until_true 30 sees_fail2ban
  sign_in
  FAIL2BAN_MAXRETRY=3 "$root/scripts/attack.sh" "$work/host/auth.log" 198.51.100.61
  until_true 60 is_banned 198.51.100.61
  call DELETE /api/bans/sshd/198.51.100.61
}

may_do_no_more() {
  is_confined bangui
  has_no_power bangui
  equal "$(field bangui '{{range .Mounts}}{{if eq .Type "bind"}}{{.RW}}{{end}}{{end}}')" false \
    'the folder is writable'
}

test_host() {
  docker compose down --remove-orphans >/dev/null 2>&1
  start_host_fail2ban
  step "the host's fail2ban keeps its socket to root" starts_as_root
  step 'without its group BanGUI is locked out' is_locked_out
  step 'the drop-in lets a group in' shares_the_socket
  step "with the group BanGUI bans in the host's fail2ban" is_let_in
  step 'without root, capabilities or a writable folder' may_do_no_more
  end_host_fail2ban
}
