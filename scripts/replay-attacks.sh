#!/usr/bin/env bash
# Appends sample sshd attacks to a log, slowly, so that `make run` has bans to show.
#
#   scripts/replay-attacks.sh FILE
#
# Each round is one block of deploy/fail2ban/attack.log, from another address of 198.51.100.0/24
# (reserved for documentation), stamped now. It ends after REPLAY_ROUNDS rounds or with its parent.
set -euo pipefail

# Three or four lines a round: a new address is banned about every half minute.
readonly LINE_SECONDS=${REPLAY_LINE_SECONDS:-8}
# Half a minute each, about four hours: a demo that was forgotten must not write for ever.
readonly ROUNDS=${REPLAY_ROUNDS:-500}
# 198.51.100.254 is the ordinary user's address in the sample.
readonly ADDRESSES=253

[ $# -eq 1 ] || {
  printf '%s\n' "replay-attacks: usage: replay-attacks.sh FILE" >&2
  exit 1
}
file=$1
sample=$(dirname "${BASH_SOURCE[0]}")/../deploy/fail2ban/attack.log
parent=$PPID

# Blocks are separated by empty lines; the heading comments belong to none.
mapfile -t lines < <(grep -v '^#' "$sample")
blocks=('')
for line in "${lines[@]}"; do
  if [ -z "$line" ]; then
    blocks+=('')
  else
    blocks[-1]+=$line$'\n'
  fi
done

# A pipe that never has anything to read: waiting on it needs no child process to clean up.
exec {pause}<> <(:)

for ((round = 0; round < ROUNDS; round++)); do
  # Steps of a prime through the network: neighbours in time are no neighbours in address.
  ip=198.51.100.$((round * 97 % ADDRESSES + 1))
  pid=$((1000 + RANDOM)) port=$((20000 + RANDOM))
  # The first attacker comes at once, so that the page is not empty for half a minute.
  seconds=$LINE_SECONDS
  [ "$round" -gt 0 ] || seconds=1
  while IFS= read -r line; do
    line=${line//@TIME@/$(LC_ALL=C date '+%b %e %H:%M:%S')}
    line=${line//@PID@/$pid} line=${line//@PORT@/$port}
    printf '%s\n' "${line//@IP@/$ip}" >>"$file"
    pid=$((pid + 1)) port=$((port + 1))
    read -rt "$seconds" -u "$pause" || true
    # An orphan has another parent: whoever wanted these lines is gone.
    read -r _ _ _ now_parent _ <"/proc/$$/stat"
    [ "$now_parent" = "$parent" ] || exit 0
  done < <(printf '%s' "${blocks[round % ${#blocks[@]}]}")
done
