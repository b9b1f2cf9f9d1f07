#!/usr/bin/env bash
# What the images are made of; tests/compose/run.sh sources it.
# The variables `root`, `work` and `password` are of the script that sources this.
# shellcheck disable=SC2154
set -euo pipefail

readonly IMAGE_MAX_BYTES=60000000
readonly OUR_IMAGES='bangui bangui-otelcol bangui-fail2ban'

image_field() { docker image inspect --format "$2" "$1"; }
tag_of() { sed -n "s/^    image: \($1:.*\)/\1/p" docker-compose.yml | head -n 1; }

is_small() {
  local bytes
  bytes=$(image_field "$(tag_of bangui)" '{{.Size}}')
  [ "$bytes" -le "$IMAGE_MAX_BYTES" ] || { echo "$bytes bytes" && return 1; }
}

is_labelled() {
  local image label
  for image in $OUR_IMAGES; do
    for label in title version revision licenses; do
      [ -n "$(image_field "$(tag_of "$image")" \
        "{{index .Config.Labels \"org.opencontainers.image.$label\"}}")" ] ||
        { echo "$image has no label $label" && return 1; }
    done
    equal "$(image_field "$(tag_of "$image")" '{{.Config.User}}')" 10001:10001 "$image: user"
    [ "$(image_field "$(tag_of "$image")" '{{.Config.Healthcheck}}')" != '<nil>' ] ||
      { echo "$image has no health check" && return 1; }
  done
}

# Unpacks every layer of an image below $work/layers, where also what a later one hides is seen, and
# lists their files in $work/files as paths in the image.
unpack_layers() {
  local layer count=0
  rm -rf "$work/image" "$work/layers"
  mkdir "$work/image" "$work/layers"
  docker save "$1" | tar -C "$work/image" -x
  while IFS= read -r layer; do
    count=$((count + 1))
    mkdir "$work/layers/$count"
    # Devices and owners are not of interest.
    tar --no-same-owner --exclude='dev/*' -C "$work/layers/$count" -xf "$work/image/$layer"
  done < <(json '"\n".join(it[0]["Layers"])' <"$work/image/manifest.json")
  rm -rf "$work/image"
  (cd "$work/layers" && find . ! -type d | sed -E 's|^\./[0-9]+||') >"$work/files"
  grep -qx "/usr/local/bin/${2:-.*}\|/usr/bin/${2:-.*}" "$work/files"
}

# none PATTERN FILE: no line of it is like that.
none() {
  local odd
  odd=$(grep -E "$1" "$2" || true)
  [ -z "$odd" ] || { echo "unexpected: $odd" && return 1; }
}

# BanGUI's image has no place for a secret: all its files are of these kinds.
holds_only_what_runs() {
  unpack_layers "$(tag_of bangui)" bangui
  grep -Ev '^/(usr/local/bin/bangui|usr/share/zoneinfo/.+)$' "$work/files" |
    grep -Ev '^/lib/[a-z0-9_-]+/(libc|libm|libgcc_s)\.so\.[0-9]+$' |
    grep -Ev '^/lib(64)?/ld-linux-[a-z0-9-]+\.so\.[0-9]$' |
    grep -Ev '^/etc/(passwd|group|nsswitch\.conf|ssl/certs/ca-certificates\.crt)$' \
      >"$work/odd" || true
  none . "$work/odd"
}

# Of all of ours: nothing that could be a key, a password file or a history, and no setting or build
# step that names a secret.
holds_no_secret() {
  local image
  for image in $OUR_IMAGES; do
    unpack_layers "$(tag_of "$image")"
    none '/(\.env|\.git|\.netrc|\.npmrc|id_[a-z0-9]+|.*\.key|.*_history|admin-password)(/|$)' \
      "$work/files"
    # Libraries have keys that everybody knows, for testing themselves.
    grep -raPzl --exclude='*.so*' 'BEGIN [A-Z ]*PRIVATE KEY-----\n[A-Za-z0-9+/=]{40}' \
      "$work/layers" >"$work/odd" || true
    none . "$work/odd"
    image_field "$(tag_of "$image")" '{{json .Config.Env}}' >"$work/odd"
    none '[Pp][Aa][Ss][Ss][Ww][Oo][Rr][Dd]|TOKEN|SECRET|API_KEY' "$work/odd"
    docker history --no-trunc --format '{{.CreatedBy}}' "$(tag_of "$image")" >"$work/odd"
    none '(PASSWORD|TOKEN|SECRET|API_KEY)=' "$work/odd"
  done
  rm -rf "$work/layers"
}

test_images() {
  step "BanGUI's image is at most 60 MB" is_small
  step 'images have labels, a user and a health check' is_labelled
  step "BanGUI's image holds only what it runs" holds_only_what_runs
  step 'no image holds a secret in a layer' holds_no_secret
}
