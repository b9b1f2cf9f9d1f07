#!/usr/bin/env bash
# Runs Debian's Postgres in the foreground, on 127.0.0.1 and on a socket in its own folder. Nothing
# is installed on the host. As root it runs in a user namespace, because Postgres refuses root.
#
#   scripts/serve-postgres.sh [--root]     with --root it only prints where the package is unpacked
#
# Environment:
#   POSTGRES_DIR        its data, its socket and its log `postgres.log` (required; kept from run to
#                       run). A socket's path is limited to about a hundred characters.
#   POSTGRES_PORT       where it listens on 127.0.0.1 (default 5432)
#   POSTGRES_PASSWORD   of its superuser `bangui` (default: bangui); used when the data are made
#   POSTGRES_OPTIONS    further options of `postgres`, such as `-c fsync=off`
#   POSTGRES_UNTIL_EOF  if 1, it ends when standard input does, and its data are removed: it
#                       outlives no test that was killed
#   POSTGRES_ROOT       an unpacked Debian package (default: fetched into the build cache)
set -euo pipefail

fail() {
  printf '%s\n' "postgres: $*" >&2
  exit 1
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
port=${POSTGRES_PORT:-5432}
[[ $port =~ ^[0-9]{1,5}$ ]] || fail "POSTGRES_PORT is not a port: $port"
# The package `postgresql` only names the release's own version.
server_package() {
  LC_ALL=C apt-cache "$@" depends postgresql 2>/dev/null |
    awk '$1 == "Depends:" && $2 ~ /^postgresql-[0-9]+$/ { print $2; exit }'
}

root=${POSTGRES_ROOT:-}
if [ -z "$root" ]; then
  name=$(server_package)
  if [ -z "$name" ]; then
    # The host has no lists; now there are some in the cache.
    "$here/debian-packages.sh" postgresql >/dev/null
    name=$(server_package -o Dir::State="${BANGUI_BUILD_CACHE:-$HOME/.cache/bangui-build}/apt/state")
  fi
  root=$("$here/debian-packages.sh" --with-dependencies "${name:-postgresql-15}")
fi
if [ "${1:-}" = --root ]; then
  printf '%s\n' "$root"
  exit 0
fi
[ -n "${POSTGRES_DIR:-}" ] || fail "POSTGRES_DIR is not set"
mkdir -p "$POSTGRES_DIR"
dir=$(cd "$POSTGRES_DIR" && pwd)
bin=$(printf '%s\n' "$root"/usr/lib/postgresql/*/bin | sort -V | tail -n 1)
[ -x "$bin/postgres" ] || fail "there is no postgres in $root"
libraries=$root/usr/lib/$(uname -m)-linux-gnu
export LD_LIBRARY_PATH="$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"

as_user=()
if [ "$(id -u)" = 0 ]; then
  as_user=(unshare --user --map-user=1000 --map-group=1000 --)
fi

if [ ! -f "$dir/data/PG_VERSION" ]; then
  # Made beside and moved, so that an interrupted run leaves nothing half made behind.
  rm -rf "$dir/data.partial"
  (umask 077 && printf '%s\n' "${POSTGRES_PASSWORD:-bangui}" >"$dir/password")
  "${as_user[@]}" "$bin/initdb" --pgdata="$dir/data.partial" --username=bangui \
    --pwfile="$dir/password" --auth=scram-sha-256 \
    --encoding=UTF8 --locale=C.UTF-8 --no-sync >"$dir/initdb.log" 2>&1 ||
    fail "initdb failed: $(tail -n 3 "$dir/initdb.log")"
  rm "$dir/password"
  mv "$dir/data.partial" "$dir/data"
fi

read -ra options <<<"${POSTGRES_OPTIONS:-}"
command=("${as_user[@]}" "$bin/postgres" -D "$dir/data" -k "$dir" -h 127.0.0.1 -p "$port"
  "${options[@]}")
if [ "${POSTGRES_UNTIL_EOF:-}" != 1 ]; then
  exec "${command[@]}"
fi

"${command[@]}" </dev/null >>"$dir/postgres.log" 2>&1 &
server=$!
# INT ends its connections, too; TERM would wait for whoever is connected.
stop() {
  kill -INT "$server" 2>/dev/null || true
  for _ in {1..50}; do
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
  done
  kill -QUIT "$server" 2>/dev/null || true
  wait "$server" || true
  rm -rf "$dir/data"
}
trap stop EXIT
trap 'exit 0' INT TERM
# Its own end is not waited for: whoever connects sees it, and the log says why.
cat >/dev/null
