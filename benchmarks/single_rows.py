"""Measures how long the Python package takes to predict one row of a table from raw values.

    python3 benchmarks/single_rows.py adult.train.csv california.train.csv --save FOLDER

Each table has its target in the last column. A model of preset `tabular` learns from its first rows, two epochs long: time
depends on the network, not on what it has learned. Every row is compared with the prediction for all rows at once. With
`--save`, models and tables are kept for the example `04_predict_rows` of the crate gradus, which measures the library alone.
Needs the package and pandas.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd

import gradus


def fitted(frame):
    """Returns a model for the last column, and the others."""
    target = frame.columns[-1]
    y = frame[target]
    kind = gradus.TabularRegressor if y.dtype.kind == "f" else gradus.TabularClassifier
    X = frame.drop(columns=target)
    return kind(epochs=2, random_state=0).fit(X, y), X


def microseconds(model, rows, rounds):
    """Returns the time of a row: the best of some rounds over all rows."""
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        for row in rows:
            model.predict([row])
        best = min(best, time.perf_counter() - start)
    return 1e6 * best / len(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="+", type=Path)
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--save", type=Path)
    args = parser.parse_args()
    for path in args.tables:
        frame = pd.read_csv(path, nrows=args.rows)
        model, X = fitted(frame)
        rows = X.astype(object).where(X.notna(), None).to_dict("records")
        expected = model.predict(X)
        alone = np.concatenate([model.predict([row]) for row in rows])
        if not np.array_equal(alone, expected):
            raise SystemExit(f"{path}: rows alone have other predictions than all at once")
        if args.save:
            name = path.name.split(".")[0]
            model.save(args.save / f"{name}.safetensors")
            frame.to_csv(args.save / f"{name}.csv", index=False)
        print(f"{path.name}: {microseconds(model, rows, args.rounds):.1f} microseconds a row", flush=True)


if __name__ == "__main__":
    main()
