#!/usr/bin/env python3
"""Writes golden.safetensors: attacks on image encoders, step by step on two toy encoders, written from the papers' formulas.

    python tests/golden/encoder_matching/make.py         (torch 2.13, safetensors)

x <- clip(x - alpha sign(dL/dx)) onto the l_inf ball and [0,1]; L is the mean over encoders (or the weighted sum, FOA) of:
    M-Attack (Li et al. 2025)        1 - cos(f(crop(x)), f(crop(target))), windows drawn as torchvision's RandomResizedCrop
    M-Attack-V2 (2026)               the mean over K windows; 1 - cos(target) + lambda mean(1 - cos(auxiliary)); target and
                                     auxiliary pictures cropped, flipped and turned
    FOA-Attack (Jia et al. 2025)     M-Attack's + 0.2 <plan, 1 - cos> between k-means centers of patch tokens, the plan from
                                     Sinkhorn and constant; weights softmax(L(t) / L(t-1)) over the encoders
    AttackVLM (Zhao et al. 2023)     1 - cos(f(x), g(text))
    X-Transfer (Huang et al. 2025)   1 + cos(f(x + delta), f(x)), the mean over photos, one delta, from a random start
    X-Transfer's bandit              2 of 5 encoders, again every 2 steps: the largest Q_i + sqrt(rho ln(sum n) / n_i), Q_i the
                                     moving mean of the cosines that are lowered, from 0; never taken ones first, drawn
    SSA (Long et al. 2022)           M-Attack's without windows, under IDCT(DCT(x + noise) * mask), two draws a step
Windows, turns, k-means, Sinkhorn and the cosine transform are written out here; only the resize is torch's.
"""
import math
import pathlib
import sys

import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import toy  # noqa: E402

SIDE, PATCH, WIDTH, EMBEDDING = 12, 3, 7, 5
EPSILON, ALPHA, STEPS, SEED = 16 / 255, 1.5 / 255, 6, 9


class Encoder:
    """patches [N,16,7] = tanh(P A), embedding [N,5] = tanh(mean P A + cos-weighted mean) B."""

    def __init__(self, generator):
        self.a = torch.randn((3 * PATCH * PATCH, WIDTH), generator=generator) * 0.6
        self.b = torch.randn((WIDTH, EMBEDDING), generator=generator)
        self.text = torch.randn((1, EMBEDDING), generator=generator)

    def __call__(self, x):
        n = SIDE // PATCH
        cut = x.reshape(x.shape[0], 3, n, PATCH, n, PATCH).permute(0, 2, 4, 1, 3, 5).reshape(x.shape[0], n * n, -1)
        patches = torch.tanh((cut - 0.5) @ self.a)
        weights = torch.cos(torch.arange(n * n, dtype=torch.float64)).view(1, -1, 1)
        return torch.tanh((patches * (1 + weights)).mean(1)) @ self.b, patches


def cosine(a, b):
    return (a * b).sum(-1) / (a.norm(dim=-1) * b.norm(dim=-1))


def window(x, least, most, random):
    """torchvision.transforms.RandomResizedCrop of the whole size."""
    height, width = x.shape[2:]
    for _ in range(10):
        area = height * width * (least + (most - least) * random.uniform())
        low, high = math.log(3 / 4), math.log(4 / 3)
        ratio = math.exp(low + (high - low) * random.uniform())
        w, h = math.floor(math.sqrt(area * ratio) + 0.5), math.floor(math.sqrt(area / ratio) + 0.5)
        if 0 < w <= width and 0 < h <= height:
            top = random.between(0, height - h)
            left = random.between(0, width - w)
            break
    else:
        h, w, top, left = height, width, 0, 0
    return torch.nn.functional.interpolate(x[:, :, top:top + h, left:left + w], size=(height, width), mode="bilinear",
                                           antialias=True, align_corners=False)


def turned(x, degrees, random):
    if random.uniform() < 0.5:
        x = x.flip(3)
    angle = math.radians(-degrees + 2 * degrees * random.uniform())
    out = torch.zeros_like(x)
    for row in range(SIDE):
        for column in range(SIDE):
            across, down = column + 0.5 - SIDE / 2, row + 0.5 - SIDE / 2
            from_column = round(math.cos(angle) * across - math.sin(angle) * down + SIDE / 2 - 0.5)
            from_row = round(math.sin(angle) * across + math.cos(angle) * down + SIDE / 2 - 0.5)
            if 0 <= from_row < SIDE and 0 <= from_column < SIDE:
                out[:, :, row, column] = x[:, :, from_row, from_column]
    return out


def centers(tokens, count, random):
    order = list(range(len(tokens)))
    random.shuffle(order)
    center = tokens.detach()[order[:count]].clone()
    group = None
    for _ in range(100):
        nearest = [min(range(count), key=lambda k: float((token - center[k]).norm())) for token in tokens.detach()]
        if nearest == group:
            break
        group = nearest
        for k in range(count):
            members = [i for i, g in enumerate(group) if g == k]
            if members:
                center[k] = tokens.detach()[members].mean(0)
    rows = []
    for k in range(count):
        members = [i for i, g in enumerate(group) if g == k]
        rows.append(tokens[members].mean(0) if members else center[k])
    return torch.stack(rows)


def transport(a, b):
    cost = torch.stack([torch.stack([1 - cosine(x, y) for y in b]) for x in a])
    kernel = torch.exp(-cost.detach() / 0.1)
    rows, columns = torch.ones(len(a)), torch.ones(len(b))
    for _ in range(100):
        before = rows
        rows = (1 / len(a)) / (kernel @ columns)
        columns = (1 / len(b)) / (kernel.T @ rows)
        if (rows - before).abs().mean() < 0.01:
            break
    return (torch.diag(rows) @ kernel @ torch.diag(columns) * cost).sum()


def view(step, index, picture, crop, degrees):
    random = toy.Random(SEED).fork("target view", step).fork("picture", index)
    picture = window(picture, *crop, random) if crop else picture
    return turned(picture, degrees, random) if degrees else picture


def matching(encoders, x, step, case, pictures, losses_before):
    crops = case.get("crops", 1)
    views = []
    for k in range(crops):
        random = toy.Random(SEED).fork("source view", step * crops + k)
        views.append(window(x, *case["source"], random) if "source" in case else x)
    wanted = [view(step, i, picture, case.get("target"), case.get("degrees", 0)) for i, picture in enumerate(pictures)]
    losses = []
    for number, encoder in enumerate(encoders):
        total = 0
        for seen_view in views:
            embedding, patches = encoder(seen_view)
            if case.get("text"):
                loss = 1 - cosine(embedding, encoder.text)
            else:
                loss = 1 - cosine(embedding, encoder(wanted[0])[0].detach())
                others = [1 - cosine(embedding, encoder(picture)[0].detach()) for picture in wanted[1:]]
                if others:
                    loss = loss + 0.3 * sum(others) / len(others)
            if "clusters" in case:
                source = centers(patches[0], case["clusters"], toy.Random(SEED).fork("source centers", number))
                target = centers(encoder(wanted[0])[1][0].detach(), case["clusters"],
                                 toy.Random(SEED).fork("target centers", number))
                loss = loss + 0.2 * transport(source, target)
            total = total + loss.sum() / crops
        losses.append(total)
    if not case.get("ratio"):
        return sum(losses) / len(losses), None
    now = torch.stack([loss.detach() for loss in losses])
    ratio = now / losses_before if losses_before is not None else torch.ones_like(now)
    return (torch.softmax(ratio, 0) * torch.stack(losses)).sum(), now


def dct(n):
    return torch.tensor([[math.sqrt((1 if k == 0 else 2) / n) * math.cos(math.pi * (j + 0.5) * k / n) for j in range(n)]
                         for k in range(n)])


def spectrum(x, random):
    noise = random.normal_tensor(x.shape)
    mask = random.uniform_tensor(x.shape, 0.5, 1.5)
    basis = dct(SIDE)
    back = basis.T @ ((basis @ (x + 16 / 255 * noise) @ basis.T) * mask) @ basis
    return back + (back.clamp(0, 1) - back).detach()


def clip(x, origin):
    return torch.maximum(torch.minimum(x, origin + EPSILON), origin - EPSILON).clamp(0, 1)


def descend(loss_of, start, origin, steps=STEPS):
    x, points, losses, before = start, [], [], None
    for step in range(steps):
        leaf = x.detach().clone().requires_grad_()
        loss, before = loss_of(leaf, step, before)
        gradient, = torch.autograd.grad(loss, leaf)
        losses.append(loss.detach())
        x = clip(x - ALPHA * gradient.sign(), origin)
        points.append(x)
    return {"points": torch.stack(points), "losses": torch.stack(losses)}


class Bandit:
    """Which `count` of n encoders, for `every` steps; rho and memory as large as it takes for all parts to matter here."""

    RHO, MEMORY = 0.01, 0.5

    def __init__(self, n, count, every):
        self.taken, self.mean, self.count, self.every, self.choices, self.log = [0] * n, [0.0] * n, count, every, 0, []

    def choose(self, step):
        if step % self.every:
            return self.chosen
        fresh = [i for i, taken in enumerate(self.taken) if taken == 0]
        if len(fresh) > self.count:
            toy.Random(SEED).fork("choice of surrogates", self.choices).shuffle(fresh)
            best = fresh
        else:
            def value(i):
                bonus = self.RHO * math.log(sum(self.taken)) / self.taken[i] if self.taken[i] else math.inf
                return self.mean[i] + math.sqrt(bonus)
            best = sorted(range(len(self.taken)), key=value, reverse=True)
        self.choices += 1
        self.chosen = sorted(best[:self.count])
        return self.chosen

    def learn(self, rewards):
        self.log.append(self.chosen)
        for i, reward in zip(self.chosen, rewards):
            self.taken[i] += 1
            self.mean[i] = (1 - self.MEMORY) * self.mean[i] + self.MEMORY * reward


CASES = {
    "m_attack": {"source": (0.5, 0.9), "target": (0.5, 0.9)},
    "m_attack_v2": {"source": (0.5, 1.0), "crops": 3, "target": (0.95, 1.0), "degrees": 10, "auxiliary": 2},
    "foa": {"source": (0.5, 0.9), "target": (0.5, 0.9), "clusters": 4, "ratio": True},
    "image_image": {},
    "image_text": {"text": True},
}


def main():
    toy.start()
    generator = torch.Generator().manual_seed(4)
    encoders = [Encoder(generator) for _ in range(2)]
    picture = lambda: (torch.rand((1, 3, SIDE, SIDE), generator=generator) * 0.8 + 0.1)  # noqa: E731
    origin, target, photo = picture(), picture(), picture()
    auxiliary = [picture(), picture()]
    tensors = {"origin": origin, "target": target, "photo": photo, "auxiliary0": auxiliary[0], "auxiliary1": auxiliary[1]}
    for i, encoder in enumerate(encoders):
        tensors |= {f"a.{i}": encoder.a, f"b.{i}": encoder.b, f"text.{i}": encoder.text}

    def keep(name, found):
        print(name, [round(float(loss), 4) for loss in found["losses"]])
        tensors.update({f"{name}.{key}": value for key, value in found.items()})

    for name, case in CASES.items():
        pictures = [target, *auxiliary[:case.get("auxiliary", 0)]]
        keep(name, descend(lambda x, step, before: matching(encoders, x, step, case, pictures, before), origin, origin))

    def with_spectrum(x, step, _):
        loss = 0
        for draw in range(2):
            seen = spectrum(x, toy.Random(SEED).fork("augmentation", step * 2 + draw))
            loss = loss + matching(encoders, seen, step, {}, [target], None)[0] / 2
        return loss, None

    keep("spectrum", descend(with_spectrum, origin, origin))

    gray = torch.full_like(origin, 128 / 255)
    photos = [origin, photo]
    start = clip(gray + EPSILON * (2 * torch.rand(gray.shape, generator=generator) - 1), gray)

    def away(x, step, _):
        total = 0
        for one in photos:
            added = one + (x - gray)
            shown = added + (added.clamp(0, 1) - added).detach()
            for encoder in encoders:
                total = total + (1 + cosine(encoder(shown)[0], encoder(one)[0].detach())).sum()
        return total / (len(photos) * len(encoders)), None

    others = torch.Generator().manual_seed(5)  # those above keep theirs
    many = encoders + [Encoder(others) for _ in range(3)]
    for i, encoder in enumerate(many):
        tensors |= {f"a.{i}": encoder.a, f"b.{i}": encoder.b, f"text.{i}": encoder.text}
    bandit = Bandit(len(many), count=2, every=2)

    def away_from_some(x, step, _):
        chosen, cosines = bandit.choose(step), []
        for i in chosen:
            shown = [one + (x - gray) + ((one + (x - gray)).clamp(0, 1) - (one + (x - gray))).detach() for one in photos]
            cosines.append(sum(cosine(many[i](seen)[0], many[i](one)[0].detach()) for seen, one in zip(shown, photos)).sum()
                           / len(photos))
        bandit.learn([float(one.detach()) for one in cosines])
        return 1 + sum(cosines) / len(cosines), None

    keep("bandit", descend(away_from_some, start, gray, steps=16))
    print("bandit takes", bandit.log, bandit.taken)
    tensors["bandit.taken"] = torch.tensor(bandit.taken)
    tensors["bandit.mean"] = torch.tensor(bandit.mean)
    tensors["away.start"] = start
    keep("away", descend(away, start, gray))
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, HERE / "golden.safetensors")


main()
