"""Randomized smoothing (Cohen, Rosenfeld, Kolter 2019, arXiv:1902.02918): CERTIFY with its abstention.

    counts0 = votes of n0 noisy copies      c = most frequent class of counts0
    counts  = votes of n further copies     pA = one-sided (1 - alpha) lower confidence bound of counts[c] / n
                                                 (Clopper and Pearson 1934)
    pA > 1/2: answer c with radius sigma * Phi^-1(pA), else ABSTAIN

The binomial tail is summed in exact rationals; the bound is the p at which P(X >= k) = alpha, by bisection.

    python make.py      (no package needed; writes golden.json beside itself)
"""
import json
import math
import pathlib
from fractions import Fraction
from statistics import NormalDist


def tail(k, n, p):
    """P(X >= k), X ~ Binomial(n, p), exactly."""
    return sum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k, n + 1))


def lower_bound(k, n, alpha):
    if k == 0:
        return 0.0
    low, high = Fraction(0), Fraction(1)
    for _ in range(40):
        middle = (low + high) / 2
        if tail(k, n, middle) < alpha:
            low = middle
        else:
            high = middle
    return float(low)


def certify(selection, estimation, sigma, alpha):
    """selection, estimation: the classes of the copies, in order."""
    top = max(dict.fromkeys(selection), key=selection.count)  # of equal ones the first
    low = lower_bound(estimation.count(top), len(estimation), Fraction(alpha))
    if low > 0.5:
        return {"answer": top, "low": low, "radius": sigma * NormalDist().inv_cdf(low)}
    return {"answer": None, "low": low, "radius": 0.0}


FLOWS = [
    ("all agree", ["a"] * 3, ["a"] * 20, 16, "0.05"),
    ("one dissents", ["a", "b", "a"], ["a"] * 19 + ["b"], 16, "0.05"),
    ("the same at .001", ["a", "b", "a"], ["a"] * 19 + ["b"], 16, "0.001"),
    ("an even split abstains", ["b", "a"], ["a", "b"] * 10, 16, "0.05"),
    ("fourteen of twenty abstains", ["a"], ["a"] * 14 + ["b"] * 6, 8, "0.05"),
    ("fifteen of twenty is certified", ["a"], ["a"] * 15 + ["b"] * 5, 8, "0.05"),
    ("the choice turns out wrong", ["a"], ["b"] * 20, 8, "0.05"),
    ("five copies cannot prove .001", ["a"], ["a"] * 5, 64, "0.001"),
]


def main():
    bounds = [{"successes": k, "n": n, "alpha": alpha, "low": lower_bound(k, n, Fraction(str(alpha)))}
              for n, ks in [(1, [0, 1]), (10, [0, 1, 5, 9, 10]), (100, [50, 99, 100])]
              for k in ks for alpha in (0.001, 0.05)]
    flows = [{"name": name, "selection": s, "estimation": e, "sigma": sigma, "alpha": float(alpha),
              **certify(s, e, sigma, alpha)} for name, s, e, sigma, alpha in FLOWS]
    radii = [{"low": low, "radius": NormalDist().inv_cdf(low)} for low in (0.5000001, 0.6, 0.9, 0.99, 0.999999)]
    file = pathlib.Path(__file__).parent / "golden.json"
    file.write_text(json.dumps({"bounds": bounds, "radii": radii, "flows": flows}, indent=0) + "\n")


if __name__ == "__main__":
    main()
