#!/usr/bin/env python3
"""What a step of training a sparse autoencoder minimizes, and its gradients, from the formulas of the papers in float64:
Gao et al. 2024 (TopK, auxiliary loss), Bussmann et al. 2024 (BatchTopK), Bricken et al. 2023 (ReLU with L1) and Rajamanoharan
et al. 2024 (JumpReLU, whose pseudo-code's two autograd functions stand here)."""
from pathlib import Path

import torch
from safetensors.torch import save_file

HERE = Path(__file__).resolve().parent
TOKENS, WIDTH, LATENTS, K = 12, 6, 20, 3
L1, L0, BANDWIDTH, DEAD_AFTER = 0.7, 0.4, 0.8, 5


def rectangle(x):
    return ((x > -0.5) & (x < 0.5)).to(x)


class Step(torch.autograd.Function):
    @staticmethod
    def forward(context, x, threshold):
        context.save_for_backward(x, threshold)
        return (x > threshold).to(x)

    @staticmethod
    def backward(context, grad):
        x, threshold = context.saved_tensors
        kernel = rectangle((x - threshold) / BANDWIDTH)
        return torch.zeros_like(x), (-(1 / BANDWIDTH) * kernel * grad).sum(0)


class JumpReLU(torch.autograd.Function):
    @staticmethod
    def forward(context, x, threshold):
        context.save_for_backward(x, threshold)
        return x * (x > threshold).to(x)

    @staticmethod
    def backward(context, grad):
        x, threshold = context.saved_tensors
        kernel = rectangle((x - threshold) / BANDWIDTH)
        return (x > threshold).to(x) * grad, (-(threshold / BANDWIDTH) * kernel * grad).sum(0)


def kept_of_each(u):
    out = torch.zeros_like(u)
    for row, values in enumerate(u):
        for place in values.argsort(descending=True)[:K]:
            out[row, place] = values[place].clamp(min=0)
    return out


def kept_of_all(u):
    flat = u.relu()
    bound = flat.flatten().sort(descending=True).values[K * len(u) - 1]
    return flat * (flat >= bound)


def auxiliary(u, missing, decoder, dead):
    wanted = WIDTH // 2
    out = torch.zeros_like(u)
    for row, values in enumerate(u):
        places = sorted((i for i in range(LATENTS) if dead[i]), key=lambda i: -values[i].item())[:wanted]
        for place in places:
            out[row, place] = values[place].clamp(min=0)
    error = (missing.detach() - out @ decoder).square().sum(-1).mean()
    return error / 32 * min(1.0, dead.sum().item() / wanted)


def step(name, leaves, x, quiet):
    u = (x - leaves["decoder_bias"]) @ leaves["encoder"] + leaves["encoder_bias"]
    penalty = 0
    if name == "topk":
        z = kept_of_each(u)
    elif name == "batchtopk":
        z = kept_of_all(u)
    elif name == "standard":
        z = u.relu()
        penalty = L1 * (z * leaves["decoder"].norm(dim=1)).sum(-1).mean()
    else:
        threshold = leaves["threshold"]
        z = JumpReLU.apply(u, threshold)
        penalty = L0 * Step.apply(u, threshold).sum(-1).mean()
    quiet = torch.where((z > 0).any(0), torch.zeros_like(quiet), quiet + 1)
    missing = x - z @ leaves["decoder"] - leaves["decoder_bias"]
    loss = missing.square().sum(-1).mean() + penalty
    if name.endswith("topk"):
        loss = loss + auxiliary(u, missing, leaves["decoder"], quiet >= DEAD_AFTER)
    return loss, quiet, z[z > 0].min()


def main():
    torch.manual_seed(11)
    for name in ("topk", "batchtopk", "standard", "jumprelu"):
        draw = lambda *shape: torch.randn(*shape)
        leaves = {"encoder": draw(WIDTH, LATENTS), "encoder_bias": draw(LATENTS) * 0.3,
                  "decoder": draw(LATENTS, WIDTH), "decoder_bias": draw(WIDTH) * 0.3}
        if name == "jumprelu":
            leaves["threshold"] = (draw(LATENTS) * 0.3).exp()
        else:
            leaves["encoder_bias"][:5] -= 9  # dead latents, which some tokens would still like best
        x, quiet = draw(TOKENS, WIDTH), torch.randint(0, 9, (LATENTS,)).float()
        wide = {key: value.double().requires_grad_(True) for key, value in leaves.items()}
        loss, after, kept = step(name, wide, x.double(), quiet.double())
        loss.backward()
        tensors = {**leaves, "x": x, "quiet": quiet, "quiet_after": after.float(), "loss": loss.detach().reshape(1),
                   "smallest_kept": kept.detach().reshape(1)}
        for key, value in wide.items():
            tensors["gradient." + key] = value.grad
        save_file({key: value.contiguous() for key, value in tensors.items()}, HERE / f"step_{name}.safetensors")
        print(name, loss.item(), int((after >= DEAD_AFTER).sum()), "dead")


if __name__ == "__main__":
    main()
