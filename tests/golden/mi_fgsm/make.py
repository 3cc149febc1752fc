#!/usr/bin/env python3
"""Writes golden.safetensors: MI-FGSM (Dong et al. 2018, equations 6 and 7) step by step on a toy classifier.

    python tests/golden/mi_fgsm/make.py         (torch 2.13, safetensors)

g <- mu g + J / |J|_1 and x <- clip(x - alpha sign(g)), with the minus of a targeted attack; clip is onto the ball and [0,1].
"""
import pathlib
import sys

import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import toy  # noqa: E402

# name: mu, epsilon, alpha, steps. The first as published: T = 10, alpha = epsilon / T; the second leaves the ball unless clipped.
CASES = {"published": (1.0, 16 / 255, 16 / 255 / 10, 10), "clipped": (0.5, 0.1, 0.04, 12)}


def run(network, origin, label, mu, epsilon, alpha, steps):
    image, momentum, points = origin, torch.zeros_like(origin), []
    for _ in range(steps):
        gradient = network.gradient(image, label)
        momentum = mu * momentum + gradient / gradient.abs().sum((1, 2, 3), keepdim=True)
        image = image - alpha * momentum.sign()
        image = torch.maximum(torch.minimum(image, origin + epsilon), origin - epsilon).clamp(0, 1)
        points.append(image)
    return torch.stack(points)


def main():
    toy.start()
    generator = torch.Generator().manual_seed(11)
    network = toy.Classifier(generator)
    origin = torch.rand((2, *toy.SHAPE), generator=generator)
    label = torch.tensor([0, 3])
    tensors = {"w1": network.w1, "w2": network.w2, "origin": origin, "label": label}
    for name, case in CASES.items():
        points = run(network, origin, label, *case)
        before, after = network.loss(origin, label), network.loss(points[-1], label)
        print(name, before.tolist(), after.tolist())
        assert (after < before).all()
        tensors[name + ".points"] = points
        tensors[name + ".numbers"] = torch.tensor(case[:3])
    save_file(tensors, HERE / "golden.safetensors")


main()
