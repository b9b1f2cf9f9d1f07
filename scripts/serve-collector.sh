#!/usr/bin/env bash
# Runs our collector in the foreground, on 127.0.0.1 only; builds it first if the cache lacks it.
#
# Environment (an empty value counts as unset):
#   COLLECTOR_DIR         state: the queue on disk and the log file   .run/collector
#   OTLP_GRPC_PORT        4317      OTLP_HTTP_PORT   4318
#   EXPOSITION_PORT       8889      HEALTH_PORT      13133
#   TELEMETRY_PORT        8888      its own metrics
#   JAEGER_OTLP_ENDPOINT  host:port of Jaeger's OTLP receiver (gRPC)  127.0.0.1:14317
#   COLLECTOR_METRIC_EXPIRATION   a series ends that long after its last report   30s
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
binary=$("$root/otel-collector/build.sh")

# The configuration's own defaults do not apply to variables that are set but empty.
export COLLECTOR_LISTEN_HOST=127.0.0.1
export COLLECTOR_DIR=${COLLECTOR_DIR:-$root/.run/collector}
export OTLP_GRPC_PORT=${OTLP_GRPC_PORT:-4317}
export OTLP_HTTP_PORT=${OTLP_HTTP_PORT:-4318}
export EXPOSITION_PORT=${EXPOSITION_PORT:-8889}
export HEALTH_PORT=${HEALTH_PORT:-13133}
export TELEMETRY_PORT=${TELEMETRY_PORT:-8888}
export JAEGER_OTLP_ENDPOINT=${JAEGER_OTLP_ENDPOINT:-127.0.0.1:14317}
export COLLECTOR_METRIC_EXPIRATION=${COLLECTOR_METRIC_EXPIRATION:-30s}
# Go collects its garbage harder from here on, before the memory limiter has to refuse anything.
export GOMEMLIMIT=${GOMEMLIMIT:-400MiB}

# The records of what users did are for the owner's eyes only.
umask 077
mkdir -p "$COLLECTOR_DIR"
exec "$binary" --config "file:$root/otel-collector/config.yaml"
