#!/usr/bin/env bash
# Fetches a real OpenSearch for tests when the cache lacks it, and prints its folder: jars/ with
# the server, classes/ with tests/opensearch/Main.java, compiled, and java, which is to run it.
#
#   scripts/opensearch.sh            verifies every jar against tests/opensearch/jars.sha256
#   scripts/opensearch.sh --relock   writes that file anew, after a change of pom.xml
#
# Maven resolves what the pom names; whatever it brings must be in the list, with the same sum.
set -euo pipefail

readonly PLUGIN=org.apache.maven.plugins:maven-dependency-plugin:3.6.1
# 54 MB in 95 files: seconds, or minutes on a slow line.
readonly FETCH_LIMIT_SECONDS=900
readonly JAVA_VERSION_MIN=17

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
sources=$here/../tests/opensearch
cache=${BANGUI_BUILD_CACHE:-$HOME/.cache/bangui-build}/opensearch
readonly here sources cache

say() { printf '%s\n' "opensearch: $*" >&2; }
fail() { say "$*"; exit 1; }

relock=false
case ${1:-} in
  '') ;;
  --relock) relock=true ;;
  *) fail "usage: opensearch.sh [--relock]" ;;
esac

for tool in mvn flock; do
  command -v "$tool" >/dev/null || fail "$tool is missing: this needs Maven (Debian: maven)"
done

# Succeeds if this compiler is new enough; its version is part of what the cache is keyed by.
is_new_enough() {
  compiler=$("$1" -version 2>&1) || return 1
  [[ $compiler =~ ^javac\ ([0-9]+) ]] && ((BASH_REMATCH[1] >= JAVA_VERSION_MIN))
}

# Debian's JDK has links to its settings in /etc, which an unpacked one must find beside it.
unpacked_jdk() {
  local root link target
  root=$("$here/debian-packages.sh" openjdk-17-jdk-headless openjdk-17-jre-headless) || return 1
  while IFS= read -r link; do
    target=$(readlink "$link")
    [ ! -e "$root$target" ] || ln -sfn "$root$target" "$link"
  done < <(find "$root/usr/lib/jvm" -type l -lname '/etc/*')
  find "$root/usr/lib/jvm" -path '*/bin/javac' -printf '%h\n' -quit
}

# The machine's own JDK, or else Debian's.
javac=$(command -v javac) && is_new_enough "$javac" && bin=$(dirname "$javac") || bin=$(unpacked_jdk)
[ -n "$bin" ] && is_new_enough "$bin/javac" && [ -x "$bin/java" ] ||
  fail "this needs a JDK of version $JAVA_VERSION_MIN or newer (Debian: openjdk-17-jdk-headless)"

# Jars in the layout of a repository, so that their paths are their coordinates.
fetch() {
  timeout "$FETCH_LIMIT_SECONDS" mvn --batch-mode --quiet --strict-checksums -Dstyle.color=never \
    --file "$sources/pom.xml" "-Dmaven.repo.local=$1/repository" "$PLUGIN:copy-dependencies" \
    -DincludeScope=runtime -Dmdep.useRepositoryLayout=true "-DoutputDirectory=$1/jars" >&2 ||
    fail "Maven could not fetch OpenSearch"
  find "$1/jars" -type f ! -name '*.jar' -delete
}

sums() { (cd "$1/jars" && find . -name '*.jar' -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum); }

class_path() { find "$1" -name '*.jar' | LC_ALL=C sort | paste -sd:; }

key=$( (cat "$sources/pom.xml" "$sources/jars.sha256" "$sources/Main.java" "$here/opensearch.sh" \
  2>/dev/null; echo "$bin $compiler") | sha256sum)
folder=$cache/opensearch-${key:0:16}
if ! $relock && [ -d "$folder" ]; then
  printf '%s\n' "$folder"
  exit 0
fi

mkdir -p "$cache"
exec 9>"$cache/lock"
flock -w "$FETCH_LIMIT_SECONDS" 9 || fail "another run has held $cache/lock too long"
# Whoever holds the lock is alone here, so what is partial was left by a run that was killed.
rm -rf "$cache"/work.*
if ! $relock && [ -d "$folder" ]; then
  printf '%s\n' "$folder"
  exit 0
fi

say "fetching it, about a minute the first time"
work=$(mktemp -d "$cache/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
fetch "$work"
if $relock; then
  sums "$work" >"$sources/jars.sha256"
  exit 0
fi
# One comparison finds a changed, a missing and an additional jar.
diff "$sources/jars.sha256" <(sums "$work") >&2 ||
  fail "what Maven brought is not what tests/opensearch/jars.sha256 lists"
"$bin/javac" -nowarn -cp "$(class_path "$work/jars")" -d "$work/classes" "$sources/Main.java" >&2 ||
  fail "tests/opensearch/Main.java does not compile"
rm -rf "$work/repository"
ln -s "$bin/java" "$work/java"
mv "$work" "$folder"
printf '%s\n' "$folder"
