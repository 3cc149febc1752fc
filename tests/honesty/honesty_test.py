#!/usr/bin/env python3
"""Plants lies in finished runs: each must be named and refused (exit code 2), or flagged in the report.

    tests/honesty/honesty_test.py build/release/hijack samples

A small run with an evaluation is made once; every lie is planted in a copy of it.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAM, DATA = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
SMALL = ["--behavior", "string", "--epsilon", "8/255", "--steps", "3", "--train", "4", "--validation", "2",
         "--test", "4", "--max-new-tokens", "24", "--threads", "1"]
EVALUATE = ["--defense", "perplexity:quantile=0.9", "--utility", "4", "--suffix-steps", "0", "--suffix-tokens", "4"]
failures = []


def hijack(*arguments, cwd):
    environment = dict(os.environ, HIJACK_DATA=str(DATA), OMP_NUM_THREADS="1")
    return subprocess.run([str(PROGRAM), *map(str, arguments)], cwd=cwd, env=environment, text=True,
                          capture_output=True, check=False)


def must_work(result, what):
    if result.returncode != 0:
        sys.exit(f"{what} failed with {result.returncode}:\n{result.stdout}{result.stderr}")


def check(name, holds, shown):
    print(("ok      " if holds else "FAILED  ") + name, flush=True)
    if not holds:
        failures.append(name)
        print("    " + shown.strip().replace("\n", "\n    "), flush=True)


def refused(name, result, *words):
    told = result.stdout + result.stderr
    check(name, result.returncode == 2 and all(word in told for word in words),
          f"exit code {result.returncode}, wanted 2 and the words {words}\n{told}")


def flagged(name, folders, flag, cwd):
    page = cwd / "flagged.html"
    result = hijack("report", *folders, "-o", page, cwd=cwd)
    found = result.returncode == 0 and flag in page.read_text(encoding="utf-8")
    check(name, found, f"exit code {result.returncode}, wanted the flag '{flag}'\n{result.stdout}{result.stderr}")


def rows(file):
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def change_line(file, index, change):
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    row = json.loads(lines[index])
    change(row)
    lines[index] = json.dumps(row, ensure_ascii=False, separators=(",", ":"), sort_keys=True) + "\n"
    file.write_text("".join(lines), encoding="utf-8")


def change_manifest(run, change):
    file = run / "manifest.json"
    manifest = json.loads(file.read_text(encoding="utf-8"))
    change(manifest)
    file.write_text(json.dumps(manifest), encoding="utf-8")


def flip_last_byte(file):
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)


class Lies:
    """The honest run in `work`/honest, and copies of it."""

    def __init__(self, work):
        self.work = work
        self.count = 0
        shutil.copytree(DATA / "pocket", work / "models" / "pocket")
        shutil.copy(DATA / "images" / "chelsea.png", work / "cat.png")
        must_work(hijack("attack", "--image", "cat.png", "--model", "models/pocket", *SMALL, "--seed", "0,1", "--out",
                         "honest", cwd=work), "the attack")
        must_work(hijack("evaluate", "honest", *EVALUATE, cwd=work), "the evaluation")
        self.id = rows(work / "honest" / "trials.jsonl")[0]["id"]

    def copy(self):
        self.count += 1
        run = self.work / f"copy{self.count}"
        shutil.copytree(self.work / "honest", run)
        return run

    def evaluate(self, run, *more, cwd=None):
        return hijack("evaluate", run, *EVALUATE, *more, cwd=cwd or self.work)

    def report(self, *folders):
        return hijack("report", *folders, "-o", self.work / "report.html", cwd=self.work)

    def inputs(self):
        run = self.copy()
        photo = next((run / "inputs").glob("*cat.png"))
        shutil.copy(DATA / "images" / "coffee.png", photo)
        refused("the photo was replaced", self.evaluate(run), photo.name)
        run = self.copy()
        next((run / "inputs").glob("*.jsonl")).unlink()
        refused("the contexts are missing", self.evaluate(run), ".jsonl", "missing")

    def weights(self):
        run = self.copy()
        weights = self.work / "models" / "pocket" / "model.safetensors"
        honest = weights.read_bytes()
        flip_last_byte(weights)
        refused("the weights were changed", self.evaluate(run), "model.safetensors")
        weights.write_bytes(honest)
        (self.work / "models" / "pocket").rename(self.work / "models" / "moved")
        refused("the model is missing", self.evaluate(run), "--model")
        result = self.evaluate(run, "--model", self.work / "models" / "moved")
        check("a model that was moved is found by --model", result.returncode == 0, result.stdout + result.stderr)
        refused("--model names another model", self.evaluate(run, "--model", DATA / "pocket-2"), "pocket-2")
        (self.work / "models" / "moved").rename(self.work / "models" / "pocket")

    def images(self):
        run = self.copy()
        saved = run / "images" / f"{self.id}.png"
        shutil.copy(run / "images" / f"{self.id}.noise.png", saved)
        refused("the adversarial image was replaced, evaluate", self.evaluate(run), saved.name)
        refused("the adversarial image was replaced, report", self.report(run), saved.name)
        run = self.copy()
        shutil.copy(DATA / "images" / "coffee.png", run / "images" / f"{self.id}.png")
        refused("an adversarial image of another size", self.evaluate(run), f"{self.id}.png")

    def changed_rows(self):
        def succeed(row):
            row["success"]["test"]["exact"] = row["success"]["test"]["n"]

        def obey(row):
            row["exact"] = not row["exact"]

        run = self.copy()
        change_line(run / "trials.jsonl", 0, succeed)
        refused("a trial's row was changed", self.report(run), "trials.jsonl:1")
        run = self.copy()
        change_line(run / "replies.jsonl", 5, obey)
        refused("a reply's row was changed", self.report(run), "replies.jsonl:6")
        refused("a reply's row was changed, evaluate", self.evaluate(run), "replies.jsonl:6")
        run = self.copy()
        lines = (run / "replies.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
        gone = next(i for i, line in enumerate(lines) if json.loads(line)["split"] == "test")
        (run / "replies.jsonl").write_text("".join(lines[:gone] + lines[gone + 1:]), encoding="utf-8")
        flagged("a reply's row was deleted", [run], "row does not match its replies", self.work)

    def manifests(self):
        def raise_threshold(manifest):
            manifest["calibrations"][0]["threshold"] += 1

        def fewer_steps(manifest):
            manifest["plans"][0]["config"]["steps"] = 2

        run = self.copy()
        change_manifest(run, raise_threshold)
        refused("the calibration was changed, evaluate", self.evaluate(run), "perplexity", "threshold")
        flagged("the calibration was changed, report", [run], "calibration differs", self.work)
        run = self.copy()
        change_manifest(run, fewer_steps)
        refused("the settings were changed", self.evaluate(run), "settings")

    def counted_twice(self):
        refused("a seed is given twice",
                hijack("attack", "--image", "cat.png", *SMALL, "--seed", "0,0", "--out", "twice", cwd=self.work), "same")
        check("nothing is left of it", not (self.work / "twice").exists(), "the folder 'twice' exists")
        flagged("a run is given twice", [self.work / "honest", self.copy()], "counted twice", self.work)

    def honest_things(self):
        """What must still work, and must not be told as a lie."""
        elsewhere = self.work / "elsewhere"
        elsewhere.mkdir()
        run = elsewhere / "renamed"
        shutil.copytree(self.work / "honest", run)
        before = len(rows(run / "replies.jsonl"))
        result = self.evaluate("renamed", cwd=elsewhere)
        check("a moved run is evaluated from another directory", result.returncode == 0, result.stdout + result.stderr)
        check("what was asked is not asked again", len(rows(run / "replies.jsonl")) == before, "there are new rows")
        other = hijack("evaluate", run, "--defense", "perplexity:quantile=0.8", *EVALUATE[2:], cwd=elsewhere)
        check("another calibration asks again",
              other.returncode == 0 and len(rows(run / "replies.jsonl")) > before, other.stdout + other.stderr)
        result = hijack("attack", "--resume", "--out", run, cwd=elsewhere)
        check("a moved run is resumed", result.returncode == 0, result.stdout + result.stderr)
        page = elsewhere / "page.html"
        must_work(hijack("report", run, "-o", page, cwd=elsewhere), "the report")
        text = page.read_text(encoding="utf-8")
        for flag in ("row does not match its replies", "calibration differs", "counted twice", "budget violated"):
            check(f"the honest run is not flagged '{flag}'", flag not in text, "it is")


def main():
    with tempfile.TemporaryDirectory() as folder:
        lies = Lies(Path(folder))
        for plant in (lies.inputs, lies.weights, lies.images, lies.changed_rows, lies.manifests, lies.counted_twice,
                      lies.honest_things):
            plant()
    print(f"{len(failures)} failed" if failures else "all lies were caught")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
