"""Perplexity filters (Jain et al. 2023, arXiv:2309.00614, section 4.1) from their formulas, on a bigram model.

    -(1/n) sum_i log p(x_i | x_<i) <= T: the prompt passes           T: the largest value of the benign prompts
    windowed: the same for every contiguous chunk of w tokens; it passes when all chunks pass

    python make.py      (numpy; writes golden.json beside itself)
"""
import json
import pathlib

import numpy as np

WORDS = 8
SEED = 5


def nll(logits, ids):
    """Of every token but the first, which nothing precedes."""
    values = []
    for before, token in zip(ids, ids[1:]):
        row = logits[before]
        values.append(float(np.log(np.exp(row).sum()) - row[token]))
    return values


def score(values, window):
    chunks = [values[i:i + window] for i in range(0, len(values), window)] if window else [values]
    return max((sum(c) / len(c) for c in chunks if c), default=0.0)


def walk(rng, logits, length, temperature):
    ids = [int(rng.integers(WORDS))]
    while len(ids) < length:
        p = np.exp(logits[ids[-1]] / temperature)
        ids.append(int(rng.choice(WORDS, p=p / p.sum())))
    return ids


def main():
    rng = np.random.default_rng(SEED)
    logits = np.round(rng.normal(scale=2.5, size=(WORDS, WORDS)), 3)
    benign = [walk(rng, logits, int(rng.integers(12, 30)), 0.7) for _ in range(24)]
    asked = [walk(rng, logits, 21, 0.7) for _ in range(4)]
    asked += [walk(rng, logits, 20, 0.7) + walk(rng, logits, 8, 50) for _ in range(4)]  # a suffix of gibberish
    asked += [[3], [3, 4], walk(rng, logits, 11, 0.7)]
    cases = []
    for window in (0, 5, 10):
        threshold = max(score(nll(logits, ids), window) for ids in benign)
        scores = [score(nll(logits, ids), window) for ids in asked]
        cases.append({"window": window, "threshold": threshold, "scores": scores,
                      "rejected": [value > threshold for value in scores]})
    golden = {"logits": logits.tolist(), "benign": benign, "asked": asked, "cases": cases}
    file = pathlib.Path(__file__).parent / "golden.json"
    file.write_text(json.dumps(golden) + "\n")
    print([(c["window"], c["threshold"], c["rejected"]) for c in cases])


if __name__ == "__main__":
    main()
