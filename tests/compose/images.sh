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

# Every file of every layer of an image, with a slash in front.
files_of() {
  rm -rf "$work/layers"
  mkdir "$work/layers"
  docker save "$1" | tar -C "$work/layers" -x
  find "$work/layers" -name 'layer.tar' -print0 -o -path '*/blobs/*' -type f -print0 |
    while IFS= read -rd '' layer; do
      tar -tf "$layer" 2>/dev/null | sed 's|^\./||; s|^|/|' || true
    done
}

# BanGUI's image has no place for a secret: all its files are of these kinds.
holds_only_what_runs() {
  local odd
  odd=$(files_of "$(tag_of bangui)" | grep -v '/$' | grep -Ev \
    '^/(usr/local/bin/bangui|lib/[a-z0-9_-]+/(libc|libm|libgcc_s)\.so\.[0-9]+|lib(64)?/ld-linux-[a-z0-9-]+\.so\.[0-9])$' |
    grep -Ev '^/(etc/(passwd|group|nsswitch\.conf|ssl/certs/ca-certificates\.crt)|usr/share/zoneinfo/.+)$' || true)
  [ -z "$odd" ] || { echo "unexpected: $odd" && return 1; }
}

# Of the images with a whole Debian: nothing that could be a key, a password file or a history, and
# no setting of the environment that names a secret.
holds_no_secret() {
  local image odd
  for image in $OUR_IMAGES; do
    odd=$(files_of "$(tag_of "$image")" |
      grep -E '(^|/)(\.env|\.git|\.netrc|\.npmrc|id_[a-z0-9]+|.*\.key|.*_history|admin-password)(/|$)' || true)
    [ -z "$odd" ] || { echo "$image: $odd" && return 1; }
    # A key of its own, and not the words by which libraries know one.
    ! grep -raPzl 'BEGIN [A-Z ]*PRIVATE KEY-----\n[A-Za-z0-9+/=]{40}' "$work/layers" || return 1
    ! image_field "$(tag_of "$image")" '{{json .Config.Env}}' |
      grep -iE 'password|token|secret|api_key' || return 1
    ! docker history --no-trunc --format '{{.CreatedBy}}' "$(tag_of "$image")" |
      grep -iE '(password|token|secret|api_key)=' || return 1
  done
}

test_images() {
  step "BanGUI's image is at most 60 MB" is_small
  step 'images have labels, a user and a health check' is_labelled
  step "BanGUI's image holds only what it runs" holds_only_what_runs
  step 'no image holds a secret in a layer' holds_no_secret
}
