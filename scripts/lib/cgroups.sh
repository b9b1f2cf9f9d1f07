#!/usr/bin/env bash
# Takes control groups away that a run in name spaces of its own has made in the host's hierarchies,
# where they would stay; it is sourced.
set -euo pipefail

# remove_cgroups FOLDER: those that bear the name of a run's folder. A group whose last process has
# just ended may be held for a moment.
remove_cgroups() {
  local groups
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    mapfile -t groups < <(find /sys/fs/cgroup -mindepth 1 -depth -type d \
      -path "*/${1##*/}*" 2>/dev/null)
    [ ${#groups[@]} -gt 0 ] || return 0
    rmdir "${groups[@]}" 2>/dev/null || sleep 0.5
  done
}
