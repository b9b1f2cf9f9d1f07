#!/usr/bin/env bash
# Runs a command with a Docker engine, and ends the engine with it.
#
#   scripts/with-engine.sh [--build] COMMAND…
#
# An engine that runs already is used as it is. Otherwise a private one starts, from Debian's
# packages unpacked in the cache: its processes, mounts, bridges and iptables rules live in
# namespaces of their own and are gone with them, so that the host is as it was before. The command
# runs in there, too, and meets published ports on its own 127.0.0.1. Images stay in the cache.
#
# --build   for building images: the private engine has the host's network, to fetch packages by
#           (`docker build --network host`), and neither a bridge nor rules.
#
# The command gets `docker` and `docker compose`, DOCKER_HOST and DOCKER_CONFIG. A private engine
# needs root and a kernel with overlayfs, namespaces and netfilter; one line says what is missing.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
engine_cache=${BANGUI_BUILD_CACHE:-$HOME/.cache/bangui-build}/engine
readonly here engine_cache
readonly READY_LIMIT_SECONDS=60
readonly STOP_LIMIT_SECONDS=30
# One private engine at a time works on the images; a compose test takes minutes.
readonly LOCK_LIMIT_SECONDS=1800
# shellcheck source=scripts/lib/cgroups.sh
source "$here/lib/cgroups.sh"

say() { printf '%s\n' "engine: $*" >&2; }
fail() {
  say "$*"
  exit 1
}

# Puts our compose where the docker command finds it. $1: a folder of this run's own.
add_compose() {
  mkdir -p "$1/config/cli-plugins"
  ln -s "$compose" "$1/config/cli-plugins/docker-compose"
  export DOCKER_CONFIG=$1/config
}

# With the engine that runs already.
run_with_existing() {
  say "using the engine that runs already"
  docker compose version >/dev/null 2>&1 || {
    compose=$("$here/build-compose.sh")
    add_compose "$work"
  }
  "$@"
}

# A run that was killed leaves containers in the private engine's store, which restart with it.
forget_containers() {
  local containers
  mapfile -t containers < <(docker ps --all --quiet)
  [ ${#containers[@]} -eq 0 ] || docker rm --force --volumes "${containers[@]}" >/dev/null
  docker volume prune --force >/dev/null
  docker network prune --force >/dev/null
}

# Runs inside of the namespaces: $1 is this run's folder, the rest is the command.
inside() {
  local work=$1 flags=() engine waited=0 status=0 libraries
  shift
  add_compose "$work"
  mkdir "$work/tools"
  ln -s "$packages/usr/sbin/iptables-nft" "$work/tools/iptables"
  ln -s "$packages/usr/sbin/ip6tables-nft" "$work/tools/ip6tables"
  # Not for the command: its own programs must meet the host's libraries.
  libraries=$packages/usr/lib/$(uname -m)-linux-gnu
  local engine_path=$work/tools:$packages/usr/bin:$packages/usr/sbin:$PATH
  local engine_env=("PATH=$engine_path" "LD_LIBRARY_PATH=$libraries"
    "XTABLES_LIBDIR=$libraries/xtables")
  if [ "$network" = own ]; then
    ip link set lo up
    env "${engine_env[@]}" iptables -t nat -L -n >/dev/null 2>"$work/error" ||
      fail "this kernel has no netfilter for it: $(head -n 1 "$work/error")"
  else
    flags=(--bridge=none --iptables=false --ip-forward=false --ip-masq=false)
  fi
  echo '{}' >"$work/daemon.json"
  env "${engine_env[@]}" dockerd --config-file "$work/daemon.json" \
    --data-root "$engine_cache/images" --exec-root "$work/exec" --pidfile "$work/docker.pid" \
    --host "unix://$work/docker.sock" --group "$(id -gn)" --storage-driver overlay2 \
    --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "/${work##*/}" \
    "${flags[@]}" >"$engine_cache/dockerd.log" 2>&1 &
  engine=$!
  export DOCKER_HOST=unix://$work/docker.sock PATH=$packages/usr/bin:$PATH
  until docker version >/dev/null 2>&1; do
    kill -0 "$engine" 2>/dev/null ||
      fail "it did not start: $(tail -n 1 "$engine_cache/dockerd.log" | cut -c1-300)"
    [ $((waited += 1)) -le $((READY_LIMIT_SECONDS * 2)) ] ||
      fail "it was not ready after $READY_LIMIT_SECONDS s: see $engine_cache/dockerd.log"
    sleep 0.5
  done
  forget_containers
  "$@" &
  # A signal would not be heard while bash waits for a command in the foreground.
  trap 'kill -TERM "$!" 2>/dev/null' TERM INT
  wait "$!" || status=$?
  trap '' TERM INT
  kill -TERM "$engine" 2>/dev/null || true
  timeout "$STOP_LIMIT_SECONDS" tail --pid="$engine" -f /dev/null || true
  exit "$status"
}

# What runs that were killed outright could not take away. A run that still waits has no `exec`.
remove_stale() {
  local folder
  for folder in /tmp/bangui-engine.*/exec; do
    folder=${folder%/exec}
    [ -d "$folder" ] && [ "$folder" != "$work" ] || continue
    "$packages/usr/bin/docker" --host "unix://$folder/docker.sock" version >/dev/null 2>&1 || {
      remove_cgroups "$folder"
      rm -rf "$folder"
    }
  done
}

run_with_private() {
  local namespaces=(--mount --pid --fork --kill-child --mount-proc) status=0 child
  [ "$(id -u)" -eq 0 ] || fail "no engine runs, and a private one needs root"
  for tool in unshare ip flock; do
    command -v "$tool" >/dev/null || fail "$tool is missing (Debian: util-linux, iproute2)"
  done
  grep -qw overlay /proc/filesystems || fail "this kernel has no overlayfs"
  [ "$network" = host ] || namespaces+=(--net)
  unshare "${namespaces[@]}" true 2>"$work/error" ||
    fail "no namespaces may be made here: $(head -n 1 "$work/error")"
  packages=$("$here/engine-packages.sh")
  compose=$("$here/build-compose.sh")
  mkdir -p "$engine_cache"
  exec 8>"$engine_cache/lock"
  flock -n 8 || say "waiting for another run to end its engine"
  flock -w "$LOCK_LIMIT_SECONDS" 8 || fail "another run has held $engine_cache/lock too long"
  remove_stale
  say "starting a private one"
  export packages compose network
  # The lock is this process's alone: a program that is left over must not hold it.
  unshare "${namespaces[@]}" "$here/with-engine.sh" --inside "$work" "$@" 8>&- &
  child=$!
  # The one below unshare is the first process in there; the rest ends with it.
  trap 'pkill -TERM -P "$child" || true' TERM INT
  wait "$child" || status=$?
  while kill -0 "$child" 2>/dev/null; do
    wait "$child" || status=$?
  done
  remove_cgroups "$work"
  return "$status"
}

if [ "${1:-}" = --inside ]; then
  shift
  inside "$@"
fi
network=own
if [ "${1:-}" = --build ]; then
  network=host
  shift
fi
[ $# -gt 0 ] || fail "usage: with-engine.sh [--build] COMMAND…"
work=$(mktemp -d /tmp/bangui-engine.XXXXXX)
trap 'rm -rf "$work"' EXIT
if command -v docker >/dev/null && docker info >/dev/null 2>&1; then
  run_with_existing "$@"
else
  run_with_private "$@"
fi
