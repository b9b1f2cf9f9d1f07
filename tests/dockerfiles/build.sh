#!/usr/bin/env bash
# Clones the repository and builds from the clone: BanGUI's image for arm64, all stages of the
# Dockerfile as they stand, what the collector's has compiled for it, and all images of the compose
# file for this machine. scripts/dockerfiles-test.sh runs it with an engine that has the host's network.
set -euo pipefail

# shellcheck source=tests/dockerfiles/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=scripts/lib/stand-ins.sh
source "$root/scripts/lib/stand-ins.sh"

readonly IMAGE_MAX_BYTES=60000000 ADDRESS=https://git.example.com/bangui.git

# The documented address is an example, which git is told to find in a bare repository.
clones() {
  git clone --quiet --bare "$root" "$work/origin.git"
  # Whatever is checked out here, perhaps no branch.
  git -C "$work/origin.git" update-ref refs/heads/main "$(git -C "$root" rev-parse HEAD)"
  git -C "$work/origin.git" symbolic-ref HEAD refs/heads/main
  cd "$work"
  documented "git clone $ADDRESS && cd bangui"
  equal "$(git -C bangui rev-parse HEAD)" "$(git -C "$root" rev-parse HEAD)" 'the commit'
}

# Another commit on the branch that was cloned, with nothing changed in it.
pulls() {
  local commit
  commit=$(git -C "$work/origin.git" -c user.name=test -c user.email=test@localhost commit-tree \
    -p main -m 'the next version' 'main^{tree}')
  git -C "$work/origin.git" update-ref refs/heads/main "$commit"
  documented 'git pull'
  equal "$(git rev-parse HEAD)" "$commit" 'the commit'
}

image_field() { docker image inspect --format "$2" "$1"; }

builds_for_arm64() {
  DOCKER_BUILDKIT=1 docker build --network host --platform linux/arm64 --tag "$ARM64_IMAGE" .
  equal "$(image_field "$ARM64_IMAGE" '{{.Os}}/{{.Architecture}}')" linux/arm64 'its platform'
}

# The stages that compile; the last one installs packages, by programs of that architecture.
builds_the_collector_for_arm64() {
  local container
  DOCKER_BUILDKIT=1 docker build --network host --platform linux/arm64 --target binary \
    --tag "$ARM64_COLLECTOR_IMAGE" --file otel-collector/Dockerfile .
  container=$(docker create --network none "$ARM64_COLLECTOR_IMAGE" none)
  docker cp "$container:/prebuilt/otelcol-bangui" "$work/otelcol-arm64"
  docker rm "$container" >/dev/null
}

is_small() {
  local bytes
  bytes=$(image_field "$1" '{{.Size}}')
  echo "$bytes bytes"
  [ "$bytes" -le "$IMAGE_MAX_BYTES" ]
}

# What the first start does. The tags are not the user's, and the engine that builds has the host's
# network alone.
readonly COMPOSE_SERVICES='bangui otel-collector fail2ban'
builds_by_compose() {
  local service
  {
    echo services:
    for service in $COMPOSE_SERVICES; do
      printf '  %s:\n    image: %s\n    build: {network: host}\n' \
        "$service" "$(compose_image "$service")"
    done
  } >"$work/build.yml"
  docker compose --file docker-compose.yml --file "$work/build.yml" build
}
compose_image() { printf 'bangui-dockerfiles-test:%s' "$1"; }

runs() {
  contains "$(docker run --rm --network none "$(compose_image bangui)" --version)" \
    "$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)"
  docker run --rm --network none "$(compose_image otel-collector)" validate
  docker run --rm --network none --entrypoint fail2ban-server "$(compose_image fail2ban)" --version
}

# unpack IMAGE FOLDER: its files, as a container would see them.
unpack() {
  local container
  mkdir "$2"
  container=$(docker create --network none "$1" none)
  docker export "$container" | tar --numeric-owner -C "$2" -xpf -
  docker rm "$container" >/dev/null
}

if ! registry_answers; then
  say 'no image registry answers: stand-ins for what the images start from'
  import_base
  stand_in_compilers
fi
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=url.$work/origin.git.insteadOf GIT_CONFIG_VALUE_0=$ADDRESS
step 'git clone' clones
cd "$work/bangui"
step 'git pull' pulls
step "BanGUI's image for arm64: every stage" builds_for_arm64
step 'it is at most 60 MB' is_small "$ARM64_IMAGE"
step 'it can be unpacked' unpack "$ARM64_IMAGE" "$work/arm64"
step "the collector's program for arm64" builds_the_collector_for_arm64
step 'docker compose build, from the clone' builds_by_compose
step 'what it built runs' runs
for service in $COMPOSE_SERVICES; do docker rmi --force "$(compose_image "$service")"; done \
  >/dev/null 2>&1 || true
docker rmi --force "$ARM64_IMAGE" "$ARM64_COLLECTOR_IMAGE" >/dev/null 2>&1 || true
report
