#!/usr/bin/env bash
# Runs Debian's Prometheus in the foreground, scraping BanGUI's own /metrics every five seconds.
#
# Environment:
#   PROMETHEUS_PORT     where it listens on 127.0.0.1 (default 9090)
#   PROMETHEUS_DIR      its configuration and storage (required)
#   PROMETHEUS_TARGET   host:port of BanGUI (default 127.0.0.1:8000)
#   PROMETHEUS_COLLECTOR_TARGET   host:port of the collector's own metrics (default: not scraped)
#   PROMETHEUS_ROOT     an unpacked Debian package (default: fetched into the build cache)
set -euo pipefail

fail() {
  printf '%s\n' "prometheus: $*" >&2
  exit 1
}

port=${PROMETHEUS_PORT:-9090}
target=${PROMETHEUS_TARGET:-127.0.0.1:8000}
[ -n "${PROMETHEUS_DIR:-}" ] || fail "PROMETHEUS_DIR is not set"
[[ $port =~ ^[0-9]{1,5}$ ]] || fail "PROMETHEUS_PORT is not a port: $port"
[[ $target =~ ^[][A-Za-z0-9.:-]+:[0-9]{1,5}$ ]] ||
  fail "PROMETHEUS_TARGET is not host:port: $target"
collector=${PROMETHEUS_COLLECTOR_TARGET:-}
[[ $collector =~ ^([][A-Za-z0-9.:-]+:[0-9]{1,5})?$ ]] ||
  fail "PROMETHEUS_COLLECTOR_TARGET is not host:port: $collector"

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=${PROMETHEUS_ROOT:-}
[ -n "$root" ] || root=$("$here/debian-packages.sh" prometheus)
mkdir -p "$PROMETHEUS_DIR"

cat >"$PROMETHEUS_DIR/prometheus.yml" <<YAML
# Written by scripts/serve-prometheus.sh at each start.
global:
  scrape_interval: 5s
  scrape_timeout: 4s
rule_files: ["$(dirname "$here")/deploy/prometheus/rules/*.yml"]
scrape_configs:
  - job_name: bangui
    static_configs:
      - targets: ["$target"]
YAML
[ -z "$collector" ] || cat >>"$PROMETHEUS_DIR/prometheus.yml" <<YAML
  - job_name: otel-collector
    static_configs:
      - targets: ["$collector"]
YAML

# A day of one small service: a demo that is left running must not fill the disk.
exec "$root/usr/bin/prometheus" \
  --config.file="$PROMETHEUS_DIR/prometheus.yml" \
  --storage.tsdb.path="$PROMETHEUS_DIR/data" \
  --storage.tsdb.retention.time=1d \
  --storage.tsdb.retention.size=512MB \
  --web.listen-address="127.0.0.1:$port" \
  --log.level=warn
