#!/usr/bin/env bash
# Asks the collector itself whether it accepts its configuration, for every combination of provider,
# delivery and metrics provider, with and without our own components; part of `make ci`.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
binary=$("$root/otel-collector/build.sh")
lanes=$(nproc)
count=0

# Every version in the manifest must be the one that go.mod pins, or `build.sh --update` was
# forgotten after a change and something else than the manifest says is built.
while read -r module version; do
    grep -qF "$module $version" "$root/otel-collector/go.mod" || {
        echo "collector: $module $version is in builder.yaml but not in go.mod" >&2
        exit 1
    }
done < <(sed -n 's/^  - gomod: \(go\.\|github\)/\1/p' "$root/otel-collector/builder.yaml")

# Nothing of the caller's environment may decide what is validated here. The arguments are
# variables; $1 is empty or --stock, which leaves out our own components.
ask() {
    local stock=$1
    shift
    env -i PATH="$PATH" HOME="$HOME" COLLECTOR_DIR=/nonexistent "$@" \
        "$root/otel-collector/launch.sh" "$binary" $stock validate || {
        echo "collector: refused with $* $stock" >&2
        return 1
    }
}

# The same, with as many at a time as there are cores. One that is refused ends the script.
running=0
validate() {
    [[ $running -lt $lanes ]] || settle_one
    ask "$@" &
    running=$((running + 1))
    count=$((count + 1))
}

settle_one() {
    wait -n
    running=$((running - 1))
}

# What each provider needs at least.
declare -A needs=(
    [datadog]='BANGUI_DATADOG_API_KEY=0123'
    [papertrail]='BANGUI_PAPERTRAIL_HOST=logs.example.com BANGUI_PAPERTRAIL_PORT=12345'
    [elasticsearch]='BANGUI_ELASTICSEARCH_HOSTS=https://a.example.com:9200,https://b.example.com:9200'
    [newrelic]='BANGUI_NEWRELIC_API_KEY=0123'
    [splunk]='BANGUI_SPLUNK_HEC_URL=https://splunk.example.com:8088/services/collector
        BANGUI_SPLUNK_TOKEN=0123'
    [cloudwatch]='BANGUI_CLOUDWATCH_LOG_GROUP=g BANGUI_CLOUDWATCH_LOG_STREAM=s AWS_REGION=eu-west-1'
    [otlp]='BANGUI_OTLP_ENDPOINT=https://otlp.example.com BANGUI_OTLP_HEADERS=a=b$c,d=e'
)

# A certificate and its key are looked at too, so they must be there.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$root/scripts/test-certificates.sh" "$work"
tls=(COLLECTOR_TLS_CERT_FILE="$work/server.pem" COLLECTOR_TLS_KEY_FILE="$work/server.key")
printf '# a comment\n%s\n\n%s\n' 0123456789abcdef 'a-token-of-$HOME-and-'"'"'quotes' >"$work/tokens"
token=COLLECTOR_TOKEN_FILE="$work/tokens"

for stock in '' --stock; do
    validate "$stock"
    validate "$stock" "${tls[@]}"
    validate "$stock" "$token"
    validate "$stock" "${tls[@]}" COLLECTOR_CLIENT_CA_FILE="$work/ca.pem" "$token"
    validate "$stock" BANGUI_FAIL2BAN_LOG=/var/log/fail2ban.log BANGUI_HOST_METRICS_ENABLED=true \
        BANGUI_TRACES_KEPT_PERCENT=10 BANGUI_LOGS_KEPT_PERCENT=10
    for provider in "${!needs[@]}"; do
        # shellcheck disable=SC2086
        validate "$stock" BANGUI_EXTERNAL_LOGGING_ENABLED=true \
            BANGUI_EXTERNAL_LOGGING_PROVIDER="$provider" \
            BANGUI_EXTERNAL_LOGGING_FIELDS=jail,status_code,client.address ${needs[$provider]}
        for metrics in prometheus datadog newrelic; do
            for delivery in durable bounded; do
                # The words of a variable's list are variables; none holds a space.
                # shellcheck disable=SC2086
                validate "$stock" BANGUI_EXTERNAL_LOGGING_ENABLED=true \
                    BANGUI_EXTERNAL_LOGGING_PROVIDER="$provider" \
                    BANGUI_EXTERNAL_LOGGING_DELIVERY="$delivery" \
                    BANGUI_METRICS_PROVIDER="$metrics" \
                    ${needs[datadog]} ${needs[newrelic]} ${needs[$provider]}
            done
        done
    done
    # shellcheck disable=SC2048,SC2086
    validate "$stock" BANGUI_EXTERNAL_LOGGING_ENABLED=true \
        BANGUI_EXTERNAL_LOGGING_PROVIDER="$(IFS=, && echo "${!needs[*]}")" ${needs[*]}
done
# Certificates, with which some exporters go another way; the stock collector has none for them.
declare -a shown=()
for provider in "${!needs[@]}"; do
    shown+=("BANGUI_${provider^^}_CA_FILE=$work/ca.pem"
        "BANGUI_${provider^^}_CLIENT_CERT_FILE=$work/client.pem"
        "BANGUI_${provider^^}_CLIENT_KEY_FILE=$work/client.key")
done
for metrics in prometheus datadog newrelic; do
    # shellcheck disable=SC2048,SC2086
    validate '' BANGUI_EXTERNAL_LOGGING_ENABLED=true BANGUI_METRICS_PROVIDER="$metrics" \
        BANGUI_EXTERNAL_LOGGING_PROVIDER="$(IFS=, && echo "${!needs[*]}")" ${needs[*]} "${shown[@]}"
done
while [[ $running -gt 0 ]]; do settle_one; done
echo "collector: $count configurations accepted" >&2
