#!/usr/bin/env python3
"""Measures scikit-learn's grid search of gradus's networks by two processes beside one, with threads left to gradus.

    python3 benchmarks/grid_search.py                 # MNIST of $GRADUS_DATA, else the digits of scikit-learn

`GridSearchCV(MLPClassifier((256,), max_iter=5), four values of alpha, cv=3)` with `n_jobs=2` and with `n_jobs=1`, in turns. The
median of the ratios of their times may be 1.1, and the scores must be equal: processes do not take each other's cores. Needs the
package and scikit-learn, and a machine of two cores or more that does nothing else.
"""

import argparse
import os
import statistics
import sys
import time
import warnings

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

from gradus import MLPClassifier, datasets


def samples():
    """Returns 20,000 images of MNIST, or the digits of scikit-learn ten times."""
    folder = os.path.join(os.environ.get("GRADUS_DATA", ""), "mnist")
    if os.path.isdir(folder):
        (X, y), _ = datasets.load(folder)
        return "20,000 images of MNIST", X[:20_000], y[:20_000]
    X, y = load_digits(return_X_y=True)
    return "scikit-learn's digits, ten times", np.tile(X, (10, 1)), np.tile(y, 10)


def search(X, y, n_jobs):
    """Returns the seconds of a search, and its scores."""
    tool = MLPClassifier((256,), max_iter=5, random_state=0)
    grid = {"alpha": [1e-5, 1e-4, 1e-3, 1e-2]}
    begin = time.perf_counter()
    found = GridSearchCV(tool, grid, cv=3, refit=False, n_jobs=n_jobs).fit(X, y)
    return time.perf_counter() - begin, found.cv_results_["mean_test_score"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    what, X, y = samples()
    # Workers of joblib import the packages once, which is no part of the search; five epochs do not converge.
    os.environ["PYTHONWARNINGS"] = "ignore"
    warnings.simplefilter("ignore")
    search(X[:300], y[:300], 2)
    ratios, scores = [], []
    for turn in range(options.rounds):
        found = {jobs: search(X, y, jobs) for jobs in ((2, 1) if turn % 2 else (1, 2))}
        ratios.append(found[2][0] / found[1][0])
        scores += [found[1][1], found[2][1]]
    ratio = statistics.median(ratios)
    best = max(scores[0])
    print(f"{what}: n_jobs=2 takes {ratio:.3f} ({min(ratios):.3f} to {max(ratios):.3f}) of the time of n_jobs=1; score {best:.4f}")
    if ratio > 1.1 or any(not np.array_equal(it, scores[0]) for it in scores):
        sys.exit("failed: slower than one process by more than a tenth, or other scores")


if __name__ == "__main__":
    main()
