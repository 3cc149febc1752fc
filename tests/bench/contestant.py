"""A process that is kept alive and does a step whenever it is told to (step_server.cpp, peer.py): what takes turns in a bench."""
import json
import os
import statistics
import subprocess
from pathlib import Path


class Ended(RuntimeError):
    pass


def first_to_go():
    """Where memory runs out, the system takes it from a peer and not from what else runs here."""
    Path("/proc/self/oom_score_adj").write_text("1000")


class Contestant:
    def __init__(self, command, threads, preload=None):
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
        if preload:
            environment["LD_PRELOAD"] = preload
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=environment, preexec_fn=first_to_go)
        self.steps = []

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            code = self.process.wait()
            raise Ended("ended: more memory than this machine has" if code == -9 else f"ended with exit code {code}")
        return json.loads(line)

    def step(self):
        self.steps.append(self.ask("step"))
        return self.steps[-1]

    def close(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait()


def median(steps, key):
    return statistics.median(step[key] for step in steps)
