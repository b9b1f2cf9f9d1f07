#!/usr/bin/env bash
# Makes a minimal Debian 12 with debootstrap and prints the path of its cached tar archive.
#
#   scripts/debian-root.sh [PACKAGE…]
#
# The archive (gzip) holds the root folder itself, with numeric owners: `tar -xpf` as root unpacks
# it, `docker import` takes it as it is. PACKAGEs, with all they depend on, are installed in it.
# Made once for each list of packages, in some two minutes; remove the archive to have it newer.
#
# It needs root, because a root folder has owners and device files. Mounts and processes that
# debootstrap makes lie in name spaces that end with it, so nothing stays on the host.
# debootstrap verifies every package against Debian's signed lists.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${BANGUI_BUILD_CACHE:-$HOME/.cache/bangui-build}/debian-root
readonly SUITE=bookworm
readonly MIRROR=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
readonly SECURITY_MIRROR=${DEBIAN_SECURITY_MIRROR:-http://deb.debian.org/debian-security}
readonly BUILD_LIMIT_SECONDS=1500
readonly LOCK_LIMIT_SECONDS=1800

say() { printf '%s\n' "debian-root: $*" >&2; }
fail() {
  say "$*"
  exit 1
}

# Makes the root of the packages $3 (separated by commas, perhaps none) in the folder $1, with the
# programs of the unpacked package $2.
make_root() {
  local folder=$1 programs=$2 packages=$3
  DEBOOTSTRAP_DIR=$programs/usr/share/debootstrap "$programs/usr/sbin/debootstrap" \
    --variant=minbase ${packages:+--include="$packages"} \
    --keyring="$programs/usr/share/keyrings/debian-archive-keyring.gpg" \
    "$SUITE" "$folder" "$MIRROR"
  cat >"$folder/etc/apt/sources.list" <<SOURCES
deb $MIRROR $SUITE main
deb $MIRROR $SUITE-updates main
deb $SECURITY_MIRROR $SUITE-security main
SOURCES
  # Lists age, and the host's name and name servers are the host's matter.
  rm -rf "$folder"/var/lib/apt/lists/* "$folder"/var/cache/apt/archives/*.deb \
    "$folder"/var/log/bootstrap.log
  : >"$folder/etc/resolv.conf"
  rm -f "$folder/etc/hostname"
}

[ "$(id -u)" -eq 0 ] || fail "a root folder with its owners can only be made by root"
for tool in unshare flock tar gzip perl wget; do
  command -v "$tool" >/dev/null || fail "$tool is missing"
done
for name in "$@"; do
  [[ $name =~ ^[a-z0-9][a-z0-9.+-]*$ ]] || fail "not the name of a package: $name"
done

packages=$(printf '%s\n' "$@" | LC_ALL=C sort -u | paste -sd,)
architecture=$(dpkg --print-architecture)
key=$( (cat "${BASH_SOURCE[0]}" && printf '%s' "$architecture $MIRROR $packages") |
  sha256sum | cut -c1-16)
archive=$cache/$SUITE-$architecture-$key.tar.gz
mkdir -p "$cache"

if [ ! -f "$archive" ]; then
  # Two callers at once must not make it twice.
  exec 9>"$cache/lock"
  flock -w "$LOCK_LIMIT_SECONDS" 9 || fail "another run holds $cache/lock for too long"
fi
if [ ! -f "$archive" ]; then
  say "making Debian $SUITE with ${packages:-nothing added}, some two minutes the first time"
  rm -rf "$cache"/work.*
  work=$(mktemp -d "$cache/work.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  programs=$("$here/debian-packages.sh" debootstrap debian-archive-keyring)
  export cache SUITE MIRROR SECURITY_MIRROR
  export -f make_root
  timeout --kill-after=10 "$BUILD_LIMIT_SECONDS" unshare --mount --pid --fork --kill-child \
    bash -euo pipefail -c 'make_root "$@"' _ "$work/root" "$programs" "$packages" \
    >"$work/log" 2>&1 || {
    tail -n 15 "$work/log" >&2
    fail "debootstrap failed"
  }
  tar --numeric-owner --one-file-system -C "$work/root" -cf - . | gzip -1 >"$work/archive"
  # A move within one file system is atomic: nobody ever sees half an archive.
  mv "$work/archive" "$archive"
fi
printf '%s\n' "$archive"
