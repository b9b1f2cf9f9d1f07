#!/usr/bin/env bash
# What a cluster does to pods and a node to fail2ban: pods go and come back with their data.
# tests/kubernetes/run.sh sources it.
# The variables `root` and `work` are of the scripts that source this.
# shellcheck disable=SC2154
set -euo pipefail

has_history() { contains "$(call GET "/api/history?q=$ATTACKER")" "\"$ATTACKER\""; }

# The pod is another one, which has the data and knows the session of the one before.
comes_back() {
  local before
  before=$(of_pod "$1" .metadata.uid)
  in_bangui delete pod "$1"
  until_true 120 is_ready "$1"
  cannot equal "$(of_pod "$1" .metadata.uid)" "$before" >/dev/null
}
bangui_comes_back() {
  comes_back bangui-0
  until_true 30 page_answers
  has_history
  until_true 30 is_connected
}

is_restarted() {
  kill -KILL "$(process_of bangui-0)"
  until_true 60 was_restarted
  until_true 60 is_ready bangui-0
  until_true 30 has_history
}
was_restarted() { [ "$(of_pod bangui-0 '.status.containerStatuses[0].restartCount')" -ge 1 ]; }

# What is told while there is no collector waits for the next one.
collector_comes_back() {
  in_bangui delete pod otel-collector-0 --wait=false
  sleep 1
  ban 198.51.100.20
  until_true 120 is_ready otel-collector-0
  shows_in_jaeger
}

fail2ban_comes_back() {
  stop_fail2ban
  until_true 60 is_disconnected
  is_ready bangui-0
}
is_disconnected() {
  contains "$(curl --silent --max-time 5 "$BANGUI/health")" '"degraded":["'
}
is_connected_again() {
  until_true 60 is_connected
  attack 198.51.100.21
  until_true 30 is_banned 198.51.100.21
}

# A drain evicts all of them, which the disruption budget lets it; nothing runs until it is over.
is_drained() {
  kubectl drain node --delete-emptydir-data --force --timeout 180s
  kubectl uncordon node
  kubectl rollout status --namespace kube-system deployment/coredns --timeout 120s
  until_true 180 all_ready
  until_true 30 has_history
}

# The provider's secret starts both pods anew, and shows in no log.
sends_to_datadog() {
  told 'Settings and secrets'
  in_bangui rollout status statefulset/otel-collector --timeout 180s
  in_bangui rollout status statefulset/bangui --timeout 180s
  contains "$(tr '\0' '\n' <"/proc/$(process_of otel-collector-0)/environ")" \
    BANGUI_EXTERNAL_LOGGING_PROVIDER=datadog
  until_true 30 page_answers
  cannot grep -F replace-me <(in_bangui logs bangui-0 && in_bangui logs otel-collector-0)
}

# New images, by the commands of `Images` with another version.
is_upgraded() {
  local image
  for image in bangui bangui-otelcol; do
    ctr images tag "registry.example.com/$image:0.1.0" "registry.example.com/$image:0.2.0"
    (cd "$work/copy/deploy/kubernetes/overlays/traces" &&
      kustomize edit set image "$image=registry.example.com/$image:0.2.0")
  done
  told Upgrade
  in_bangui rollout status statefulset/otel-collector --timeout 180s
  in_bangui rollout status statefulset/bangui --timeout 180s
  equal "$(of_pod bangui-0 '.spec.containers[0].image')" registry.example.com/bangui:0.2.0
  until_true 30 has_history
  until_true 30 is_connected
}

test_recovery() {
  step 'a deleted pod of BanGUI comes back with data and sessions' bangui_comes_back
  step 'a killed BanGUI is started again' is_restarted
  step "a ban without a collector is in Jaeger once there is one" collector_comes_back
  step "BanGUI stays ready without the node's fail2ban, and tells" fail2ban_comes_back
  start_fail2ban
  step 'and reaches the next one, and sees its bans' is_connected_again
  step 'a drain of the node is let through, and pods come back after it' is_drained
  step 'a provider is chosen by an overlay, its key in no log' sends_to_datadog
  step 'an upgrade brings new images and keeps data and sessions' is_upgraded
}
