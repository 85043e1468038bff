"""Training: figures, callbacks, early stopping, going on, what is kept and what is interrupted."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from sklearn.base import clone

from gradus import MLPClassifier, MLPRegressor, NotFittedError, _core, _parameters


def model(**parameters):
    return MLPClassifier((20,), **{"random_state": 0, "max_iter": 6, **parameters})


def test_figures_of_a_run(table):
    X, y = table
    fitted = model(batch_size=32).fit(X, y, validation_data=(X[:50], y[:50]))
    assert fitted.n_iter_ == len(fitted.loss_curve_) == 6
    assert fitted.loss_ == fitted.loss_curve_[-1] == fitted.best_loss_ < fitted.loss_curve_[0]
    assert len(fitted.validation_loss_curve_) == len(fitted.validation_scores_) == 6
    assert fitted.validation_scores_[-1] == pytest.approx(fitted.score(X[:50], y[:50]))
    assert fitted.best_validation_score_ == max(fitted.validation_scores_)
    assert fitted.t_ == 6 * 300
    assert (fitted.n_layers_, fitted.n_outputs_, fitted.out_activation_) == (3, 3, "softmax")
    assert [weight.shape for weight in fitted.coefs_] == [(5, 20), (20, 3)]
    assert [bias.shape for bias in fitted.intercepts_] == [(20,), (3,)]
    assert fitted.outcome_ == "finished"
    with pytest.raises(ValueError, match="read-only"):
        fitted.coefs_[0][0, 0] = 1.0
    # The forward pass by hand.
    hidden = np.maximum(X.astype(np.float32) @ fitted.coefs_[0] + fitted.intercepts_[0], 0)
    logits = hidden @ fitted.coefs_[1] + fitted.intercepts_[1]
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected = odds / odds.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(fitted.predict_proba(X), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(fitted.predict_log_proba(X), np.log(expected), rtol=1e-3, atol=1e-4)


def test_the_same_at_any_number_of_threads(digits):
    (X, y), _ = digits
    one, three = (model(n_jobs=n, max_iter=2).fit(X, y) for n in (1, 3))
    assert np.array_equal(one.coefs_[0], three.coefs_[0])
    assert not np.array_equal(one.coefs_[0], model(random_state=1, max_iter=2).fit(X, y).coefs_[0])


def test_alpha_means_what_it_means_in_scikit_learn(table):
    """One step of gradient descent with all samples, from the same weights: only the penalty differs."""
    X, y = table
    step = dict(solver="sgd", momentum=0.0, batch_size=300, max_iter=1, learning_rate_init=0.1)
    plain, penalized = (model(alpha=alpha, **step).fit(X, y) for alpha in (0.0, 30.0))
    start = model(alpha=0.0, **{**step, "learning_rate_init": 1e-30}).fit(X, y).coefs_[0]
    expected = plain.coefs_[0] - 0.1 * 30.0 / 300 * start
    np.testing.assert_allclose(penalized.coefs_[0], expected, rtol=1e-4, atol=1e-6)


def test_ends_when_nothing_gets_better(table):
    X, y = table
    fitted = model(max_iter=200, tol=10.0, n_iter_no_change=3).fit(X, y)
    # The first epoch is progress, as in scikit-learn.
    assert (fitted.n_iter_, fitted.outcome_) == (5, "no_progress")
    assert model(max_iter=20, tol=10.0, n_iter_no_change=None).fit(X, y).n_iter_ == 20


def test_early_stopping_comes_back_to_the_best_epoch(table):
    X, y = table
    random = np.random.RandomState(1)
    noisy = np.where(random.uniform(size=300) < 0.3, random.randint(0, 3, 300), y)
    fitted = model(max_iter=200, early_stopping=True, n_iter_no_change=4, learning_rate_init=0.05)
    fitted.fit(X, noisy, validation_data=(X, y))
    assert fitted.outcome_ == "no_progress"
    assert fitted.n_iter_ == fitted.best_epoch_ + 1 + 5
    best = fitted.validation_scores_[fitted.best_epoch_]
    assert fitted.score(X, y) == pytest.approx(best)
    assert best > max(fitted.validation_scores_) - 1e-4
    apart = model(early_stopping=True, validation_fraction=0.2).fit(X, y)
    assert len(apart.validation_scores_) == apart.n_iter_
    assert apart.t_ == apart.n_iter_ * 240
    with pytest.raises(ValueError, match="The validation set is too small: 0.01 of 100 samples"):
        model(early_stopping=True, validation_fraction=0.01).fit(X[:100], y[:100])


def test_callbacks_hear_every_epoch_and_may_stop(table):
    X, y = table
    heard = []
    fitted = model(callbacks=[heard.append, lambda report: report["epoch"] == 2])
    fitted.fit(X, y, validation_data=(X, y))
    assert [report["epoch"] for report in heard] == [0, 1, 2]
    assert set(heard[0]) == {
        "epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds"
    }  # fmt: skip
    assert [report["loss"] for report in heard] == fitted.loss_curve_
    assert (fitted.n_iter_, fitted.outcome_) == (3, "stopped")
    three = model(max_iter=3).fit(X, y)
    assert np.array_equal(fitted.coefs_[0], three.coefs_[0])


def test_what_a_callback_raises_is_raised_and_the_model_stays(table):
    X, y = table

    def fails(report):
        if report["epoch"] == 1:
            raise KeyError("on purpose")

    fitted = model(callbacks=fails)
    with pytest.raises(KeyError, match="on purpose"):
        fitted.fit(X, y)
    assert fitted.n_iter_ == 2
    assert np.array_equal(fitted.predict(X), model(max_iter=2).fit(X, y).predict(X))


def test_verbose_prints_each_epoch(table, capsys):
    fitted = model(verbose=True, max_iter=2).fit(*table)
    lines = capsys.readouterr().out.splitlines()
    start = f"Iteration 2, loss = {fitted.loss_:.8f}, accuracy = "
    assert len(lines) == 2 and lines[1].startswith(start), lines
    # The lines of partial_fit are numbered on.
    fitted.partial_fit(*table)
    assert capsys.readouterr().out.startswith("Iteration 3, loss = ")


def test_a_solver_ignores_the_constants_of_others(table):
    X, y = table
    sgd = dict(nesterovs_momentum=True, momentum=0.9, beta_1=0.5, beta_2=0.5, epsilon=0.1)
    for solver, constants in [("adam", dict(momentum=0.3, nesterovs_momentum=True)), ("sgd", sgd)]:
        plain, given = model(solver=solver, max_iter=2), model(solver=solver, max_iter=2, **constants)
        assert np.array_equal(plain.fit(X, y).coefs_[0], given.fit(X, y).coefs_[0])
    without = model(solver="sgd", max_iter=2, momentum=0)
    same = model(solver="sgd", max_iter=2, momentum=0, nesterovs_momentum=True)
    assert np.array_equal(without.fit(X, y).coefs_[0], same.fit(X, y).coefs_[0])


def test_infinite_patience_runs_all_epochs_and_warns(table):
    fitted = model(max_iter=12, tol=10.0, n_iter_no_change=np.inf)
    with pytest.warns(UserWarning, match="had not settled"):
        fitted.fit(*table)
    assert fitted.n_iter_ == 12
    early = model(max_iter=12, tol=10.0, n_iter_no_change=np.inf, early_stopping=True)
    with pytest.warns(UserWarning, match="had not settled"):
        early.fit(*table)
    assert early.n_iter_ == 12


@pytest.mark.parametrize("solver", ["adam", "sgd", "muon", "rmsprop", "lion", "adamw"])
def test_partial_fit_gives_the_bits_of_fit(solver, table):
    X, y = table
    settings = dict(solver=solver, batch_size=32, dropout=0.1)
    whole = model(max_iter=4, **settings).fit(X, y)
    parts = model(**settings)
    for _ in range(4):
        parts.partial_fit(X, y, classes=[0, 1, 2])
    assert np.array_equal(parts.coefs_[0], whole.coefs_[0])
    assert parts.loss_curve_ == whole.loss_curve_
    assert (parts.n_iter_, parts.t_) == (4, 1200)
    # It goes on from fit, too.
    more = model(max_iter=3, **settings).fit(X, y).partial_fit(X, y)
    assert np.array_equal(more.coefs_[0], whole.coefs_[0])


def test_partial_fit_on_other_samples(digits):
    (X, y), (test, labels) = digits
    parts = model(normalization="unit", learning_rate_init=0.005)
    for _ in range(8):
        for start in range(0, 2000, 500):
            part = slice(start, start + 500)
            # The last as numbers: they take another way into the network.
            samples = X[part] if start < 1500 else X[part].reshape(500, 784).astype(np.float32)
            parts.partial_fit(samples, y[part], classes=range(10))
    assert parts.score(test, labels) > 0.85
    with pytest.raises(ValueError, match="expecting 784 features"):
        parts.partial_fit(test[:, :5], labels)
    with pytest.raises(ValueError, match="not among the classes"):
        parts.partial_fit(test, labels + 1)
    with pytest.raises(ValueError, match="classes must be given in the first call"):
        model().partial_fit(X, y)
    with pytest.raises(ValueError, match="cannot change when training continues"):
        parts.set_params(solver="sgd").partial_fit(X, y)


def test_warm_start_goes_on(table):
    X, y = table
    warm = model(max_iter=3, warm_start=True).fit(X, y)
    warm.fit(X, y)
    assert np.array_equal(warm.coefs_[0], model(max_iter=6).fit(X, y).coefs_[0])
    assert warm.n_iter_ == 3
    words = r"same classes as in the previous call to fit. Previously got \[0 1 2\], `y` has "
    with pytest.raises(ValueError, match=words + r"\[0 1\]"):
        warm.fit(X[y < 2], y[y < 2])
    with pytest.raises(ValueError, match=words + r"\[1 2 3\]"):
        warm.fit(X, y + 1)
    cold = model(max_iter=3).fit(X, y).fit(X, y)
    assert np.array_equal(cold.coefs_[0], model(max_iter=3).fit(X, y).coefs_[0])


def test_weights_of_samples_and_classes(table):
    X, y = table
    only = model(max_iter=40, learning_rate_init=0.01).fit(X, y, sample_weight=(y != 2) * 1.0)
    assert not np.any(only.predict(X[y != 2]) == 2)
    by_class = model(max_iter=40, learning_rate_init=0.01, class_weight={2: 0.0}).fit(X, y)
    assert np.array_equal(by_class.coefs_[0], only.coefs_[0])
    few = np.concatenate([np.flatnonzero(y == 0), np.flatnonzero(y == 1)[:10]])
    X, y = X[few] * 0.1, y[few]
    recall = [
        np.mean(model(max_iter=30, class_weight=weight, init="auto").fit(X, y).predict(X)[100:] == 1)
        for weight in (None, "balanced")
    ]
    assert recall[1] > recall[0]
    with pytest.raises(ValueError, match="class_weight has the class 7"):
        model(class_weight={7: 1.0}).fit(X, y)


def test_everything_that_regularises_is_taken(digits):
    (X, y), _ = digits
    plain = model(normalization="unit").fit(X, y)
    for name, value in [
        ("dropout", 0.1), ("input_dropout", 0.1), ("noise", 0.1), ("input_noise", 0.1),
        ("batch_norm", True), ("label_smoothing", 0.1), ("mixup", 0.2), ("l1", 1e-4),
        ("max_norm", 0.5), ("clip_norm", 0.1), ("clip_value", 0.001), ("ema_decay", 0.9),
        ("distort", "shift:2,rotate:5"), ("init", "glorot"), ("warm_up", 2.0),
        ("schedule", "one-cycle"), ("alpha", 1.0), ("batch_size", 50), ("activation", "logistic"),
        ("beta_1", 0.5), ("beta_2", 0.9), ("epsilon", 0.1), ("weight_decay", 0.1),
    ]:  # fmt: skip
        other = model(normalization="unit", **{name: value}).fit(X, y)
        assert not np.array_equal(other.coefs_[0], plain.coefs_[0]), name
        assert other.loss_ < other.loss_curve_[0], name


@pytest.mark.parametrize(
    "parameters, message",
    [
        (dict(learning_rate_init=-1.0), "learning_rate_init is -1, but must be above 0"),
        (dict(hidden_layer_sizes=(3, 0)), "hidden_layer_sizes is 0"),
        (dict(hidden_layer_sizes=(3, -1)), "hidden_layer_sizes is -1"),
        (dict(max_iter=0), "max_iter is 0, but must be a whole number from 1"),
        (dict(max_iter=1.5), "max_iter is 1.5"),
        (dict(batch_size=0), "batch_size is 0"),
        (dict(batch_size="all"), "batch_size is 'all'"),
        (dict(beta_1=1.0), "beta_1 is 1, but must be at least 0 and below 1"),
        (dict(beta_2=-1.0), "beta_2 is -1,"),
        (dict(dropout=1.0), "dropout is 1,"),
        (dict(input_noise=-1.0), "input_noise is -1,"),
        (dict(max_norm=-1.0), "max_norm is -1, but must be above 0"),
        (dict(max_norm="none"), "max_norm is 'none', but must be a number, or None"),
        (dict(dropout="0.1"), "dropout is '0.1', but must be a number"),
        (dict(batch_norm=1), "batch_norm is 1, but must be True or False"),
        (dict(warm_up=1e9), "warm_up is"),
        (dict(alpha=-1.0), "alpha / batch_size is"),
        (dict(tol=float("nan")), "tol is nan"),
        (dict(n_jobs=0), "n_jobs is 0"),
        (dict(solver="newton"), "solver is 'newton', but must be one of sgd"),
        (dict(activation="softsign"), "activation is 'softsign', but must be one of identity"),
        (dict(activation=["relu", "tanh"]), "2 activations for 1 hidden layers: give one for all"),
        (dict(schedule="linear"), "schedule is 'linear'"),
        (dict(init="xavier"), "init is 'xavier'"),
        (dict(normalization="l2"), "normalization is 'l2', but must be one of none, unit, standard and robust"),
        (dict(monitor="f1"), "monitor is 'f1'"),
        (dict(monitor="val_loss"), "monitor is val_loss, but there are no validation data"),
        (dict(distort="wobble:1"), "wobble"),
        (dict(distort="standard"), "distort"),
        (dict(random_state=-1), "random_state is -1"),
        (dict(random_state="a"), "random_state is 'a'"),
        (dict(early_stopping="yes"), "early_stopping is 'yes'"),
        (dict(early_stopping=True, validation_fraction=1.0), "validation_fraction is 1.0"),
        (dict(class_weight="even"), "class_weight is 'even'"),
        (dict(callbacks=[3]), "callbacks has 3"),
    ],
)
def test_wrong_parameters_are_named_as_python_names_them(parameters, message, table):
    with pytest.raises(ValueError) as caught:
        MLPClassifier(**parameters).fit(*table)
    assert message in str(caught.value)
    assert "--" not in str(caught.value)


def test_a_run_that_diverges_says_why(table):
    X, y = table
    fitted = model(solver="sgd", learning_rate_init=1e30)
    with pytest.raises(ValueError, match="learning_rate_init") as caught:
        fitted.fit(X, y)
    assert "--" not in str(caught.value)
    # Nothing came of it.
    with pytest.raises(NotFittedError):
        fitted.predict_proba(X)


def test_each_hidden_layer_may_have_its_own_activation(table, tmp_path):
    X, y = table
    fitted = MLPClassifier((9, 7), ("tanh", "relu"), max_iter=3, random_state=0).fit(X, y)
    hidden = X.astype(np.float32)
    functions = [np.tanh, lambda z: np.maximum(z, 0), lambda z: z]
    for weight, bias, function in zip(fitted.coefs_, fitted.intercepts_, functions, strict=True):
        hidden = function(hidden @ weight + bias)
    expected = hidden - np.log(np.exp(hidden).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(fitted.predict_log_proba(X), expected, rtol=1e-3, atol=1e-4)
    fitted.save(tmp_path / "model.safetensors")
    again = MLPClassifier.load(tmp_path / "model.safetensors")
    assert again.get_params() == fitted.get_params()
    same = MLPClassifier((9, 7), ["tanh", "tanh"], max_iter=3, random_state=0).fit(X, y)
    one = MLPClassifier((9, 7), "tanh", max_iter=3, random_state=0).fit(X, y)
    assert np.array_equal(same.coefs_[0], one.coefs_[0])


def test_random_states(table):
    X, y = table
    for state in (np.random.RandomState, np.random.default_rng):
        a, b = (model(random_state=state(5), max_iter=1).fit(X, y) for _ in range(2))
        assert np.array_equal(a.coefs_[0], b.coefs_[0])
    a, b = (model(random_state=None, max_iter=1).fit(X, y) for _ in range(2))
    assert not np.array_equal(a.coefs_[0], b.coefs_[0])


INTERRUPTED = """
import json, sys, time
import numpy as np
from gradus import MLPClassifier, datasets

X, y = datasets.digits(3000, seed=1)
model = MLPClassifier((256, 256), normalization="unit", max_iter=10**6, tol=0.0,
                      n_iter_no_change=None, random_state=0)
print("begun", flush=True)
try:
    model.fit(X, y)
except KeyboardInterrupt:
    score = model.score(X, y)
    model.partial_fit(X, y)
    print(json.dumps([model.outcome_, model.n_iter_, score]), flush=True)
    sys.exit(130)
"""


def test_ctrl_c_ends_fit_and_leaves_a_usable_model():
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, text=True, env=os.environ
    )
    assert process.stdout.readline() == "begun\n"
    time.sleep(3)
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    outcome, epochs, score = json.loads(rest)
    assert outcome == "finished" and epochs > 1  # that of partial_fit
    assert score > 0.5
    assert time.monotonic() - begin < 20


def test_other_threads_run_meanwhile(digits):
    (X, y), _ = digits
    ticks = []
    done = threading.Event()

    def tick():
        while not done.is_set():
            ticks.append(time.monotonic())
            time.sleep(0.001)

    thread = threading.Thread(target=tick)
    thread.start()
    begin = time.monotonic()
    MLPClassifier((512, 512), max_iter=3, random_state=0).fit(X, y)
    end = time.monotonic()
    done.set()
    thread.join()
    within = [at for at in ticks if begin < at < end]
    assert len(within) > 5, f"{len(within)} ticks in {end - begin:.2f} s"


def test_fits_side_by_side_do_not_disturb_each_other(table):
    X, y = table
    alone = model(max_iter=30).fit(X, y).coefs_[0]
    models = [model(max_iter=30) for _ in range(4)]
    threads = [threading.Thread(target=it.fit, args=(X, y)) for it in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(it.coefs_[0], alone) for it in models)


def test_every_setting_is_a_parameter_with_a_default_that_changes_nothing():
    """A setting that only the table has becomes a parameter of both estimators, or of the classifier."""
    for setting in _core.settings():
        kinds = {"classification": [MLPClassifier], "regression": [MLPRegressor]}
        expected = kinds.get(setting.task, [MLPClassifier, MLPRegressor])
        found = [it for it in (MLPClassifier, MLPRegressor) if setting.parameter in it().get_params()]
        assert found == expected, setting.name
        # Text that a file may contain is read by the same check.
        if setting.off is not None:
            assert setting.problem(setting.off) is None, setting.name


def test_a_setting_that_no_signature_names_is_a_parameter():
    """As a setting that is new in the table: all of it comes from there."""

    class Plain(MLPRegressor.__base__):
        """An estimator.

        Parameters
        ----------
        {parameters}
        """

        _task = "regression"

        def __init__(self, hidden_layer_sizes=(100,)):
            self._keep(locals())

    kind = _parameters.complete(Plain)
    new = kind(dropout=0.25)
    assert new.get_params()["dropout"] == 0.25 and kind().dropout == 0.0 and kind().max_norm is None
    assert (kind().batch_norm, kind().max_iter, kind().n_jobs) == (False, 200, None)
    assert repr(new) == "Plain(dropout=0.25)" and "class_weight" not in new.get_params()
    assert "dropout : float, default=0.0\n" in kind.__doc__ and "{parameters}" not in kind.__doc__
    assert "    Fraction of hidden activations set to 0." in kind.__doc__
    assert clone(new).dropout == 0.25 and new.set_params(dropout=0.5).dropout == 0.5
    with pytest.raises(TypeError):
        kind(nonsense=1)


def test_earlier_names_of_parameters_are_understood_and_not_shown():
    older = {name: setting.parameter for setting in _core.settings() for name in setting.older}
    assert older == {"average": "ema_decay", "normalization": "normalization", "distortion": "distort"}
    old = MLPClassifier(average=0.9)
    assert old.get_params() == MLPClassifier(ema_decay=0.9).get_params()
    assert "average" not in old.get_params() and "average" not in repr(old)
    assert old.average == old.ema_decay == 0.9
    assert old.set_params(average=0.5).ema_decay == 0.5
    assert MLPClassifier(distortion="strong").get_params()["distort"] == "strong"
    assert not hasattr(old, "coefs_") and not hasattr(old, "nonsense")
    with pytest.raises(TypeError):
        MLPClassifier(nonsense=1)
