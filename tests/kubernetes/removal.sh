#!/usr/bin/env bash
# Stopping and removing all of it; tests/kubernetes/run.sh sources it.
# The variables `work` and `fail2ban_pid` are of the scripts that sources this.
# shellcheck disable=SC2154
set -euo pipefail

is_stopped() {
  told Remove '--replicas 0'
  until_true 120 has_no_pod bangui
  until_true 120 has_no_pod otel-collector
  equal "$(in_bangui get persistentvolumeclaim --output name | wc -l)" 3 'claims of volumes'
}
has_no_pod() {
  equal "$(in_bangui get pod --selector "app.kubernetes.io/name=$1" --output name)" '' "$1: pods"
}

is_removed() {
  told Remove 'delete namespace'
  cannot kubectl get namespace bangui
  equal "$(kubectl get pod,persistentvolumeclaim,networkpolicy --all-namespaces --output name \
    --selector app.kubernetes.io/part-of=bangui)" '' 'what is left'
  equal "$(kubectl get persistentvolume --output \
    'jsonpath={.items[?(@.status.phase=="Bound")].metadata.name}')" '' 'volumes that are bound'
}

node_is_as_before() {
  test -S /run/fail2ban/fail2ban.sock
  kill -0 "$fail2ban_pid"
  cannot pgrep -f 'otelcol-bangui|/usr/bin/bangui'
}

all_was_told() { diff <(all_told | LC_ALL=C sort -u) <(LC_ALL=C sort -u "$work/told"); }

test_removal() {
  step 'scaled to nothing, data stay' is_stopped
  step 'a deleted namespace leaves nothing' is_removed
  step "the node's fail2ban runs on, alone" node_is_as_before
  step "every command of the documentation's section was run" all_was_told
}
