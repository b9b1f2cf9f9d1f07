#!/usr/bin/env bash
# Boots the systemd of a root folder in name spaces of its own, without a container engine; it is
# sourced. The caller calls `end_root` in its EXIT trap.
#
#   boot_root FOLDER      starts it; its network is a loopback of its own
#   in_root COMMAND…      runs a command in it
#   end_root              ends all of it: mounts and processes go with the name spaces
#
# Needs root and a mounted cgroup2, which systemd needs.
set -euo pipefail

readonly BOOT_LIMIT_SECONDS=60
readonly END_LIMIT_SECONDS=10
root_unshare_pid='' root_init_pid='' root_cgroup=''

# The first process of the name spaces: lays out what an init expects to find, and becomes it.
become_init() {
  local root=$1 device
  mount --make-rprivate /
  mount --bind "$root" "$root"
  cd "$root"
  mount -t proc proc proc
  mount -t sysfs -o ro sysfs sys
  mount -t cgroup2 cgroup2 sys/fs/cgroup
  mount -t tmpfs -o mode=0755 tmpfs dev
  for device in null zero full random urandom tty; do
    : >"dev/$device"
    mount --bind "/dev/$device" "dev/$device"
  done
  mkdir dev/pts dev/shm
  mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
  mount -t tmpfs -o mode=1777 tmpfs dev/shm
  ln -s pts/ptmx dev/ptmx
  ln -s /proc/self/fd dev/fd
  mount -t tmpfs -o mode=0755 tmpfs run
  mkdir -p .host
  pivot_root . .host
  umount -l /.host
  rmdir /.host
  # As on a host; in a container systemd leaves it to whoever made that. It mounts what it loads for
  # a service in a name space of its own, from where it must come here.
  mount --make-rshared /
  # Whatever it says, it tells its journal, too.
  exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd \
    >/dev/null 2>&1
}

boot_root() {
  local cgroup2 waited
  [ "$(id -u)" -eq 0 ] || { echo "booting a root folder needs root" >&2; return 1; }
  cgroup2=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
  [ -n "$cgroup2" ] || { echo "no cgroup2 is mounted here, which systemd needs" >&2; return 1; }
  root_cgroup=$cgroup2/bangui-root-$$
  mkdir "$root_cgroup"
  export -f become_init
  (
    echo "$BASHPID" >"$root_cgroup/cgroup.procs"
    exec unshare --pid --mount --cgroup --net --uts --ipc --fork --kill-child \
      bash -euo pipefail -c 'become_init "$1"' _ "$1" </dev/null
  ) &
  root_unshare_pid=$!
  for ((waited = 0; waited < BOOT_LIMIT_SECONDS * 10; waited++)); do
    root_init_pid=$(tr -d ' ' 2>/dev/null \
      <"/proc/$root_unshare_pid/task/$root_unshare_pid/children" || true)
    # The system is up when every unit of the boot has started or failed.
    if [ -n "$root_init_pid" ] && is_booted; then
      return 0
    fi
    kill -0 "$root_unshare_pid" 2>/dev/null || break
    sleep 0.1
  done
  echo "the root folder's systemd did not come up" >&2
  return 1
}

is_booted() {
  [ "$(cat "/proc/$root_init_pid/comm" 2>/dev/null)" = systemd ] || return 1
  case $(in_root systemctl is-system-running 2>/dev/null) in
    running | degraded) return 0 ;;
    *) return 1 ;;
  esac
}

in_root() {
  nsenter --target "$root_init_pid" --all \
    env --chdir=/root -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive "$@"
}

end_root() {
  local waited
  [ -n "$root_cgroup" ] || return 0
  if [ -n "$root_unshare_pid" ]; then
    # Its child is the init of the processes' name space, and all others end with that.
    kill -KILL "$root_unshare_pid" 2>/dev/null || true
    wait "$root_unshare_pid" 2>/dev/null || true
  fi
  for ((waited = 0; waited < END_LIMIT_SECONDS * 10; waited++)); do
    find "$root_cgroup" -depth -type d -exec rmdir {} + 2>/dev/null || true
    [ -e "$root_cgroup" ] || break
    sleep 0.1
  done
  [ ! -e "$root_cgroup" ] || echo "left behind: $root_cgroup" >&2
  root_cgroup='' root_unshare_pid='' root_init_pid=''
}
