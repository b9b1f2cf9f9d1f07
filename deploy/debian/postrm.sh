#!/bin/sh
# A removal keeps settings, secrets and data; a purge removes all of them, and the users.
set -e

[ ! -d /run/systemd/system ] || systemctl --system daemon-reload >/dev/null || true

if [ "$1" = purge ]; then
  if command -v deb-systemd-helper >/dev/null; then
    deb-systemd-helper purge bangui.service bangui-collector.service >/dev/null || true
    deb-systemd-helper unmask bangui.service bangui-collector.service >/dev/null || true
  fi
  rm -rf /var/lib/bangui /var/lib/bangui-collector /etc/bangui
  for user in bangui bangui-collector; do
    ! getent passwd "$user" >/dev/null || userdel "$user" || true
    ! getent group "$user" >/dev/null || groupdel "$user" || true
  done
fi
