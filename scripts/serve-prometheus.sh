#!/usr/bin/env bash
# Runs Debian's Prometheus in the foreground, scraping BanGUI's own /metrics every five seconds,
# with the alert rules of deploy/prometheus/rules.
#
# Environment:
#   PROMETHEUS_PORT     where it listens on 127.0.0.1 (default 9090)
#   PROMETHEUS_DIR      its configuration and storage (required)
#   PROMETHEUS_TARGET   host:port of BanGUI (default 127.0.0.1:8000); several with commas between
#   PROMETHEUS_COLLECTOR_TARGET   host:port of the collector's own metrics (default: not scraped)
#   PROMETHEUS_HOST_TARGET   host:port of its exposition, for the machine's metrics (default: not)
#   PROMETHEUS_ALERTMANAGER   host:port to send alerts to (default: nowhere)
#   PROMETHEUS_INTERVAL_SECONDS   of scrapes; rules follow them (default 5)
#   PROMETHEUS_RULES    the files of rules, with * (default: those of this repository)
#   PROMETHEUS_PAGE     true: with its page, whose parts are fetched as well (default: false)
#   PROMETHEUS_ROOT     an unpacked Debian package (default: fetched into the build cache)
set -euo pipefail

fail() {
  printf '%s\n' "prometheus: $*" >&2
  exit 1
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
port=${PROMETHEUS_PORT:-9090}
interval=${PROMETHEUS_INTERVAL_SECONDS:-5}
rules=${PROMETHEUS_RULES:-$(dirname "$here")/deploy/prometheus/rules/*.yml}
[ -n "${PROMETHEUS_DIR:-}" ] || fail "PROMETHEUS_DIR is not set"
[[ $port =~ ^[0-9]{1,5}$ ]] || fail "PROMETHEUS_PORT is not a port: $port"
[[ $interval =~ ^[1-9][0-9]{0,2}$ ]] || fail "PROMETHEUS_INTERVAL_SECONDS is not 1 to 999: $interval"
# What is written into the configuration cannot end its quotes there.
[[ $rules != *[\"\\]* ]] || fail "PROMETHEUS_RULES has a character that it must not: $rules"

# The addresses in a variable as a list in YAML; nothing when it is empty.
addresses() {
  local name=$1 value=$2
  [[ $value =~ ^([][A-Za-z0-9.:-]+:[0-9]{1,5}(,[][A-Za-z0-9.:-]+:[0-9]{1,5})*)?$ ]] ||
    fail "$name is not host:port: $value"
  [ -z "$value" ] || printf '["%s"]' "${value//,/\", \"}"
}
target=$(addresses PROMETHEUS_TARGET "${PROMETHEUS_TARGET:-127.0.0.1:8000}")
collector=$(addresses PROMETHEUS_COLLECTOR_TARGET "${PROMETHEUS_COLLECTOR_TARGET:-}")
machine=$(addresses PROMETHEUS_HOST_TARGET "${PROMETHEUS_HOST_TARGET:-}")
alertmanager=$(addresses PROMETHEUS_ALERTMANAGER "${PROMETHEUS_ALERTMANAGER:-}")

root=${PROMETHEUS_ROOT:-}
[ -n "$root" ] || root=$("$here/debian-packages.sh" prometheus)
mkdir -p "$PROMETHEUS_DIR"

# Debian's Prometheus reads its page from files, and what that page is made with from packages of
# their own. Without them it answers queries all the same.
readonly page_packages=(libjs-bootstrap4 libjs-d3 libjs-eonasdan-bootstrap-datetimepicker
  libjs-jquery libjs-jquery-hotkeys libjs-moment libjs-mustache libjs-popper.js libjs-rickshaw)
prepare_page() {
  local libraries share=$PROMETHEUS_DIR/share
  "$root/usr/bin/prometheus" --help 2>&1 | grep -c -- --web.local-assets >/dev/null || return 0
  libraries=$("$here/debian-packages.sh" "${page_packages[@]}") || return 0
  rm -rf "$share"
  mkdir "$share"
  # Copied, since the links in it lead to what lies beside it.
  cp -r "$root/usr/share/prometheus" "$share/"
  ln -s "$libraries/usr/share/javascript" "$share/javascript"
  page=(--web.local-assets="$share/prometheus/web/")
}
page=()
[ "${PROMETHEUS_PAGE:-false}" != true ] || prepare_page

{
  cat <<YAML
# Written by scripts/serve-prometheus.sh at each start.
global:
  scrape_interval: ${interval}s
  # As long as a scrape may take at all, but for a second that it must not run into the next one.
  scrape_timeout: $((interval > 1 ? interval - 1 : 1))s
  evaluation_interval: ${interval}s
rule_files: ["$rules"]
YAML
  [ -z "$alertmanager" ] || cat <<YAML
alerting:
  alertmanagers:
    - static_configs:
        - targets: $alertmanager
YAML
  cat <<YAML
scrape_configs:
  - job_name: bangui
    static_configs:
      - targets: $target
YAML
  [ -z "$collector" ] || cat <<YAML
  - job_name: otel-collector
    static_configs:
      - targets: $collector
YAML
  # The service's own metrics are there, too, and come through the service already.
  [ -z "$machine" ] || cat <<YAML
  - job_name: host
    static_configs:
      - targets: $machine
    metric_relabel_configs:
      - {source_labels: [__name__], regex: "system_.*", action: keep}
YAML
} >"$PROMETHEUS_DIR/prometheus.yml"

# A day of one small service: a demo that is left running must not fill the disk.
exec "$root/usr/bin/prometheus" \
  --config.file="$PROMETHEUS_DIR/prometheus.yml" \
  --storage.tsdb.path="$PROMETHEUS_DIR/data" \
  --storage.tsdb.retention.time=1d \
  --storage.tsdb.retention.size=512MB \
  --web.listen-address="127.0.0.1:$port" \
  "${page[@]}" \
  --log.level=warn
