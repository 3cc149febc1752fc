"""What the references of the attacks share: the program's random stream, a tiny classifier and a tiny model of text and image.

Everything is float64. The stream is that of src/base/random.h, so that a reference draws what the program draws.
"""
import math

import torch

SHAPE = (3, 4, 4)
MASK = (1 << 64) - 1


def splitmix(state):
    state = (state + 0x9E3779B97F4A7C15) & MASK
    z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return state, z ^ (z >> 31)


def mixed(a, b):
    state, out = splitmix(a ^ 0x6A09E667F3BCC909)
    return splitmix(out ^ b)[1]


def rotated_left(x, k):
    return ((x << k) | (x >> (64 - k))) & MASK


class Random:
    def __init__(self, seed):
        self.seed, self.words, state = seed, [], seed
        for _ in range(4):
            state, word = splitmix(state)
            self.words.append(word)

    def fork(self, purpose, index=0):
        hashed = 0xCBF29CE484222325
        for byte in purpose.encode():
            hashed = ((hashed ^ byte) * 0x100000001B3) & MASK
        return Random(mixed(mixed(self.seed, hashed), index))

    def bits(self):
        w = self.words
        result = (rotated_left((w[1] * 5) & MASK, 7) * 9) & MASK
        t = (w[1] << 17) & MASK
        w[2] ^= w[0]
        w[3] ^= w[1]
        w[1] ^= w[2]
        w[0] ^= w[3]
        w[2] ^= t
        w[3] = rotated_left(w[3], 45)
        return result

    def below(self, n):
        biased = (1 << 64) % n
        draw = self.bits()
        while draw < biased:
            draw = self.bits()
        return draw % n

    def between(self, first, last):
        return first + self.below(last - first + 1)

    def uniform(self):
        return (self.bits() >> 11) * 2.0**-53

    def sign(self):
        return 1.0 if self.uniform() < 0.5 else -1.0

    def shuffle(self, items):
        for i in range(len(items), 1, -1):
            j = self.below(i)
            items[i - 1], items[j] = items[j], items[i - 1]

    def uniform_tensor(self, shape, low, high):
        values = [low + (high - low) * self.uniform() for _ in range(math.prod(shape))]
        return torch.tensor(values).float().double().reshape(shape)

    def normal_tensor(self, shape):
        values = []
        while len(values) < math.prod(shape):
            radius, angle = math.sqrt(-2 * math.log(1 - self.uniform())), 2 * math.pi * self.uniform()
            values += [radius * math.cos(angle), radius * math.sin(angle)]
        return torch.tensor(values[: math.prod(shape)]).float().double().reshape(shape)


class Classifier:
    """Two layers; the loss is the cross-entropy of a wanted class, which an attack lowers. [N,3,H,W] -> [N]"""

    def __init__(self, generator, shape=SHAPE):
        values = math.prod(shape)
        self.w1 = torch.randn((values, 8), generator=generator) * 0.6
        self.w2 = torch.randn((8, 4), generator=generator)

    def logits(self, image):
        return torch.tanh(image.flatten(1) @ self.w1) @ self.w2

    def loss(self, image, label):
        return torch.nn.functional.cross_entropy(self.logits(image), label, reduction="none")

    def gradient(self, image, label):
        image = image.detach().clone().requires_grad_(True)
        return torch.autograd.grad(self.loss(image, label).sum(), image)[0]


class TextAndImage:
    """logits at the t-th token of a target = tanh(A image + sum_j w_j E[prompt_j] + E[token before]) W, the token before the
    first being END; w_j = cos(j)."""

    WORDS, WIDTH, END = 33, 16, 1  # the vocabulary of tests/support/toy_tokenizer.cpp

    def __init__(self, generator):
        self.a = torch.randn((math.prod(SHAPE), self.WIDTH), generator=generator) * 0.3
        self.e = torch.randn((self.WORDS, self.WIDTH), generator=generator) * 0.4
        self.w = torch.randn((self.WIDTH, self.WORDS), generator=generator) * 0.9

    def loss(self, image, embeddings, target):
        """Mean cross-entropy of the target's tokens; image [1,3,4,4], embeddings [n,D] of the prompt."""
        weights = torch.cos(torch.arange(embeddings.shape[0], dtype=torch.float64))
        hidden = image.flatten(1) @ self.a + weights @ embeddings + self.e[[self.END] + target[:-1]]
        return torch.nn.functional.cross_entropy(torch.tanh(hidden) @ self.w, torch.tensor(target))

    def tensors(self):
        return {"a": self.a, "e": self.e, "w": self.w}


def start():
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
