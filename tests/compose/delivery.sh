#!/usr/bin/env bash
# External logging by variables alone, and the end of the stack; tests/compose/run.sh sources it.
#
# The vendors' clouds are played by the sink (otel-collector/sink).
# The variables `root`, `work` and `password` are of the script that sources this.
# shellcheck disable=SC2154
set -euo pipefail

readonly DATADOG_KEY=0123456789abcdef0123456789abcdef

# start_intake NETWORK LISTEN CONTROL
start_intake() {
  docker rm --force "$COMPOSE_PROJECT_NAME-intake" >/dev/null 2>&1 || true
  docker run --detach --name "$COMPOSE_PROJECT_NAME-intake" --network "$1" "${@:4}" \
    bangui-sink:test --listen "$2" --control "$3" --key "$DATADOG_KEY"
}

# The records that the intake has; the collector's image has a curl to ask with.
received() { docker compose exec -T otel-collector curl -sS --max-time 10 "$1/received"; }
has_record() { contains "$(received "$1")" "\"$2\"" && contains "$(received "$1")" "$3"; }

# Datadog, by variables of the shell. Beside the collector, its intake is on this machine for it, so
# that plain http is allowed.
goes_to_datadog() {
  export BANGUI_EXTERNAL_LOGGING_ENABLED=true BANGUI_EXTERNAL_LOGGING_PROVIDER=datadog
  export BANGUI_DATADOG_API_KEY=$DATADOG_KEY BANGUI_DATADOG_ENDPOINT=http://127.0.0.1:8080
  documented 'docker compose up --detach --wait'
  start_intake "container:$(container otel-collector)" 127.0.0.1:8080 127.0.0.1:8081
  sign_in
  attack 198.51.100.41
  until_true 30 is_banned 198.51.100.41
  until_true 60 has_record http://127.0.0.1:8081 datadog 198.51.100.41
}

# Elasticsearch, by `.env`, as the installation's guide has it.
goes_to_elasticsearch() {
  cat >>.env <<'ENV'
BANGUI_EXTERNAL_LOGGING_ENABLED=true
BANGUI_EXTERNAL_LOGGING_PROVIDER=elasticsearch
BANGUI_ELASTICSEARCH_HOSTS=http://elasticsearch:9200
ENV
  echo "BANGUI_ELASTICSEARCH_API_KEY=$DATADOG_KEY" >>.env
  docker rm --force "$COMPOSE_PROJECT_NAME-intake"
  documented 'docker compose up --detach --wait'
  start_intake "${COMPOSE_PROJECT_NAME}_default" 0.0.0.0:9200 0.0.0.0:8081 \
    --network-alias elasticsearch
  sign_in
  attack 198.51.100.42
  until_true 30 is_banned 198.51.100.42
  until_true 60 has_record http://elasticsearch:8081 elasticsearch 198.51.100.42
}

# Both refuse a setting by its name, in a line of their own.
refuses_by_name() {
  local output
  output=$(BANGUI_EXTERNAL_LOGGING_PROVIDER=nonsense \
    docker compose run --rm --no-deps bangui config 2>&1 || true)
  contains "$output" 'BANGUI_EXTERNAL_LOGGING_PROVIDER: '
  output=$(BANGUI_EXTERNAL_LOGGING_PROVIDER=nonsense \
    docker compose run --rm --no-deps otel-collector validate 2>&1 || true)
  contains "$output" 'BANGUI_EXTERNAL_LOGGING_PROVIDER: '
}

# A secret of BanGUI's is not in the collector's environment, also when `.env` has it.
keeps_secrets_apart() {
  echo 'BANGUI_ADMIN_PASSWORD=only-for-bangui' >>.env
  local settings
  settings=$(docker compose run --rm --no-deps --entrypoint /usr/bin/env otel-collector)
  [[ $settings != *only-for-bangui* ]] || { echo "it has it" && return 1; }
  contains "$(docker compose run --rm --no-deps bangui config 2>&1)" BANGUI_ADMIN_PASSWORD
}

replays_dead_letters() {
  documented 'docker run --rm --volume bangui_collector-state:/var/lib/otelcol bangui:0.1.0 dead-letters replay'
}

is_removed() {
  docker rm --force "$COMPOSE_PROJECT_NAME-intake"
  documented "docker compose --profile '*' down --volumes --remove-orphans"
  local filter=label=com.docker.compose.project=$COMPOSE_PROJECT_NAME
  equal "$(docker ps --all --quiet --filter "$filter")" '' containers
  equal "$(docker volume ls --quiet --filter "$filter")" '' volumes
  equal "$(docker network ls --quiet --filter "$filter")" '' networks
}

# Nothing that the guide tells its readers to type goes untried.
test_removal() {
  step 'removal leaves no container, volume or network' is_removed
  step 'every command of the guide was run' all_are_tried
}

# Commands of the two sections stand in blocks of `sh`; blocks of `console` need a registry or the
# host.
all_are_tried() {
  awk '/^## / { in_section = /^## (Docker Compose|Behind a reverse proxy)$/ }
    /^```/ { in_block = ($0 == "```sh" && in_section); next }
    in_block && NF && !/^#/' "$root/docs/INSTALL.md" >"$work/told"
  [ "$(wc -l <"$work/told")" -ge 10 ]
  local untried
  untried=$(grep -vxFf "$work/documented" "$work/told" || true)
  [ -z "$untried" ] || { echo "not run: $untried" && return 1; }
}

test_delivery() {
  step 'logs go to Datadog by variables of the shell alone' goes_to_datadog
  unset BANGUI_EXTERNAL_LOGGING_ENABLED BANGUI_EXTERNAL_LOGGING_PROVIDER
  unset BANGUI_DATADOG_API_KEY BANGUI_DATADOG_ENDPOINT
  step 'logs go to Elasticsearch by .env alone' goes_to_elasticsearch
  step 'dead letters can be sent again' replays_dead_letters
  step 'a wrong setting is refused by name' refuses_by_name
  step "the collector does not get BanGUI's secrets" keeps_secrets_apart
}
