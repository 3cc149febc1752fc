#!/usr/bin/env python3
"""Our memory pool beside the heap and beside mimalloc: processor seconds a step and peak memory.

    allocators.py [--program build/release/tests/hijack_step] [--model samples/pocket] [--contexts 8,64] [--steps 12]

The three take turns, so that what else the machine does hits all alike. mimalloc is preloaded (Debian: libmimalloc2.0).
"""
import argparse
import ctypes.util
import statistics

from stepper import Stepper

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
        steppers = {name: Stepper(given.program, given.model, contexts, f"pool={pool}", preload=preload) for name, (pool, preload) in kinds.items()}
        for _ in range(given.steps):
            for stepper in steppers.values():
                stepper.step()
        for name, stepper in steppers.items():
            stepper.close()
            print(f"| {contexts} | {name} | {statistics.median(stepper.seconds):.4f} | {stepper.peak / 2**20:.0f} |")
    if not mimalloc:
        print("\nmimalloc is not installed (apt-get install libmimalloc2.0): left out")


if __name__ == "__main__":
    main()
