#!/usr/bin/env bash
# Runs Debian's Alertmanager in the foreground on 127.0.0.1, with deploy/prometheus/alertmanager.yml.
#
# Environment:
#   ALERTMANAGER_PORT   where it listens (default 9093)
#   ALERTMANAGER_DIR    its configuration, with secrets, and its state (required)
#   ALERTMANAGER_WEBHOOK_URL_FILE   a file with the URL that critical alerts go to (required)
#   ALERTMANAGER_EMAIL_TO, ALERTMANAGER_EMAIL_FROM   addresses (required)
#   ALERTMANAGER_SMTP_HOST   host:port of the mail server (required)
#   ALERTMANAGER_SMTP_TLS   true, or false for a server without STARTTLS (default true)
#   ALERTMANAGER_SMTP_USERNAME, ALERTMANAGER_SMTP_PASSWORD_FILE   for a server that asks for them
#   ALERTMANAGER_GROUP_WAIT_SECONDS   how long a first message waits for more (default 10)
#   ALERTMANAGER_ROOT   an unpacked Debian package (default: fetched into the build cache)
#
# With `check` as its argument it only fills in the configuration and has amtool look at it.
set -euo pipefail

fail() {
  printf '%s\n' "alertmanager: $*" >&2
  exit 1
}

# Debian's Alertmanager reads its templates from a fixed path, where nothing is as long as the
# package is not installed. A copy is told to look in its working directory; the two paths are of
# the same length, since a program's texts cannot grow.
readonly INSTALLED=/usr/share/prometheus/alertmanager
readonly HERE=/proc/self/cwd/./././././././././.

# Prints the program that runs where the package was unpacked.
program() {
  local original=$1/usr/bin/prometheus-alertmanager copy=$1/usr/bin/alertmanager-here
  if [ -e "$INSTALLED/default.tmpl" ]; then
    printf '%s' "$original"
    return
  fi
  if [ ! -x "$copy" ]; then
    LC_ALL=C sed "s#$INSTALLED#$HERE#g" "$original" >"$copy.$$"
    chmod +x "$copy.$$"
    mv "$copy.$$" "$copy"
  fi
  printf '%s' "$copy"
}

# Puts a value into the configuration, where it cannot end its quotes. It is not told: it may be a
# secret. The replacement is quoted, since `&` would stand for what is replaced.
fill() {
  local name=$1 value=$2
  [[ $value =~ ^[A-Za-z0-9_.,/:+%@=\&?~\;\ \<\>-]*$ ]] ||
    fail "$name has a character that it must not"
  text=${text//"\${$name}"/"$value"}
}

# The same for a variable, with its default; without one it has to be set.
fill_variable() {
  local name=$1 value=${!1:-${2:-}}
  [ -n "$value" ] || [ $# -eq 2 ] || fail "$name is not set"
  fill "$name" "$value"
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
port=${ALERTMANAGER_PORT:-9093}
[[ $port =~ ^[0-9]{1,5}$ ]] || fail "ALERTMANAGER_PORT is not a port: $port"
[ -n "${ALERTMANAGER_DIR:-}" ] || fail "ALERTMANAGER_DIR is not set"
[[ ${ALERTMANAGER_SMTP_TLS:-true} =~ ^(true|false)$ ]] ||
  fail "ALERTMANAGER_SMTP_TLS is neither true nor false"
[[ ${ALERTMANAGER_GROUP_WAIT_SECONDS:-10} =~ ^[0-9]{1,4}$ ]] ||
  fail "ALERTMANAGER_GROUP_WAIT_SECONDS is not a number of seconds"
url_file=${ALERTMANAGER_WEBHOOK_URL_FILE:-}
[ -n "$url_file" ] || fail "ALERTMANAGER_WEBHOOK_URL_FILE is not set"
# A line break at its end is no part of the URL.
url=$(cat "$url_file") || fail "ALERTMANAGER_WEBHOOK_URL_FILE cannot be read: $url_file"
[[ $url =~ ^https?://. ]] || fail "ALERTMANAGER_WEBHOOK_URL_FILE holds no URL"

# Comments name variables, too, and are left out.
text=$(sed '/^ *#/d' "$(dirname "$here")/deploy/prometheus/alertmanager.yml")
fill ALERTMANAGER_WEBHOOK_URL "$url"
fill_variable ALERTMANAGER_EMAIL_TO
fill_variable ALERTMANAGER_EMAIL_FROM
fill_variable ALERTMANAGER_SMTP_HOST
fill_variable ALERTMANAGER_SMTP_TLS true
fill_variable ALERTMANAGER_SMTP_USERNAME ''
[ -z "${ALERTMANAGER_SMTP_PASSWORD_FILE:-}" ] ||
  ALERTMANAGER_SMTP_PASSWORD_FILE=$(realpath "$ALERTMANAGER_SMTP_PASSWORD_FILE")
fill_variable ALERTMANAGER_SMTP_PASSWORD_FILE ''
fill_variable ALERTMANAGER_GROUP_WAIT_SECONDS 10
[[ $text != *'${'* ]] || fail "alertmanager.yml has a variable that this script does not know"

root=${ALERTMANAGER_ROOT:-}
[ -n "$root" ] || root=$("$here/debian-packages.sh" prometheus-alertmanager)
mkdir -p "$ALERTMANAGER_DIR"
folder=$(realpath "$ALERTMANAGER_DIR")
config=$folder/alertmanager.yml
(umask 077 && printf '%s\n' "$text" >"$config")

if [ "${1:-}" = check ]; then
  exec "$root/usr/bin/amtool" check-config "$config"
fi
program=$(program "$root")
cd "$root$INSTALLED"
# Alone: it looks for no others and listens to none.
exec "$program" \
  --config.file="$config" \
  --storage.path="$folder/data" \
  --web.listen-address="127.0.0.1:$port" \
  --cluster.listen-address= \
  --log.level=warn
