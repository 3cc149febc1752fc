#!/usr/bin/env python3
"""What scikit-learn makes of small tables: the logistic regression of StandardScaler + LogisticRegression, with more
examples than features and with fewer, and the covariance of LedoitWolf."""
import json
from pathlib import Path

import numpy as np
from sklearn.covariance import LedoitWolf
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler


def logistic(x, labels, l2):
    scaler = StandardScaler().fit(x)
    model = LogisticRegression(C=1 / l2, max_iter=10_000, tol=1e-12).fit(scaler.transform(x), labels)
    return {"features": x.tolist(), "labels": labels.tolist(), "l2": l2, "weights": model.coef_[0].tolist(),
            "bias": model.intercept_[0], "logits": model.decision_function(scaler.transform(x)).tolist()}


def main():
    random = np.random.default_rng(5)
    cases = []
    for n, f, l2 in ((40, 6, 1.0), (40, 6, 0.1), (12, 30, 1.0)):
        x = random.normal(size=(n, f)) * random.uniform(0.2, 5, size=f) + random.normal(size=f)
        labels = (x[:, 0] + x[:, 1] + random.normal(size=n) > np.median(x[:, 0] + x[:, 1])).astype(int)
        cases.append(logistic(x, labels, l2))
    states = random.normal(size=(20, 8)) @ random.normal(size=(8, 8)) + 3
    fit = LedoitWolf().fit(states)
    probe = random.normal(size=(5, 8)) + 3
    golden = {"logistic": cases,
              "ledoit_wolf": {"states": states.tolist(), "shrinkage": fit.shrinkage_, "probe": probe.tolist(),
                              "distance": np.sqrt(fit.mahalanobis(probe)).tolist()}}
    Path(__file__).with_name("golden.json").write_text(json.dumps(golden) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
