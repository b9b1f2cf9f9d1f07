#!/bin/sh
# Gives a group fail2ban's socket, or takes it back; run by fail2ban.service once it has started.
#
#   share-fail2ban-socket [--revoke] [SOCKET]
#
# It waits until the server has made the socket, but not for ever: a start must not hang here.
set -eu

group=bangui mode=0660 wait_seconds=20
if [ "${1:-}" = --revoke ]; then
  group=root mode=0600 wait_seconds=0
  shift
fi
socket=${1:-/run/fail2ban/fail2ban.sock}

waited_seconds=0
until [ -S "$socket" ]; do
  if [ "$waited_seconds" -ge "$wait_seconds" ]; then
    [ "$wait_seconds" -eq 0 ] && exit 0
    echo "share-fail2ban-socket: no socket $socket after $wait_seconds s" >&2
    exit 1
  fi
  sleep 1
  waited_seconds=$((waited_seconds + 1))
done
# The folder is root's alone to write, so nobody can put another file in the socket's place.
chgrp "$group" "$socket"
chmod "$mode" "$socket"
