#!/usr/bin/env bash
# Runs one real OpenSearch node in the foreground, on 127.0.0.1 only; fetches it first if the cache
# lacks it. It speaks Elasticsearch's bulk and search. Tests start it; it needs 450 MB of memory.
#
# Environment (an empty value counts as unset):
#   OPENSEARCH_DIR              its data (required)
#   OPENSEARCH_PORT             HTTP   9200
#   OPENSEARCH_TRANSPORT_PORT   between nodes, of which there is one   0: any free one
set -euo pipefail

fail() {
  printf '%s\n' "opensearch: $*" >&2
  exit 1
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export OPENSEARCH_PORT=${OPENSEARCH_PORT:-9200}
export OPENSEARCH_TRANSPORT_PORT=${OPENSEARCH_TRANSPORT_PORT:-0}
for name in OPENSEARCH_PORT OPENSEARCH_TRANSPORT_PORT; do
  # A range such as 9200-9300 would make it take another port than the caller thinks.
  [[ ${!name} =~ ^[0-9]{1,5}$ ]] || fail "$name is not a port: ${!name}"
done
[ -n "${OPENSEARCH_DIR:-}" ] || fail "OPENSEARCH_DIR is not set"
mkdir -p "$OPENSEARCH_DIR/tmp"
OPENSEARCH_DIR=$(cd "$OPENSEARCH_DIR" && pwd)
export OPENSEARCH_DIR

root=$("$here/opensearch.sh")
jars=$(find "$root/jars" -name '*.jar' | LC_ALL=C sort | paste -sd:)

# The quick compiler alone: a node that lives for seconds starts sooner. The temporary folder is
# its own, so that a kill leaves nothing elsewhere.
exec "$root/java" -Xms128m -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
  "-Djava.io.tmpdir=$OPENSEARCH_DIR/tmp" -Djava.awt.headless=true -Dlog4j2.disable.jmx=true \
  -Dfile.encoding=UTF-8 -cp "$root/classes:$jars" Main
