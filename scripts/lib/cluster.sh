#!/usr/bin/env bash
# Starts a Kubernetes cluster of one node in the name spaces of scripts/with-cluster.sh, which
# sources it.
#
# The variables `here`, `work`, `packages`, `hyperkube`, `addons`, `kustomize`, `logs` and
# the functions `say` and `fail` are of the script that sources this.
# shellcheck disable=SC2154
set -euo pipefail

readonly NODE_ADDRESS=10.99.0.1
readonly SERVICE_RANGE=10.96.0.0/16 POD_RANGE=10.244.0.0/16
readonly VOLUMES=6
# For each program, on two busy cores.
readonly READY_LIMIT_SECONDS=120
readonly sources=$here/../tests/kubernetes/cluster
libraries=$packages/usr/lib/$(uname -m)-linux-gnu
readonly libraries

# What the cluster writes beside its own folder goes into layers there: names of hosts, state.
lay_out_files() {
  local folder setting
  mkdir -p "$work"/{bin,cni,layers,pki,registries,tmp,tools,volumes,containerd}
  for folder in etc var; do
    mkdir -p "$work/layers/$folder"/{upper,work}
    mount -t overlay overlay "/$folder" \
      -o "lowerdir=/$folder,upperdir=$work/layers/$folder/upper,workdir=$work/layers/$folder/work"
  done
  mount -t tmpfs -o mode=0755 tmpfs /run
  mkdir -p /run/lock /run/netns
  # These are the whole machine's, and a kubelet wants them so. It sees them so.
  for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
    kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
    folder=$work/settings/${setting%=*}
    mkdir -p "${folder%/*}"
    echo "${setting#*=}" >"$folder"
    mount --bind "$folder" "/proc/sys/${setting%=*}"
  done
  : >"$work/resolv.conf"
  # Images in memory: unpacked on a busy disk, they take a minute.
  mount -t tmpfs -o size=6g tmpfs "$work/containerd"
}

lay_out_programs() {
  local name
  for name in etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy; do
    ln -s "$hyperkube" "$work/tools/$name"
  done
  ln -s "$addons" "$work/tools/kube-router"
  for name in iptables ip6tables; do
    ln -s "$packages/usr/sbin/xtables-nft-multi" "$work/tools/$name"
    ln -s "$packages/usr/sbin/xtables-nft-multi" "$work/tools/$name-save"
    ln -s "$packages/usr/sbin/xtables-nft-multi" "$work/tools/$name-restore"
  done
  # What the command is given.
  ln -s "$hyperkube" "$work/bin/kubectl"
  ln -s "$kustomize" "$work/bin/kustomize"
  ln -s "$packages/usr/bin/ctr" "$work/bin/ctr"
}

lay_out_network() {
  hostname node
  echo "127.0.0.1 localhost" >/etc/hosts
  ip link set lo up
  # An interface for the node's own address, and a way out for what goes to services.
  ip link add node0 type veth peer name outside0
  ip link set outside0 up
  ip link set node0 up
  ip address add "$NODE_ADDRESS/24" dev node0
  ip route add default via 10.99.0.2 dev node0
  echo 1 >/proc/sys/net/ipv4/ip_forward
  # Pods on the bridge meet the policies, too.
  echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables
}

# The control group of all pods, in each hierarchy, as the older control groups have many.
lay_out_cgroups() {
  local hierarchy setting
  while read -r hierarchy; do
    mkdir "$hierarchy/${work##*/}"
    # A group of a cpuset begins without any processor.
    for setting in cpuset.cpus cpuset.mems; do
      [ ! -e "$hierarchy/${work##*/}/$setting" ] ||
        cat "$hierarchy/$setting" >"$hierarchy/${work##*/}/$setting"
    done
  done < <(awk '$3 ~ /^cgroup2?$/ { print $2 }' /proc/mounts)
}

# rendered FILE: with the run's own paths.
rendered() {
  sed -e "s|@WORK@|$work|g" -e "s|@PACKAGES@|$packages|g" -e "s|@CGROUP@|${work##*/}|g" \
    "$sources/$1"
}

declare -A servers=()
# server NAME COMMAND…: starts a program of the cluster, with its log. Debian's libraries and tools
# are for these alone: the command's own programs must meet the host's.
server() {
  local name=$1
  shift
  env "PATH=$work/tools:$packages/usr/bin:$packages/usr/sbin:$PATH" "LD_LIBRARY_PATH=$libraries" \
    "XTABLES_LIBDIR=$libraries/xtables" "$@" >"$logs/$name.log" 2>&1 &
  servers[$name]=$!
}

# ready NAME COMMAND…: waits until the command succeeds, which tells that a program is ready.
ready() {
  local name=$1 begun=$SECONDS
  shift
  until "$@" >"$logs/ready" 2>&1; do
    [ $((SECONDS - begun)) -lt "$READY_LIMIT_SECONDS" ] && kill -0 "${servers[$name]}" || {
      tail -n 5 "$logs/$name.log" "$logs/ready" | cut -c1-300 >&2
      fail "$name was not ready after $((SECONDS - begun)) s"
    }
    sleep 0.3
  done
}

# user NAME GROUPS: a token for it, and the file that makes a client that user.
user() {
  local token
  token=$(openssl rand -hex 16)
  printf '%s,%s,%s,"%s"\n' "$token" "$1" "$1" "$2" >>"$work/pki/tokens.csv"
  cat >"$work/pki/${1//:/-}.kubeconfig" <<END
apiVersion: v1
kind: Config
clusters:
  - name: test
    cluster: {server: "https://$NODE_ADDRESS:6443", certificate-authority: $work/pki/apiserver.crt}
users: [{name: user, user: {token: $token}}]
contexts: [{name: test, context: {cluster: test, user: user}}]
current-context: test
END
}

start_control_plane() {
  local key=$work/pki/service-accounts.key
  openssl genrsa -out "$key" 2048 2>/dev/null
  user admin system:masters
  user system:kube-controller-manager ''
  user system:kube-scheduler ''
  user system:kube-proxy ''
  user system:node:node system:nodes
  # What a cluster loses when its machine does matters little here, and time much.
  server etcd etcd --data-dir "$work/etcd" --unsafe-no-fsync \
    --listen-peer-urls http://127.0.0.1:2380
  server kube-apiserver kube-apiserver --etcd-servers http://127.0.0.1:2379 \
    --cert-dir "$work/pki" --advertise-address "$NODE_ADDRESS" \
    --service-cluster-ip-range "$SERVICE_RANGE" --token-auth-file "$work/pki/tokens.csv" \
    --authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction \
    --service-account-issuer https://kubernetes.default.svc \
    --service-account-key-file "$key" --service-account-signing-key-file "$key" \
    --kubelet-preferred-address-types InternalIP
  ready kube-apiserver kubectl get --raw /readyz
  server kube-controller-manager kube-controller-manager --leader-elect=false \
    --kubeconfig "$work/pki/system-kube-controller-manager.kubeconfig" \
    --use-service-account-credentials --service-account-private-key-file "$key" \
    --root-ca-file "$work/pki/apiserver.crt" --allocate-node-cidrs --cluster-cidr "$POD_RANGE" \
    --bind-address 127.0.0.1
  server kube-scheduler kube-scheduler --leader-elect=false \
    --kubeconfig "$work/pki/system-kube-scheduler.kubeconfig" --bind-address 127.0.0.1
}

# An image of what the cluster itself runs in pods: a process that holds a pod's name spaces (the
# pause), the DNS, and a shell with network tools for the test.
cluster_image() {
  local folder=$work/image layer
  mkdir -p "$folder/root/bin"
  cp "$packages/bin/busybox" "$folder/root/bin/" 2>/dev/null ||
    cp "$packages/usr/bin/busybox" "$folder/root/bin/"
  ln -s busybox "$folder/root/bin/sh"
  cp "$addons" "$folder/root/bin/coredns"
  tar -C "$folder/root" --owner 0 --group 0 -cf "$folder/layer.tar" .
  layer=$(sha256sum "$folder/layer.tar" | cut -d' ' -f1)
  cat >"$folder/config.json" <<END
{"architecture": "$(dpkg --print-architecture)", "os": "linux",
 "config": {"Entrypoint": ["/bin/busybox"], "Cmd": ["sleep", "1000000"], "Env": ["PATH=/bin"]},
 "rootfs": {"type": "layers", "diff_ids": ["sha256:$layer"]}}
END
  echo '[{"Config": "config.json", "RepoTags": ["bangui-cluster:test"], "Layers": ["layer.tar"]}]' \
    >"$folder/manifest.json"
  tar -C "$folder" -cf "$work/cluster-image.tar" manifest.json config.json layer.tar
  rm -r "$folder"
}

start_node() {
  local archive kubeconfig=$work/pki/system-node-node.kubeconfig
  rendered containerd.toml >"$work/containerd.toml"
  rendered kubelet.yaml >"$work/kubelet.yaml"
  rendered network.conflist >"$work/cni/network.conflist"
  server containerd containerd --config "$work/containerd.toml"
  ready containerd ctr version
  cluster_image
  for archive in "$work/cluster-image.tar" ${CLUSTER_IMAGES:+"$CLUSTER_IMAGES"}; do
    ctr images import "$archive" >/dev/null
  done
  server kubelet kubelet --config "$work/kubelet.yaml" --kubeconfig "$kubeconfig" \
    --hostname-override node --node-ip "$NODE_ADDRESS"
  server kube-proxy kube-proxy --kubeconfig "$work/pki/system-kube-proxy.kubeconfig" \
    --hostname-override node --proxy-mode iptables --cluster-cidr "$POD_RANGE" \
    --conntrack-max-per-core 0 --conntrack-tcp-timeout-established 0s \
    --conntrack-tcp-timeout-close-wait 0s
  ready kubelet kubectl wait --for condition=Ready node/node --timeout 5s
}

start_services() {
  local number
  server kube-router kube-router --kubeconfig "$KUBECONFIG" --hostname-override node \
    --run-router=false --run-service-proxy=false --run-firewall=true \
    --service-cluster-ip-range "$SERVICE_RANGE"
  kubectl apply --filename "$sources/storage.yaml" --filename "$sources/dns.yaml" >/dev/null
  for ((number = 1; number <= VOLUMES; number++)); do
    mkdir "$work/volumes/$number"
    rendered volume.yaml | sed "s|@NUMBER@|$number|"
  done | kubectl apply --filename - >/dev/null
  ready kubelet kubectl rollout status --namespace kube-system deployment/coredns --timeout 10s
}

start_cluster() {
  local begun=$SECONDS
  lay_out_files
  lay_out_programs
  lay_out_network
  lay_out_cgroups
  export KUBECONFIG=$work/pki/admin.kubeconfig TMPDIR=$work/tmp
  export CONTAINERD_ADDRESS=$work/containerd.sock CONTAINERD_NAMESPACE=k8s.io
  export PATH=$work/bin:$PATH
  start_control_plane
  start_node
  start_services
  say "a cluster of one node is ready after $((SECONDS - begun)) s"
}
