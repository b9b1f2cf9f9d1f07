#!/usr/bin/env bash
# Runs Debian's rsyslog in the foreground as a syslog server on 127.0.0.1: TCP, with octet counting
# (RFC 5425, RFC 6587), over TLS or in clear. Each record that it receives becomes one line of
# JSON in records.jsonl, with the parts that rsyslog has read from it apart.
#
# Environment:
#   RSYSLOG_PORT   where it listens (default 6514)
#   RSYSLOG_DIR    its configuration, state and records (required)
#   RSYSLOG_TLS    true, or false for plain TCP (default true)
#   RSYSLOG_CERT_FILE, RSYSLOG_KEY_FILE   its certificate (required with TLS)
#   RSYSLOG_CA_FILE   the authority of clients (required with TLS: rsyslog asks for one)
#   RSYSLOG_CLIENT_CERT_REQUIRED   true: a client must show a certificate of that authority
#   RSYSLOG_GNUTLS_PRIORITY   what of TLS it offers (default: what GnuTLS does)
#   RSYSLOG_ROOT   unpacked Debian packages (default: fetched into the build cache)
set -euo pipefail

fail() {
  printf '%s\n' "rsyslog: $*" >&2
  exit 1
}

# What is written into the configuration cannot end its quotes there.
check() {
  local name
  for name in "$@"; do
    [[ ${!name:-} =~ ^[A-Za-z0-9_./:+%@!-]*$ ]] || fail "$name has a character that it must not"
  done
}

port=${RSYSLOG_PORT:-6514}
[ -n "${RSYSLOG_DIR:-}" ] || fail "RSYSLOG_DIR is not set"
[[ $port =~ ^[0-9]{1,5}$ ]] || fail "RSYSLOG_PORT is not a port: $port"
check RSYSLOG_DIR RSYSLOG_CERT_FILE RSYSLOG_KEY_FILE RSYSLOG_CA_FILE RSYSLOG_GNUTLS_PRIORITY

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=${RSYSLOG_ROOT:-}
[ -n "$root" ] || root=$("$here/debian-packages.sh" --with-dependencies rsyslog rsyslog-gnutls)
# Debian names the folder of libraries after the machine.
modules=("$root"/usr/lib/*/rsyslog)
[ -d "${modules[0]}" ] || fail "no modules in $root"
mkdir -p "$RSYSLOG_DIR"
dir=$(cd "$RSYSLOG_DIR" && pwd)

tls='' driver='' priority=''
case ${RSYSLOG_TLS:-true} in
  true)
    for name in RSYSLOG_CERT_FILE RSYSLOG_KEY_FILE RSYSLOG_CA_FILE; do
      [ -r "${!name:-}" ] || fail "$name names no file that can be read"
    done
    mode=anon
    [ "${RSYSLOG_CLIENT_CERT_REQUIRED:-false}" != true ] || mode=x509/certvalid
    [ -z "${RSYSLOG_GNUTLS_PRIORITY:-}" ] ||
      priority="gnutlsPriorityString=\"$RSYSLOG_GNUTLS_PRIORITY\""
    tls="defaultNetstreamDriver=\"gtls\"
  defaultNetstreamDriverCAFile=\"$RSYSLOG_CA_FILE\"
  defaultNetstreamDriverCertFile=\"$RSYSLOG_CERT_FILE\"
  defaultNetstreamDriverKeyFile=\"$RSYSLOG_KEY_FILE\""
    driver="streamDriver.name=\"gtls\" streamDriver.mode=\"1\" streamDriver.authMode=\"$mode\""
    ;;
  false) ;;
  *) fail "RSYSLOG_TLS is neither true nor false" ;;
esac

cat >"$dir/rsyslog.conf" <<CONF
# Written by scripts/serve-rsyslog.sh at each start. The limit of 8 KiB for a record is rsyslog's
# own default, which most servers will have.
global(
  workDirectory="$dir"
  net.enableDNS="off"
  $tls
)
# Nothing waits in memory: who has seen the end of its connection knows that all is in the file.
main_queue(queue.type="Direct")

template(name="record" type="list" option.jsonf="on") {
  property(outname="app_name" name="app-name" format="jsonf")
  property(outname="severity" name="syslogseverity-text" format="jsonf")
  property(outname="facility" name="syslogfacility-text" format="jsonf")
  property(outname="hostname" name="hostname" format="jsonf")
  property(outname="procid" name="procid" format="jsonf")
  property(outname="msgid" name="msgid" format="jsonf")
  property(outname="timestamp" name="timereported" dateFormat="rfc3339" format="jsonf")
  property(outname="structured_data" name="structured-data" format="jsonf")
  property(outname="msg" name="msg" format="jsonf")
}
ruleset(name="received") {
  action(type="omfile" file="$dir/records.jsonl" template="record" fileCreateMode="0600")
}
module(load="imtcp" $driver $priority)
input(type="imtcp" address="127.0.0.1" port="$port" ruleset="received")
CONF

export LD_LIBRARY_PATH=${modules[0]%/rsyslog}
# -n: in the foreground.
exec "$root/usr/sbin/rsyslogd" -n -i "$dir/rsyslogd.pid" -f "$dir/rsyslog.conf" \
  -M "${modules[0]}"
