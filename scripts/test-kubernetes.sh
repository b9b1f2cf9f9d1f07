#!/usr/bin/env bash
# Builds every kustomization of deploy/kubernetes and checks what comes out: against the schemas of
# the API, strictly, and against our own rules (scripts/check_kubernetes.py). No cluster is needed.
# Part of `make ci`.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
cache=${BANGUI_BUILD_CACHE:-$HOME/.cache/bangui-build}/kubernetes
requirements=scripts/kubernetes-requirements.txt
# shellcheck source=scripts/lib/told-commands.sh
source scripts/lib/told-commands.sh

# Prints the path of a Python that has the validator; its packages are verified by pip.
validator() {
  local python key
  python=$(command -v python3) || { echo "test-kubernetes: python3 is missing" >&2; return 1; }
  key=$( (cat "$requirements" && "$python" --version) | sha256sum | cut -c1-16)
  mkdir -p "$cache"
  (
    flock -w 600 9
    if [ ! -d "$cache/$key" ]; then
      rm -rf "$cache"/work.*
      "$python" -m venv "$cache/work.$key"
      timeout 600 "$cache/work.$key/bin/pip" install --quiet --no-deps --require-hashes \
        --requirement "$requirements" >&2
      mv "$cache/work.$key" "$cache/$key"
    fi
  ) 9>"$cache/lock"
  printf '%s' "$cache/$key/bin/python"
}

kustomize=$(scripts/build-kustomize.sh)
python=$(validator)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A copy, so that the secret's file that each user makes can be made here.
cp -r deploy "$work/deploy"
overlay=$work/deploy/kubernetes/overlays/datadog
cp "$overlay/secrets.env.example" "$overlay/secrets.env"
built=()
for kustomization in base overlays/traces overlays/datadog; do
  "$kustomize" build "$work/deploy/kubernetes/$kustomization" >"$work/${kustomization##*/}.yaml"
  built+=("$work/${kustomization##*/}.yaml")
done
"$python" scripts/check_kubernetes.py "${built[@]}"

# What the documentation tells its reader to apply and to ask for is among what was built.
told_lines Kubernetes console >"$work/told"
while IFS= read -r folder; do
  [ -s "$work/${folder##*/}.yaml" ] || { echo "docs/INSTALL.md: $folder was not built"; exit 1; }
done < <(grep -o -- '--kustomize [^ ]*' "$work/told" | cut -d' ' -f2)
while IFS=/ read -r kind name; do
  grep -A 20 -i "^kind: $kind$" "$work/traces.yaml" | grep -q "^  name: $name$" || {
    echo "docs/INSTALL.md: no $kind $name"
    exit 1
  }
done < <(grep -oE '(statefulset|service)/[a-z-]+' "$work/told")
echo "1 passed, 0 failed"
