#!/usr/bin/env bash
# Runs a private fail2ban server in the foreground, for `make run` and for the tests.
#
#   scripts/serve-fail2ban.sh DIR
#
# Everything it writes lies in DIR: conf/, fail2ban.sock, fail2ban.log, fail2ban.sqlite3,
# actions.log, and the log that each demo jail reads (auth.log for sshd, NAME.log for others).
# It touches no firewall and needs no root.
#
# Environment:
#   FAIL2BAN_ROOT      an unpacked Debian fail2ban package (default: fetched into the build cache)
#   FAIL2BAN_JAILS     names of the demo jails, separated by spaces (default: sshd)
#   FAIL2BAN_BANTIME, FAIL2BAN_FINDTIME, FAIL2BAN_MAXRETRY   defaults: 10m, 10m, 3
set -euo pipefail

# A Unix socket's path has room for 108 bytes, of which one ends it.
readonly SOCKET_PATH_MAX_BYTES=107

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
templates=$here/../deploy/fail2ban/demo

fail() {
  printf '%s\n' "fail2ban: $*" >&2
  exit 1
}

[ $# -eq 1 ] || fail "usage: serve-fail2ban.sh DIR"
# Named outright: fail2ban is written for the system's Python, not for the first one in PATH.
python=/usr/bin/python3
[ -x "$python" ] || fail "$python is missing: install python3"

mkdir -p "$1"
# A relative socket path makes the server hang, so nothing below is relative.
dir=$(cd "$1" && pwd)
case $dir in
  *[\'\"\<\>$'\n'\`\$]*) fail "a folder with quotes, <, >, \$ or line ends in its name: $dir" ;;
esac
socket=$dir/fail2ban.sock
socket_bytes=$(LC_ALL=C && printf '%s' "${#socket}")
[ "$socket_bytes" -le "$SOCKET_PATH_MAX_BYTES" ] ||
  fail "the socket's path has $socket_bytes bytes, more than $SOCKET_PATH_MAX_BYTES: $socket"

root=${FAIL2BAN_ROOT:-}
[ -n "$root" ] || root=$("$here/debian-packages.sh" fail2ban)
[ -f "$root/usr/bin/fail2ban-server" ] || fail "no fail2ban in $root"

# A server that was killed leaves its socket behind, and the next one would refuse to start. One
# that still listens keeps it.
if [ -S "$socket" ]; then
  ! "$python" -c 'import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])' \
    "$socket" 2>/dev/null || fail "a server is already running in $dir"
  rm -f "$socket" "$dir/fail2ban.pid"
fi

# Makes a value safe inside fail2ban's ini files (% opens an interpolation) and in sed.
escaped() { printf '%s' "$1" | sed -e 's/%/%%/g' -e 's/[&|\\]/\\&/g'; }

# Copies the template $1 to $2; the further arguments are NAME=VALUE for its placeholders.
render() {
  local from=$1 to=$2 pair expressions=()
  shift 2
  for pair in "$@"; do
    expressions+=(-e "s|@${pair%%=*}@|$(escaped "${pair#*=}")|g")
  done
  sed "${expressions[@]}" "$from" >"$to"
}

# Lays out conf/ anew at each start, so that it always fits the package and the environment.
lay_out() {
  local conf=$dir/conf jail log
  rm -rf "$conf"
  mkdir -p "$conf/jail.d" "$conf/action.d"
  cp "$root/etc/fail2ban/fail2ban.conf" "$conf/"
  cp -r "$root/etc/fail2ban/filter.d" "$conf/"
  render "$templates/fail2ban.local" "$conf/fail2ban.local" "DIR=$dir"
  render "$templates/jail.local" "$conf/jail.local" "BANTIME=${FAIL2BAN_BANTIME:-10m}" \
    "FINDTIME=${FAIL2BAN_FINDTIME:-10m}" "MAXRETRY=${FAIL2BAN_MAXRETRY:-3}"
  render "$templates/bangui-record.conf" "$conf/action.d/bangui-record.conf" "DIR=$dir"
  for jail in ${FAIL2BAN_JAILS:-sshd}; do
    [[ $jail =~ ^[A-Za-z0-9_-]{1,64}$ ]] || fail "not a name for a jail: $jail"
    log=$dir/$jail.log
    [ "$jail" != sshd ] || log=$dir/auth.log
    # fail2ban refuses to start a jail whose log does not exist.
    [ -e "$log" ] || : >"$log"
    render "$templates/jail.d-demo.local" "$conf/jail.d/$jail.local" "JAIL=$jail" "LOG=$log"
  done
}
lay_out

export PYTHONPATH=$root/usr/lib/python3/dist-packages
exec "$python" "$root/usr/bin/fail2ban-server" -f -c "$dir/conf" -s "$socket" \
  -p "$dir/fail2ban.pid" start
