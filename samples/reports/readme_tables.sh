#!/usr/bin/env bash
# Writes the tables of the documents from the rows in samples/reports: between "<!-- table: NAME -->" and "<!-- end -->" goes
# samples/reports/NAME/table.md, which `hijack reproduce NAME` made. NAME all-defenses is a summary of all tables that have
# defenses in them: their cells, without the counts of single seeds. With --check nothing is changed, and a document that
# shows something else is an error.
set -euo pipefail
cd "$(dirname "$0")/../.."
documents=(README.md samples/reports/README.md tests/README.md)
made=$(mktemp)
summary=$(mktemp)
trap 'rm -f "$made" "$summary"' EXIT

# One row for each defense. Where no suffix was searched (it does nothing even without a defense), its cells are dashes.
awk -F ' *[|] *' '
  function rate(text) { sub(/, seeds.*/, "", text); return text }
  BEGIN {
    print "| defense | image, static | image, adaptive | suffix, static | suffix, adaptive | benign correct |"
    print "| --- | --- | --- | --- | --- | --- |"
  }
  FNR == 1 {
    delete column
    for (i = 2; i < NF; ++i) column[$i] = i
    next
  }
  !/^[|]/ || /^[|] ---/ { next }
  {
    name = $column["defense"]
    if (name == "none") {
      searched = $column["suffix, static"] !~ /^0%/
      split(FILENAME, path, "/")
      name = "**none** (" path[3] ")"
    }
    former = former || name ~ /^mask/
    printf "| %s | %s | %s | %s | %s | %s |\n", name, rate($column["image, static"]), rate($column["image, adaptive"]),
      searched ? rate($column["suffix, static"]) : "–", searched ? rate($column["suffix, adaptive"]) : "–",
      $column["benign correct"]
  }
  END { if (former) print "\nThese rows were made when `smoothvlm` was called `mask_vote`." }
' samples/reports/{baseline-defenses,image-transforms,image-detectors}/table.md >"$summary"

status=0
for document in "${documents[@]}"; do
  awk -v summary="$summary" '
    /^<!-- table: [a-z0-9-]+ -->$/ {
      print
      file = $3 == "all-defenses" ? summary : "samples/reports/" $3 "/table.md"
      while ((status = (getline line < file)) > 0) print line
      if (status < 0) { print "cannot read " file > "/dev/stderr"; exit 1 }
      close(file)
      inside = 1
      next
    }
    /^<!-- end -->$/ { inside = 0 }
    !inside { print }
    END { if (inside) { print "a table without <!-- end -->" > "/dev/stderr"; exit 1 } }
  ' "$document" >"$made"
  if [ "${1:-}" = --check ]; then
    diff -u "$document" "$made" || status=1
  else
    cat "$made" >"$document"
  fi
done
exit "$status"
