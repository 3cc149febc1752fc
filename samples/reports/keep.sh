#!/usr/bin/env bash
# Keeps the results of `hijack reproduce NAME --out RUN` in samples/reports/NAME: manifest, rows (replies packed) and
# table. Images and inputs stay behind; `hijack report samples/reports/NAME` makes the page again.
set -euo pipefail
run=$1
name=${2:-$(basename "$run")}
to=$(dirname "$0")/$name
rm -rf "$to"
mkdir -p "$to"
cp "$run"/{manifest.json,trials.jsonl,table.md} "$to"
for more in inside.jsonl probes.jsonl features.jsonl judgments.jsonl; do
  [ ! -e "$run/$more" ] || cp "$run/$more" "$to"
done
[ ! -e "$run/replies.jsonl" ] || gzip -9nc "$run/replies.jsonl" >"$to/replies.jsonl.gz"  # encoders say nothing
du -sh "$to"
