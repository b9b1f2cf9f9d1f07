#!/usr/bin/env bash
# Images that stand for public ones where no image registry can be reached; it is sourced, with
# `root` set to the repository's.
#
#   registry_answers          whether public images can be pulled; IMAGES_PULL=false says no at once
#   import_base               Debian's, made by debootstrap
#   stand_in_compilers        those that the first stages of our Dockerfiles compile in
#
# They bear the public names and the label org.bangui.stand-in; a real image that is here stays.
# shellcheck disable=SC2154
set -euo pipefail

# A registry that hangs must not hold a build.
readonly PROBE_LIMIT_SECONDS=20
readonly STAND_IN=org.bangui.stand-in

has_image() { docker image inspect "$1" >/dev/null 2>&1; }

label_of() {
  docker image inspect --format "{{ index .Config.Labels \"$2\" }}" "$1" 2>/dev/null || true
}

is_real() { has_image "$1" && [ -z "$(label_of "$1" "$STAND_IN")" ]; }

# Whether the registry serves images at all, asked once with the smallest question.
registry_answers() {
  [ "${IMAGES_PULL:-true}" = true ] || return 1
  timeout "$PROBE_LIMIT_SECONDS" docker pull --quiet debian:12-slim >/dev/null 2>&1
}

# Debian's registry name for what debootstrap made, marked as ours.
import_base() {
  local archive key
  # The real one, pulled before, when only the registry is away now.
  ! is_real debian:12-slim || return 0
  archive=$("$root/scripts/base-image.sh")
  key=$(basename "$archive" .tar.gz)
  [ "$(label_of debian:12-slim "$STAND_IN")" != "$key" ] || return 0
  docker import --change "LABEL $STAND_IN=$key" --change 'CMD ["bash"]' \
    "$archive" debian:12-slim >/dev/null
}

# The public image of that name which one of our Dockerfiles names.
base_of() {
  sed -n "s/^FROM .*\b\($1:[^ ]*\) AS .*/\1/p" "$root/Dockerfile" "$root/otel-collector/Dockerfile"
}

# stand_in_compiler NAME VERSION FOLDER [ARGUMENT…]: of tests/dockerfiles/NAME.Dockerfile, with the
# links in the folder followed.
stand_in_compiler() {
  local name=$1 version=$2 folder=$3 image key
  shift 3
  image=$(base_of "$name")
  [ -n "$image" ] || { echo "stand-ins: no Dockerfile names an image $name" >&2; return 1; }
  ! is_real "$image" || return 0
  cp "$root/tests/dockerfiles/$name.Dockerfile" "$folder/Dockerfile"
  ln -s /etc/ssl/certs/ca-certificates.crt "$folder/ca-certificates.crt"
  key=$( (cat "$folder/Dockerfile" "$folder/ca-certificates.crt"
    printf '%s\n' "$version" "$(label_of debian:12-slim "$STAND_IN")") | sha256sum | cut -c1-16)
  [ "$(label_of "$image" "$STAND_IN")" != "$key" ] || return 0
  echo "stand-ins: making $image of $version" >&2
  tar -C "$folder" --dereference --exclude 'toolchain/share' -cf - . |
    DOCKER_BUILDKIT=1 docker build --quiet --network host --tag "$image" \
      --label "$STAND_IN=$key" "$@" - >/dev/null
}

# From this machine's own Node, Rust and Go, whatever their versions are.
stand_in_compilers() {
  local inputs version host
  inputs=$(mktemp -d)
  mkdir "$inputs"/{node,rust,golang}
  ln -s "$(command -v node)" "$inputs/node/node"
  ln -s "$(npm root --global)/npm" "$inputs/node/npm"
  ln -s "$(command -v rustup)" "$inputs/rust/rustup"
  ln -s "$(rustc --print sysroot)" "$inputs/rust/toolchain"
  ln -s "$(go env GOROOT)" "$inputs/golang/go"
  version=$(rustc -vV | sed -n 's/^release: //p') host=$(rustc -vV | sed -n 's/^host: //p')
  stand_in_compiler node "Node $(node --version), npm $(npm --version)" "$inputs/node"
  stand_in_compiler rust "Rust $version" "$inputs/rust" --build-arg "TOOLCHAIN=$version-$host"
  stand_in_compiler golang "$(go version)" "$inputs/golang"
  rm -rf "$inputs"
}
