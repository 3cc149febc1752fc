#!/usr/bin/env python3
"""How seconds and memory of one step grow with the number of contexts, target, prompt and system prompt length,
image tokens and the number of images.

    python tests/bench/growth.py [--model pocket] [--threads 1] [--steps 3] [--rows FILE] [--sweep contexts,target]
                                 [--set contexts=1]

Each row of the file holds a setting, median processor seconds per step and thread, peak memory while stepping, the
multiply-adds that the step needs at least, and the rate of a large matrix product measured beside it. growth_plot draws
the rows.
"""
import argparse
import json
import os
import tempfile
from pathlib import Path

from safetensors.torch import load_file

from contestant import Contestant, median
from side_by_side import ROOT, image_tokens_of, multiply_adds

# The pictures with so many views: the whole alone, and the whole with 1, 2 and 4 tiles of 384.
PICTURES = {1: {"views": 1}, 2: {"views": 0}, 3: {"views": 0, "width": 768},
            5: {"views": 0, "width": 768, "height": 768}}
SWEEPS = {
    "contexts": [1, 2, 4, 8, 16, 32, 64],
    "target": [4, 8, 16, 32, 64, 128],
    "prompt": [16, 32, 64, 128],
    "system": [1, 16, 32, 64, 128],  # words before the image
    "images": [1, 2, 4, 8],  # photos of a universal attack
    "views": list(PICTURES),  # image tokens, of a model whose image has several views (onevision-0.5b)
}
USUAL = {"contexts": 8, "target": 16, "prompt": 32, "system": 0, "images": 1, "views": 0}


def first_image_token(folder, ids):
    config = json.loads((folder / "config.json").read_text())
    return int((ids[0] == config.get("image_token_id", config.get("image_token_index"))).nonzero()[0])


def measure(args, folder, setting):
    command = [str(args.server), str(folder), f"threads={args.threads}",
               *(f"{name}={value}" for name, value in setting.items())]
    contestant = Contestant(command, args.threads)
    with tempfile.TemporaryDirectory() as work:
        inputs = Path(work) / "inputs.safetensors"
        contestant.ask(f"inputs {inputs}")
        tensors = load_file(inputs)
    tokens, prefix = image_tokens_of(folder, tensors["input_ids"])
    before = first_image_token(folder, tensors["input_ids"])  # their keys and values are computed once for the run
    shared = int((tensors["input_ids"] == tensors["input_ids"][0]).all(0).int().cumprod(0).sum())
    prefix = max(prefix, min(shared, tensors["input_ids"].shape[1] - 1))
    suffix = tensors["input_ids"].shape[1] + setting["target"] - 1 - prefix
    contestant.step()
    contestant.steps.clear()
    rates = []
    for _ in range(args.steps):
        contestant.step()
        rates.append(contestant.ask("rate"))
    contestant.close()
    return {"model": folder.name, **setting, "threads": args.threads, "image_tokens": tokens,
            "prefix_tokens": prefix, "suffix_tokens": suffix,
            "seconds": median(contestant.steps, "cpu_seconds") / args.threads,
            "peak_bytes": contestant.steps[-1]["peak_bytes"],
            "multiply_adds": setting["images"] * multiply_adds(
                folder, tensors["pixel_values"].shape[0], tokens, prefix - before, suffix, setting["target"],
                setting["contexts"]),
            "multiply_adds_per_second": median(rates, "multiply_adds_per_cpu_second")}


def step_of(sweep, value):
    return PICTURES[value] if sweep == "views" else {sweep: value}


def setting_of(text):
    name, value = text.split("=")
    if name not in USUAL:
        raise argparse.ArgumentTypeError(f"{name} is none of {', '.join(USUAL)}")
    return name, int(value)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="pocket")
    parser.add_argument("--sweep", type=lambda text: text.split(","), default=["contexts", "target", "prompt"])
    parser.add_argument("--set", type=setting_of, action="append", default=[], metavar="NAME=NUMBER",
                        help="what a sweep of something else holds fixed")
    parser.add_argument("--most", type=int, default=1 << 30, help="leave out larger values")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--checkpoints", type=Path, default=ROOT / "build/bench")
    parser.add_argument("--server", type=Path, default=ROOT / "build/release/tests/hijack_step")
    parser.add_argument("--rows", type=Path, default=ROOT / "samples/reports/bench/growth.jsonl")
    args = parser.parse_args()
    args.threads = args.threads or os.cpu_count()
    folder = ROOT / "samples/pocket" if args.model == "pocket" else args.checkpoints / args.model
    args.rows.parent.mkdir(parents=True, exist_ok=True)
    for sweep in args.sweep:
        for value in SWEEPS[sweep]:
            if value > args.most:
                continue
            row = {"sweep": sweep, **measure(args, folder, {**USUAL, **dict(args.set), **step_of(sweep, value)})}
            print(f"{sweep} {value}: {row['seconds']:.3f} s, {row['peak_bytes'] / 1e9:.2f} GB", flush=True)
            with open(args.rows, "a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
