"""CIDER (Xu et al. 2024, arXiv:2407.21659) from its formulas, on given embeddings, in numpy.

    E(t): mean of the prompt's token embeddings      E(x): mean of the image tokens' features
    score = max_r cos(E(t), E(x)) - cos(E(t), E(d_r(x)))      attack iff it is above the threshold

The paper fits the threshold on clean images; here it is given. Also this project's variant against the image:
1 - cos(E(x), E(d_r(x))).

    python make.py      (numpy; writes golden.json beside itself)
"""
import json
import pathlib

import numpy as np

SEED = 3
WIDTH = 6
TOKENS = 4


def cos(a, b):
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def score(text, rounds):
    """text [n,D]; rounds: [K,D] of the image and of each denoised image."""
    t = text.mean(axis=0)
    e = [r.mean(axis=0) for r in rounds]
    return max(cos(t, e[0]) - cos(t, d) for d in e[1:])


def score_against_image(rounds):
    e = [r.mean(axis=0) for r in rounds]
    return max(1 - cos(e[0], d) for d in e[1:])


def main():
    rng = np.random.default_rng(SEED)
    cases = []
    for count in (1, 1, 3, 7):
        text = np.round(rng.normal(size=(5, WIDTH)), 4)
        clean = rng.normal(size=(TOKENS, WIDTH))
        attacked = clean + 0.8 * text.mean(axis=0)  # pulled toward the prompt; denoising undoes it step by step
        rounds = [np.round(attacked + (clean - attacked) * r / count, 4) for r in range(count + 1)]
        cases.append({"text": text.tolist(), "rounds": [r.tolist() for r in rounds], "score": score(text, rounds),
                      "against_image": score_against_image(rounds)})
        reverse = rounds[::-1]  # denoising that brings the image nearer to the prompt is no drop
        cases.append({"text": text.tolist(), "rounds": [r.tolist() for r in reverse], "score": score(text, reverse),
                      "against_image": score_against_image(reverse)})
    file = pathlib.Path(__file__).parent / "golden.json"
    file.write_text(json.dumps({"cases": cases}) + "\n")
    print([(round(c["score"], 3), round(c["against_image"], 3)) for c in cases])


if __name__ == "__main__":
    main()
