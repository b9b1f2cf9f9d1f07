#!/usr/bin/env bash
# Makes certificates for tests in a folder: an authority of its own, and what that has signed. They
# are good for three days and for 127.0.0.1 alone; none of them belongs into the repository.
#
#   scripts/test-certificates.sh DIR
#
#   ca.pem                          the authority; another run in another folder makes a foreign one
#   server.pem      server.key      127.0.0.1 and localhost
#   expired.pem     expired.key     the same, but over since yesterday
#   other-name.pem  other-name.key  logs.example.com
#   client.pem      client.key      a client
set -euo pipefail

readonly DAYS=3

fail() {
  printf '%s\n' "test-certificates: $*" >&2
  exit 1
}

[ $# -eq 1 ] || fail "usage: test-certificates.sh DIR"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
openssl=$(command -v openssl) || openssl=$("$here/debian-packages.sh" openssl)/usr/bin/openssl
# The keys are for whoever runs the tests.
umask 077
mkdir -p "$1"
cd "$1"

# Runs openssl, which talks much while all is well; what it says is shown when it fails.
quietly() {
  local said
  said=$("$openssl" "$@" 2>&1) || fail "openssl $1: $said"
}

key() { quietly ecparam -name prime256v1 -genkey -noout -out "$1"; }

# `openssl ca` alone lets both dates be chosen. Its files go away at the end.
state=$(mktemp -d)
trap 'rm -rf "$state"' EXIT
: >"$state/index.txt"
printf '%s\n' "[ca]" "default_ca = own" "[own]" "new_certs_dir = $state" \
  "database = $state/index.txt" "rand_serial = yes" "default_md = sha256" "policy = any" \
  "unique_subject = no" "[any]" "commonName = supplied" >"$state/ca.cnf"

# $1: the file's name. $2: commonName. $3: what it is for. $4: its other names, or nothing.
# $5, $6: days from now of its beginning and its end.
sign() {
  key "$1.key"
  quietly req -new -key "$1.key" -subj "/CN=$2" -out "$state/$1.csr"
  printf '%s\n' "basicConstraints = critical,CA:FALSE" "extendedKeyUsage = $3" \
    "${4:+subjectAltName = $4}" >"$state/$1.cnf"
  quietly ca -batch -notext -config "$state/ca.cnf" -cert ca.pem -keyfile ca.key \
    -extfile "$state/$1.cnf" -in "$state/$1.csr" -out "$1.pem" \
    -startdate "$(date -u -d "$5 days" +%Y%m%d%H%M%SZ)" \
    -enddate "$(date -u -d "$6 days" +%Y%m%d%H%M%SZ)"
}

key ca.key
quietly req -new -x509 -key ca.key -days "$DAYS" -subj "/CN=test authority $$" -out ca.pem \
  -addext keyUsage=critical,keyCertSign
readonly LOCAL=IP:127.0.0.1,DNS:localhost
sign server localhost serverAuth "$LOCAL" -1 "$DAYS"
sign expired localhost serverAuth "$LOCAL" -3 -1
sign other-name logs.example.com serverAuth DNS:logs.example.com -1 "$DAYS"
sign client bangui clientAuth "" -1 "$DAYS"
# Nobody has to sign anything more.
rm ca.key
