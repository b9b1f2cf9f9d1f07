#!/usr/bin/env bash
# Lays out a program with the shared libraries and the loader that it needs, so that an image can
# be made of them and nothing else. The Dockerfile calls it, for the image's own architecture or for
# another; scripts/images.sh calls it for a binary that this machine has built.
#
#   scripts/image-root.sh BINARY FOLDER [COMPILER]
#
# COMPILER (gcc, or a cross compiler such as aarch64-linux-gnu-gcc) knows where its libraries are.
set -euo pipefail

[ $# -ge 2 ] || {
  echo "image-root: usage: image-root.sh BINARY FOLDER [COMPILER]" >&2
  exit 1
}
binary=$1 folder=$2 compiler=${3:-gcc}
readelf=readelf
[ "$compiler" = gcc ] || readelf=${compiler%gcc}readelf
# Where the loader looks on Debian; the loader itself has its place in the program.
libraries=$folder/lib/$("$compiler" -print-multiarch)
loader=$("$readelf" -l "$binary" | sed -n 's/.*program interpreter: \(.*\)]$/\1/p')
[ -n "$loader" ] || {
  echo "image-root: $binary names no loader" >&2
  exit 1
}

place_of() {
  local path
  path=$("$compiler" -print-file-name="$1")
  # The compiler repeats the name of what it does not know.
  [ "$path" != "$1" ] || {
    echo "image-root: $1 is missing, which $binary needs" >&2
    exit 1
  }
  printf '%s' "$path"
}

install -D -m 0755 "$binary" "$folder/usr/local/bin/$(basename "$binary")"
install -D -m 0755 "$(place_of "$(basename "$loader")")" "$folder$loader"
pending=("$binary")
while [ ${#pending[@]} -gt 0 ]; do
  current=${pending[0]}
  pending=("${pending[@]:1}")
  while IFS= read -r name; do
    [ ! -e "$libraries/$name" ] && [ "$name" != "$(basename "$loader")" ] || continue
    install -D -m 0644 "$(place_of "$name")" "$libraries/$name"
    pending+=("$libraries/$name")
  done < <("$readelf" -d "$current" | sed -n 's/.*(NEEDED).*\[\(.*\)\]$/\1/p')
done
