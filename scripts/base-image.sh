#!/usr/bin/env bash
# Prints the path of the archive of the base image's file system, made when the cache lacks it: what
# stands for `debian:12-slim` where no image registry can be reached. It is the minimal Debian of
# scripts/debian-root.sh without what the slim image leaves out. Needs root.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${BANGUI_BUILD_CACHE:-$HOME/.cache/bangui-build}/base-image
readonly here cache
readonly LOCK_LIMIT_SECONDS=1800

say() { printf '%s\n' "base-image: $*" >&2; }
fail() {
  say "$*"
  exit 1
}

# Pages that nobody reads in a container, and lists that age.
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
}


[ "$(id -u)" -eq 0 ] || fail "a root folder with its owners can only be made by root"
root_archive=$("$here/debian-root.sh")
key=$( (cat "$here/base-image.sh" && basename "$root_archive") | sha256sum | cut -c1-16)
archive=$cache/base-$key.tar.gz
mkdir -p "$cache"
if [ ! -f "$archive" ]; then
  exec 9>"$cache/lock"
  flock -w "$LOCK_LIMIT_SECONDS" 9 || fail "another run has held $cache/lock too long"
fi
if [ ! -f "$archive" ]; then
  rm -rf "$cache"/work.*
  work=$(mktemp -d "$cache/work.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  mkdir "$work/root"
  tar --numeric-owner -C "$work/root" -xpzf "$root_archive"
  slim_down "$work/root"
  tar -C "$work/root" --numeric-owner --sort=name --one-file-system -czf "$work/base.tar.gz" .
  # A move within one file system is atomic: nobody ever sees half an archive.
  mv "$work/base.tar.gz" "$archive"
fi
printf '%s\n' "$archive"
