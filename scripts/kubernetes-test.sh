#!/usr/bin/env bash
# deploy/kubernetes for real: builds the images, takes them through what docs/INSTALL.md tells, on a
# cluster of its own, and makes sure that nothing of it is left on this machine. `make
# kubernetes-test` calls it; it takes some minutes when images and programs are in the cache. Ends
# with the line `N passed, M failed`.
#
# KUBERNETES_TEST_IMAGES=cached takes the images that an earlier run has built.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
readonly root work
trap 'rm -rf "$work"' EXIT
# shellcheck source=scripts/lib/host-test.sh
source "$root/scripts/lib/host-test.sh"
# An image build compiles; the rest has limits of its own that add up to less.
readonly BUILD_LIMIT_SECONDS=3600 RUN_LIMIT_SECONDS=2400
# As the manifests name them.
readonly IMAGES='bangui:0.1.0 bangui-otelcol:0.1.0 jaegertracing/jaeger:2.13.0 prom/prometheus:v3.5.0'

# What a run could leave behind: mounts, interfaces, rules, cgroups, processes and folders.
state_of_host() {
  awk '{ print "mount", $5 }' /proc/self/mountinfo | grep -E 'bangui|containerd|kubelet|netns' || true
  for link in /sys/class/net/*; do
    case ${link##*/} in pods0 | veth* | node0 | outside0) echo "interface ${link##*/}" ;; esac
  done
  find /sys/fs/cgroup -type d -name 'bangui-cluster*' -printf 'cgroup %p\n'
  find /tmp -maxdepth 1 -name 'bangui-cluster*' -printf 'folder %p\n'
  ls -d /var/lib/kubelet /run/fail2ban /run/node-fail2ban /etc/cni 2>/dev/null || true
  ps -e -o comm= | grep -Ex 'etcd|kube.*|containerd-shim.*|coredns' | sort | uniq -c |
    awk '{ print "process", $2, $1 }' || true
  cat /proc/net/ip_tables_names 2>/dev/null | sed 's/^/table /' || true
  # What a kubelet would set for the whole machine.
  (cd /proc/sys && grep -H . vm/overcommit_memory kernel/panic kernel/panic_on_oops \
    net/ipv4/ip_forward 2>/dev/null) || true
}

# Before the test runs, which has no network but the cluster's.
"$root/scripts/debian-packages.sh" fail2ban >/dev/null
remember_host
build=true
[ "${KUBERNETES_TEST_IMAGES:-}" != cached ] || build=false
# shellcheck disable=SC2016
bounded "$BUILD_LIMIT_SECONDS" "$root/scripts/with-engine.sh" --build bash -euo pipefail -c '
  ! "$1" || "$2/scripts/images.sh"
  docker save --output "$3" $4' _ "$build" "$root" "$work/images.tar" "$IMAGES"
status=0
CLUSTER_IMAGES=$work/images.tar COUNTS_FILE=$work/counts bounded "$RUN_LIMIT_SECONDS" \
  "$root/scripts/with-cluster.sh" "$root/tests/kubernetes/run.sh" || status=$?
add_counts "$work/counts" kubernetes-test
check_host
conclude
[ "$status" -eq 0 ]
