#!/usr/bin/env bash
# `docker compose up` for real: builds the images, takes the stack through what its users do, and
# makes sure that nothing of it is left on this machine. `make compose-test` calls it; it takes
# some minutes when the images are in the cache. Ends with the line `N passed, M failed`.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
readonly root work
trap 'rm -rf "$work"' EXIT
# shellcheck source=scripts/lib/host-test.sh
source "$root/scripts/lib/host-test.sh"
# An image build compiles; the rest has limits of its own that add up to less.
readonly BUILD_LIMIT_SECONDS=3600 RUN_LIMIT_SECONDS=1800

# What a run could leave behind: mounts, interfaces, rules, cgroups, processes and folders. Names of
# interfaces of other programs that come and go meanwhile are none of ours.
state_of_host() {
  # Field 5 is the mount point; ids differ from one namespace's life to the next.
  awk '{ print "mount", $5 }' /proc/self/mountinfo | grep -E 'bangui|docker|overlay|netns' || true
  for link in /sys/class/net/*; do
    case ${link##*/} in docker* | br-* | veth*) echo "interface ${link##*/}" ;; esac
  done
  find /sys/fs/cgroup -type d \( -name 'bangui-engine*' -o -name docker \) -printf 'cgroup %p\n'
  find /tmp -maxdepth 1 -name 'bangui-engine*' -printf 'folder %p\n'
  # The engine by its name, and what ran in its containers by its cgroup: other programs on this
  # machine may bear the same names.
  ps -e -o comm= | grep -Ex 'dockerd|containerd|containerd-shim.*|docker-proxy' | sort | uniq -c |
    awk '{ print "process", $2, $1 }' || true
  grep -l bangui-engine /proc/[0-9]*/cgroup 2>/dev/null | sed 's/^/process /' || true
  cat /proc/net/ip_tables_names /proc/net/ip6_tables_names 2>/dev/null | sed 's/^/table /' || true
  env "LD_LIBRARY_PATH=$packages/usr/lib/$(uname -m)-linux-gnu" \
    "$packages/usr/sbin/iptables-nft-save" 2>/dev/null | sed -n 's/^[*:-]/rule &/p' || true
}

packages=$("$root/scripts/engine-packages.sh")
# Before the test runs, which has no network but its own.
"$root/scripts/debian-packages.sh" fail2ban >/dev/null
"$root/scripts/debian-packages.sh" --with-dependencies nginx >/dev/null
remember_host
status=0
IMAGES_SINK=true bounded "$BUILD_LIMIT_SECONDS" \
  "$root/scripts/with-engine.sh" --build "$root/scripts/images.sh"
COUNTS_FILE=$work/counts bounded "$RUN_LIMIT_SECONDS" \
  "$root/scripts/with-engine.sh" "$root/tests/compose/run.sh" || status=$?
add_counts "$work/counts" compose-test
check_host
conclude
[ "$status" -eq 0 ]
