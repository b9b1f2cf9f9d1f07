#!/usr/bin/env bash
# Builds every image of docker-compose.yml on the engine that DOCKER_HOST names, also where no image
# registry can be reached; `make images` calls it below scripts/with-engine.sh.
#
# A public image that can be pulled is pulled. One that cannot is made from packages: the base by
# debootstrap, Jaeger from its Go module, Prometheus from Debian. What our own Dockerfiles compile
# in their first stages is compiled by this machine's Rust, Node and Go with the same commands
# instead; their last stages are built as they stand. Grafana and the profiles' images have no such
# stand-in and are left out where they cannot be pulled, which one line tells.
#
# Environment:
#   IMAGES_PULL=false   tries no registry (the default is to try once)
#   IMAGES_SINK=true    also makes the compose test's stand-in of a vendor's cloud
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly root
# A registry that hangs must not hold the build.
readonly PULL_LIMIT_SECONDS=${IMAGES_PULL_LIMIT_SECONDS:-300}

# shellcheck source=scripts/lib/stand-ins.sh
source "$root/scripts/lib/stand-ins.sh"

say() { printf '%s\n' "images: $*" >&2; }
fail() {
  say "$*"
  exit 1
}

pull() { timeout "$PULL_LIMIT_SECONDS" docker pull --quiet "$1" >/dev/null 2>&1; }

# The image that the compose file gives a service.
image_of() {
  sed -n "/^  $1:\$/,/^  [a-z]/s/^    image: //p" "$root/docker-compose.yml"
}

# build TAG DOCKERFILE CONTEXT [ARGUMENT…]
build() {
  local tag=$1 file=$2 context=$3
  shift 3
  say "building $tag"
  DOCKER_BUILDKIT=1 docker build --quiet --network host --tag "$tag" --file "$file" \
    --build-arg "REVISION=$revision" "$@" "$context" >/dev/null || fail "$tag was not built"
}

build_bangui() {
  local target=${CARGO_TARGET_DIR:-${BANGUI_BUILD_CACHE:-$HOME/.cache/bangui-build}/release-target}
  make -C "$root" --no-print-directory ui >&2
  say "compiling a release of BanGUI"
  (cd "$root" && CARGO_TARGET_DIR=$target nice -n 5 \
    cargo build --release --locked --bin bangui >&2)
  mkdir "$work/bangui"
  "$root/scripts/image-root.sh" "$target/release/bangui" "$work/bangui/prebuilt"
  build "$(image_of bangui)" "$root/Dockerfile" "$work/bangui" --build-arg BINARY=prebuilt
}

build_collector() {
  mkdir "$work/collector"
  cp -r "$root/otel-collector" "$work/collector/"
  rm -rf "$work/collector/otel-collector/"{sink,components}
  mkdir "$work/collector/prebuilt"
  cp "$("$root/otel-collector/build.sh")" "$work/collector/prebuilt/otelcol-bangui"
  build "$(image_of otel-collector)" "$root/otel-collector/Dockerfile" "$work/collector" \
    --build-arg COLLECTOR=prebuilt
}

# stand_in SERVICE DOCKERFILE [BINARY NAME]: for an image that cannot be pulled.
stand_in() {
  local service=$1 file=$2 image
  image=$(image_of "$service")
  mkdir -p "$work/$service"
  [ $# -eq 2 ] || cp "$3" "$work/$service/$4"
  build "$image" "$root/tests/compose/$file" "$work/$service" --label org.bangui.stand-in=true
}

# What the compose test sends logs to.
build_sink() {
  mkdir "$work/sink"
  cp "$("$root/scripts/build-sink.sh")" "$work/sink/sink"
  build bangui-sink:test "$root/tests/compose/sink.Dockerfile" "$work/sink"
}

# The images of others, as the compose file names them, by service.
third_party() {
  local service image
  for service in jaeger prometheus grafana; do
    image=$(image_of "$service")
    # The real one, pulled before or by the user.
    ! is_real "$image" || continue
    if $public && pull "$image"; then
      continue
    fi
    case $service in
      jaeger) stand_in jaeger jaeger.Dockerfile "$("$root/scripts/build-jaeger.sh")" jaeger ;;
      prometheus) stand_in prometheus prometheus.Dockerfile ;;
      *) say "$image cannot be pulled and has no stand-in: $service is left out" ;;
    esac
  done
}

command -v docker >/dev/null && docker info >/dev/null 2>&1 ||
  fail "no engine: run it as scripts/with-engine.sh --build scripts/images.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
revision=$(git -C "$root" rev-parse HEAD 2>/dev/null || echo unknown)
public=false
if registry_answers; then
  public=true
else
  say "no image registry answers: making what can be made from packages"
  import_base
fi
build_bangui
build_collector
build "$(image_of fail2ban)" "$root/deploy/fail2ban/Dockerfile" "$root"
third_party
[ "${IMAGES_SINK:-false}" = false ] || build_sink
# What these builds have taken the names of would fill the disk.
title=org.opencontainers.image.title
for label in "$title=BanGUI" "$title=BanGUI's collector" "$title=BanGUI's demo fail2ban" \
  org.bangui.stand-in=true; do
  docker image prune --force --filter "label=$label" >/dev/null
done
docker images --format '{{.Repository}}:{{.Tag}} {{.Size}}' | LC_ALL=C sort
