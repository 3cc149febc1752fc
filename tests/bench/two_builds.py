#!/usr/bin/env python3
"""A step of two builds of hijack_step in turns, so that what else the machine does hits both alike.

    two_builds.py OLD/tests/hijack_step NEW/tests/hijack_step [--model samples/pocket] [--contexts 1,8,32] [--steps 24]

Processor seconds on one thread: medians, the median of the ratios of the turns, and the ratio of the fastest steps.
"""
import argparse
import statistics

from contestant import Contestant


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--model", default="samples/pocket")
    parser.add_argument("--contexts", default="1,8,32")
    parser.add_argument("--steps", type=int, default=24)
    given = parser.parse_args()
    print("| B | s/step before | s/step | ratio | of the fastest | peak before | peak |\n|---|---|---|---|---|---|---|")
    for contexts in given.contexts.split(","):
        old, new = (Contestant([program, given.model, f"contexts={contexts}", "threads=1"], 1) for program in (given.old, given.new))
        for turn in range(given.steps + 1):  # the first is warming up
            for one in (old, new) if turn % 2 == 0 else (new, old):
                one.step()
        old.close()
        new.close()
        before, after = ([step["cpu_seconds"] for step in one.steps[1:]] for one in (old, new))
        ratio = statistics.median(b / a for a, b in zip(before, after))
        print(f"| {contexts} | {statistics.median(before):.3f} | {statistics.median(after):.3f} | {ratio:.3f} "
              f"| {min(after) / min(before):.3f} | {old.steps[-1]['peak_bytes'] / 1e9:.3f} GB | {new.steps[-1]['peak_bytes'] / 1e9:.3f} GB |",
              flush=True)


if __name__ == "__main__":
    main()
