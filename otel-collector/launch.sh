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
# shellcheck source=otel-collector/forms.sh
source "$here/forms.sh"

# A variable that is set but empty would take the place of its default.
unset_empty() {
    local name
    for name in $(compgen -e); do
        [[ -n ${!name} ]] || unset "$name"
    done
}

# What every provider has. $1: its name in variables.
common() {
    pem_file "BANGUI_$1_CA_FILE"
    pem_file "BANGUI_$1_CLIENT_CERT_FILE"
    pem_file "BANGUI_$1_CLIENT_KEY_FILE"
    together "BANGUI_$1_CLIENT_CERT_FILE" "BANGUI_$1_CLIENT_KEY_FILE"
}

# Whether what is sent to $2, of the provider $1, has to go by our own relay (own/relays/): some
# stock exporters heed neither an authority nor a client certificate. Without TLS there is nothing
# to show or to demand; and the stock collector has no relay, so that it refuses the settings.
is_relayed() {
    local name is_needed=false
    for name in "BANGUI_$1_CA_FILE" "BANGUI_$1_CLIENT_CERT_FILE"; do
        is_set "$name" && [[ $2 == https:* ]] || continue
        is_needed=true
        [[ $own == true ]] || problem "$name" "the stock exporter would not heed it"
    done
    [[ $is_needed == true && $own == true ]]
}

# $1 in each of these: the words that say who requires a setting, or nothing when nobody does.
datadog() {
    secret BANGUI_DATADOG_API_KEY
    local site=${BANGUI_DATADOG_SITE:-datadoghq.com}
    [[ $site =~ ^[a-z0-9.-]*$ ]] && is_name_or_ipv4 "$site" \
        || problem BANGUI_DATADOG_SITE "must be a host name, as datadoghq.com"
    number BANGUI_DATADOG_BATCH_SIZE 1 1000
    number BANGUI_DATADOG_FLUSH_INTERVAL_SECONDS 1 300
    private_url BANGUI_DATADOG_ENDPOINT
    common DATADOG
    [[ -z $1 ]] || require BANGUI_DATADOG_API_KEY "$1"
    if is_set BANGUI_DATADOG_ENDPOINT; then
        local name
        for name in LOGS TRACES METRICS; do
            export "DATADOG_${name}_ENDPOINT=${BANGUI_DATADOG_ENDPOINT%/}"
        done
    fi
    [[ -z $1 ]] || relay_datadog "$site"
}

# Traces and metrics go by our own relay, which shows and demands certificates. $1: the site.
relay_datadog() {
    local traces=${DATADOG_TRACES_ENDPOINT:-https://trace.agent.$1}
    local metrics=${DATADOG_METRICS_ENDPOINT:-https://api.$1}
    is_relayed DATADOG "$traces" || return 0
    export RELAY_DATADOG_TRACES_TARGET=$traces RELAY_DATADOG_METRICS_TARGET=$metrics
    DATADOG_TRACES_ENDPOINT=http://127.0.0.1:${RELAY_DATADOG_TRACES_PORT:-14331}
    DATADOG_METRICS_ENDPOINT=http://127.0.0.1:${RELAY_DATADOG_METRICS_PORT:-14332}
    export DATADOG_TRACES_ENDPOINT DATADOG_METRICS_ENDPOINT
    # For metrics, the exporter would ask HTTP_PROXY even for what is on this machine.
    local direct=${NO_PROXY:-${no_proxy:-}}
    export NO_PROXY=${direct:+$direct,}${DATADOG_METRICS_ENDPOINT#http://}
    relays+=(datadog)
}

papertrail() {
    host BANGUI_PAPERTRAIL_HOST
    number BANGUI_PAPERTRAIL_PORT 1 65535
    match BANGUI_PAPERTRAIL_PROGRAM_NAME '[]!#%&()*+,./0-9:;<=>?@A-Z[^_a-z{|}~-]{1,48}' \
        "must be 1 to 48 printable characters without spaces, quotes, \$ and \\"
    boolean BANGUI_PAPERTRAIL_TLS
    common PAPERTRAIL
    [[ -z $1 ]] || { require BANGUI_PAPERTRAIL_HOST "$1"; require BANGUI_PAPERTRAIL_PORT "$1"; }
    is_true BANGUI_PAPERTRAIL_TLS true || export PAPERTRAIL_INSECURE=true
}

elasticsearch() {
    secret BANGUI_ELASTICSEARCH_API_KEY
    secret BANGUI_ELASTICSEARCH_PASSWORD
    urls BANGUI_ELASTICSEARCH_HOSTS 32
    match BANGUI_ELASTICSEARCH_INDEX_PREFIX '[a-z0-9][a-z0-9._-]{0,199}' \
        "must be an index name: lowercase letters, digits and . _ -, a letter or digit first"
    match BANGUI_ELASTICSEARCH_USER '[]!#%&()*+,./0-9;<=>?@A-Z[^_a-z{|}~-]{1,507}' \
        "must be printable characters without spaces, quotes, \$, \\ and :"
    number BANGUI_ELASTICSEARCH_BATCH_SIZE 1 1000
    number BANGUI_ELASTICSEARCH_FLUSH_INTERVAL_SECONDS 1 300
    common ELASTICSEARCH
    together BANGUI_ELASTICSEARCH_USER BANGUI_ELASTICSEARCH_PASSWORD
    if is_set BANGUI_ELASTICSEARCH_USER && is_set BANGUI_ELASTICSEARCH_API_KEY; then
        problem BANGUI_ELASTICSEARCH_API_KEY "set beside a user; only one of them may be"
    fi
    [[ -z $1 ]] || require BANGUI_ELASTICSEARCH_HOSTS "$1"
}

newrelic() {
    secret BANGUI_NEWRELIC_API_KEY
    match BANGUI_NEWRELIC_ACCOUNT_ID '[0-9]{1,20}' "must be digits"
    private_url BANGUI_NEWRELIC_ENDPOINT
    common NEWRELIC
    [[ -z $1 ]] || require BANGUI_NEWRELIC_API_KEY "$1"
}

splunk() {
    # Two names for the same thing.
    local token=BANGUI_SPLUNK_TOKEN other=BANGUI_SPLUNK_HEC_TOKEN
    if is_given $other; then
        if is_given $token; then
            is_set $token && problem $token "set beside $other; only one of them may be"
            is_set ${token}_FILE && problem ${token}_FILE "set beside $other"
        else
            secret $other
            export "$token=${!other:-}"
        fi
    else
        secret $token
    fi
    private_url BANGUI_SPLUNK_HEC_URL
    match BANGUI_SPLUNK_INDEX '[a-z0-9][a-z0-9_-]{0,79}' \
        "must be an index name: lowercase letters, digits, _ and -"
    common SPLUNK
    [[ -z $1 ]] || require BANGUI_SPLUNK_HEC_URL "$1"
    [[ -z $1 ]] || is_given $other || require $token "$1"
}

cloudwatch() {
    match BANGUI_CLOUDWATCH_LOG_GROUP '[A-Za-z0-9._/#-]{1,512}' \
        "must be 1 to 512 letters, digits and . _ - / #"
    [[ ${BANGUI_CLOUDWATCH_LOG_GROUP:-} != aws/* ]] \
        || problem BANGUI_CLOUDWATCH_LOG_GROUP "must not begin with aws/"
    match BANGUI_CLOUDWATCH_LOG_STREAM '[]A-Za-z0-9._/#=@+[-]{1,512}' \
        "must be 1 to 512 letters, digits and . _ - / # = @ + [ ]"
    private_url BANGUI_CLOUDWATCH_ENDPOINT
    common CLOUDWATCH
    if [[ -n $1 ]]; then
        require BANGUI_CLOUDWATCH_LOG_GROUP "$1"
        require BANGUI_CLOUDWATCH_LOG_STREAM "$1"
        require AWS_REGION "$1"
        match AWS_REGION '[a-z]{1,16}(-[a-z]{1,16})+-[0-9]{1,2}' "must be a region, as eu-central-1"
        # AWS's own chain reads them, not the collector's configuration.
        together AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
        plain_secret AWS_ACCESS_KEY_ID
        plain_secret AWS_SECRET_ACCESS_KEY
    fi
    # The exporter does not heed it, but whatever gives it credentials does.
    ! is_set BANGUI_CLOUDWATCH_CA_FILE || export AWS_CA_BUNDLE=$BANGUI_CLOUDWATCH_CA_FILE
    [[ -z $1 ]] || relay_cloudwatch
}

# As relay_datadog; the exporter takes the relay for its proxy, so that the name it signs is AWS's.
relay_cloudwatch() {
    local domain=amazonaws.com
    [[ ${AWS_REGION:-} != cn-* ]] || domain=amazonaws.com.cn
    local target=${BANGUI_CLOUDWATCH_ENDPOINT:-https://logs.${AWS_REGION:-}.$domain}
    is_relayed CLOUDWATCH "$target" || return 0
    export RELAY_CLOUDWATCH_TARGET=$target BANGUI_CLOUDWATCH_ENDPOINT=http:${target#https:}
    relays+=(cloudwatch)
}

otlp() {
    urls BANGUI_OTLP_ENDPOINT 1
    header_list BANGUI_OTLP_HEADERS OTLP_HEADER_LIST
    common OTLP
    [[ -z $1 ]] || require BANGUI_OTLP_ENDPOINT "$1"
}

# Who may send, and whether others can read it on the way.
receiver() {
    pem_file COLLECTOR_TLS_CERT_FILE
    pem_file COLLECTOR_TLS_KEY_FILE
    pem_file COLLECTOR_CLIENT_CA_FILE
    together COLLECTOR_TLS_CERT_FILE COLLECTOR_TLS_KEY_FILE
    ! is_set COLLECTOR_CLIENT_CA_FILE || is_set COLLECTOR_TLS_CERT_FILE \
        || problem COLLECTOR_TLS_CERT_FILE "is required beside COLLECTOR_CLIENT_CA_FILE"
    token_file COLLECTOR_TOKEN_FILE OTLP_TOKEN_LIST
}

use_receiver() {
    ! is_set COLLECTOR_TLS_CERT_FILE || use options/otlp-tls
    ! is_set COLLECTOR_CLIENT_CA_FILE || use options/otlp-client-ca
    is_set COLLECTOR_TOKEN_FILE || return 0
    local folder=own/options
    [[ $own == true ]] || folder=options
    configs+=(--config "file:$here/$folder/otlp-token.yaml")
}

# Adds a configuration file, and what our own components do instead of stock ones.
use() {
    configs+=(--config "file:$here/$1.yaml")
    if [[ $own == true && -e $here/own/$1.yaml ]]; then
        configs+=(--config "file:$here/own/$1.yaml")
    fi
}

# Lets only the listed fields leave. A dot stands for itself.
restrict_fields() {
    local pattern=${BANGUI_EXTERNAL_LOGGING_FIELDS//./[.]}
    export "EXTERNAL_FIELDS_PATTERN=${pattern//,/|}"
    use options/log-fields
}

# The chosen providers, once each, or nothing while external logging is off.
chosen_providers() {
    boolean BANGUI_EXTERNAL_LOGGING_ENABLED
    match BANGUI_EXTERNAL_LOGGING_DELIVERY 'durable|bounded' "must be durable or bounded"
    number BANGUI_EXTERNAL_LOGGING_BUFFER_SIZE 1 100000
    number BANGUI_EXTERNAL_LOGGING_GIVE_UP_HOURS 1 720
    field_names BANGUI_EXTERNAL_LOGGING_FIELDS
    # Without a provider and without an endpoint, BanGUI sends to this collector and no further.
    local list=${BANGUI_EXTERNAL_LOGGING_PROVIDER:-} name
    if [[ -z $list ]]; then
        is_set BANGUI_OTLP_ENDPOINT || return 0
        list=otlp
    fi
    while IFS= read -rd , name; do
        if [[ " $PROVIDERS " != *" $name "* ]]; then
            problem BANGUI_EXTERNAL_LOGGING_PROVIDER "knows ${PROVIDERS// /, }"
            # Among others it is a wrong word; otherwise this is no list, and requires nothing.
            [[ $name =~ ^[a-z]+$ ]] || chosen=''
            break
        elif [[ " $chosen " == *" $name "* ]]; then
            problem BANGUI_EXTERNAL_LOGGING_PROVIDER "names $name twice"
        fi
        chosen+=" $name"
    done <<<"$list,"
    is_true BANGUI_EXTERNAL_LOGGING_ENABLED false || chosen=''
}

main() {
    local binary=${1:?usage: launch.sh COLLECTOR [--stock] [validate]} command=()
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

    local chosen='' name by configs=() relays=() metrics
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
    match BANGUI_FAIL2BAN_LOG '/[A-Za-z0-9._/-]{1,511}' \
        "must be an absolute path of 2 to 512 letters, digits and . _ / -"
    boolean BANGUI_HOST_METRICS_ENABLED
    number BANGUI_COLLECTOR_FILE_DAYS 1 365
    number BANGUI_TRACES_KEPT_PERCENT 0 100
    number BANGUI_TRACES_SLOW_MS 1 3600000
    number BANGUI_LOGS_KEPT_PERCENT 0 100
    receiver
    ((problems == 0)) || exit 78

    ! is_set BANGUI_EXTERNAL_LOGGING_GIVE_UP_HOURS \
        || export COLLECTOR_GIVE_UP_AFTER=${BANGUI_EXTERNAL_LOGGING_GIVE_UP_HOURS}h
    use config
    use_receiver
    for name in $chosen; do
        use "providers/$name"
    done
    [[ $metrics == prometheus ]] || use "metrics/$metrics"
    for name in "${relays[@]}"; do
        configs+=(--config "file:$here/own/relays/$name.yaml")
    done
    ! is_set BANGUI_FAIL2BAN_LOG || use options/fail2ban-log
    ! is_true BANGUI_HOST_METRICS_ENABLED false || use options/host-metrics
    [[ ${BANGUI_TRACES_KEPT_PERCENT:-100} == 100 ]] || use options/trace-sampling
    [[ ${BANGUI_LOGS_KEPT_PERCENT:-100} == 100 ]] || use options/log-sampling
    ! is_set BANGUI_EXTERNAL_LOGGING_FIELDS || restrict_fields
    if [[ ${BANGUI_EXTERNAL_LOGGING_DELIVERY:-durable} == bounded ]]; then
        set -a
        # shellcheck source=otel-collector/delivery/bounded.env
        source "$here/delivery/bounded.env"
        set +a
    fi
    # A dead letter that was read again is gone.
    [[ $own == false ]] || configs+=(--feature-gates=filelog.allowFileDeletion)
    # The records of what users did are for the owner's eyes only.
    umask 077
    exec "$binary" "${command[@]}" "${configs[@]}"
}

main "$@"
