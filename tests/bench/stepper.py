"""One program hijack_step, asked for a step after the other: processor seconds of each, and its peak memory."""
import json
import os
import subprocess


class Stepper:
    def __init__(self, program, model, contexts, *options, preload=None):
        environment = dict(os.environ, OMP_NUM_THREADS="1")
        if preload:
            environment["LD_PRELOAD"] = preload
        self.process = subprocess.Popen([program, model, f"contexts={contexts}", "threads=1", *options], text=True,
                                        env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.seconds, self.peak = [], 0
        self.step()  # warm
        self.seconds.clear()

    def step(self):
        self.process.stdin.write("step\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.process.args[0]} ended with exit code {self.process.wait()}")
        answer = json.loads(line)
        self.seconds.append(answer["cpu_seconds"])
        self.peak = answer["peak_bytes"]

    def close(self):
        self.process.communicate("quit\n")
