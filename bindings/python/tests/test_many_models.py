"""Many models at once by joblib, Dask and Optuna: the recipes of docs/scale.md, which give the models of one process."""

import os
import sys

import joblib
import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, cross_val_score

from gradus import MLPClassifier


def classifier(**parameters):
    return MLPClassifier((16,), max_iter=8, n_iter_no_change=None, **parameters)


def fit(seed, X, y):
    return classifier(random_state=seed).fit(X, y)


def of_one_process(table):
    return [fit(seed, *table).predict_proba(table[0]) for seed in range(3)]


def assert_equal(models, table):
    for model, expected in zip(models, of_one_process(table), strict=True):
        np.testing.assert_array_equal(model.predict_proba(table[0]), expected)


def test_joblib(table):
    models = joblib.Parallel(n_jobs=2)(joblib.delayed(fit)(seed, *table) for seed in range(3))
    assert_equal(models, table)


def threads_while_training(X, y, **parameters):
    """The most threads of this process between two epochs, and those before."""
    before, most = len(os.listdir("/proc/self/task")), 0

    def count(epoch):
        nonlocal most
        most = max(most, len(os.listdir("/proc/self/task")))

    # Steps that are large enough for several threads.
    MLPClassifier(
        (256, 256), max_iter=1, batch_size=2000, n_iter_no_change=None, callbacks=count, **parameters
    ).fit(X, y)
    return most - before


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
def test_processes_of_joblib_share_the_cores(digits):
    (X, y), _ = digits
    X = X.reshape(len(X), -1)
    work = joblib.delayed(threads_while_training)
    # What joblib itself gives each of two processes.
    share = max(1, joblib.cpu_count() // 2)
    unset, one, many = joblib.Parallel(n_jobs=2)(work(X, y, n_jobs=it) for it in (None, share, share + 2))
    assert unset == one < many
    with joblib.parallel_config("loky", inner_max_num_threads=1):
        unset, one = joblib.Parallel(n_jobs=2)(work(X, y, n_jobs=it) for it in (None, 1))
    assert unset == one


def test_grid_search(table):
    grid = {"learning_rate_init": [0.001, 0.01], "alpha": [0.0, 0.01]}
    one, two = (
        GridSearchCV(classifier(random_state=0), grid, cv=3, n_jobs=n_jobs).fit(*table) for n_jobs in (None, 2)
    )
    np.testing.assert_array_equal(one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"])
    assert one.best_params_ == two.best_params_
    np.testing.assert_array_equal(one.predict_proba(table[0]), two.predict_proba(table[0]))


@pytest.fixture
def dask():
    """A client of a cluster of two processes on this machine."""
    distributed = pytest.importorskip("distributed", reason="dask distributed is not installed")
    cluster = distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    with cluster, distributed.Client(cluster) as client:
        yield client


def predict(model, X):
    return model.predict_proba(X)


def test_dask(table, dask):
    X, y = dask.scatter(table, broadcast=True)
    futures = dask.map(fit, range(3), X=X, y=y, pure=False)
    assert_equal(dask.gather(futures), table)
    # Many predictions: the model stays in the cluster, and rows go to it in parts.
    parts = np.array_split(table[0], 4)
    found = dask.gather([dask.submit(predict, futures[1], part) for part in parts])
    np.testing.assert_array_equal(np.concatenate(found), of_one_process(table)[1])
    # Dask gives each of its processes one thread of OpenMP's kind, which gradus keeps to.
    limits = dask.run(os.environ.get, "OMP_NUM_THREADS")
    assert set(limits.values()) == {"1"}


def test_optuna(table):
    optuna = pytest.importorskip("optuna", reason="optuna is not installed")
    optuna.logging.set_verbosity(optuna.logging.WARNING)

    def score(trial):
        model = classifier(
            random_state=0,
            learning_rate_init=trial.suggest_float("learning_rate_init", 1e-4, 1e-1, log=True),
            alpha=trial.suggest_float("alpha", 1e-6, 1e-1, log=True),
        )
        return cross_val_score(model, *table, cv=3).mean()

    def search():
        study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
        study.optimize(score, n_trials=6)
        return study

    study, again = search(), search()
    # The same bits in every run make a search repeatable.
    assert [it.value for it in study.trials] == [it.value for it in again.trials]
    best = classifier(random_state=0, **study.best_params)
    assert cross_val_score(best, *table, cv=3).mean() == study.best_value
