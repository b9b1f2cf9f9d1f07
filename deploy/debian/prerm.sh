#!/bin/sh
# Stops the services before their files go. An upgrade leaves them running until it is done.
set -e

if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  # One after the other: BanGUI hands the collector what it still has to tell.
  deb-systemd-invoke stop bangui.service || true
  deb-systemd-invoke stop bangui-collector.service || true
  /usr/lib/bangui/share-fail2ban-socket --revoke || true
fi
