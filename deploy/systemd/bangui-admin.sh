#!/bin/sh
# Runs a command of BanGUI as its service would: with its user, settings, secrets and folders.
#
#   bangui-admin COMMAND…        as: bangui-admin config, bangui-admin admin setup-code
#
# Needs root. Standard input, output and the exit code are the command's. `dead-letters` works on
# what belongs to the collector, so it runs as the collector's user.
set -eu

[ $# -gt 0 ] || {
  echo "usage: bangui-admin COMMAND…, as: bangui-admin config" >&2
  exit 64
}
user=bangui
[ "$1" != dead-letters ] || user=bangui-collector
exec systemd-run --quiet --pipe --wait --collect --service-type=exec \
  --property=User=$user --property=Group=$user --property=UMask=0077 \
  --property=NoNewPrivileges=yes --property=ProtectSystem=strict --property=ProtectHome=yes \
  --property=StateDirectory=$user --property=StateDirectoryMode=0700 \
  --property=Environment=BANGUI_DATA_DIR=/var/lib/bangui \
  --property=Environment=BANGUI_COLLECTOR_DIR=/var/lib/bangui-collector \
  --property=EnvironmentFile=/etc/bangui/bangui.env \
  --property=LoadCredential=shared:/etc/bangui/secrets/shared \
  --property=LoadCredential=service:/etc/bangui/secrets/service \
  /usr/lib/bangui/start /usr/bin/bangui "$@"
