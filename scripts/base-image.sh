#!/usr/bin/env bash
# Makes the base image's file system with debootstrap when the cache lacks it, and prints the path
# of its archive: what stands for `debian:12-slim` where no image registry can be reached.
#
# debootstrap and apt verify every package against Debian's signed lists. Needs root; mounts are
# made in a namespace of their own. Remove the archive to have it made of newer packages.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${BANGUI_BUILD_CACHE:-$HOME/.cache/bangui-build}/base-image
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
readonly here cache mirror
readonly SUITE=bookworm KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
readonly BUILD_LIMIT_SECONDS=1800

say() { printf '%s\n' "base-image: $*" >&2; }
fail() {
  say "$*"
  exit 1
}

# What the slim image leaves out too: pages that nobody reads in a container, lists that age.
slim_down() {
  local root=$1
  find "$root/usr/share/doc" -type f ! -name copyright -delete
  rm -rf "$root"/usr/share/{man,info,locale,lintian,linda,groff}/* "$root"/var/cache/apt/* \
    "$root"/var/lib/apt/lists/* "$root"/var/log/*.log "$root"/var/log/apt/* "$root"/debootstrap
  find "$root/var/cache" -type f -delete
  mkdir -p "$root/var/cache/apt/archives/partial" "$root/etc/dpkg/dpkg.cfg.d"
  printf 'path-exclude /usr/share/%s/*\n' doc man info locale lintian linda groff \
    >"$root/etc/dpkg/dpkg.cfg.d/docker"
  # The licences stay.
  echo 'path-include /usr/share/doc/*/copyright' >>"$root/etc/dpkg/dpkg.cfg.d/docker"
  # A package that is installed in a container must not start a service there.
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod 755 "$root/usr/sbin/policy-rc.d"
  cat >"$root/etc/apt/apt.conf.d/docker-clean" <<'CONF'
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb || true"; };
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Acquire::Languages "none";
CONF
  cat >"$root/etc/apt/sources.list" <<LIST
deb $mirror $SUITE main
deb $mirror $SUITE-updates main
deb ${mirror%/debian}/debian-security $SUITE-security main
LIST
  rm -f "$root/etc/resolv.conf" "$root/etc/hostname"
}

# In a mount namespace: debootstrap's own mounts of /proc end with it.
inside() {
  local packages=$1 work=$2
  DEBOOTSTRAP_DIR=$packages/usr/share/debootstrap "$packages/usr/sbin/debootstrap" \
    --variant=minbase --keyring="$KEYRING" "$SUITE" "$work/root" "$mirror" >"$work/log" 2>&1 || {
    tail -n 5 "$work/log" >&2
    fail "debootstrap failed"
  }
  umount "$work/root/proc" "$work/root/sys" 2>/dev/null || true
  slim_down "$work/root"
  tar -C "$work/root" --numeric-owner --sort=name --one-file-system -czf "$work/base.tar.gz" .
}

if [ "${1:-}" = --inside ]; then
  shift
  inside "$@"
  exit
fi

packages=$("$here/engine-packages.sh")
key=$( (cat "$here/base-image.sh"; basename "$packages"; uname -m; echo "$mirror") | sha256sum)
archive=$cache/base-${key:0:16}.tar.gz
if [ ! -f "$archive" ]; then
  [ "$(id -u)" -eq 0 ] || fail "debootstrap needs root"
  [ -f "$KEYRING" ] || fail "$KEYRING is missing (Debian: debian-archive-keyring)"
  mkdir -p "$cache"
  exec 9>"$cache/lock"
  flock -w "$BUILD_LIMIT_SECONDS" 9 || fail "another run has held $cache/lock too long"
fi
if [ ! -f "$archive" ]; then
  say "making it with debootstrap, about 3 minutes the first time"
  rm -rf "$cache"/work.*
  work=$(mktemp -d "$cache/work.XXXXXX")
  # debootstrap's root must be open for the users in it.
  chmod 755 "$work"
  trap 'rm -rf "$work"' EXIT
  timeout "$BUILD_LIMIT_SECONDS" nice -n 5 unshare --mount --pid --fork --kill-child --mount-proc \
    "$here/base-image.sh" --inside "$packages" "$work" 9>&- >&2 || fail "the build failed"
  mv "$work/base.tar.gz" "$archive"
fi
printf '%s\n' "$archive"
