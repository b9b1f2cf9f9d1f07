#!/usr/bin/env bash
# Tests the Debian package as its user meets it: every command of docs/INSTALL.md's section on it,
# as it stands there, in a fresh Debian 12 with its own systemd and fail2ban. Installation, sign-in,
# a ban, a trace, upgrade, removal, purge; then it looks for what is left. The commands for a host with
# containers and for a node of Kubernetes are run there, too.
#
#   scripts/deb-test.sh
#
# DEB_BINARY is the `bangui` that is packed; without it, the debug build. Needs root, since it makes
# and boots a root folder, in name spaces that end with it.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly DEBIAN='Debian package with systemd' KUBERNETES=Kubernetes COMPOSE='Docker Compose'
# How long something that is on its way may take, on two busy cores.
readonly WAIT_LIMIT_SECONDS=40
readonly ADDRESS=198.51.100.7
readonly API_KEY=0123456789abcdef0123456789abcdef

# shellcheck source=scripts/lib/systemd-root.sh
source scripts/lib/systemd-root.sh
# shellcheck source=scripts/lib/told-commands.sh
source scripts/lib/told-commands.sh

passed=0 failed=0
# ok WORDS COMMAND…: one check, told in words.
ok() {
  local words=$1
  shift
  if "$@" >"$work/output"; then
    passed=$((passed + 1))
    printf 'ok      %s\n' "$words"
  else
    failed=$((failed + 1))
    printf 'FAILED  %s\n' "$words"
    head -n 5 "$work/output" | cut -c1-300
  fi
}
# soon COMMAND…: whether it succeeds within the limit.
soon() {
  local begun=$SECONDS
  until "$@" >/dev/null 2>&1; do
    [ $((SECONDS - begun)) -lt "$WAIT_LIMIT_SECONDS" ] || return 1
    sleep 0.3
  done
}
not() { ! "$@"; }

# told HEADING [SECTION [LANGUAGE]]: runs what the section says under that heading; its output is kept.
told() {
  printf -- '----    docs/INSTALL.md, %s\n' "$1"
  told_commands "${2:-$DEBIAN}" "$1" "${3:-sh}" >"$root/root/told.sh"
  if ! in_root sh -eu /root/told.sh >"$work/told" 2>&1; then
    tail -n 20 "$work/told" | cut -c1-300
    in_root journalctl --no-pager --lines 10 --unit bangui --unit bangui-collector | cut -c1-300
    ok "the commands of \"$1\" succeed" false
    return 1
  fi
  ok "the commands of \"$1\" succeed" true
  [ -n "${2:-}" ] || done_headings+="$1"$'\n'
}

# pack VERSION: the package of that version is the only one in the test's folder.
pack() {
  rm -f "$root"/root/bangui_*.deb
  DEB_VERSION=$1 DEB_COMPRESSION=none DEB_BINARY=$binary \
    scripts/build-deb.sh "$root/root" >/dev/null 2>"$work/packing" || {
    tail -n 5 "$work/packing"
    return 1
  }
}

curl_root() { in_root curl -sS --max-time 10 --cookie jar --cookie-jar jar "$@"; }
answers() { curl_root "http://127.0.0.1:$1" | grep -q "$2"; }
is_active() { [ "$(in_root systemctl is-active "$1")" = active ]; }
is_enabled() { [ "$(in_root systemctl is-enabled "$1" 2>/dev/null)" = "$2" ]; }
property() { in_root systemctl show --property "$2" --value "$1"; }
properties_are() {
  [ "$(in_root systemctl show --property "$2" --value "$1" | paste -sd' ')" = "$3" ]
}
arguments_hold() { in_root cat "/proc/$(property "$1" MainPID)/cmdline" | grep -qa "$2"; }
status_holds() { in_root grep -q "$2" "/proc/$(property "$1" MainPID)/status"; }
# Runs a command among the mounts that a service sees.
within() {
  local unit=$1
  shift
  in_root nsenter --target "$(property "$unit" MainPID)" --mount "$@" 2>/dev/null
}
journal_holds() { in_root journalctl --no-pager --output cat | grep -q "$1"; }
socket_is() { [ "$(in_root stat -c '%U:%G %a' /run/fail2ban/fail2ban.sock)" = "$1" ]; }
groups_are() { [ "$(in_root id -Gn "$1")" = "$2" ]; }
is_healthy() { in_root bangui healthcheck; }
version_is() { [ "$(in_root dpkg-query -Wf "\${Version}" bangui)" = "$1" ]; }
is_told_to_build() {
  [ "$(told_commands "$DEBIAN" "Build the package" console)" = "make deb" ] &&
    grep -q '^deb:' Makefile
}
# Every file but what a package manager, a log or this test itself writes.
all_files() {
  in_root find / -xdev \( -path /root -o -path /var/log -o -path /var/cache -o -path /tmp \
    -o -path /var/tmp -o -path /var/lib/dpkg -o -path /var/lib/apt -o -path '/etc/*-' \
    -o -path /var/lib/fail2ban \) -prune -o -print | LC_ALL=C sort
}

prepare() {
  local archive
  archive=$(scripts/debian-root.sh ca-certificates curl dbus fail2ban iproute2 systemd systemd-sysv)
  tar -xpf "$archive" -C "$root"
  # A jail that reads a log of the test and touches no firewall.
  cp deploy/fail2ban/deb-test.local "$root/etc/fail2ban/jail.d/zz-test.local"
  install -m 0640 -g 4 /dev/null "$root/var/log/auth.log"
  install -m 0755 "$(scripts/build-jaeger.sh)" "$root/root/jaeger"
  boot_root "$root"
  ok "what builds the package is a target of the Makefile" is_told_to_build
}

folder_is() { [ "$(in_root stat -c %i /run/fail2ban)" = "$1" ]; }

# A container that has mounted the folder sees the socket only as long as it stays the same folder.
socket_is_shared() {
  local folder
  ok "fail2ban gives the group its socket" socket_is 'root:bangui-socket 660'
  folder=$(in_root stat -c %i /run/fail2ban)
  in_root systemctl restart fail2ban
  ok "a restart gives it again" socket_is 'root:bangui-socket 660'
  ok "in the same folder" folder_is "$folder"
  told "Release the node" "$KUBERNETES"
  ok "then it is root's alone again" soon socket_is 'root:root 700'
}

compose_host() {
  install -D -m 0644 deploy/fail2ban/socket-group.conf \
    "$root/root/deploy/fail2ban/socket-group.conf"
  told "The host's own fail2ban" "$COMPOSE" console
  socket_is_shared
}

kubernetes_node() {
  cp deploy/kubernetes/fail2ban-node.conf "$root/root/"
  told "Prepare the node" "$KUBERNETES"
  socket_is_shared
}

set_up_answers() {
  local status
  status=$(curl_root -o /dev/null -w '%{http_code}' -H 'content-type: application/json' \
    -d "{\"code\":\"$1\",\"password\":\"correct horse battery\"}" \
    http://127.0.0.1:8000/api/auth/setup)
  [ "$status" = "$2" ]
}

install_and_sign_in() {
  local code
  pack 0.1.0
  all_files >"$work/before"
  ok "fail2ban's socket is root's alone at first" socket_is 'root:root 700'
  told Install
  ok "fail2ban's socket is the group's, without a restart" socket_is 'root:bangui 660'
  ok "BanGUI runs" is_active bangui
  ok "BanGUI has reached fail2ban" soon answers 8000/health '"degraded":\[\]'
  ok "the collector answers" soon answers 13133 'Server available'
  ok "the collector's user is in no group but its own" groups_are bangui-collector bangui-collector
  told "Sign in"
  code=$(tail -n 1 "$work/told" | tr -d '\r\n')
  ok "a wrong set-up code is refused" set_up_answers wrong 401
  ok "the printed code makes the account" set_up_answers "$code" 204
}

ban() {
  local line
  line="demo sshd[1]: Failed password for root from $ADDRESS port 4222 ssh2"
  for _ in 1 2 3; do
    # shellcheck disable=SC2016
    in_root sh -c 'echo "$(date "+%b %e %T") $1" >>/var/log/auth.log' _ "$line"
  done
  ok "the ban is listed" soon answers 8000/api/bans "$ADDRESS"
  ok "it was read in fail2ban's log" soon answers 8000/api/history '"source":"log"'
  ban_id=$(curl_root -o /dev/null -D - -H 'content-type: application/json' \
    -d '{"jail":"sshd","ip":"198.51.100.8"}' http://127.0.0.1:8000/api/bans |
    sed -n 's/^x-correlation-id: \([0-9a-f]*\).*$/\1/p')
  ok "an operator's ban is told with its trace" test -n "$ban_id"
}

settings() {
  printf '%s\n' "$API_KEY" >"$work/key"
  told "Settings and secrets" <"$work/key"
  ok "the configuration is shown" grep -q '^BANGUI_LISTEN' "$work/told"
  ok "BanGUI runs with the provider" soon is_healthy
  ok "the collector sends to the provider" soon arguments_hold bangui-collector providers/newrelic
  ok "the collector runs with it" soon answers 13133 'Server available'
  ok "the secret shows in no process's environment or arguments" not in_root sh -c \
    "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline | tr '\0' '\n' | grep -x '.*=$API_KEY'"
  ok "nor in a log" not journal_holds "$API_KEY"
  in_root bangui-admin config >"$work/config" 2>&1
  ok "nor in the shown configuration" not grep -q "$API_KEY" "$work/config"
  ok "which does show that it is set" grep -q NEWRELIC_API_KEY "$work/config"
}

wrong_settings() {
  in_root sed -i.good 's/^BANGUI_LISTEN=.*/BANGUI_LISTEN=nowhere/' /etc/bangui/bangui.env
  ok "a wrong setting fails the start" not in_root systemctl restart bangui 2>/dev/null
  ok "with 78, and is not tried again" properties_are bangui \
    ExecMainStatus,NRestarts '0 78'
  ok "it is told by name" soon journal_holds '^BANGUI_LISTEN: '
  in_root mv /etc/bangui/bangui.env.good /etc/bangui/bangui.env
  ok "with the right one it starts" in_root systemctl restart bangui
}

traces() {
  told "Traces in Jaeger"
  ok "BanGUI is there again" is_healthy
  ok "the trace of a ban from before is in Jaeger" soon answers "16686/api/traces/$ban_id" "$ban_id"
  ok "and is what the page shows" soon answers "8000/api/traces/$ban_id" '"spans"'
  ok "metrics are there for Prometheus" soon answers 8000/metrics '^bangui_jail_banned'
}

# What fail2ban's own life does to the socket.
fail2ban_restarts() {
  in_root systemctl reload fail2ban
  ok "a reload of fail2ban keeps the socket's group" socket_is 'root:bangui 660'
  in_root systemctl restart fail2ban
  ok "a restart gives it again" socket_is 'root:bangui 660'
  ok "BanGUI has reached fail2ban again" soon answers 8000/health '"degraded":\[\]'
  in_root systemctl kill --signal KILL --kill-who main bangui
  sleep 1
  ok "a killed BanGUI comes back" soon is_healthy
}

confinement() {
  local unit
  told "What confines the services"
  in_root systemd-analyze verify bangui.service bangui-collector.service fail2ban.service \
    >"$work/verified" 2>&1 || true
  # The root has no manual pages, which fail2ban's own unit refers to.
  ok "systemd finds nothing wrong with the units" not grep -v 'man fail2ban' "$work/verified"
  for unit in bangui bangui-collector; do
    ok "$unit has no capabilities" status_holds "$unit" '^CapBnd:.0*$'
    ok "$unit's system calls are filtered" status_holds "$unit" '^Seccomp:.2'
    ok "$unit cannot write to /usr" not within "$unit" touch /usr/new
    ok "$unit cannot write to /etc" not within "$unit" touch /etc/new
    ok "$unit does not see the files of secrets" not within "$unit" \
      test -e /etc/bangui/secrets/shared
  done
}

upgrade() {
  local before
  before=$(property bangui MainPID)
  in_root cp /etc/bangui/bangui.env env.before
  in_root systemctl disable --quiet --now bangui-collector
  pack 0.2.0~test1
  told Upgrade
  ok "the new version is installed" version_is 0.2.0~test1
  ok "BanGUI was started anew" not properties_are bangui MainPID "$before"
  ok "it serves" is_healthy
  ok "settings are as they were" in_root cmp /etc/bangui/bangui.env env.before
  ok "the history and the session are there" soon answers 8000/api/history "$ADDRESS"
  ok "what was disabled stays disabled" is_enabled bangui-collector disabled
  ok "and is not started" not is_active bangui-collector
  in_root systemctl enable --quiet --now bangui-collector
}

remove_and_purge() {
  told Remove
  ok "neither service is left" not in_root systemctl cat bangui bangui-collector 2>/dev/null
  ok "nor a process of them" not in_root sh -c "cat /proc/[0-9]*/comm | grep -E 'bangui|otelcol'"
  ok "fail2ban's socket is root's alone again" socket_is 'root:root 600'
  in_root systemctl restart fail2ban
  ok "fail2ban runs" soon in_root fail2ban-client ping
  ok "and its new socket is root's alone" socket_is 'root:root 700'
  in_root sh -c 'apt-get install --yes ./bangui_*.deb' >/dev/null 2>&1
  ok "installed again, history and session are there" soon answers 8000/api/history "$ADDRESS"
  told "Remove everything"
  in_root systemctl disable --quiet --now jaeger
  in_root rm -rf /etc/jaeger /etc/systemd/system/jaeger.service /usr/local/bin/jaeger
  all_files >"$work/after"
  diff "$work/before" "$work/after" >"$work/difference" || cut -c1-200 "$work/difference" | head
  ok "a purge leaves no file" test ! -s "$work/difference"
  ok "a purge leaves no user and no group" not in_root grep bangui /etc/passwd /etc/group
}

work=$(mktemp -d)
trap 'end_root; rm -rf "$work"' EXIT
root=$work/root
mkdir "$root"
done_headings=''
begun=$SECONDS
binary=${DEB_BINARY:-${CARGO_TARGET_DIR:-target}/debug/bangui}
[ -x "$binary" ] || cargo build --locked --bin bangui

prepare
compose_host
kubernetes_node
install_and_sign_in
ban
settings
wrong_settings
traces
fail2ban_restarts
confinement
upgrade
remove_and_purge
ok "every command of the section was run" diff \
  <(told_headings "$DEBIAN") <(printf '%s' "$done_headings" | LC_ALL=C sort)
end_root
ok "no mount is left" not grep "$work" /proc/mounts
find /sys/fs/cgroup -maxdepth 2 -name "bangui-root-$$" >"$work/groups"
ok "no control group is left" test ! -s "$work/groups"
printf 'deb-test: %s s\n' "$((SECONDS - begun))"
printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
