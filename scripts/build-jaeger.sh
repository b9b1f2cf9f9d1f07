#!/usr/bin/env bash
# Builds Jaeger v2 from its Go module when the cache lacks it, and prints the binary's path.
#
# The module's own go.sum verifies everything below it, and the sum here verifies the module.
# A Jaeger built so answers its query API, but has only a placeholder where its page would be.
set -euo pipefail

readonly JAEGER_VERSION=v1.76.0
readonly JAEGER_SUM=h1:sWCOOF1dr+NL0PLil7mFo3BqqQL8k4WiM7aguFbc14g=

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here tool=jaeger
# shellcheck source=scripts/lib/cached-build.sh
source "$here/lib/cached-build.sh"

build() { build_module "$1" github.com/jaegertracing/jaeger "$JAEGER_VERSION" "$JAEGER_SUM"; }

export JAEGER_VERSION JAEGER_SUM
cached_build "6 minutes" "$here/build-jaeger.sh"
