#!/usr/bin/env python3
"""Writes golden.safetensors: the Square Attack in the l_inf ball (Andriushchenko et al. 2020, algorithms 1 and 2) on a toy
classifier, with the random draws of the program.

    python tests/golden/square/make.py         (torch 2.13, safetensors)

Starts at vertical stripes of -epsilon and epsilon, one sign per channel and column. At query i of N a square of side
round(sqrt(p h w)), at least 1, gets -2 epsilon or 2 epsilon added, one sign per channel, and is clipped onto the ball and
[0,1]; it is kept where the loss is lower. p halves at 10, 50, 200, 500, 1000, 2000, 4000, 6000 and 8000 of 10000 queries: the
paper's text leaves 500 out, the authors' code has it.
"""
import math
import pathlib
import sys

import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import toy  # noqa: E402

SHAPE = (3, 8, 9)
HALVED = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
CASES = {"wide": (0.8, 0.1, 300, 4), "published": (0.05, 16 / 255, 120, 9)}  # name: p, epsilon, queries, seed


def draws(seed, query):
    return toy.Random(seed).fork("square", query)


def run(network, origin, label, p, epsilon, queries, seed):
    _, _, height, width = origin.shape

    def clip(image):
        return torch.maximum(torch.minimum(image, origin + epsilon), origin - epsilon).clamp(0, 1)

    random = draws(seed, 0)
    stripes = torch.tensor([random.sign() for _ in range(3 * width)]).view(1, 3, 1, width)
    best = clip(origin + epsilon * stripes)
    best_loss = network.loss(best, label)
    losses, kept = [best_loss], 0
    for i in range(1, queries):
        share = p / 2 ** sum(10000 * i / queries > bound for bound in HALVED)
        side = min(max(round(math.sqrt(share * height * width)), 1), height, width)
        random = draws(seed, i)
        top, left = random.between(0, height - side), random.between(0, width - side)
        change = torch.zeros_like(origin)
        for channel in range(3):
            change[:, channel, top : top + side, left : left + side] = 2 * epsilon * random.sign()
        image = clip(best + change)
        loss = network.loss(image, label)
        better = loss < best_loss
        kept += better.sum().item()
        best = torch.where(better.view(-1, 1, 1, 1), image, best)
        best_loss = torch.where(better, loss, best_loss)
        losses.append(loss)
    print(p, "kept", kept, network.loss(origin, label).tolist(), best_loss.tolist())
    assert kept > 10 and (best_loss < network.loss(origin, label)).all()
    return torch.stack(losses), best


def main():
    toy.start()
    generator = torch.Generator().manual_seed(2)
    network = toy.Classifier(generator, SHAPE)
    origin = torch.rand((2, *SHAPE), generator=generator)
    label = torch.tensor([1, 2])
    tensors = {"w1": network.w1, "w2": network.w2, "origin": origin, "label": label}
    for name, case in CASES.items():
        tensors[name + ".losses"], tensors[name + ".best"] = run(network, origin, label, *case)
        tensors[name + ".numbers"] = torch.tensor([float(number) for number in case])
    save_file(tensors, HERE / "golden.safetensors")


main()
