#!/usr/bin/env python3
"""Our memory pool beside the heap and beside mimalloc: processor seconds a step and peak memory.

    allocators.py [--program build/release/tests/hijack_step] [--model samples/pocket] [--contexts 8,64] [--steps 12]

The three take turns, so that what else the machine does hits all alike. mimalloc is preloaded (Debian: libmimalloc2.0).
"""
import argparse
import ctypes.util

from contestant import Contestant, median


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/release/tests/hijack_step")
    parser.add_argument("--model", default="samples/pocket")
    parser.add_argument("--contexts", default="8,64")
    parser.add_argument("--steps", type=int, default=12)
    given = parser.parse_args()
    mimalloc = ctypes.util.find_library("mimalloc")
    kinds = {"pool": ("on", None), "heap (glibc)": ("off", None)}
    if mimalloc:
        kinds["mimalloc"] = ("off", mimalloc)
    print("| contexts | allocator | processor s/step | peak MiB |\n|---|---|---|---|")
    for contexts in given.contexts.split(","):
        contestants = {name: Contestant([given.program, given.model, f"contexts={contexts}", "threads=1", f"pool={pool}"], 1, preload)
                       for name, (pool, preload) in kinds.items()}
        for _ in range(given.steps + 1):  # the first is warming up
            for contestant in contestants.values():
                contestant.step()
        for name, contestant in contestants.items():
            contestant.close()
            steps = contestant.steps[1:]
            print(f"| {contexts} | {name} | {median(steps, 'cpu_seconds'):.4f} | {steps[-1]['peak_bytes'] / 2**20:.0f} |")
    if not mimalloc:
        print("\nmimalloc is not installed (apt-get install libmimalloc2.0): left out")


if __name__ == "__main__":
    main()
