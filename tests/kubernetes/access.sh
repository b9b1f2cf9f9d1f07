#!/usr/bin/env bash
# Who may talk to whom, tried from pods of the cluster; tests/kubernetes/run.sh sources it.
set -euo pipefail

# client NAMESPACE NAME: a pod with a shell and network tools.
client() {
  kubectl run "$2" --namespace "$1" --image bangui-cluster:test --image-pull-policy Never \
    --restart Never
}
# from NAMESPACE POD ADDRESS: opens a connection, as far as it is let.
from() {
  kubectl exec --namespace "$1" "$2" -- \
    /bin/busybox nc -w 3 "${3%:*}" "${3#*:}" -e /bin/busybox true 2>&1
}
# Turned away by a policy, and not failed for any other reason, as an unknown name.
is_refused() {
  local said
  ! said=$(from "$@") || { echo "$1 reaches $3" && return 1; }
  [[ $said =~ refused|timed\ out|unreachable ]] || { echo "$1 to $3: $said" && return 1; }
}

has_clients() {
  kubectl create namespace stranger
  kubectl create namespace ingress
  kubectl label namespace ingress bangui/access=true
  client stranger client
  client ingress client
  client bangui client
  local namespace
  for namespace in stranger ingress bangui; do
    kubectl wait --namespace "$namespace" pod/client --for condition=Ready --timeout 60s
  done
}

# It can reach what no policy guards, or its other failures would say nothing.
reaches_the_dns() { from stranger client kube-dns.kube-system.svc:53; }

is_shut_out() {
  local target
  for target in bangui:8000 otel-collector:4317 otel-collector:8889 jaeger:16686 jaeger:4317 \
    prometheus:9090; do
    is_refused "$1" client "${target/:/.bangui.svc:}"
  done
}

is_let_in() {
  until_true 30 from ingress client bangui.bangui.svc:8000
  until_true 30 from ingress client prometheus.bangui.svc:9090
}
not_to_the_rest() {
  is_refused ingress client otel-collector.bangui.svc:4317
  is_refused ingress client jaeger.bangui.svc:16686
}

goes_away() {
  kubectl delete namespace stranger ingress --wait=false
  kubectl delete pod --namespace bangui client --grace-period 1
}

test_access() {
  step 'pods of a stranger, of an ingress and in the namespace start' has_clients
  step 'a stranger reaches the DNS' until_true 30 reaches_the_dns
  step 'a namespace with the label reaches the page and Prometheus' is_let_in
  step 'and neither the collector nor Jaeger' not_to_the_rest
  step 'a stranger reaches none of them' is_shut_out stranger
  step 'nor does a pod without a name in the same namespace' is_shut_out bangui
  step 'the clients go' goes_away
}
