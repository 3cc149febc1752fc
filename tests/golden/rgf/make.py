#!/usr/bin/env python3
"""Writes golden.safetensors: random gradient-free steps (Nesterov and Spokoiny 2017; the query attack of AttackVLM, Zhao et al.
2023) on a toy classifier, with the random draws of the program.

    python tests/golden/rgf/make.py         (torch 2.13, safetensors)

g = 1/q sum_j (L(x + s u_j) - L(x)) / s * u_j, u_j of normal numbers; then x <- clip(x - alpha sign(g)).
"""
import pathlib
import sys

import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import toy  # noqa: E402

QUERIES, SMOOTHING, EPSILON, ALPHA, STEPS, SEED = 5, 0.01, 0.1, 0.01, 15, 8


def main():
    toy.start()
    generator = torch.Generator().manual_seed(7)
    network = toy.Classifier(generator)
    origin = torch.rand((2, *toy.SHAPE), generator=generator)
    label = torch.tensor([0, 3])
    image, points, gradients = origin, [], []
    for step in range(STEPS):
        random = toy.Random(SEED).fork("query directions", step)
        here = network.loss(image, label)
        gradient = torch.zeros_like(image)
        for _ in range(QUERIES):
            u = random.normal_tensor(image.shape)
            slope = (network.loss(image + SMOOTHING * u, label) - here) / SMOOTHING
            gradient = gradient + slope.view(-1, 1, 1, 1) * u / QUERIES
        image = image - ALPHA * gradient.sign()
        image = torch.maximum(torch.minimum(image, origin + EPSILON), origin - EPSILON).clamp(0, 1)
        gradients.append(gradient)
        points.append(image)
    print(network.loss(origin, label).tolist(), network.loss(image, label).tolist())
    assert (network.loss(image, label) < network.loss(origin, label)).all()
    save_file({"w1": network.w1, "w2": network.w2, "origin": origin, "label": label, "points": torch.stack(points),
               "gradients": torch.stack(gradients),
               "numbers": torch.tensor([float(n) for n in (QUERIES, SMOOTHING, EPSILON, ALPHA, SEED)])},
              HERE / "golden.safetensors")


main()
