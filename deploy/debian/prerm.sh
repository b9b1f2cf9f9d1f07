#!/bin/sh
# Stops the services before their files go. An upgrade leaves them running until it is done.
set -e

if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  deb-systemd-invoke stop bangui.service bangui-collector.service || true
  /usr/lib/bangui/share-fail2ban-socket --revoke || true
fi
