#!/usr/bin/env bash
# Runs our collector in the foreground, on 127.0.0.1 only; builds it first if the cache lacks it.
# otel-collector/launch.sh reads the BANGUI_* variables that choose its destinations.
#
# Environment (an empty value counts as unset):
#   COLLECTOR_DIR         state: queues on disk, dead letters, the log file   .run/collector
#   OTLP_GRPC_PORT        4317      OTLP_HTTP_PORT   4318
#   EXPOSITION_PORT       8889      HEALTH_PORT      13133
#   TELEMETRY_PORT        8888      its own metrics
#   OWN_LOG_PAGE_PORT     8887      the newest lines of its own log
#   OWN_LOG_PORT          14340     where it sends those lines to itself, on 127.0.0.1
#   HOP_<PROVIDER>_PORT   from 14321; one for each destination, on 127.0.0.1
#   RELAY_<DESTINATION>_PORT   from 14331; of what own/relays/ tells, on 127.0.0.1
#   JAEGER_OTLP_ENDPOINT  host:port of Jaeger's OTLP receiver (gRPC)  127.0.0.1:14317
#   COLLECTOR_METRIC_EXPIRATION   a series ends that long after its last report   30s
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
binary=$("$root/otel-collector/build.sh")

export COLLECTOR_LISTEN_HOST=127.0.0.1
export COLLECTOR_DIR=${COLLECTOR_DIR:-$root/.run/collector}
# Go collects its garbage harder from here on, before the memory limiter has to refuse anything.
export GOMEMLIMIT=${GOMEMLIMIT:-400MiB}

(umask 077 && mkdir -p "$COLLECTOR_DIR")
exec "$root/otel-collector/launch.sh" "$binary"
