#!/usr/bin/env bash
# Runs Jaeger in the foreground, on 127.0.0.1 only, with its store in memory; builds it first if
# the cache lacks it.
#
# Environment (an empty value counts as unset):
#   JAEGER_QUERY_PORT      16686   JAEGER_QUERY_GRPC_PORT   16685
#   JAEGER_OTLP_GRPC_PORT  14317   JAEGER_HEALTH_PORT       13134
#   JAEGER_TELEMETRY_PORT  18888   its own metrics
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
binary=$("$root/scripts/build-jaeger.sh")

# The configuration's own defaults do not apply to variables that are set but empty.
export JAEGER_LISTEN_HOST=127.0.0.1
export JAEGER_QUERY_PORT=${JAEGER_QUERY_PORT:-16686}
export JAEGER_QUERY_GRPC_PORT=${JAEGER_QUERY_GRPC_PORT:-16685}
export JAEGER_OTLP_GRPC_PORT=${JAEGER_OTLP_GRPC_PORT:-14317}
export JAEGER_HEALTH_PORT=${JAEGER_HEALTH_PORT:-13134}
export JAEGER_TELEMETRY_PORT=${JAEGER_TELEMETRY_PORT:-18888}
# The number of traces is limited, their size is not: this makes Go collect its garbage earlier.
export GOMEMLIMIT=${GOMEMLIMIT:-400MiB}

exec "$binary" --config "file:$root/deploy/jaeger/config.yaml"
