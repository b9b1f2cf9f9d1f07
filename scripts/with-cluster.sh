#!/usr/bin/env bash
# Runs a command with a Kubernetes cluster of one node, and ends the cluster with it.
#
#   scripts/with-cluster.sh COMMAND…
#
# The cluster is a real one: the programs of Kubernetes, built from their Go modules, on Debian's
# containerd, with a DNS, with enforced network policies and with volumes. All of it lives in name
# spaces of its own (mounts, processes, network) and in one folder, and is gone with them, so that
# the host is as it was before. The command runs in there, too.
#
# The command gets `kubectl`, `kustomize` and `ctr`, as the cluster's administrator, and:
#   KUBECONFIG        whom kubectl talks to; the node's name is `node`
#   TMPDIR            a folder that ends with the cluster
# CLUSTER_IMAGES names an archive of images (`docker save`) that the node is given.
#
# The log of each of the cluster's programs stays in the cache, in cluster/log, until the next run.
# Needs root and a kernel with overlayfs, name spaces, bridges and netfilter.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${BANGUI_BUILD_CACHE:-$HOME/.cache/bangui-build}/cluster
readonly here cache
# One cluster at a time, on two cores; a test of it takes minutes.
readonly LOCK_LIMIT_SECONDS=1800
# shellcheck source=scripts/lib/cgroups.sh
source "$here/lib/cgroups.sh"

say() { printf '%s\n' "cluster: $*" >&2; }
fail() {
  say "$*"
  exit 1
}

# What runs that were killed outright could not take away.
remove_stale() {
  local folder
  for folder in /tmp/bangui-cluster.*; do
    [ "$folder" != "$work" ] && [ -e "$folder/owner" ] || continue
    kill -0 "$(cat "$folder/owner")" 2>/dev/null && continue
    remove_cgroups "$folder"
    rm -rf "$folder"
  done
}

end_cluster() {
  # The first process in the name spaces is its child, and all others end with that.
  [ -z "$child" ] || kill -KILL "$child" 2>/dev/null || true
  [ -z "$child" ] || wait "$child" 2>/dev/null || true
  remove_cgroups "$work"
  rm -rf "$work"
}

if [ "${1:-}" = --inside ]; then
  shift
  # shellcheck source=scripts/lib/cluster.sh
  source "$here/lib/cluster.sh"
  start_cluster
  status=0
  "$@" || status=$?
  exit "$status"
fi

[ $# -gt 0 ] || fail "usage: with-cluster.sh COMMAND…"
[ "$(id -u)" -eq 0 ] || fail "this needs root"
for tool in unshare ip flock setpriv openssl; do
  command -v "$tool" >/dev/null || fail "$tool is missing (Debian: util-linux, iproute2, openssl)"
done
grep -qw overlay /proc/filesystems || fail "this kernel has no overlayfs"
namespaces=(--mount --pid --net --uts --ipc --fork --kill-child --mount-proc)
unshare "${namespaces[@]}" true 2>/dev/null || fail "no name spaces may be made here"
packages=$("$here/debian-packages.sh" --with-dependencies \
  containerd containernetworking-plugins iptables ipset conntrack busybox-static)
hyperkube=$("$here/build-hyperkube.sh")
addons=$("$here/build-cluster-addons.sh")
kustomize=$("$here/build-kustomize.sh")
mkdir -p "$cache"
exec 8>"$cache/lock"
flock -n 8 || say "waiting for another run to end its cluster"
flock -w "$LOCK_LIMIT_SECONDS" 8 || fail "another run has held $cache/lock too long"
work=$(mktemp -d /tmp/bangui-cluster.XXXXXX)
echo $$ >"$work/owner"
child=''
trap end_cluster EXIT
trap 'exit 143' TERM INT
remove_stale
logs=$cache/log
rm -rf "$logs"
mkdir "$logs"
export packages hyperkube addons kustomize work logs
# The lock is this process's alone, and whatever ends this process ends the cluster.
setpriv --pdeathsig KILL unshare "${namespaces[@]}" \
  "$here/with-cluster.sh" --inside "$@" 8>&- &
child=$!
status=0
wait "$child" || status=$?
exit "$status"
