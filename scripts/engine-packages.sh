#!/usr/bin/env bash
# Prints the folder that holds Debian's Docker engine and iptables, unpacked into the cache and not
# installed: scripts/with-engine.sh uses them.
set -euo pipefail

exec "$(dirname "${BASH_SOURCE[0]}")/debian-packages.sh" --with-dependencies docker.io iptables
