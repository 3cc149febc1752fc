#!/usr/bin/env bash
# Writes the tables of the documents from the rows in samples/reports: between "<!-- table: NAME -->" and "<!-- end -->" goes
# samples/reports/NAME/table.md, which `hijack reproduce NAME` made. Three are summaries, without the counts of single seeds:
# all-defenses of the pocket model's tables that have defenses in them, chat-defenses of baseline-defenses-smollm2, and
# behaviors-by-budget of image-hijacks-smollm2, a row for each behavior; steps-to-success is the bench's of that name. With --check nothing is changed, and a document that shows something else is an error.
set -euo pipefail
cd "$(dirname "$0")/../.."
documents=(README.md samples/reports/README.md tests/README.md)
made=$(mktemp)
summary=$(mktemp)
budgets=$(mktemp)
chat=$(mktemp)
steps=$(mktemp)
trap 'rm -f "$made" "$summary" "$budgets" "$chat" "$steps"' EXIT
python3 tests/bench/steps_to_success.py --table --rows samples/reports/bench/steps_to_success.jsonl >"$steps"

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

# A row for each behavior, a column for each budget; below it what the paper says.
awk -F ' *[|] *' '
  function rate(text) { sub(/, seeds.*/, "", text); return text }
  FNR == 1 {
    for (i = 2; i < NF; ++i) column[$i] = i
    next
  }
  !/^[|]/ || /^[|] ---/ || $column["attack"] == "–" { next }
  {
    split($column["setting"], part, ", ")
    behavior = part[1]
    budget = part[2]
    sub(/ at row.*/, "", budget)
    if (!(behavior in known)) behaviors[++rows] = behavior
    if (!(budget in order)) budgets[order[budget] = ++columns] = budget
    known[behavior] = 1
    measured[behavior, budget] = rate($column["attack"])
    published[behavior, budget] = $column["published"]
  }
  function row(title, cells, behavior,    line, i) {
    line = "| " title " |"
    for (i = 1; i <= count; ++i) line = line " " ((behavior, sorted[i]) in cells && cells[behavior, sorted[i]] != "" ? cells[behavior, sorted[i]] : "–") " |"
    print line
  }
  END {
    count = 0
    split("2 4 8 16 32", eps, " ")
    for (i = 1; i <= 5; ++i) if (("linf " eps[i] "/255") in order) sorted[++count] = "linf " eps[i] "/255"
    for (i = 1; i <= columns; ++i) if (budgets[i] !~ /^linf/) sorted[++count] = budgets[i]
    line = "| behavior |"
    rule = "| --- |"
    for (i = 1; i <= count; ++i) {
      line = line " " sorted[i] " |"
      rule = rule " --- |"
    }
    print line
    print rule
    for (i = 1; i <= rows; ++i) {
      row(behaviors[i], measured, behaviors[i])
      row("*published (LLaVA-13B)*", published, behaviors[i])
    }
  }
' samples/reports/image-hijacks-smollm2/table.md >"$budgets"

# A row for each defense: the suffix against the model alone, the image against the model with an eye.
awk -F ' *[|] *' '
  /^[|] defense/ {
    for (i = 2; i < NF; ++i) column[$i] = i
    print "| defense | suffix (GCG, the model alone) | suffix, adaptive | image, 16/255 | image, adaptive | benign correct | published (Jain et al.) |"
    print "| --- | --- | --- | --- | --- | --- | --- |"
    next
  }
  !("defense" in column) || !/^[|]/ || /^[|] ---/ { next }
  $column["attack"] ~ /gcg/ {
    suffix[$column["defense"]] = $column["suffix, static"] " | " $column["suffix, adaptive"]
    next
  }
  {
    name = $column["defense"]
    printf "| %s | %s | %s | %s | %s | %s |\n", name, suffix[name], $column["image, static"], $column["image, adaptive"],
      $column["benign correct"], $column["published"]
  }
' samples/reports/baseline-defenses-smollm2/table.md >"$chat"

status=0
for document in "${documents[@]}"; do
  awk -v summary="$summary" -v budgets="$budgets" -v chat="$chat" -v steps="$steps" '
    /^<!-- table: [a-z0-9-]+ -->$/ {
      print
      file = "samples/reports/" $3 "/table.md"
      if ($3 == "all-defenses") file = summary
      if ($3 == "behaviors-by-budget") file = budgets
      if ($3 == "chat-defenses") file = chat
      if ($3 == "steps-to-success") file = steps
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
