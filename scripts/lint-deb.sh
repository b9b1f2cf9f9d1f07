#!/usr/bin/env bash
# Runs Debian's lintian over a package; `make deb` does so with what it has built. lintian is
# unpacked into the build cache when the host has none.
#
#   scripts/lint-deb.sh PACKAGE.deb
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[ $# -eq 1 ] || {
  echo "lint-deb: usage: lint-deb.sh PACKAGE.deb" >&2
  exit 1
}
if ! lintian=$(command -v lintian); then
  root=$("$here/debian-packages.sh" --with-dependencies lintian)
  libraries=$root/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)
  lintian=$root/usr/bin/lintian
  export LINTIAN_BASE=$root/usr/share/lintian PATH=$root/usr/bin:$PATH LD_LIBRARY_PATH=$libraries
  PERL5LIB=$root/usr/share/lintian/lib:$root/usr/share/perl5$(printf ':%s' "$libraries"/perl5/*)
  export PERL5LIB
fi
"$lintian" --no-cfg --allow-root --fail-on error,warning "$1"
echo "lint-deb: $1 is clean"
