#!/usr/bin/env python3
"""Writes golden.safetensors: Auto-PGD step by step, from the package torchattacks (a port of the authors' auto-attack).

    python -m pip download --no-deps torchattacks==3.5.1 -d /tmp/ta && python -m zipfile -e /tmp/ta/*.whl /tmp/ta
    PYTHONPATH=/tmp/ta tests/golden/apgd/make.py

The loss is the cross-entropy of a tiny network in float64, which the reference maximizes. For every case: each point at
which the network was evaluated, its loss, and the step size that led to the next point, read from the reference's frame.
"""
import importlib.util
import pathlib
import sys
import types

import torch
from safetensors.torch import save_file

# The packages without what their __init__ files import (torchvision, scipy): APGD needs neither.
folder = pathlib.Path(importlib.util.find_spec("torchattacks").origin).parent
for name, path in (("torchattacks", folder), ("torchattacks.attacks", folder / "attacks")):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [str(path)]
from torchattacks.attacks.apgd import APGD  # noqa: E402

SHAPE = (3, 6, 6)
CASES = {  # name: norm, eps, steps, images, lowest and highest pixel
    "linf": ("Linf", 0.125, 40, 3, 0.0, 1.0),
    "linf_long": ("Linf", 0.0625, 100, 1, 0.0, 1.0),
    "l2": ("L2", 1.0, 30, 3, 0.4, 0.6),  # far from 0 and 1: the reference clamps after scaling, which is not the projection
}


class Network(torch.nn.Module):
    def __init__(self, w1, w2):
        super().__init__()
        self.w1, self.w2 = w1, w2
        self.record = []

    def forward(self, image):
        logits = torch.tanh(image.flatten(1) @ self.w1) @ self.w2
        frame = sys._getframe()
        while frame and frame.f_code.co_name != "attack_single_run":
            frame = frame.f_back
        step = frame.f_locals.get("step_size")
        self.record.append((image.detach().clone(), logits.detach(), None if step is None else step.detach().double().clone()))
        return logits


def run(network, generator, norm, eps, steps, images, low, high):
    origin = low + (high - low) * torch.rand((images, *SHAPE), generator=generator, dtype=torch.float64)
    label = torch.arange(images) % 4
    network.record = []
    attack = APGD(network, norm=norm, eps=eps, steps=steps, seed=0)
    torch.manual_seed(1)
    best, _, best_loss, _ = attack.attack_single_run(origin, label)
    points = torch.stack([entry[0] for entry in network.record])
    losses = torch.stack([torch.nn.functional.cross_entropy(entry[1], label, reduction="none") for entry in network.record])
    step_sizes = torch.stack([entry[2].flatten() for entry in network.record[1:]])
    # The reference compares the first loss with 0 instead of the start's: the same only where the first step improves.
    assert (losses[1] > losses[0]).all()
    # Where losses hardly differ, rounding would decide whether they fell; the L2 reference must not have clamped.
    print(norm, "smallest change of a loss", (losses[1:] - losses[:-1]).abs().min().item())
    assert (losses[1:] - losses[:-1]).abs().min() > 1e-10
    assert norm == "Linf" or (points.min() > 0 and points.max() < 1)
    assert points.shape[0] == steps + 1 and (best_loss >= losses.max(0)[0]).all()
    restarts = (step_sizes[1:] < step_sizes[:-1]).sum(0)
    print(norm, "halved", restarts.tolist(), "last step", step_sizes[-1].tolist(), "loss", losses[0].tolist(), best_loss.tolist())
    assert (restarts > 1).all()
    return {"origin": origin, "label": label, "points": points, "losses": losses, "step_sizes": step_sizes, "best": best,
            "eps": torch.tensor([eps], dtype=torch.float64)}


def main():
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)  # the reference keeps losses and step sizes in the default type
    generator = torch.Generator().manual_seed(3)
    values = SHAPE[0] * SHAPE[1] * SHAPE[2]
    w1 = torch.randn((values, 16), generator=generator, dtype=torch.float64) * 0.6
    w2 = torch.randn((16, 4), generator=generator, dtype=torch.float64)
    network = Network(w1, w2)
    tensors = {"w1": w1, "w2": w2}
    for name, case in CASES.items():
        for key, value in run(network, generator, *case).items():
            tensors[f"{name}.{key}"] = value.contiguous()
    save_file(tensors, pathlib.Path(__file__).parent / "golden.safetensors")


main()
