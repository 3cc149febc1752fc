#!/usr/bin/env python3
"""A short attack on the golden checkpoint of every family, in both spaces, replayed in transformers from the saved files.

    python tests/golden/attack_and_replay.py --hijack build/release/hijack [--steps 30] [FAMILY/FOLDER ...]
                                              (torch 2.13, transformers 5.23, Pillow, safetensors)

Each line: the folder, the space, the loss of the clean photo and of the saved file (eps 16/255), and how many of the replies that
hijack stored (to the attacked, the clean and the noisy photo) transformers gives to the same files. Exit code 1 where a
loss did not fall or a reply differs.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ["llava/clip_gqa", "llava/gemma2", "llava_next/mistral", "llava_next/hub_vicuna", "llava_onevision/anyres", "idefics3/hub_tiles",
           "qwen2_vl/small", "qwen2_5_vl/small", "qwen2_5_vl/hub_bf16", "qwen3_vl/small", "qwen3_vl/hub_bf16", "internvl/small",
           "internvl/six", "instructblip/small", "paligemma/small", "paligemma/gemma2", "paligemma/hub_gemma2", "gemma3/small",
           "gemma3/hub_bf16", "mistral3/small", "mistral3/hub_bf16"]


def run(command):
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def attack(args, folder, space, out):
    run([args.hijack, "attack", "--model", ROOT / "tests/golden" / folder, "--image", ROOT / args.image, "--contexts", ROOT / args.contexts,
         "--target", "cat", "--max-new-tokens", "8", "--epsilon", "16/255", "--space", space, "--steps", args.steps, "--batch", "4",
         "--train", "4", "--validation", "2", "--test", "3", "--threads", "1", "--out", out])
    return json.loads((out / "trials.jsonl").read_text().splitlines()[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", metavar="FAMILY/FOLDER", default=FOLDERS)
    parser.add_argument("--hijack", default="build/release/hijack")
    parser.add_argument("--steps", default="30")
    parser.add_argument("--image", default="tests/golden/qwen2_vl/images/wide.png")
    parser.add_argument("--contexts", default="samples/contexts/everyday.jsonl")
    args = parser.parse_args()
    wrong = []
    with tempfile.TemporaryDirectory() as where:
        for folder in args.folders:
            for space in ("input", "photo"):
                out = Path(where) / f"{folder.replace('/', '-')}-{space}"
                trial = attack(args, folder, space, out)
                first, best = trial["loss_clean"], trial["loss_saved"]
                replay = subprocess.run([sys.executable, ROOT / "samples/compare_with_transformers.py", "replay", out],
                                        capture_output=True, text=True)
                said = ", ".join(line.removesuffix(" the same in transformers") for line in replay.stdout.strip().splitlines())
                said = said or replay.stderr.strip()[-200:]
                fine = best < first and replay.returncode == 0
                print(f"{'fine ' if fine else 'WRONG'} {folder:24} {space:6} loss {first:.4f} -> {best:.4f}  {said}", flush=True)
                if not fine:
                    wrong.append(folder)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
