#!/usr/bin/env bash
# Installs the index template of BanGUI's log records in Elasticsearch 8 or OpenSearch 2, from the
# same variables as the collector (docs/EXTERNAL-LOGGING.md). To be run once before the first
# record; run again, it replaces the template, which then counts for the indices of later days.
#
#   otel-collector/elasticsearch/put-template.sh
#
#   BANGUI_ELASTICSEARCH_HOSTS (comma list; the first that takes it)
#   BANGUI_ELASTICSEARCH_INDEX_PREFIX   bangui: the name of the template, for the indices PREFIX-*
#   BANGUI_ELASTICSEARCH_API_KEY, or _USER and _PASSWORD (or API_KEY_FILE, PASSWORD_FILE)
#   BANGUI_ELASTICSEARCH_CA_FILE, _CLIENT_CERT_FILE, _CLIENT_KEY_FILE
#
# It ends with 78 when a setting is wrong and with 1 when no host takes the template.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here
readonly CONNECT_LIMIT_SECONDS=5 ANSWER_LIMIT_SECONDS=30
# shellcheck source=otel-collector/forms.sh
source "$here/../forms.sh"

say() { printf '%s\n' "put-template: $*" >&2; }
command -v curl >/dev/null || { say "curl is missing"; exit 1; }

prefix=${BANGUI_ELASTICSEARCH_INDEX_PREFIX:-bangui}
user=${BANGUI_ELASTICSEARCH_USER:-}
require BANGUI_ELASTICSEARCH_HOSTS put-template.sh
urls BANGUI_ELASTICSEARCH_HOSTS 32
match BANGUI_ELASTICSEARCH_INDEX_PREFIX '[a-z0-9][a-z0-9._-]{0,199}' \
    "must be an index name: lowercase letters, digits and . _ -, a letter or digit first"
match BANGUI_ELASTICSEARCH_USER '[]!#%&()*+,./0-9;<=>?@A-Z[^_a-z{|}~-]{1,507}' \
    "must be printable characters without spaces, quotes, \$, \\ and :"
together BANGUI_ELASTICSEARCH_USER BANGUI_ELASTICSEARCH_PASSWORD
plain_secret BANGUI_ELASTICSEARCH_API_KEY
plain_secret BANGUI_ELASTICSEARCH_PASSWORD
! is_set BANGUI_ELASTICSEARCH_USER || ! is_set BANGUI_ELASTICSEARCH_API_KEY \
    || problem BANGUI_ELASTICSEARCH_API_KEY "set beside a user; only one of them may be"
for name in CA_FILE CLIENT_CERT_FILE CLIENT_KEY_FILE; do
    pem_file "BANGUI_ELASTICSEARCH_$name"
done
together BANGUI_ELASTICSEARCH_CLIENT_CERT_FILE BANGUI_ELASTICSEARCH_CLIENT_KEY_FILE
((problems == 0)) || exit 78

# One option of curl's configuration, quoted as that wants it.
option() {
    local value=${2//\\/\\\\}
    printf '%s = "%s"\n' "$1" "${value//\"/\\\"}"
}

# Secrets go to curl through a pipe: everybody on the machine may read its command line.
options() {
    [[ -z ${BANGUI_ELASTICSEARCH_API_KEY:-} ]] \
        || option header "Authorization: ApiKey $BANGUI_ELASTICSEARCH_API_KEY"
    [[ -z $user ]] || option user "$user:$BANGUI_ELASTICSEARCH_PASSWORD"
    [[ -z ${BANGUI_ELASTICSEARCH_CA_FILE:-} ]] || option cacert "$BANGUI_ELASTICSEARCH_CA_FILE"
    [[ -z ${BANGUI_ELASTICSEARCH_CLIENT_CERT_FILE:-} ]] \
        || option cert "$BANGUI_ELASTICSEARCH_CLIENT_CERT_FILE"
    [[ -z ${BANGUI_ELASTICSEARCH_CLIENT_KEY_FILE:-} ]] \
        || option key "$BANGUI_ELASTICSEARCH_CLIENT_KEY_FILE"
}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# The only place where the prefix stands.
sed "s/^  \"index_patterns\": .*$/  \"index_patterns\": [\"$prefix-*\"],/" \
    "$here/index-template.json" >"$folder/template.json"

while IFS= read -rd , host; do
    status=$(curl --disable --silent --show-error --config <(options) --request PUT \
        --tlsv1.2 --proto '=http,https' --connect-timeout "$CONNECT_LIMIT_SECONDS" \
        --max-time "$ANSWER_LIMIT_SECONDS" --header 'Content-Type: application/json' \
        --data-binary "@$folder/template.json" --output "$folder/answer" \
        --write-out '%{http_code}' \
        "${host%/}/_index_template/$prefix") || { say "$host does not answer"; continue; }
    if [[ $status == 200 ]]; then
        printf '%s\n' "put-template: $host has the template $prefix, for $prefix-*"
        exit 0
    fi
    say "$host answers $status: $(head -c 500 "$folder/answer" | tr -d '[:cntrl:]')"
done <<<"$BANGUI_ELASTICSEARCH_HOSTS,"
say "no host has taken the template"
exit 1
