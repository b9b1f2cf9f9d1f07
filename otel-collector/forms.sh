#!/usr/bin/env bash
# What the value of a setting may look like; sourced by launch.sh. The same rules as BanGUI's own
# (src/config/forms.rs): one table of cases, tests/fixtures/external_settings.json, holds both.

problems=0
# Whether the collector is our own; launch.sh decides.
own=true

problem() { printf '%s: %s\n' "$1" "$2" >&2; problems=$((problems + 1)); }
is_set() { [[ -n ${!1:-} ]]; }
# As itself, or as the file that holds it.
is_given() { is_set "$1" || is_set "$1_FILE"; }
require() { is_given "$1" || problem "$1" "is required by $2"; }

# Both or neither.
together() {
    ! is_given "$1" || is_given "$2" || problem "$2" "is required beside $1"
    ! is_given "$2" || is_given "$1" || problem "$1" "is required beside $2"
}

# A value must match a whole pattern. $1 name, $2 pattern (ERE), $3 what is wrong otherwise.
match() { ! is_set "$1" || [[ ${!1} =~ ^($2)$ ]] || problem "$1" "$3"; }

# A whole number within limits. $1 name, $2 least, $3 most.
number() {
    is_set "$1" || return 0
    [[ ${!1} =~ ^(0|[1-9][0-9]{0,8})$ ]] && ((${!1} >= $2 && ${!1} <= $3)) \
        || problem "$1" "must be a number from $2 to $3"
}

boolean() { match "$1" 'true|false|1|0' "must be true or false"; }
is_true() { [[ ${!1:-$2} == true || ${!1:-$2} == 1 ]]; }

# Names of fields of a log record, separated by commas, each once; at most 64.
field_names() {
    is_set "$1" || return 0
    local name names=' ' count=0
    while IFS= read -rd , name; do
        count=$((count + 1))
        if ((count > 64)) || [[ ! $name =~ ^[a-z0-9_.]{1,64}$ || $names == *" $name "* ]]; then
            problem "$1" "must be at most 64 different names, separated by commas: 1 to 64 of a-z 0-9 _ ."
            return
        fi
        names+="$name "
    done <<<"${!1},"
}

# --- hosts and URLs
readonly IPV4_PART='(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])'
readonly IPV4="$IPV4_PART(\.$IPV4_PART){3}"
readonly LABEL='[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?'
readonly IPV6='[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*'

is_name_or_ipv4() {
    [[ ${#1} -le 253 && $1 =~ ^$LABEL(\.$LABEL)*$ ]] || return
    # A name whose last part is a number would be taken for an address.
    [[ ! ${1##*.} =~ ^[0-9]+$ || $1 =~ ^$IPV4$ ]]
}

host() {
    ! is_set "$1" || is_name_or_ipv4 "${!1}" || [[ ${!1} =~ ^$IPV6$ ]] \
        || problem "$1" "must be a host name or an address"
}

# $1 a URL of scheme, host, port and path alone. Plain http is told by the status 2, unless it
# stays on this machine.
is_plain_url() {
    [[ ${#1} -le 2048 && $1 =~ ^(https?)://([^][/:]+|\[[^]/]*\])(:([^/]*))?(/[A-Za-z0-9._~%/+:-]*)?$ ]] \
        || return 1
    local scheme=${BASH_REMATCH[1]} host=${BASH_REMATCH[2]} colon=${BASH_REMATCH[3]}
    local port=${BASH_REMATCH[4]}
    if [[ $host == \[* ]]; then
        host=${host#[} host=${host%]}
        [[ $host =~ ^$IPV6$ ]] || return 1
    else
        is_name_or_ipv4 "$host" || return 1
    fi
    if [[ -n $colon ]]; then
        [[ $port =~ ^[1-9][0-9]{0,4}$ ]] && ((port <= 65535)) || return 1
    fi
    [[ $scheme == https || $host == localhost || $host == ::1 || $host =~ ^127\. ]] || return 2
}

# URLs, separated by commas; $2 is how many there may be.
urls() {
    is_set "$1" || return 0
    local url count=0
    while IFS= read -rd , url; do
        # Clusters in private networks often have no TLS.
        is_plain_url "$url" || (($? == 2)) || count=$2
        count=$((count + 1))
    done <<<"${!1},"
    ((count <= $2)) || problem "$1" \
        "must be http or https URLs without credentials or query, separated by commas"
}

# Plain http would show keys and records to whoever listens, except on this machine.
private_url() {
    ! is_set "$1" || is_plain_url "${!1}" || problem "$1" \
        "must be an https URL without credentials or query (http only to this machine)"
}

# --- secrets
# The content of a file, without the one line break that editors add.
content_of() {
    local content
    content=$(cat "$1" && printf x)
    content=${content%x}
    content=${content%$'\n'}
    printf %s "${content%$'\r'}x"
}

is_readable() { [[ -r $1 && -f $1 ]]; }

# $1 the name to tell, $2 the text.
check_secret() {
    if [[ $2 =~ [[:cntrl:]] || $2 =~ ^[[:space:]] || $2 =~ [[:space:]]$ || -z $2 ]]; then
        problem "$1" "may hold no control characters and no space at its ends, and not be empty"
    elif ((${#2} > 16384)); then
        problem "$1" "is longer than 16384 bytes"
    fi
}

# Reads NAME or the file NAME_FILE into `text`, and the name that was used into `told`; `text` is
# empty when neither is set or something is wrong.
take_secret() {
    local file=$1_FILE path
    text='' told=$1
    if is_set "$file" && is_set "$1"; then
        problem "$1" "set beside $file; only one of them may be"
        return
    elif is_set "$file"; then
        told=$file path=${!file}
        is_readable "$path" || { problem "$file" "cannot be read"; return; }
        text=$(content_of "$path")
        text=${text%x}
        # An empty file holds no secret, which nobody means.
        [[ -n $text ]] || { problem "$file" "is empty"; return; }
    elif is_set "$1"; then
        text=${!1}
    fi
}

# Text that refers to nothing when the collector expands it.
literal() { printf %s "${1//$/\$\$}"; }

# The same as a quoted YAML scalar, for a list that is made here. A setting of the configuration
# that is a text is taken as it stands, quotes and all.
quoted() { printf "'%s'" "$(literal "${1//\'/\'\'}")"; }

# `NAME_FILE` stands for NAME: our collector reads the file itself, and again after a SIGHUP. The
# stock one cannot read a text that is no YAML, and is given what the file holds now.
secret() {
    local text told file=$1_FILE
    take_secret "$1"
    [[ -n $text ]] || return 0
    check_secret "$told" "$text"
    if [[ $told == "$file" && $own == true && ${!file} =~ ^[A-Za-z0-9_./-]+$ ]]; then
        export "$1=\${secret:${!file}}"
    else
        export "$1=$(literal "$text")"
    fi
}

# The same for what is no part of the collector's configuration.
plain_secret() {
    local text told
    take_secret "$1"
    [[ -n $text ]] || return 0
    check_secret "$told" "$text"
    export "$1=$text"
}

# A file with certificates or a key.
pem_file() {
    is_set "$1" || return 0
    if ! is_readable "${!1}"; then
        problem "$1" "cannot be read"
    elif ! head -c 1048577 "${!1}" | grep -q -e '-----BEGIN ' \
        || (($(stat -Lc %s "${!1}") > 1048576)); then
        problem "$1" "is no PEM file of at most 1 MiB"
    fi
}

# A file of bearer tokens, one a line; `#` begins a comment. $2 becomes the list of them in YAML,
# for a collector that does not read the file itself.
token_file() {
    is_set "$1" || return 0
    local line tokens=() list
    is_readable "${!1}" || { problem "$1" "cannot be read"; return; }
    (($(stat -Lc %s "${!1}") <= 65536)) || { problem "$1" "is longer than 65536 bytes"; return; }
    while IFS=$' \t\r' read -r line || [[ -n $line ]]; do
        [[ -n $line && $line != \#* ]] || continue
        [[ $line =~ ^[!-~]{16,}$ ]] \
            || { problem "$1" "has a token that is not 16 or more visible ASCII characters"; return; }
        tokens+=("$(quoted "$line")")
    done < <(tr -d '\0' <"${!1}")
    ((${#tokens[@]} > 0)) || { problem "$1" "holds no token"; return; }
    ((${#tokens[@]} <= 32)) || { problem "$1" "holds more than 32 tokens"; return; }
    [[ $own == false ]] || return 0
    list=$(IFS=, && printf %s "${tokens[*]}")
    export "$2=[$list]"
}

# `name=value,…` with percent-encoded values, as OTEL_EXPORTER_OTLP_HEADERS has them, into YAML.
header_list() {
    local text told pair name value names=' ' list='' count=0
    take_secret "$1"
    [[ -n $text ]] || return 0
    while IFS= read -rd , pair; do
        name=${pair%%=*} value=${pair#*=} count=$((count + 1))
        if [[ $count -gt 32 || $pair != *=* \
            || ! $name =~ ^[A-Za-z0-9._-]{1,128}$ || $names == *" ${name,,} "* ]]
        then
            problem "$told" 'must be name=value pairs, separated by commas, at most 32, each name once'
            return
        fi
        names+="${name,,} "
        # Printable ASCII, and so is what is encoded: a line break would begin another header.
        if [[ ! $value =~ ^[\ -~]+$ || $value =~ ^\  || $value =~ \ $ \
            || ${value//%[2-7][0-9A-Fa-f]/} == *%* || $value =~ %7[Ff] ]]; then
            problem "$told" 'has a value that is no printable text'
            return
        fi
        value=${value//\\/\\\\}
        value=$(printf '%b' "${value//%/\\x}")
        list+="${list:+, }{name: $(quoted "$name"), value: $(quoted "$value")}"
    done <<<"$text,"
    export "$2=[$list]"
}
