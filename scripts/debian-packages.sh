#!/usr/bin/env bash
# Downloads Debian packages and unpacks them into the build cache, without installing anything.
#
#   scripts/debian-packages.sh [--with-dependencies] NAME…
#
# Prints the folder that holds the unpacked files (its usr/, etc/, …). Installing fail2ban or
# Prometheus would enable and start them on the host; an unpacked copy changes nothing there and
# needs no root. apt itself verifies every package against the signed lists of the host's sources.
#
# --with-dependencies also takes, recursively, what the packages need and the host has not.
set -euo pipefail

cache=${BANGUI_BUILD_CACHE:-$HOME/.cache/bangui-build}
# Lists fetched by this script itself are used for a day; Debian's archive moves slowly.
readonly PRIVATE_LISTS_MAX_AGE_MINUTES=1440
# A slow mirror may take minutes for Chromium (80 MB); a dead one must not hold us for ever.
readonly APT_LIMIT_SECONDS=900
readonly LOCK_LIMIT_SECONDS=1800

# The cache usually lies in a home that apt's own sandbox user cannot enter.
host_apt=(-q -o APT::Sandbox::User=root -o Acquire::Retries=2 -o Acquire::http::Timeout=30)
private_apt=("${host_apt[@]}" -o "Dir::State=$cache/apt/state" -o "Dir::Cache=$cache/apt/cache"
  -o Dir::State::status=/var/lib/dpkg/status)

say() { printf '%s\n' "debian-packages: $*" >&2; }
fail() {
  say "$*"
  exit 1
}

with_dependencies=false
if [ "${1:-}" = --with-dependencies ]; then
  with_dependencies=true
  shift
fi
[ $# -gt 0 ] || fail "usage: debian-packages.sh [--with-dependencies] NAME…"
for tool in apt-get dpkg-deb flock; do
  command -v "$tool" >/dev/null || fail "$tool is missing: this needs a Debian-like system"
done
mkdir -p "$cache/debian"

# Prints one `URI file bytes SHA256:hash` line for each package to take; fails if one is unknown.
resolve() {
  local names=("$@") simulated
  if $with_dependencies; then
    simulated=$(LC_ALL=C apt-get "${apt[@]}" install --simulate --no-install-recommends \
      "$@" 2>>"$errors") || return 1
    # `Inst NAME (…)` is a package that the host lacks; `Inst NAME [old] (…)` is only an upgrade
    # of one that it has, which the host's own library may satisfy: take it too, except the C
    # library, which must fit the host's own loader.
    mapfile -t names < <({
      printf '%s\n' "$@"
      awk '$1 == "Inst" && $2 !~ /^(libc6|libc-bin)$/ { print $2 }' <<<"$simulated"
    } | LC_ALL=C sort -u)
  fi
  LC_ALL=C apt-get "${apt[@]}" download --print-uris "${names[@]}" 2>>"$errors" |
    grep "^'" | LC_ALL=C sort
}

refresh_private_lists() {
  mkdir -p "$cache/apt/state/lists/partial" "$cache/apt/cache/archives/partial"
  say "fetching apt's package lists into the cache"
  # One broken third-party source makes update fail although Debian's own lists arrived; whether
  # the lists are good enough is seen when the packages are looked up.
  timeout "$APT_LIMIT_SECONDS" apt-get "${private_apt[@]}" update >>"$errors" 2>&1 || true
  touch "$cache/apt/updated"
}

# Downloads and unpacks the resolved packages into a folder that appears in one step.
unpack() {
  local uris=$1 root=$2 partial=$2.partial.$$ file version
  mkdir -p "$partial/.packages"
  say "downloading $(wc -l <<<"$uris") package(s) for $asked"
  local specs=()
  while read -r _ file _; do
    # FILE is name_version_arch.deb; apt takes name=version, and an epoch's colon is escaped.
    file=${file%_*.deb}
    version=${file#*_}
    specs+=("${file%%_*}=${version//%3a/:}")
  done <<<"$uris"
  (cd "$partial/.packages" &&
    timeout "$APT_LIMIT_SECONDS" apt-get "${apt[@]}" download "${specs[@]}" >>"$errors" 2>&1) ||
    return 1
  for file in "$partial/.packages"/*.deb; do
    dpkg-deb -x "$file" "$partial" || return 1
  done
  rm -r "$partial/.packages"
  # Unpacked by root, a set-user-id helper would be a live one in the cache.
  find "$partial" -type f -perm /6000 -exec chmod ug-s {} +
  mv "$partial" "$root"
}

# The folder's name is made of the exact versions and hashes of everything that is in it.
root_of() {
  local hash
  hash=$(awk '{ print $2, $4 }' <<<"$1" | sha256sum)
  printf '%s' "$cache/debian/$2-${hash:0:16}"
}

asked=$*
errors=$(mktemp)
trap 'rm -f "$errors"' EXIT

apt=("${host_apt[@]}")
if uris=$(resolve "$@"); then
  root=$(root_of "$uris" "$1")
  if [ -d "$root" ]; then
    printf '%s\n' "$root"
    exit 0
  fi
fi

exec 9>"$cache/debian-packages.lock"
flock -w "$LOCK_LIMIT_SECONDS" 9 || fail "another run has held $cache/debian-packages.lock too long"
# Whoever holds the lock is alone here, so what is partial was left by a run that was killed.
rm -rf "$cache"/debian/*.partial.*

# The host's lists come first; when it has none, or they are too old for the mirror, our own.
for attempt in host private refreshed; do
  case $attempt in
    host) apt=("${host_apt[@]}") ;;
    private)
      apt=("${private_apt[@]}")
      [ -n "$(find "$cache/apt/updated" -mmin "-$PRIVATE_LISTS_MAX_AGE_MINUTES" 2>/dev/null)" ] ||
        continue
      ;;
    refreshed)
      apt=("${private_apt[@]}")
      refresh_private_lists
      ;;
  esac
  uris=$(resolve "$@") || continue
  root=$(root_of "$uris" "$1")
  if [ -d "$root" ] || unpack "$uris" "$root"; then
    printf '%s\n' "$root"
    exit 0
  fi
done
tail -n 5 "$errors" >&2
fail "could not get $* from the system's apt sources"
