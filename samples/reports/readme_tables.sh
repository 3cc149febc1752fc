#!/usr/bin/env bash
# Puts the tables of samples/reports/NAME/table.md into README.md, between the lines "<!-- table: NAME -->" and
# "<!-- end -->". With --check it changes nothing and fails when the README shows something else.
set -euo pipefail
cd "$(dirname "$0")/../.."
made=$(mktemp)
trap 'rm -f "$made"' EXIT

awk '
  /^<!-- table: [a-z0-9-]+ -->$/ {
    print
    file = "samples/reports/" $3 "/table.md"
    while ((status = (getline line < file)) > 0) print line
    if (status < 0) { print "cannot read " file > "/dev/stderr"; exit 1 }
    close(file)
    inside = 1
    next
  }
  /^<!-- end -->$/ { inside = 0 }
  !inside { print }
' README.md >"$made"

if [ "${1:-}" = --check ]; then
  diff -u README.md "$made"
else
  cat "$made" >README.md
fi
