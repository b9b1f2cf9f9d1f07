#!/usr/bin/env bash
# Lets one address attack now: appends as many sshd failure lines as the demo jail needs for a ban.
#
#   scripts/attack.sh FILE IP
#
# FILE is the log that the jail reads (.run/auth.log under `make run`). FAIL2BAN_MAXRETRY says how
# many lines are needed when it is not 3.
set -euo pipefail

fail() {
  printf '%s\n' "attack: $*" >&2
  exit 1
}

[ $# -eq 2 ] || fail "usage: attack.sh FILE IP"
file=$1 ip=$2 count=${FAIL2BAN_MAXRETRY:-3}
[[ $ip =~ ^[0-9A-Fa-f:.]{2,45}$ ]] || fail "not an address: $ip"
[[ $count =~ ^[1-9][0-9]{0,3}$ ]] || fail "not a number of failures: $count"
[ -d "$(dirname "$file")" ] || fail "no such folder: $(dirname "$file")"

template=$(grep -m1 '^@TIME@' \
  "$(dirname "${BASH_SOURCE[0]}")/../deploy/fail2ban/attack.log")
# syslog's stamp is local time, as fail2ban reads it; %e would pad with a space, as syslog does.
line=${template//@TIME@/$(LC_ALL=C date '+%b %e %H:%M:%S')}
line=${line//@IP@/$ip}
lines=
for ((i = 0; i < count; i++)); do
  # Each failure is a session of its own: sshd never logs the same one twice.
  session=${line//@PID@/$((1000 + RANDOM))}
  lines+=${session//@PORT@/$((20000 + RANDOM))}$'\n'
done
# One write, so that lines of several attackers never mix.
printf '%s' "$lines" >>"$file"
