#!/usr/bin/env python3
"""Writes golden.safetensors: CroPA (Luo et al. 2024, algorithm 1) step by step on a toy model of text and image.

    python tests/golden/cropa/make.py         (torch 2.13, safetensors)

At each step one backward pass gives the gradients of the loss L(x, E + d) to the image x and to the changes d of the prompts'
embeddings; x <- clip(x - alpha_1 sign(g_x)), and every N steps d <- clip(d + alpha_2 sign(g_d)). As in the program all prompts
take part in a step, and alpha_2 and the bound of d are multiples of the root mean square of a prompt's embeddings; l2: g_d and
the bound are of the l2 norms of tokens.
"""
import math
import pathlib
import sys

import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import toy  # noqa: E402

PROMPTS = [[15, 16, 17, 20], [23, 24], [9, 17, 18, 14, 32]]
TARGET = [28, 9]
EPSILON, ALPHA = 0.2, 0.02
CASES = {"linf": (0.3, 0.1, 1, 10), "every": (1.0, 0.25, 3, 12), "l2": (0.3, 0.1, 1, 10)}  # radius, step, N, steps


def ascended(change, gradient, embeddings, radius, step, l2):
    size = embeddings.square().mean().sqrt()
    if not l2:
        return (change + step * size * gradient.sign()).clamp(-radius * size, radius * size)
    width = math.sqrt(change.shape[1])
    change = change + step * size * width * gradient / gradient.norm(dim=1, keepdim=True)
    return change * (radius * size * width / change.norm(dim=1, keepdim=True)).clamp_max(1)


def run(model, origin, radius, step, every, steps, l2):
    prompts = [model.e[ids] for ids in PROMPTS]
    changes = [torch.zeros_like(prompt) for prompt in prompts]
    image, points, losses = origin, [], []
    for k in range(steps):
        leaves = [image.clone().requires_grad_(True)] + [change.clone().requires_grad_(True) for change in changes]
        loss = sum(model.loss(leaves[0], prompt + leaf, TARGET) for prompt, leaf in zip(prompts, leaves[1:])) / len(prompts)
        gradients = torch.autograd.grad(loss, leaves)
        losses.append(loss.detach())
        image = image - ALPHA * gradients[0].sign()
        image = torch.maximum(torch.minimum(image, origin + EPSILON), origin - EPSILON).clamp(0, 1)
        points.append(image)
        if (k + 1) % every == 0:
            changes = [ascended(*three, radius, step, l2) for three in zip(changes, gradients[1:], prompts)]
    return torch.stack(points), torch.stack(losses), changes


def main():
    toy.start()
    generator = torch.Generator().manual_seed(6)
    model = toy.TextAndImage(generator)
    origin = torch.rand((1, *toy.SHAPE), generator=generator)
    tensors = model.tensors() | {"origin": origin, "target": torch.tensor(TARGET)}
    for i, ids in enumerate(PROMPTS):
        tensors[f"prompt.{i}"] = torch.tensor(ids)
    for name, case in CASES.items():
        points, losses, changes = run(model, origin, *case, name == "l2")
        print(name, losses.tolist())
        tensors |= {name + ".points": points, name + ".losses": losses, name + ".numbers": torch.tensor([float(n) for n in case])}
        tensors |= {f"{name}.change.{i}": change for i, change in enumerate(changes)}
    save_file({key: value.contiguous() for key, value in tensors.items()}, HERE / "golden.safetensors")


main()
