#!/usr/bin/env python3
"""Our memory pool beside the heap and beside mimalloc: processor seconds a step and peak memory.

    allocators.py [--program build/release/tests/hijack_step] [--model samples/pocket] [--contexts 8,64] [--steps 12]

The three take turns, so that what else the machine does hits all alike. mimalloc is preloaded (Debian: libmimalloc2.0).
"""
import argparse
import ctypes.util
import json
import os
import statistics
import subprocess


class Stepper:
    def __init__(self, program, model, contexts, pool, preload):
        environment = dict(os.environ, OMP_NUM_THREADS="1")
        if preload:
            environment["LD_PRELOAD"] = preload
        self.process = subprocess.Popen([program, model, f"contexts={contexts}", "threads=1", f"pool={pool}"], text=True,
                                        env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.seconds, self.peak = [], 0
        self.step()  # warm
        self.seconds.clear()

    def step(self):
        self.process.stdin.write("step\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        self.seconds.append(answer["cpu_seconds"])
        self.peak = answer["peak_bytes"]

    def close(self):
        self.process.communicate("quit\n")


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
        steppers = {name: Stepper(given.program, given.model, contexts, *kind) for name, kind in kinds.items()}
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
