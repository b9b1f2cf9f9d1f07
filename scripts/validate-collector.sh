#!/usr/bin/env bash
# Asks the collector itself whether it accepts its configuration; part of `make ci`.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
binary=$("$root/otel-collector/build.sh")

# Every version in the manifest must be the one that go.mod pins, or `build.sh --update` was
# forgotten after a change and something else than the manifest says is built.
while read -r module version; do
    grep -qF "$module $version" "$root/otel-collector/go.mod" || {
        echo "collector: $module $version is in builder.yaml but not in go.mod" >&2
        exit 1
    }
done < <(sed -n 's/^  - gomod: //p' "$root/otel-collector/builder.yaml")

"$binary" validate --config "file:$root/otel-collector/config.yaml"
echo "collector: configuration accepted" >&2
