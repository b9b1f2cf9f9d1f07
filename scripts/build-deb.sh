#!/usr/bin/env bash
# Builds the Debian package of BanGUI and its collector and prints its path.
#
#   scripts/build-deb.sh [FOLDER]        default: target/debian
#
# What is installed where stands here; deploy/debian and deploy/systemd hold the rest.
#
# Environment (an empty value counts as unset):
#   DEB_VERSION       default: Cargo.toml's
#   DEB_BINARY        a built `bangui`; default: a release build
#   DEB_COMPRESSION   xz; `none` is quick, for tests
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
say() { printf '%s\n' "build-deb: $*" >&2; }
fail() {
  say "$*"
  exit 1
}
for tool in dpkg-deb gzip; do
  command -v "$tool" >/dev/null || fail "$tool is missing: this needs a Debian-like system"
done

folder=${1:-target/debian}
version=${DEB_VERSION:-$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)}
architecture=$(dpkg --print-architecture)
binary=${DEB_BINARY:-}
if [ -z "$binary" ]; then
  make --no-print-directory ui >&2
  cargo build --release --locked --bin bangui >&2
  binary=${CARGO_TARGET_DIR:-target}/release/bangui
fi
collector=$(otel-collector/build.sh)

# The time of the sources, so that the same sources make the same package.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root

put() { install -D -m "$1" "$2" "$root/$3"; }

put_files() {
  local file
  put 0755 "$binary" usr/bin/bangui
  put 0755 deploy/systemd/bangui-admin.sh usr/sbin/bangui-admin
  put 0755 deploy/systemd/start.sh usr/lib/bangui/start
  put 0755 deploy/systemd/share-fail2ban-socket.sh usr/lib/bangui/share-fail2ban-socket
  put 0755 "$collector" usr/lib/bangui/otelcol-bangui
  for file in bangui.service bangui-collector.service fail2ban.service.d/bangui.conf; do
    put 0644 "deploy/systemd/$file" "lib/systemd/system/$file"
  done
  put 0644 deploy/systemd/bangui-sysusers.conf usr/lib/sysusers.d/bangui.conf

  # The same files as in the collector's image.
  put 0755 otel-collector/launch.sh usr/lib/bangui/collector/launch.sh
  for file in forms.sh config.yaml; do
    put 0644 "otel-collector/$file" "usr/lib/bangui/collector/$file"
  done
  for file in providers metrics own options delivery elasticsearch; do
    cp -r "otel-collector/$file" "$root/usr/lib/bangui/collector/"
  done

  put 0640 deploy/systemd/bangui.env etc/bangui/bangui.env
  install -d -m 0700 "$root"/etc/bangui/secrets{,/shared,/service}
}

put_documents() {
  local documents=usr/share/doc/bangui file
  put 0644 deploy/debian/copyright "$documents/copyright"
  put 0644 .env.example "$documents/examples/env"
  put 0644 deploy/jaeger/config.yaml "$documents/examples/jaeger.yaml"
  put 0644 deploy/systemd/jaeger.service "$documents/examples/jaeger.service"
  for file in docs/*.md; do
    put 0644 "$file" "$documents/${file##*/}"
  done
  put 0644 CHANGELOG.md "$documents/CHANGELOG.md"
  changelog | gzip -9nc >"$root/$documents/changelog.gz"
  put 0644 deploy/debian/lintian-overrides usr/share/lintian/overrides/bangui
}

# In Debian's own form.
changelog() {
  printf 'bangui (%s) stable; urgency=medium\n\n  * CHANGELOG.md tells what is new.\n\n -- %s  %s\n' \
    "$version" "$(sed -n 's/^Maintainer: //p' deploy/debian/control)" \
    "$(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")"
}

# The newest version of the C library that one of the binary's symbols needs.
needed_glibc() { grep -ao 'GLIBC_2\.[0-9]*' "$binary" | sed 's/GLIBC_//' | sort -Vu | tail -n 1; }

put_control() {
  local script kib depends
  kib=$(du -sk --apparent-size "$root" | cut -f1)
  # curl puts the template of Elasticsearch's index there; bangui-admin needs the bus.
  depends="libc6 (>= $(needed_glibc)), libgcc-s1, ca-certificates, curl"
  depends+=", dbus | dbus-system-bus, passwd, systemd (>= 250)"
  install -d "$root/DEBIAN"
  sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" \
    -e "s/@INSTALLED_KIB@/$kib/" -e "s/@DEPENDS@/$depends/" \
    deploy/debian/control >"$root/DEBIAN/control"
  put 0644 deploy/debian/conffiles DEBIAN/conffiles
  for script in postinst prerm postrm; do
    put 0755 "deploy/debian/$script.sh" "DEBIAN/$script"
  done
  (cd "$root" && find . -path ./DEBIAN -prune -o -path ./etc -prune -o -type f -printf '%P\0' |
    LC_ALL=C sort -z | xargs -0 md5sum >DEBIAN/md5sums)
}

umask 022
put_files
put_documents
chmod -R u=rwX,go=rX "$root/usr" "$root/lib"
put_control
package=bangui_${version}_$architecture.deb
mkdir -p "$folder"
dpkg-deb --root-owner-group "-Z${DEB_COMPRESSION:-xz}" --build "$root" "$work/$package" >&2
mv "$work/$package" "$folder/$package"
printf '%s\n' "$folder/$package"
