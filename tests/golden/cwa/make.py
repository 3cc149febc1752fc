#!/usr/bin/env python3
"""Writes golden.safetensors: MI-CWA (Chen et al. 2023, Rethinking Model Ensemble in Transfer-based Adversarial Attacks)
step by step on an ensemble of toy classifiers.

    python tests/golden/cwa/make.py         (torch 2.13, safetensors)

One cycle, for a loss that is lowered (clip: onto the ball and [0,1]):
    y <- clip(x + r sign(gradient of the ensemble's loss at x))                              SAM
    for each model i: m <- mu m + g_i / |g_i|_2;  y <- clip(y - beta m)                      CSE, m lasts over the cycles
    M <- mu M + (y - x) / |y - x|_1;  x <- clip(x + alpha sign(M))                           M lasts over the cycles
The ensemble's loss is the mean of the models' losses, as in the program; the authors average the logits.
"""
import math
import pathlib
import sys

import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import toy  # noqa: E402

VALUES = math.prod(toy.SHAPE)
EPSILON = 16 / 255
# name: mu, epsilon, alpha, r, beta, cycles. The first as published, beta in proportion to the values (the authors' code has 250
# for 224 x 224 pixels); in the second little is clipped.
CASES = {
    "published": (1.0, EPSILON, EPSILON / 5, EPSILON / 15, 250 * math.sqrt(VALUES / (3 * 224 * 224)), 10),
    "small": (0.9, 0.2, 0.02, 0.02 / 3, 0.01 * math.sqrt(VALUES), 10),
}


def norm(x, p):
    return x.flatten(1).norm(p, 1).view(-1, 1, 1, 1)


def run(networks, origin, label, mu, epsilon, alpha, r, beta, cycles):
    def clip(image):
        return torch.maximum(torch.minimum(image, origin + epsilon), origin - epsilon).clamp(0, 1)

    x, points = origin, []
    inner, outer = torch.zeros_like(x), torch.zeros_like(x)
    for _ in range(cycles):
        mean = sum(network.gradient(x, label) for network in networks) / len(networks)
        y = clip(x + r * mean.sign())
        for network in networks:
            gradient = network.gradient(y, label)
            inner = mu * inner + gradient / norm(gradient, 2)
            y = clip(y - beta * inner)
        way = y - x
        outer = mu * outer + way / norm(way, 1)
        x = clip(x + alpha * outer.sign())
        points.append(x)
    return torch.stack(points)


def main():
    toy.start()
    generator = torch.Generator().manual_seed(5)
    networks = [toy.Classifier(generator) for _ in range(3)]
    origin = torch.rand((2, *toy.SHAPE), generator=generator)
    label = torch.tensor([0, 2])
    tensors = {"origin": origin, "label": label}
    for i, network in enumerate(networks):
        tensors |= {f"w1.{i}": network.w1, f"w2.{i}": network.w2}
    for name, case in CASES.items():
        points = run(networks, origin, label, *case)
        for network in networks:
            before, after = network.loss(origin, label), network.loss(points[-1], label)
            print(name, before.tolist(), after.tolist())
            assert (after < before).all()
        tensors[name + ".points"] = points
        tensors[name + ".numbers"] = torch.tensor(case[:5])
    save_file(tensors, HERE / "golden.safetensors")


main()
