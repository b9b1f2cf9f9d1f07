#!/usr/bin/env bash
# Runs what was built for arm64 under Debian's qemu, from the unpacked image and as its user;
# scripts/dockerfiles-test.sh gives it a network and processes of its own.
set -euo pipefail

# shellcheck source=tests/dockerfiles/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly IMAGE=$work/arm64
# An emulated start takes some seconds; this machine may be busy.
readonly START_LIMIT_SECONDS=60

# The program with the image's own loader and libraries. qemu is static and needs nothing there.
bangui() {
  env -i PATH="$PATH" BANGUI_ADMIN_PASSWORD="$password" BANGUI_LISTEN=127.0.0.1:8000 \
    BANGUI_DATA_DIR=/var/lib/bangui BANGUI_COLLECTOR_DIR=/var/lib/otelcol \
    chroot --userspec=10001:10001 "$IMAGE" /qemu /usr/local/bin/bangui "$@"
}

machine_of() { readelf --file-header "$1" | sed -n 's/^ *Machine: *//p'; }

is_for_arm64() { equal "$(machine_of "$IMAGE/usr/local/bin/bangui")" AArch64 BanGUI; }

tells_its_version() {
  contains "$(bangui --version)" \
    "$(sed -n 's/^version = "\(.*\)"$/\1/p' "$root/Cargo.toml" | head -n 1)"
}

shows_its_configuration() { contains "$(bangui config)" 'BANGUI_LISTEN'; }

serves() {
  until_true "$START_LIMIT_SECONDS" bangui healthcheck
  contains "$(curl --silent --fail --max-time 30 "$BANGUI/")" '<div id="app">'
  contains "$(curl --silent --max-time 30 "$BANGUI/health")" '"status"'
}

# The password is hashed, the session stored in SQLite.
signs_in() {
  until_true "$START_LIMIT_SECONDS" sign_in
  contains "$(call GET /api/audit)" '"action":"login"'
}

# By its launcher, with the configuration that its image has.
collector_runs() {
  equal "$(machine_of "$work/otelcol-arm64")" AArch64 'the collector'
  contains "$("$work/otelcol" --version)" otelcol-bangui
  COLLECTOR_DIR=$work/collector "$root/otel-collector/launch.sh" "$work/otelcol" validate
  mkdir -p "$work/collector"
  COLLECTOR_DIR=$work/collector "$root/otel-collector/launch.sh" "$work/otelcol" \
    >"$work/collector.log" 2>&1 &
  until_true "$START_LIMIT_SECONDS" collector_answers || {
    tail -n 5 "$work/collector.log"
    return 1
  }
}
collector_answers() {
  contains "$(curl --silent --max-time 5 http://127.0.0.1:13133/)" 'Server available'
}

qemu=$("$root/scripts/debian-packages.sh" qemu-user-static)/usr/bin/qemu-aarch64-static
install -m 0755 "$qemu" "$IMAGE/qemu"
printf '#!/bin/sh\nexec %q %q "$@"\n' "$qemu" "$work/otelcol-arm64" >"$work/otelcol"
chmod 0755 "$work/otelcol"
mkdir -p "$IMAGE/proc"
mount -t proc proc "$IMAGE/proc"
ip link set lo up
step 'the program is for arm64' is_for_arm64
step 'bangui --version' tells_its_version
step 'bangui config' shows_its_configuration
bangui serve >"$work/serve.log" 2>&1 &
step 'bangui serve: healthcheck, the page, /health' serves
step 'a sign-in, and its line in the audit log' signs_in
step 'the collector, too, is for arm64 and answers' collector_runs
# Of this name space all processes; the mounts end with it.
umount --lazy "$IMAGE/proc"
report
