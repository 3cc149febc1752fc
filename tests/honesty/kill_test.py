#!/usr/bin/env python3
"""Kills a grid with evaluation at random moments and resumes it each time; in the end rows, replies and images must
be those of the run that was left alone.

    tests/honesty/kill_test.py build/release/hijack samples --kills 50

The moments are drawn evenly over the time that the undisturbed run took, from a fixed seed.
"""
import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RECIPE = """
title = "A small grid with evaluation"
paper = "none"
departs = "small"

[attack]
image = "images/chelsea.png"
behavior = "string"
train = 6
validation = 3
test = 5
steps = 12
validate_every = 4
checkpoint_every = 2
max_new_tokens = 24
threads = 1

[[grid]]
epsilon = ["8/255", "16/255"]
seed = [0, 1]

[evaluate]
defense = ["perplexity:quantile=0.9", "bit_depth:bits=5"]
adaptive = true
utility = 4
suffix_tokens = 4
suffix_steps = 2
suffix_candidates = 8
suffix_contexts = 2
"""


def start(program, data, recipe, out, resume):
    environment = dict(os.environ, HIJACK_DATA=str(data), OMP_NUM_THREADS="1")
    command = [str(program), "reproduce", str(recipe), "--out", str(out)] + (["--resume"] if resume else [])
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def finish(process, what):
    told = process.communicate()[1]
    if process.returncode != 0:
        sys.exit(f"{what} ended with {process.returncode}: {told}")


def essence(folder):
    """Everything but times, and the image files."""
    lines = {}
    for name in ("trials", "replies"):
        rows = [json.loads(line) for line in (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
        for row in rows:
            for key in ("seconds", "seconds_per_step", "check"):
                row.pop(key, None)
        lines[name] = [json.dumps(row, sort_keys=True) for row in rows]
    images = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted((folder / "images").glob("*.png"))}
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    kept = {key: manifest.get(key) for key in ("plans", "inputs", "calibrations", "stacks", "variants", "text_suffixes")}
    return {**lines, "images": images, "manifest": kept}


def kill_often(begin, most, whole, draw):
    """Kills and resumes until the run is done; the number of kills."""
    for kills in range(most):
        process = begin()
        # starting alone takes a while, and a kill should fall anywhere in the work that is left
        time.sleep(draw.uniform(0, whole / 4 if kills % 2 else 1.5))
        if process.poll() is not None:
            finish(process, f"the run resumed after {kills} kills")
            return kills
        process.send_signal(signal.SIGKILL)
        process.communicate()
    finish(begin(), "the last resumed run")
    return most


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("program", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    program, data = arguments.program.resolve(), arguments.data.resolve()
    draw = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        recipe = work / "small.toml"
        recipe.write_text(RECIPE, encoding="utf-8")
        begin = time.monotonic()
        finish(start(program, data, recipe, work / "whole", False), "the run left alone")
        whole = time.monotonic() - begin
        left = essence(work / "whole")
        kills, runs = 0, 0
        while kills < arguments.kills:  # a run that is done before gives way to the next
            runs += 1
            killed = work / f"killed{runs}"
            kills += kill_often(lambda: start(program, data, recipe, killed, (killed / "manifest.json").exists()),
                                arguments.kills - kills, whole, draw)
            other = essence(killed)
            different = [key for key in left if left[key] != other[key]]
            if different:
                sys.exit(f"after {kills} kills, {', '.join(different)} differ from the run left alone")
        print(f"{kills} kills in {runs} runs of {whole:.0f} s each: {len(left['trials'])} trials, "
              f"{len(left['replies'])} replies and {len(left['images'])} images equal those of the run left alone")


if __name__ == "__main__":
    main()
