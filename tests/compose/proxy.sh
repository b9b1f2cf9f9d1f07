#!/usr/bin/env bash
# Behind Debian's nginx with the files of deploy/nginx; tests/compose/run.sh sources it.
# The variables `root`, `work` and `password` are of the script that sources this.
# shellcheck disable=SC2154
set -euo pipefail

readonly PROXY_PORT=8443 PROXY=https://localhost:8443

nginx=

# The documented files with this folder's certificate, a free port and, beside the host of BanGUI's
# own, another host that has it below a path.
start_proxy() {
  local packages folder=$work/nginx
  packages=$("$root/scripts/debian-packages.sh" --with-dependencies nginx)
  "$root/scripts/test-certificates.sh" "$folder"
  sed -e "s|listen 443|listen $PROXY_PORT|; s|/etc/ssl/bangui/fullchain.pem|$folder/server.pem|" \
    -e "s|/etc/ssl/bangui/privkey.pem|$folder/server.key|; s|bangui.example.com|localhost|" \
    "$root/deploy/nginx/bangui.conf" >"$folder/bangui.conf"
  cat >"$folder/nginx.conf" <<CONF
daemon off;
pid $folder/pid;
error_log $folder/error.log;
events {}
http {
    access_log off;
    client_body_temp_path $folder/body;
    proxy_temp_path $folder/proxy;
    fastcgi_temp_path $folder/fastcgi;
    uwsgi_temp_path $folder/uwsgi;
    scgi_temp_path $folder/scgi;
    include $folder/bangui.conf;
    server {
        listen $((PROXY_PORT + 1));
        include $root/deploy/nginx/bangui-subpath.conf;
    }
}
CONF
  sed -i "s|127.0.0.1:8000|${BANGUI#http://}|" "$folder/bangui.conf"
  "$packages/usr/sbin/nginx" -p "$folder" -c "$folder/nginx.conf" >"$folder/out" 2>&1 &
  nginx=$!
  until_true 10 curl --silent --cacert "$folder/ca.pem" "$PROXY/"
}

end_proxy() {
  [ -n "$nginx" ] || return 0
  kill -TERM "$nginx" 2>/dev/null || true
  wait "$nginx" 2>/dev/null || true
  nginx=
}

# The settings that the guide names; the address is the one by which the host reaches containers.
is_told_of_the_proxy() {
  local gateway
  gateway=$(documented "docker network inspect bangui_default --format '{{(index .IPAM.Config 0).Gateway}}'")
  printf '%s\n' BANGUI_PUBLIC_URL=https://localhost:$PROXY_PORT "BANGUI_TRUSTED_PROXIES=$gateway" \
    >>.env
  documented 'docker compose up --detach --wait'
}

# through ADDRESS METHOD PATH [CURL-OPTION…]: a client of the proxy's at another loopback address.
through() {
  curl --silent --show-error --fail-with-body --max-time 15 --cacert "$work/nginx/ca.pem" \
    --interface "$1" --ipv4 --cookie "$work/jar" --cookie-jar "$work/jar" --request "$2" \
    --header 'content-type: application/json' "${@:4}" "$PROXY$3"
}

signs_in_by_tls() {
  local headers
  headers=$(through 127.0.0.2 POST /api/auth/login --dump-header - \
    --data "{\"username\":\"admin\",\"password\":\"$password\"}")
  contains "$headers" '__Host-bangui_session='
  contains "$headers" 'Secure'
  contains "${headers,,}" 'strict-transport-security:'
  contains "$(through 127.0.0.2 GET /api/bans)" '"items"'
}

# What a client says of itself is not believed, what the proxy says of it is.
tells_the_client() {
  through 127.0.0.3 POST /api/bans --data '{"jail":"sshd","ip":"198.51.100.71"}' \
    --header 'x-forwarded-for: 203.0.113.66' --header 'forwarded: for=203.0.113.66'
  local audit
  audit=$(through 127.0.0.2 GET /api/audit)
  contains "$audit" '"127.0.0.3"'
  [[ $audit != *203.0.113.66* ]] || { echo 'a forged address was believed' && return 1; }
  through 127.0.0.2 DELETE /api/bans/sshd/198.51.100.71
}

# Headers of the browser: same host is served, another is not.
refuses_other_sites() {
  through 127.0.0.2 POST /api/bans --data '{"jail":"sshd","ip":"198.51.100.72"}' \
    --header "origin: $PROXY"
  ! through 127.0.0.2 POST /api/bans --data '{"jail":"sshd","ip":"198.51.100.73"}' \
    --header 'origin: https://evil.example' || return 1
  through 127.0.0.2 DELETE /api/bans/sshd/198.51.100.72
}

# An event is there at once: it waits in no buffer on the way.
passes_events_on() {
  through 127.0.0.2 GET /api/events --no-buffer --max-time 20 >"$work/events" 2>/dev/null &
  local stream=$!
  sleep 2
  attack 198.51.100.74
  until_true 15 grep -qF 198.51.100.74 "$work/events"
  kill "$stream" 2>/dev/null || true
}

hides_the_numbers() {
  equal "$(curl --silent --cacert "$work/nginx/ca.pem" --output /dev/null \
    --write-out '%{http_code}' "$PROXY/metrics")" 404 /metrics
}

# A browser runs the page below the path: its files and its calls find their way.
works_below_a_path() {
  local page place=http://localhost:$((PROXY_PORT + 1))
  equal "$(curl --silent --output /dev/null --write-out '%{http_code} %{redirect_url}' \
    "$place/bangui")" "308 $place/bangui/" redirection
  contains "$(curl --silent --fail "$place/bangui/health")" '"status":"ok"'
  page=$("$("$root/scripts/chromium.sh")" --headless --no-sandbox --disable-gpu \
    --disable-background-networking --user-data-dir="$work/chromium" --virtual-time-budget=5000 \
    --dump-dom "$place/bangui/" 2>/dev/null)
  contains "$page" 'type="password"'
}

test_proxy() {
  start_proxy >"$work/nginx.log" 2>&1 || { cat "$work/nginx.log" >&2; end_proxy; }
  step 'nginx starts with the documented file' start_proxy_checked
  step 'BanGUI is told of the proxy by its settings' is_told_of_the_proxy
  step 'the sign-in is by TLS, with a cookie bound to it' signs_in_by_tls
  step "the audit log has the client's address, and no forged one" tells_the_client
  step 'other sites are refused' refuses_other_sites
  step 'live events pass at once' passes_events_on
  step 'numbers are not shown to the outside' hides_the_numbers
  step 'the page works below a path' works_below_a_path
  end_proxy
  sed -i '/^BANGUI_PUBLIC_URL=\|^BANGUI_TRUSTED_PROXIES=/d' .env
}

# Started here and not in a step, whose shell would take it along when it ends.
start_proxy_checked() { [ -n "$nginx" ] && kill -0 "$nginx"; }
