"""gradus's estimators with their defaults beside scikit-learn's, on small data sets: mean scores and times of fits.

    python benchmarks/sklearn_defaults.py [--repeats N] [--write FILE.md]

Ten sets for classification and ten for regression, built in or made by scikit-learn; inputs are standardized, regression
targets too, because that is how both are used. For each of five seeds a quarter is held out and both are fitted in turns
with their defaults. A line is marked where gradus's mean score is below scikit-learn's by more than a standard error of the
difference, or where it takes more than half the time. Needs gradus, scikit-learn and nothing else running.
"""

import argparse
import platform
import time
import warnings
from datetime import date

import numpy as np
import sklearn
from sklearn import datasets, neural_network
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

import gradus

SEEDS = range(5)

CLASSES = {
    "iris": lambda: datasets.load_iris(return_X_y=True),
    "wine": lambda: datasets.load_wine(return_X_y=True),
    "breast cancer": lambda: datasets.load_breast_cancer(return_X_y=True),
    "digits": lambda: datasets.load_digits(return_X_y=True),
    "moons": lambda: datasets.make_moons(1000, noise=0.3, random_state=0),
    "circles": lambda: datasets.make_circles(1000, noise=0.2, factor=0.5, random_state=0),
    "blobs": lambda: datasets.make_blobs(1000, centers=5, cluster_std=3.0, random_state=0),
    "classification": lambda: datasets.make_classification(2000, 20, n_informative=8, n_classes=4, random_state=0),
    "gaussian quantiles": lambda: datasets.make_gaussian_quantiles(n_samples=2000, n_features=6, n_classes=3, random_state=0),
    "hastie": lambda: datasets.make_hastie_10_2(3000, random_state=0),
}

VALUES = {
    "diabetes": lambda: datasets.load_diabetes(return_X_y=True),
    "linnerud": lambda: datasets.load_linnerud(return_X_y=True),
    "friedman 1": lambda: datasets.make_friedman1(1000, noise=1.0, random_state=0),
    "friedman 2": lambda: datasets.make_friedman2(1000, noise=50.0, random_state=0),
    "friedman 3": lambda: datasets.make_friedman3(1000, noise=0.1, random_state=0),
    "regression": lambda: datasets.make_regression(1000, 20, n_informative=10, noise=20.0, random_state=0),
    "regression, 3 targets": lambda: datasets.make_regression(1000, 10, n_targets=3, noise=10.0, random_state=0),
    "sparse uncorrelated": lambda: datasets.make_sparse_uncorrelated(1000, random_state=0),
    "swiss roll": lambda: datasets.make_swiss_roll(2000, noise=0.5, random_state=0),
    "s curve": lambda: datasets.make_s_curve(2000, noise=0.1, random_state=0),
}


def prepared(X, y, seed, values):
    """Return training and test parts, standardized on the training part."""
    split = train_test_split(X, y, stratify=None if values else y, random_state=seed)
    train_X, test_X, train_y, test_y = split
    scaler = StandardScaler().fit(train_X)
    if values:
        mean, std = train_y.mean(axis=0), train_y.std(axis=0)
        train_y, test_y = (train_y - mean) / std, (test_y - mean) / std
    return scaler.transform(train_X), scaler.transform(test_X), train_y, test_y


def fitted(make, data, seed, repeats):
    """Return the score of a fit and the shortest time of several."""
    train_X, test_X, train_y, test_y = data
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        model = make(random_state=seed).fit(train_X, train_y)
        times.append(time.perf_counter() - begin)
    return model.score(test_X, test_y), min(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3, help="fits of each, of which the shortest time counts")
    parser.add_argument("--write", help="file for the table")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    head = "| set | scikit-learn | gradus | difference | scikit-learn, s | gradus, s | ratio | |\n|---|---|---|---|---|---|---|---|"
    lines = [
        f"# Defaults beside scikit-learn's, {date.today()}",
        "",
        f"gradus {gradus.__version__}, scikit-learn {sklearn.__version__}, NumPy {np.__version__}, Python "
        f"{platform.python_version()}. Accuracy, or R^2; means of {len(SEEDS)} seeds, the difference with its standard error; "
        f"times of a fit, the shortest of {args.repeats}, means over the seeds.",
        "",
    ]
    print("\n".join(lines))
    for sets, name, values in ((CLASSES, "MLPClassifier", False), (VALUES, "MLPRegressor", True)):
        table = [f"## {name}", "", head]
        print("\n".join(table), flush=True)
        for title, load in sets.items():
            X, y = load()
            rows = []
            for seed in SEEDS:
                data = prepared(X, y, seed, values)
                theirs = fitted(getattr(neural_network, name), data, seed, args.repeats)
                rows.append((*theirs, *fitted(getattr(gradus, name), data, seed, args.repeats)))
            scores, times, ours, our_times = np.array(rows).T
            difference = ours - scores
            error = difference.std(ddof=1) / np.sqrt(len(SEEDS))
            ratio = our_times.mean() / times.mean()
            marks = [mark for mark, holds in (("worse", difference.mean() < -error), ("slow", ratio > 0.5)) if holds]
            table.append(
                f"| {title} | {scores.mean():.4f} | {ours.mean():.4f} | {difference.mean():+.4f} ± {error:.4f} | "
                f"{times.mean():.3f} | {our_times.mean():.3f} | {ratio:.2f} | {', '.join(marks)} |"
            )
            print(table[-1], flush=True)
        lines += [*table, ""]
        print()
    if args.write:
        with open(args.write, "w", encoding="utf-8") as file:
            file.write("\n".join(lines))


if __name__ == "__main__":
    main()
