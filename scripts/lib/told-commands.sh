#!/usr/bin/env bash
# Reads the commands that docs/INSTALL.md tells its reader to run; it is sourced, in the
# repository's root. Blocks ```sh below a heading `### …` are run by a test on the host that they
# are for; those ```console need more than that host: Kubernetes' are run on a cluster, by
# tests/kubernetes/run.sh; compose's by scripts/deb-test.sh and tests/dockerfiles/build.sh, but for
# what needs a registry.
#
#   told_lines SECTION LANGUAGE       `HEADING<tab>LINE` for each line of such blocks of a section
#   told_commands SECTION HEADING [LANGUAGE]   the commands below one heading; default: sh
#   told_headings SECTION             the headings of that section that have commands to run, sorted
set -euo pipefail

told_lines() {
  awk -v section="## $1" -v opening="\`\`\`$2" '
    !block && /^## / { inside = ($0 == section) }
    !block && /^### / { heading = substr($0, 5) }
    inside && !block && $0 == opening { block = 1; next }
    block && /^```$/ { block = 0; next }
    block { print heading "\t" $0 }
  ' docs/INSTALL.md
}

told_commands() { told_lines "$1" "${3:-sh}" | awk -F '\t' -v heading="$2" '
  $1 == heading { print substr($0, length(heading) + 2); n++ } END { exit n == 0 }'; }

told_headings() { told_lines "$1" sh | cut -f1 | LC_ALL=C sort -u; }
