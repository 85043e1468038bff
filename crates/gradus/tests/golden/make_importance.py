"""Reference numbers for importances, partial dependence and integrated gradients.

    python make_importance.py [FOLDER]        (needs NumPy and scikit-learn; FOLDER: where this file lies)

importance.npz  Nets 3-5-C, tanh, with the weights of scikit-learn's MLPs, which predict in float64. KIND is values (C = 1)
                or classes (C = 3): `KIND/x t w1 b1 w2 b2`; `KIND/orders` (columns x repeats x samples), the order of the
                samples after each shuffle of `permutation_importance`; `KIND/importances` (2 x columns x repeats) for r2
                and root mean squared error, or for accuracy and log loss; `KIND/grid` and `KIND/dependence`
                (points x C), the partial dependence on column 1 by brute force; `KIND/contributions` (columns),
                `KIND/ends` (at the baseline of zeros, at the sample): integrated gradients of the last output for sample 0,
                with 20,000 steps, in NumPy.
"""

import sys
from pathlib import Path

import numpy as np
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.neural_network import MLPClassifier, MLPRegressor

SAMPLES, COLUMNS, REPEATS, SEED, STEPS = 25, 3, 4, 7, 20_000


def orders_of(seed):
    """The shuffles of permutation_importance: each column starts from the same seed, and each repeat shuffles what the last
    one left."""
    start = np.random.RandomState(seed).randint(np.iinfo(np.int32).max + 1)
    found = np.empty((COLUMNS, REPEATS, SAMPLES), dtype=np.uint32)
    for column in range(COLUMNS):
        state, index, order = np.random.RandomState(start), np.arange(SAMPLES), np.arange(SAMPLES)
        for repeat in range(REPEATS):
            state.shuffle(index)
            order = order[index]
            found[column, repeat] = order
    return found


def importances(model, x, t, scoring, orders):
    found = permutation_importance(
        model, x, t, scoring=scoring, n_repeats=REPEATS, random_state=SEED, n_jobs=1
    )
    # The orders are what scikit-learn did.
    from sklearn.metrics import get_scorer

    scorer = get_scorer(scoring)
    for column in range(COLUMNS):
        for repeat in range(REPEATS):
            shuffled = x.copy()
            shuffled[:, column] = x[orders[column, repeat], column]
            own = scorer(model, x, t) - scorer(model, shuffled, t)
            assert abs(own - found.importances[column, repeat]) < 1e-12
    return found.importances


def integrated(weights, x, classes):
    w1, b1, w2, b2 = weights

    def forward(rows):
        hidden = np.tanh(rows @ w1 + b1)
        z = hidden @ w2 + b2
        if classes:
            e = np.exp(z - z.max(axis=1, keepdims=True))
            z = e / e.sum(axis=1, keepdims=True)
        return hidden, z

    shares = (np.arange(STEPS) + 0.5) / STEPS
    hidden, y = forward(shares[:, None] * x)
    slope = np.zeros_like(y)
    slope[:, -1] = 1
    if classes:
        slope = y[:, -1:] * (slope - y)
    slope = (slope @ w2.T * (1 - hidden**2)) @ w1.T
    contributions = x * slope.mean(axis=0)
    ends = forward(np.stack([np.zeros_like(x), x]))[1][:, -1]
    assert abs(contributions.sum() - (ends[1] - ends[0])) < 1e-8
    return contributions, ends


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent)
    rng = np.random.RandomState(3)
    x = rng.randn(SAMPLES, COLUMNS).astype(np.float32).astype(np.float64)
    value = 2 * x[:, 0] + np.sin(2 * x[:, 1]) + 0.1 * rng.randn(SAMPLES)
    value = value.astype(np.float32).astype(np.float64)
    label = np.digitize(value, [-1, 1])
    orders = orders_of(SEED)
    arrays = {}
    settings = dict(activation="tanh", hidden_layer_sizes=(5,), solver="lbfgs", random_state=1, max_iter=30, alpha=0.1)
    for kind, model, target, scorings in [
        ("values", MLPRegressor(**settings), value, ["r2", "neg_root_mean_squared_error"]),
        ("classes", MLPClassifier(**settings), label, ["accuracy", "neg_log_loss"]),
    ]:
        model.fit(x, target)
        for layer in range(2):
            model.coefs_[layer] = model.coefs_[layer].astype(np.float32).astype(np.float64)
            model.intercepts_[layer] = model.intercepts_[layer].astype(np.float32).astype(np.float64)
        weights = model.coefs_[0], model.intercepts_[0], model.coefs_[1], model.intercepts_[1]
        found = {"x": x, "t": target}
        found |= dict(zip(["w1", "b1", "w2", "b2"], weights))
        found["importances"] = np.stack([importances(model, x, target, it, orders) for it in scorings])
        dependence = partial_dependence(
            model, x, [1], grid_resolution=6, kind="average", method="brute",
            response_method="predict_proba" if kind == "classes" else "auto",
        )
        found["grid"] = dependence["grid_values"][0]
        found["dependence"] = dependence["average"].T
        found["contributions"], found["ends"] = integrated(weights, x[0], kind == "classes")
        arrays |= {f"{kind}/{key}": np.asarray(it, dtype=np.float32) for key, it in found.items()}
        arrays[f"{kind}/orders"] = orders
        print(kind, found["importances"].mean(axis=2).round(3).tolist(), found["dependence"].shape)
    np.savez(folder / "importance.npz", **arrays)


if __name__ == "__main__":
    main()
