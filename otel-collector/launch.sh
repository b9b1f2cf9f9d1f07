#!/usr/bin/env bash
# Starts the collector with the configuration that the environment chooses, or says in one line
# for each setting what is wrong with it and exits with 78 (EX_CONFIG).
#
#   otel-collector/launch.sh COLLECTOR [--stock] [validate]
#
#   COLLECTOR   the binary
#   --stock     it is the public contrib image's: leave out own/, which names our own components
#   validate    only ask the collector whether it accepts its configuration
#
# It reads the variables of docs/CONFIGURATION.md, the same that BanGUI reads, and does what the
# collector's own `${env:…}` cannot: `*_FILE`, choosing files, and refusing a setting by name.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here
readonly PROVIDERS='datadog papertrail elasticsearch newrelic splunk cloudwatch otlp'
problems=0

problem() { printf '%s: %s\n' "$1" "$2" >&2; problems=$((problems + 1)); }
is_set() { [[ -n ${!1:-} ]]; }

# A variable that is set but empty would take the place of its default.
unset_empty() {
    local name
    for name in $(compgen -e); do
        [[ -n ${!name} ]] || unset "$name"
    done
}

# Text as one quoted YAML scalar: neither a number nor a reference to anything.
quoted() {
    local text=${1//\'/\'\'}
    printf "'%s'" "${text//$/\$\$}"
}

# `NAME_FILE` stands for NAME. A key of plain characters is read by the collector itself, and again
# after a SIGHUP; any other text could mean something in YAML, and is read once, here.
secret() {
    local file=$1_FILE path content
    if is_set "$file"; then
        path=${!file}
        ! is_set "$1" || { problem "$1" "set beside $file; only one of them may be"; return; }
        [[ -r $path && -f $path ]] || { problem "$file" "cannot be read"; return; }
        content=$(<"$path")
        check_secret "$file" "$content"
        if [[ $content =~ ^[A-Za-z0-9_./+=-]+$ && $path =~ ^[A-Za-z0-9_./-]+$ ]]; then
            export "$1=\${file:$path}"
        else
            export "$1=$(quoted "$content")"
        fi
    elif is_set "$1"; then
        check_secret "$1" "${!1}"
        export "$1=$(quoted "${!1}")"
    fi
}

check_secret() {
    if [[ -z $2 ]]; then
        problem "$1" "is empty"
    elif [[ $2 =~ [[:cntrl:]] || $2 =~ ^[[:space:]] || $2 =~ [[:space:]]$ ]]; then
        problem "$1" "may hold no control characters and no space at its ends"
    fi
}

require() { is_set "$1" || is_set "$1_FILE" || problem "$1" "is required by $2"; }

# A value must match a whole pattern. $1 name, $2 pattern (ERE), $3 what is wrong otherwise.
match() { ! is_set "$1" || [[ ${!1} =~ ^($2)$ ]] || problem "$1" "$3"; }

# A whole number within limits. $1 name, $2 least, $3 most.
number() {
    is_set "$1" || return 0
    [[ ${!1} =~ ^[0-9]{1,9}$ ]] && ((10#${!1} >= $2 && 10#${!1} <= $3)) \
        || problem "$1" "must be a number from $2 to $3"
}

boolean() { match "$1" 'true|false|1|0' "must be true or false"; }
is_true() { [[ ${!1:-$2} == true || ${!1:-$2} == 1 ]]; }

# Plain http would show keys and records to whoever listens, except on this machine.
readonly HOST='[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\]'
readonly LOOPBACK='localhost|127\.[0-9]+\.[0-9]+\.[0-9]+|\[::1\]'
readonly REST='(:[0-9]{1,5})?(/[A-Za-z0-9._~/%-]*)?'
https_url() {
    match "$1" "https://($HOST)$REST|http://($LOOPBACK)$REST" \
        "must be an https URL without credentials or query (http only to this machine)"
}

# What every provider has. $1: its name in variables.
common() {
    local name
    for name in CA_FILE CLIENT_CERT_FILE CLIENT_KEY_FILE; do
        name=BANGUI_$1_$name
        ! is_set "$name" || [[ -r ${!name} ]] || problem "$name" "cannot be read"
    done
    local cert=BANGUI_$1_CLIENT_CERT_FILE key=BANGUI_$1_CLIENT_KEY_FILE
    ! is_set "$cert" || is_set "$key" || problem "$key" "is required beside $cert"
    ! is_set "$key" || is_set "$cert" || problem "$cert" "is required beside $key"
}

# $1 in each of these: the words that say who requires a setting, or nothing when nobody does.
datadog() {
    secret BANGUI_DATADOG_API_KEY
    match BANGUI_DATADOG_SITE '[a-z0-9]([a-z0-9.-]*[a-z0-9])?' "must be a host name, as datadoghq.com"
    number BANGUI_DATADOG_BATCH_SIZE 1 1000
    number BANGUI_DATADOG_FLUSH_INTERVAL_SECONDS 1 300
    https_url BANGUI_DATADOG_ENDPOINT
    common DATADOG
    [[ -z $1 ]] || require BANGUI_DATADOG_API_KEY "$1"
    if is_set BANGUI_DATADOG_ENDPOINT; then
        local name
        for name in LOGS TRACES METRICS; do
            export "DATADOG_${name}_ENDPOINT=${BANGUI_DATADOG_ENDPOINT%/}"
        done
    fi
}

papertrail() {
    match BANGUI_PAPERTRAIL_HOST "$HOST" "must be a host name or an address"
    number BANGUI_PAPERTRAIL_PORT 1 65535
    match BANGUI_PAPERTRAIL_PROGRAM_NAME '[A-Za-z0-9._/-]{1,48}' \
        "must be 1 to 48 letters, digits and . _ - /"
    boolean BANGUI_PAPERTRAIL_TLS
    common PAPERTRAIL
    [[ -z $1 ]] || { require BANGUI_PAPERTRAIL_HOST "$1"; require BANGUI_PAPERTRAIL_PORT "$1"; }
    is_true BANGUI_PAPERTRAIL_TLS true || export PAPERTRAIL_INSECURE=true
}

elasticsearch() {
    secret BANGUI_ELASTICSEARCH_API_KEY
    secret BANGUI_ELASTICSEARCH_PASSWORD
    local url="https?://($HOST)$REST"
    match BANGUI_ELASTICSEARCH_HOSTS "$url(,$url)*" \
        "must be http or https URLs without credentials or query, separated by commas"
    match BANGUI_ELASTICSEARCH_INDEX_PREFIX '[a-z0-9][a-z0-9._-]{0,199}' \
        "must be an index name: lowercase letters, digits and . _ -, a letter or digit first"
    number BANGUI_ELASTICSEARCH_BATCH_SIZE 1 10000
    number BANGUI_ELASTICSEARCH_FLUSH_INTERVAL_SECONDS 1 300
    common ELASTICSEARCH
    local user=BANGUI_ELASTICSEARCH_USER password=BANGUI_ELASTICSEARCH_PASSWORD
    ! is_set $user || is_set $password || problem $password "is required beside $user"
    ! is_set $password || is_set $user || problem $user "is required beside $password"
    ! is_set $user || ! is_set BANGUI_ELASTICSEARCH_API_KEY \
        || problem BANGUI_ELASTICSEARCH_API_KEY "set beside $user; only one of them may be"
    [[ -z $1 ]] || require BANGUI_ELASTICSEARCH_HOSTS "$1"
}

newrelic() {
    secret BANGUI_NEWRELIC_API_KEY
    match BANGUI_NEWRELIC_ACCOUNT_ID '[0-9]{1,20}' "must be digits"
    https_url BANGUI_NEWRELIC_ENDPOINT
    common NEWRELIC
    [[ -z $1 ]] || require BANGUI_NEWRELIC_API_KEY "$1"
}

splunk() {
    secret BANGUI_SPLUNK_TOKEN
    https_url BANGUI_SPLUNK_HEC_URL
    match BANGUI_SPLUNK_INDEX '[a-z0-9][a-z0-9_-]{0,79}' \
        "must be an index name: lowercase letters, digits, _ and -"
    common SPLUNK
    [[ -z $1 ]] || { require BANGUI_SPLUNK_HEC_URL "$1"; require BANGUI_SPLUNK_TOKEN "$1"; }
}

cloudwatch() {
    # AWS's own chain reads it, not the collector's configuration.
    local key_file=AWS_SECRET_ACCESS_KEY_FILE
    if is_set $key_file && [[ -r ${!key_file} && -f ${!key_file} ]]; then
        export "AWS_SECRET_ACCESS_KEY=$(<"${!key_file}")"
    elif is_set $key_file; then
        problem $key_file "cannot be read"
    fi
    match BANGUI_CLOUDWATCH_LOG_GROUP '[A-Za-z0-9._/#-]{1,512}' \
        "must be 1 to 512 letters, digits and . _ - / #"
    match BANGUI_CLOUDWATCH_LOG_STREAM '[A-Za-z0-9._/#-]{1,512}' \
        "must be 1 to 512 letters, digits and . _ - / #"
    match AWS_REGION '[a-z]{2}(-[a-z]+)+-[0-9]+' "must be a region, as eu-central-1"
    https_url BANGUI_CLOUDWATCH_ENDPOINT
    common CLOUDWATCH
    local id=AWS_ACCESS_KEY_ID key=AWS_SECRET_ACCESS_KEY
    ! is_set $id || is_set $key || problem $key "is required beside $id"
    ! is_set $key || is_set $id || problem $id "is required beside $key"
    if [[ -n $1 ]]; then
        require BANGUI_CLOUDWATCH_LOG_GROUP "$1"
        require BANGUI_CLOUDWATCH_LOG_STREAM "$1"
        require AWS_REGION "$1"
    fi
    ! is_set BANGUI_CLOUDWATCH_CA_FILE || export AWS_CA_BUNDLE=$BANGUI_CLOUDWATCH_CA_FILE
}

otlp() {
    https_url BANGUI_OTLP_ENDPOINT
    common OTLP
    [[ -z $1 ]] || require BANGUI_OTLP_ENDPOINT "$1"
    local headers=${BANGUI_OTLP_HEADERS:-} header='[A-Za-z0-9_-]+=[^,"\\[:cntrl:]]*'
    ! is_set BANGUI_OTLP_HEADERS_FILE || headers=$(<"$BANGUI_OTLP_HEADERS_FILE")
    [[ -n $headers ]] || return 0
    if ! [[ $headers =~ ^$header(,$header)*$ ]]; then
        problem BANGUI_OTLP_HEADERS 'must be name=value pairs, separated by commas'
        return
    fi
    local pair list=''
    while IFS= read -rd , pair; do
        list+="${list:+, }{name: \"${pair%%=*}\", value: \"${pair#*=}\"}"
    done <<<"$headers,"
    export OTLP_HEADER_LIST="[${list//$/\$\$}]"
}

# Adds a configuration file, and what our own components do instead of stock ones.
use() {
    configs+=(--config "file:$here/$1.yaml")
    if [[ $own == true && -e $here/own/$1.yaml ]]; then
        configs+=(--config "file:$here/own/$1.yaml")
    fi
}

# The chosen providers, once each, or nothing while external logging is off.
chosen_providers() {
    boolean BANGUI_EXTERNAL_LOGGING_ENABLED
    match BANGUI_EXTERNAL_LOGGING_DELIVERY 'durable|bounded' "must be durable or bounded"
    local list=${BANGUI_EXTERNAL_LOGGING_PROVIDER:-otlp} name
    for name in ${list//,/ }; do
        if [[ " $PROVIDERS " != *" $name "* ]]; then
            problem BANGUI_EXTERNAL_LOGGING_PROVIDER "knows ${PROVIDERS// /, }"
            return
        elif [[ " $chosen " == *" $name "* ]]; then
            problem BANGUI_EXTERNAL_LOGGING_PROVIDER "names $name twice"
        fi
        chosen+=" $name"
    done
    is_true BANGUI_EXTERNAL_LOGGING_ENABLED false || chosen=''
}

main() {
    local binary=${1:?usage: launch.sh COLLECTOR [--stock] [validate]} own=true command=()
    shift
    while (($# > 0)); do
        case $1 in
            --stock) own=false ;;
            validate) command=(validate) ;;
            *) echo "launch.sh: unknown argument $1" >&2; exit 2 ;;
        esac
        shift
    done
    unset_empty

    local chosen='' name by configs=() extensions='' metrics
    chosen_providers
    match BANGUI_METRICS_PROVIDER 'prometheus|datadog|newrelic' \
        "must be prometheus, datadog or newrelic"
    boolean BANGUI_METRICS_ENABLED
    metrics=${BANGUI_METRICS_PROVIDER:-prometheus}
    is_true BANGUI_METRICS_ENABLED true || metrics=prometheus
    for name in $PROVIDERS; do
        by=''
        [[ $name != "$metrics" ]] || by="BANGUI_METRICS_PROVIDER=$name"
        [[ " $chosen " != *" $name "* ]] || by="BANGUI_EXTERNAL_LOGGING_PROVIDER=$name"
        "$name" "$by"
    done
    match BANGUI_FAIL2BAN_LOG '/[A-Za-z0-9._/-]+' "must be an absolute path"
    boolean BANGUI_HOST_METRICS_ENABLED
    number BANGUI_TRACES_KEPT_PERCENT 0 100
    number BANGUI_TRACES_SLOW_MS 1 3600000
    number BANGUI_LOGS_KEPT_PERCENT 0 100
    ((problems == 0)) || exit 78

    use config
    for name in $chosen; do
        use "providers/$name"
    done
    [[ $metrics == prometheus ]] || use "metrics/$metrics"
    ! is_set BANGUI_FAIL2BAN_LOG || use options/fail2ban-log
    ! is_true BANGUI_HOST_METRICS_ENABLED false || use options/host-metrics
    [[ ${BANGUI_TRACES_KEPT_PERCENT:-100} == 100 ]] || use options/trace-sampling
    [[ ${BANGUI_LOGS_KEPT_PERCENT:-100} == 100 ]] || use options/log-sampling
    # Merging replaces lists, so that only the last file's extensions would be left.
    if [[ $own == true && " $chosen " == *' elasticsearch '* \
        && -e $here/own/providers/elasticsearch.yaml ]]; then
        extensions=', bulk_guard'
    fi
    configs+=(--config "yaml:service::extensions: [health_check, file_storage/queue$extensions]")
    if [[ ${BANGUI_EXTERNAL_LOGGING_DELIVERY:-durable} == bounded ]]; then
        set -a
        # shellcheck source=otel-collector/delivery/bounded.env
        source "$here/delivery/bounded.env"
        set +a
    fi
    # The records of what users did are for the owner's eyes only.
    umask 077
    exec "$binary" "${command[@]}" "${configs[@]}"
}

main "$@"
