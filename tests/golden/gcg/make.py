#!/usr/bin/env python3
"""Writes golden.safetensors: greedy coordinate gradient (Zou et al. 2023, algorithm 1) step by step on a toy model of text and
image, with the random draws of the program.

    python tests/golden/gcg/make.py         (torch 2.13, safetensors)

For every place i of the suffix X_i = the k tokens with the largest -dL/d(one-hot of x_i); B candidates, each with the token of a
uniformly drawn place exchanged for a uniformly drawn one of its X_i; the best of them, better than before or not, is the next
suffix. L is the mean over the contexts of the target's mean cross-entropy. Words never merge here: every candidate survives.
"""
import pathlib
import sys

import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import toy  # noqa: E402

PROMPTS = [[15, 16, 17, 20], [23, 24, 9]]
TARGET = [9, 28, 11]
POOL = list(range(3, toy.TextAndImage.WORDS))  # the tokens that are not special
TOKENS, STEPS, CANDIDATES, TOP_K, SEED = 5, 20, 8, 6, 3


def main():
    toy.start()
    generator = torch.Generator().manual_seed(1)
    model = toy.TextAndImage(generator)
    image = torch.rand((1, *toy.SHAPE), generator=generator)

    def loss_of(one_hot):  # [n,V]
        return sum(model.loss(image, torch.cat([model.e[ids], one_hot @ model.e]), TARGET) for ids in PROMPTS) / len(PROMPTS)

    def one_hot(ids):
        return torch.nn.functional.one_hot(torch.tensor(ids), toy.TextAndImage.WORDS).double()

    random = toy.Random(SEED).fork("gibberish suffix")
    suffix = [POOL[random.below(len(POOL))] for _ in range(TOKENS)]
    suffixes, losses = [suffix], [loss_of(one_hot(suffix)).item()]
    for _ in range(STEPS):
        leaf = one_hot(suffix).requires_grad_(True)
        gradient = torch.autograd.grad(loss_of(leaf), leaf)[0][:, POOL]
        swaps = [[POOL[j] for j in row] for row in gradient.sort(1).indices[:, :TOP_K].tolist()]
        candidates = []
        while len(candidates) < CANDIDATES:
            place = random.below(TOKENS)
            token = swaps[place][random.below(TOP_K)]
            if token != suffix[place]:  # else drawn again: not a swap
                candidates.append(suffix[:place] + [token] + suffix[place + 1 :])
        measured = [loss_of(one_hot(candidate)).item() for candidate in candidates]
        best = min(range(CANDIDATES), key=measured.__getitem__)
        suffix = candidates[best]
        suffixes.append(suffix)
        losses.append(measured[best])
    print(losses)
    assert min(losses) < losses[0] and any(after > before for before, after in zip(losses, losses[1:]))
    tensors = model.tensors() | {"image": image, "target": torch.tensor(TARGET), "suffixes": torch.tensor(suffixes),
                                 "losses": torch.tensor(losses),
                                 "numbers": torch.tensor([TOKENS, STEPS, CANDIDATES, TOP_K, SEED])}
    for i, ids in enumerate(PROMPTS):
        tensors[f"prompt.{i}"] = torch.tensor(ids)
    save_file(tensors, HERE / "golden.safetensors")


main()
