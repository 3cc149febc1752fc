"""SmoothVLM (Sun et al. 2024, arXiv:2405.10529) from its text: N copies of the image, in each a share q of the
pixels masked, swapped among themselves or replaced; the vote of the majority; an answer that agrees with it.

Votes are over replies that are equal once normalized (this project's departure: the paper's are over "attacked"
and "not attacked"), so the harmful side wins only with more copies than any other reply.

    python make.py      (no package needed; writes golden.json beside itself)
"""
import json
import pathlib
import re
from collections import Counter

CASES = {
    "unanimous": ["Yes."] * 5,
    "majority": ["hijacked", "A cat.", "a cat", "dog", "a cat"],
    "the attack wins": ["Visit it", "visit it!", "a cat", "visit IT", "a dog"],
    "plurality": ["x", "y", "y", "z", "w"],
    "tie goes to the first": ["b", "a", "a", "b"],
    "ten copies": ["no", "yes"] * 4 + ["yes", "yes"],
}


def normalized(text):
    return re.sub(r"[^a-z0-9]+", " ", text.lower()).strip()


def vote(replies):
    """(answer, votes): the first reply of the largest group; of equally large groups the one seen first."""
    counts = Counter(normalized(r) for r in replies)  # keeps the order of appearance
    best = max(counts, key=counts.get)
    return next(r for r in replies if normalized(r) == best), counts[best]


def main():
    cases = [{"name": name, "replies": replies, "answer": vote(replies)[0], "votes": vote(replies)[1]}
             for name, replies in CASES.items()]
    # floor(q * pixels) of them are perturbed in every copy, not each with probability q
    counts = [{"share": q, "height": h, "width": w, "changed": int(q * h * w + 1e-9)}
              for q in (0.0, 0.05, 0.2, 0.33, 0.99) for h, w in ((7, 9), (16, 16))]
    file = pathlib.Path(__file__).parent / "golden.json"
    file.write_text(json.dumps({"cases": cases, "counts": counts}, indent=0) + "\n")


if __name__ == "__main__":
    main()
