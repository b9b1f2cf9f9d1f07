#!/usr/bin/env bash
# Reads the commands that docs/INSTALL.md tells its reader to run; it is sourced, in the
# repository's root. Commands stand in blocks ```sh and ```console below a heading `### …`.
#
#   told_commands SECTION HEADING   the commands below that heading of that section (`## …`)
#   told_headings SECTION           the headings of that section that have commands, sorted
set -euo pipefail

# Prints `HEADING<tab>LINE` for each line of a block of commands in the section.
told_lines() {
  awk -v section="## $1" '
    !block && /^## / { inside = ($0 == section) }
    !block && /^### / { heading = substr($0, 5) }
    inside && !block && /^```(sh|console)$/ { block = 1; next }
    block && /^```$/ { block = 0; next }
    block { print heading "\t" $0 }
  ' docs/INSTALL.md
}

told_commands() { told_lines "$1" | awk -F '\t' -v heading="$2" '
  $1 == heading { print substr($0, length(heading) + 2); n++ } END { exit n == 0 }'; }

told_headings() { told_lines "$1" | cut -f1 | LC_ALL=C sort -u; }
