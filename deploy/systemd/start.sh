#!/bin/sh
# Starts one of BanGUI's services with the secrets that systemd has loaded for it.
#
#   start COMMAND…
#
# A file /etc/bangui/secrets/shared/NAME (or service/NAME) becomes the setting NAME_FILE. systemd
# reads these files as root and shows the service copies, named shared_NAME and service_NAME.
set -eu

for file in "${CREDENTIALS_DIRECTORY:-/nonexistent}"/*_*; do
  [ -f "$file" ] || continue
  name=${file##*/}
  name=${name#*_}
  case $name in
    [A-Z]*) ;;
    *) name=- ;;
  esac
  case $name in
    *[!A-Z0-9_]*)
      # As an editor's backup copy.
      echo "start: ignored, for its name is no setting's: $file" >&2
      continue
      ;;
  esac
  export "${name}_FILE=$file"
done
exec "$@"
