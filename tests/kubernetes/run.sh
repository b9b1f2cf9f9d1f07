#!/usr/bin/env bash
# Takes deploy/kubernetes through what its users do, with the commands of docs/INSTALL.md as they
# stand there, on the cluster of scripts/with-cluster.sh; scripts/kubernetes-test.sh calls it. Ends
# with the line `N passed, M failed`.
#
# The files are used as they are, in a copy of the repository. All that runs ends with the cluster.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
readonly root work password=correct-horse-battery-staple
fail2ban_root=$("$root/scripts/debian-packages.sh" fail2ban)
readonly fail2ban_root
# shellcheck source=tests/kubernetes/lib.sh
source "$root/tests/kubernetes/lib.sh"
for part in stack access recovery removal; do
  # shellcheck source=/dev/null
  source "$root/tests/kubernetes/$part.sh"
done

mkdir "$work/copy"
cp -r "$root/deploy" "$work/copy/"
: >"$work/told"
# What stands for a registry that the node can reach: the node has these images already.
for image in bangui bangui-otelcol; do
  ctr images tag "docker.io/library/$image:0.1.0" "registry.example.com/$image:0.1.0" >/dev/null
done
start_fail2ban

for part in ${KUBERNETES_TEST_PARTS:-stack access recovery removal}; do
  "test_$part"
done
printf '%s passed, %s failed\n' "$passed" "$failed" | tee "${COUNTS_FILE:-/dev/null}"
[ "$failed" -eq 0 ]
