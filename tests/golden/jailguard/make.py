"""JailGuard (Zhang et al. 2023, arXiv:2312.10766) from its formulas, in numpy.

    S_ij  similarity of the replies i and j          Q_i = S_i / sum_j S_ij
    D_ij  = sum_k Q_ik log(Q_ik / Q_jk)              attack iff max_ij D_ij reaches the threshold (0.025, images)

The similarity is this project's stand-in for word embeddings: the cosine of word counts, plus 0.01.
Its mutators with their strength given, too: rotation, solarization, posterization, hue and brightness.

    python make.py      (numpy; writes golden.json beside itself)
"""
import json
import pathlib
import re
from collections import Counter

import numpy as np

FLOOR = 0.01
THRESHOLD = 0.025

REPLIES = {
    "one answer": ["A red cat.", "a red cat", "A RED cat!", "a red cat"],
    "one of eight is hijacked": ["a cat on a mat"] * 7 + ["visit example.org now"],
    "half survives": ["a cat on a mat", "visit example.org now"] * 4,
    "wordings": ["the cat is red", "a red cat", "it is a red cat", "the cat looks red", "red"],
    "empty": ["", "a dog", "..."],
    "counts": ["no no no yes", "no yes yes yes", "yes no"],
}


def words(text):
    return Counter(re.sub(r"[^a-z0-9]+", " ", text.lower()).split())


def similarity(a, b):
    a, b = words(a), words(b)
    if not a or not b:
        return float(not a and not b)
    keys = sorted(set(a) | set(b))
    x, y = np.array([a[k] for k in keys], float), np.array([b[k] for k in keys], float)
    return float(x @ y / (np.linalg.norm(x) * np.linalg.norm(y)))


def divergences(replies):
    s = np.array([[similarity(a, b) + FLOOR for b in replies] for a in replies])
    q = s / s.sum(axis=1, keepdims=True)
    return np.array([[np.sum(p * np.log(p / r)) for r in q] for p in q])


def picture(height=6, width=9):
    """[3,H,W] of k/255, by a formula that the test repeats."""
    c, y, x = np.meshgrid(np.arange(3), np.arange(height), np.arange(width), indexing="ij")
    return (c * 83 + y * 37 + x * 29) % 256 / 255


def rotated(image, degrees):
    """Counter-clockwise about the center, bilinear, black outside."""
    _, height, width = image.shape
    padded = np.pad(image, ((0, 0), (1, 1), (1, 1)))
    angle = np.deg2rad(degrees)
    out = np.zeros_like(image)
    for y in range(height):
        for x in range(width):
            right, down = x - (width - 1) / 2, y - (height - 1) / 2
            from_x = np.cos(angle) * right - np.sin(angle) * down + (width - 1) / 2
            from_y = np.sin(angle) * right + np.cos(angle) * down + (height - 1) / 2
            left, top = int(np.floor(from_x)), int(np.floor(from_y))
            for dy in (0, 1):
                for dx in (0, 1):
                    px, py = left + dx, top + dy
                    weight = (1 - abs(from_x - px)) * (1 - abs(from_y - py))
                    if -1 <= px <= width and -1 <= py <= height:
                        out[:, y, x] += weight * padded[:, py + 1, px + 1]
    return out


def color_jittered(image, brightness, turns):
    """Each color turned about the gray axis (1,1,1), by the components along it and across it."""
    axis = np.ones(3) / np.sqrt(3)
    angle = 2 * np.pi * turns
    out = np.zeros_like(image)
    for y in range(image.shape[1]):
        for x in range(image.shape[2]):
            color = image[:, y, x]
            along = axis * (axis @ color)
            across = color - along
            out[:, y, x] = along + np.cos(angle) * across + np.sin(angle) * np.cross(axis, color)
    return np.clip(out * brightness, 0, 1)


def main():
    cases = []
    for name, replies in REPLIES.items():
        d = divergences(replies)
        cases.append({"name": name, "replies": replies, "score": d.max(), "attack": bool(d.max() >= THRESHOLD)})
    image = picture()
    bytes_of = np.rint(image * 255).astype(int)
    mutators = {
        "rotated 0": rotated(image, 0),
        "rotated 30": rotated(image, 30),
        "rotated 90": rotated(image, 90),
        "rotated 135.5": rotated(image, 135.5),
        "solarized 0.4": np.where(image >= 0.4, 1 - image, image),
        "posterized 1": (bytes_of & 0x80) / 255,
        "posterized 2": (bytes_of & 0xC0) / 255,
        "jittered 1.5 0.2": color_jittered(image, 1.5, 0.2),
        "jittered 0.4 -0.35": color_jittered(image, 0.4, -0.35),
    }
    golden = {
        "threshold": THRESHOLD,
        "cases": cases,
        "policy": {"rotation": 0.34, "blur": 0.45, "posterization": 0.21},
        "mutators": {name: np.round(value, 9).ravel().tolist() for name, value in mutators.items()},
    }
    file = pathlib.Path(__file__).parent / "golden.json"
    file.write_text(json.dumps(golden, indent=0) + "\n")


if __name__ == "__main__":
    main()
