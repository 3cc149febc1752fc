"""BPE-dropout (Provilkov et al. 2020, arXiv:1910.13267, algorithm 1): exact probabilities of all segmentations.

    repeat: take all merges possible in the current split, drop each with probability p;
            of those that are left apply the one of highest priority (the leftmost of equal ones)
    until none is left

The i-th merge in the order of priority is applied with probability p^i (1-p), none with p^n: the distribution
over final splits follows by recursion, without drawing.

    python make.py      (no package needed; writes tokenizer.json and golden.json beside itself)
"""
import functools
import json
import pathlib

MERGES = [("a", "b"), ("b", "c"), ("a", "bc"), ("ab", "ab"), ("l", "o"), ("lo", "w"), ("e", "r"), ("w", "er"),
          ("low", "er"), ("c", "a"), ("bc", "a"), ("abc", "abc"), ("e", "s"), ("es", "t"), ("w", "est"), ("o", "w")]
WORDS = ["lower", "lowest", "abcabc", "ababab", "cabcab", "a", "xy"]
DROPOUTS = [0.0, 0.1, 0.4, 0.7, 1.0]

RANK = {pair: rank for rank, pair in enumerate(MERGES)}


def candidates(split):
    """Positions of the merges possible now, the first to be applied first."""
    found = [(RANK[pair], at) for at, pair in enumerate(zip(split, split[1:])) if pair in RANK]
    return [at for _, at in sorted(found)]


def distribution(word, p):
    @functools.cache
    def finals(split):
        result, reached = {}, 1.0
        for at in candidates(split):
            after = split[:at] + (split[at] + split[at + 1],) + split[at + 2:]
            for final, probability in finals(after).items():
                result[final] = result.get(final, 0.0) + reached * (1 - p) * probability
            reached *= p
        result[split] = result.get(split, 0.0) + reached
        return result

    return {final: probability for final, probability in finals(tuple(word)).items() if probability > 0}


def main():
    folder = pathlib.Path(__file__).parent
    tokens = sorted({c for word in WORDS for c in word} | {c for pair in MERGES for c in pair})
    tokens += [a + b for a, b in MERGES]
    tokens = list(dict.fromkeys(tokens))
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
        "pre_tokenizer": None, "post_processor": None, "decoder": {"type": "Fuse"},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
                  "vocab": {token: i for i, token in enumerate(tokens)},
                  "merges": [f"{a} {b}" for a, b in MERGES]},
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, indent=0) + "\n")
    cases = []
    for word in WORDS:
        for p in DROPOUTS:
            splits = {" ".join(final): probability for final, probability in sorted(distribution(word, p).items())}
            assert abs(sum(splits.values()) - 1) < 1e-12
            cases.append({"word": word, "dropout": p, "splits": splits})
    (folder / "golden.json").write_text(json.dumps({"cases": cases}, indent=0) + "\n")


if __name__ == "__main__":
    main()
