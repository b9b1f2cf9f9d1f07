#!/usr/bin/env bash
# Prints the path of a Chromium that runs: the host's own, or Debian's packages unpacked into the
# build cache behind a small wrapper that tells the loader and fontconfig where their files are.
# Nothing is installed on the host.
set -euo pipefail

if [ -x /usr/bin/chromium ]; then
  printf '%s\n' /usr/bin/chromium
  exit 0
fi

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
names=(chromium)
# A page without a single font is drawn as empty boxes.
if [ -z "$(find /usr/share/fonts -name '*.ttf' -print -quit 2>/dev/null)" ]; then
  names+=(fonts-dejavu-core)
fi
root=$("$here/debian-packages.sh" --with-dependencies "${names[@]}")
wrapper=$root/chromium-wrapper

# Writes a fontconfig file that needs nothing of the host's /etc.
write_fonts_configuration() {
  cat >"$root/fonts.conf" <<FONTS
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>/usr/share/fonts</dir>
  <dir>$root/usr/share/fonts</dir>
  <cachedir>$root/fontconfig-cache</cachedir>
  <match target="pattern">
    <edit name="family" mode="append_last"><string>DejaVu Sans</string></edit>
  </match>
</fontconfig>
FONTS
}

# The libraries lie in lib/TRIPLET, and some packages keep private ones in a folder below it.
library_path() {
  find "$root/usr/lib" "$root/lib" -name '*.so*' -printf '%h\n' 2>/dev/null |
    grep -E -- '-linux-gnu[^/]*(/(pulseaudio|nss|blas|lapack))?$' | sort -u | paste -sd:
}

if [ ! -x "$wrapper" ]; then
  write_fonts_configuration
  cat >"$wrapper.$$" <<WRAPPER
#!/bin/sh
# Starts the unpacked Chromium with the unpacked libraries and fonts.
export LD_LIBRARY_PATH='$(library_path)'
export FONTCONFIG_FILE='$root/fonts.conf'
exec '$root/usr/lib/chromium/chromium' "\$@"
WRAPPER
  chmod +x "$wrapper.$$"
  # A missing library is told here by name, and not as a browser that ends without a word.
  missing=$(LD_LIBRARY_PATH=$(library_path) ldd "$root/usr/lib/chromium/chromium" |
    awk '/not found/ { print $1 }' | paste -sd' ')
  if [ -n "$missing" ]; then
    rm "$wrapper.$$"
    printf '%s\n' "chromium: these libraries are missing: $missing" >&2
    exit 1
  fi
  mv "$wrapper.$$" "$wrapper"
fi
printf '%s\n' "$wrapper"
