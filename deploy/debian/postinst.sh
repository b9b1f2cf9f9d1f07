#!/bin/sh
# Makes the users, hands fail2ban's socket to the group, and starts the services or starts them
# anew after an upgrade. It may run any number of times.
set -e

units='bangui-collector.service bangui.service'

# fail2ban's drop-in takes effect at its next start; one that runs already is not stopped for it.
share_socket() {
  systemctl is-active --quiet fail2ban.service || return 0
  /usr/lib/bangui/share-fail2ban-socket || true
}

case $1 in
  configure)
    systemd-sysusers bangui.conf
    if [ -z "$2" ]; then
      # Afterwards the file's owner is the administrator's choice, which dpkg keeps.
      chgrp bangui /etc/bangui/bangui.env
    fi
    for unit in $units; do
      deb-systemd-helper unmask "$unit" >/dev/null || true
      # On an upgrade, a service that was disabled stays so.
      if deb-systemd-helper --quiet was-enabled "$unit"; then
        deb-systemd-helper enable "$unit" >/dev/null || true
      else
        deb-systemd-helper update-state "$unit" >/dev/null || true
      fi
    done
    if [ -d /run/systemd/system ]; then
      systemctl --system daemon-reload || true
      share_socket
      if [ -z "$2" ]; then
        # shellcheck disable=SC2086
        deb-systemd-invoke start $units || true
      else
        # One after the other: on its way down BanGUI hands the collector what it still has to tell,
        # and a restart of both would stop them at once.
        deb-systemd-invoke restart bangui.service || true
        deb-systemd-invoke restart bangui-collector.service || true
      fi
    fi
    ;;
  abort-upgrade | abort-remove | abort-deconfigure) ;;
  *)
    echo "postinst: unknown argument: $1" >&2
    exit 1
    ;;
esac
