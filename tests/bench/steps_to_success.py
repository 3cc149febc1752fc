#!/usr/bin/env python3
"""How many gradient evaluations an attack takes until 95 % of held-out contexts obey.

    tests/bench/steps_to_success.py --hijack build/release/hijack --rows samples/reports/bench/steps_to_success.jsonl

A gradient evaluation is one context of one step: a step of 8 contexts counts 8, and contexts that only a forward pass is spent on (--hardest-of)
are not counted (seconds show them). Each setting is searched with --validate-every and --stop-at on validation contexts, then judged on the
test contexts of the saved file; what does not get there within --budget evaluations is a miss. One row for each setting and seed is
appended as it is done; settings that have their rows are not searched again. --table prints the table of the rows.
"""
import argparse
import json
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# name, contexts of a step, further flags; the first is the published setting (clipped SGD, one context a step)
SETTINGS = [
    ("sgd, published", 1, ["--preset", "image-hijacks-string"]),
    ("pgd", 1, []), ("pgd", 4, []), ("pgd", 8, []), ("pgd", 32, []),
    ("pgd, step 2/255", 8, ["--step-size", "0.00784"]),
    ("mi", 8, ["--momentum", "1", "--final-step", "1"]),
    ("adam", 8, ["--optimizer", "adam"]),
    ("apgd", 0, ["--optimizer", "apgd"]),
    ("pgd, hardest of 4", 1, ["--hardest-of", "4"]), ("pgd, hardest of 4", 8, ["--hardest-of", "4"]),
]


def measure(args, name, batch, flags, seed):
    out = args.work / f"{name}-{batch}-{seed}".replace(" ", "_").replace("/", "-").replace(",", "")
    shutil.rmtree(out, ignore_errors=True)
    steps = max(1, args.budget // (batch or args.train))
    every = max(1, args.every // (batch or args.train))
    command = [str(args.hijack), "attack", "--image", str(args.image), "--behavior", "string", "--epsilon", args.epsilon, *flags,
               "--batch", str(batch), "--train", str(args.train), "--validation", "20", "--test", "40", "--steps", str(steps),
               "--validate-every", str(every), "--stop-at", "0.95", "--seed", str(seed), "--threads", "1", "--quiet", "--out", str(out)]
    if args.model:
        command += ["--model", args.model]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    trial = json.loads((out / "trials.jsonl").read_text().splitlines()[0])
    test, chosen = trial["success"]["test"], trial["success"]["validation"]
    spent = len(trial["losses"]) * (batch or args.train)  # to the step that the search ended at
    return {"setting": name, "batch": batch, "seed": seed, "evaluations": spent, "seconds": trial["seconds"],
            "test": test["exact"] / test["n"], "reached": chosen["exact"] / chosen["n"] >= 0.95, "epsilon": args.epsilon, "flags": flags, "model": args.model or "pocket"}


def table(rows):
    print("| setting | contexts a step | gradient evaluations (median of seeds) | reached | held-out success | seconds |\n|---|---|---|---|---|---|")
    groups = {}
    for row in rows:
        groups.setdefault((row["setting"], row["batch"]), []).append(row)
    for (name, batch), some in groups.items():
        reached = [row for row in some if row["reached"]]
        middle = f"{statistics.median(row['evaluations'] for row in reached):.0f}" if len(reached) == len(some) else \
            f"more than {max(row['evaluations'] for row in some)}" if not reached else \
            f"{statistics.median(row['evaluations'] for row in reached):.0f} of those that reached it"
        success = " ".join(f"{row['test']:.0%}" for row in some)
        print(f"| {name} | {batch or 'all'} | {middle} | {len(reached)} of {len(some)} | {success} | "
              f"{statistics.median(row['seconds'] for row in some):.0f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hijack", type=Path, default=ROOT / "build/release/hijack")
    parser.add_argument("--rows", type=Path, default=ROOT / "build/bench/steps_to_success.jsonl")
    parser.add_argument("--work", type=Path, default=ROOT / "build/bench/steps_to_success")
    parser.add_argument("--image", type=Path, default=ROOT / "samples/images/chelsea.png")
    parser.add_argument("--model", default="")
    parser.add_argument("--epsilon", default="8/255")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--train", type=int, default=64)
    parser.add_argument("--budget", type=int, default=4800, help="gradient evaluations")
    parser.add_argument("--every", type=int, default=80, help="gradient evaluations between validations")
    parser.add_argument("--table", action="store_true", help="print the table of --rows and stop")
    args = parser.parse_args()
    rows = [json.loads(line) for line in args.rows.read_text().splitlines()] if args.rows.is_file() else []
    if not args.table:
        args.rows.parent.mkdir(parents=True, exist_ok=True)
        for seed in range(args.seeds):
            for name, batch, flags in SETTINGS:
                if any((row["setting"], row["batch"], row["seed"]) == (name, batch, seed) for row in rows):
                    continue
                rows.append(measure(args, name, batch, flags, seed))
                with args.rows.open("a") as file:
                    file.write(json.dumps(rows[-1]) + "\n")
    table(rows)


if __name__ == "__main__":
    main()
