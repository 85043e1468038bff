"""The estimators for tables: what people stumble over, scikit-learn's tools, files and the program."""

import copy
import json
import pickle
import subprocess
import warnings

import numpy as np
import pandas
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from test_files import program
from test_sklearn import _checks

from gradus import MLPClassifier, MLPRegressor, TabularClassifier, TabularRegressor

QUICK = dict(preset="tabular-small", epochs=12, random_state=0)


def people(rows=400, seed=0):
    """A table as people have them, and whether each row earns much."""
    random = np.random.default_rng(seed)
    age = random.integers(18, 70, rows).astype(float)
    job = random.choice(["nurse", "smith", "clerk", "pilot"], rows)
    town = random.choice([f"town {at}" for at in range(12)], rows)
    hours = random.normal(38, 6, rows).round(1)
    since = pandas.Timestamp("2015-01-01") + pandas.to_timedelta(random.integers(0, 3000, rows), unit="D")
    wage = age * 0.6 + hours * 0.5 + 12 * (job == "pilot") - 8 * (job == "clerk") + random.normal(0, 3, rows)
    frame = pandas.DataFrame({"age": age, "job": job, "town": town, "hours": hours, "since": since})
    frame.loc[random.random(rows) < 0.1, "hours"] = np.nan
    frame.loc[random.random(rows) < 0.1, "job"] = None
    return frame, np.where(wage > np.median(wage), "much", "little"), wage


def test_advice_is_about_parameters_that_there_are():
    frame, _, _ = people(60)
    noise = np.random.default_rng(3).standard_cauchy(60) * 1e4
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        TabularRegressor(preset="tabular-small", epochs=1, random_state=0).fit(frame, noise)
    said = [str(it.message) for it in caught]
    assert said and not any("learning_rate_init" in it and "(of MLPRegressor" not in it for it in said), said
    worded = TabularRegressor()._worded("try more max_iter or another learning_rate_init")
    assert worded == "try more epochs"
    worded = TabularClassifier()._worded("use a smaller learning_rate_init, such as 0.001")
    assert "MLPClassifier" in worded and "such as 0.001" in worded


def test_truth_values_are_the_same_in_all_spellings():
    frame, _, wage = people(200)
    frame["senior"] = frame["age"] > 45
    model = quick(frame[["senior", "hours"]], wage)
    assert model.column_kinds_["senior"][0] == "category"
    rows = frame[["senior", "hours"]].head(8)
    expected = model.predict(rows)
    for true, false in (("true", "false"), ("TRUE", "FALSE"), ("True", "False")):
        spelled = rows.assign(senior=np.where(rows["senior"], true, false))
        np.testing.assert_array_equal(model.predict(spelled), expected)
    for row, value in zip(rows.to_dict("records"), expected, strict=True):
        assert model.predict([row])[0] == value
        assert model.predict([{**row, "senior": str(row["senior"]).lower()}])[0] == value


def test_a_row_alone_is_predicted_as_among_others(table, classifier):
    frame = table[0].head(30)
    expected = classifier.predict_proba(frame)
    for at, row in enumerate(frame.to_dict("records")):
        cells = {name: None if value != value else value for name, value in row.items()}
        cells["since"] = str(cells["since"])
        np.testing.assert_array_equal(classifier.predict_proba([cells])[0], expected[at])
        # Text and numbers in other forms that mean the same.
        if cells["job"] is not None:
            np.testing.assert_array_equal(classifier.predict_proba([{**cells, "job": f" {cells['job']} "}])[0], expected[at])
        np.testing.assert_array_equal(classifier.predict_proba([{**cells, "age": int(cells["age"])}])[0], expected[at])
        np.testing.assert_array_equal(classifier.predict_proba([{**cells, "age": str(cells["age"])}])[0], expected[at])
    with pytest.raises(ValueError, match="infinity"):
        classifier.predict([{**cells, "age": float("inf")}])


@pytest.fixture(scope="module")
def table():
    return people()


@pytest.fixture(scope="module")
def classifier(table):
    return TabularClassifier(**QUICK).fit(table[0], table[1])


@pytest.fixture(scope="module")
def regressor(table):
    return TabularRegressor(**QUICK).fit(table[0], table[2])


def quick(X, y, **parameters):
    kind = TabularClassifier if np.asarray(y).dtype.kind in "OUSb" else TabularRegressor
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return kind(**{**QUICK, "epochs": 2, **parameters}).fit(X, y)


def test_raw_rows_are_learned(classifier, regressor):
    frame, label, wage = people(seed=1)
    assert classifier.score(frame, label) > 0.8
    assert regressor.score(frame, wage) > 0.6
    assert list(classifier.classes_) == ["little", "much"]
    assert list(classifier.feature_names_in_) == list(frame) and classifier.n_features_in_ == 5
    assert classifier.n_iter_ == 12 and 0 <= classifier.best_epoch_ < 12
    kinds = {name: kind for name, (kind, _) in classifier.column_kinds_.items()}
    assert kinds == {"age": "number", "job": "category", "town": "category", "hours": "number", "since": "date"}
    assert set(classifier.history_) >= {"loss", "accuracy", "val_loss", "val_accuracy"}


def test_the_same_bits_at_any_number_of_threads(table, classifier):
    frame, label, _ = table
    for n_jobs in (1, 3):
        other = TabularClassifier(**QUICK, n_jobs=n_jobs).fit(frame, label)
        assert np.array_equal(other.predict_proba(frame), classifier.predict_proba(frame))


def test_columns_are_matched_by_name(table, classifier):
    frame, _, _ = table
    expected = classifier.predict_proba(frame)
    assert np.array_equal(classifier.predict_proba(frame[["since", "job", "hours", "town", "age"]]), expected)
    with pytest.warns(UserWarning, match="not trained on, which are ignored: \\['shoe'\\]"):
        assert np.array_equal(classifier.predict_proba(frame.assign(shoe=1)), expected)
    with pytest.raises(ValueError, match="missing: \\['hours'\\]"):
        classifier.predict(frame.drop(columns="hours"))
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        assert np.array_equal(classifier.predict_proba(frame.to_numpy(dtype=object)), expected)


def test_unseen_categories_and_new_gaps_are_gaps(table, classifier):
    frame = table[0].iloc[:6].copy()
    unseen, gap = frame.assign(job="juggler", town="Atlantis"), frame.assign(job=None, town=None)
    assert np.array_equal(classifier.predict_proba(unseen), classifier.predict_proba(gap))
    # The training part has no gap in these columns.
    for column in ("age", "town", "since"):
        found = classifier.predict_proba(frame.assign(**{column: None}))
        assert np.isfinite(found).all() and not np.array_equal(found, classifier.predict_proba(frame))
    one = frame.iloc[:1].assign(age=None, hours=None)
    assert np.isfinite(classifier.predict_proba(one)).all()


def test_other_types_are_converted_where_that_is_exact(table, classifier):
    frame = table[0].iloc[:20].copy()
    expected = classifier.predict_proba(frame)
    as_text = frame.assign(
        age=[f"{age:.1f}" for age in frame["age"]],
        hours=[None if hours != hours else str(hours) for hours in frame["hours"]],
        since=frame["since"].dt.strftime("%Y-%m-%d"),
    )
    assert np.array_equal(classifier.predict_proba(as_text), expected)
    assert np.array_equal(classifier.predict_proba(frame.astype({"job": "category", "town": "category"})), expected)
    with pytest.raises(ValueError, match=r"row 3, column 0 \('age'\).*old"):
        classifier.predict(as_text.assign(age=["1", "2", "3", "old"] * 5))
    with pytest.raises(ValueError, match=r"column 4 \('since'\): numbers where dates are expected"):
        classifier.predict(frame.assign(since=1.0))
    codes = pandas.DataFrame({"code": ["1", "2", "x", "1", "2", "x"] * 3})
    model = quick(codes, ["a", "b", "c"] * 6)
    text = model.predict_proba(codes.iloc[:2])
    assert np.array_equal(model.predict_proba(pandas.DataFrame({"code": [1, 2]})), text)
    assert np.array_equal(model.predict_proba(pandas.DataFrame({"code": [1.0, 2.0]})), text)


DEGENERATE = {
    "only categories": pandas.DataFrame({"a": list("xyxyxyxyxy"), "b": list("ppqqrrppqq")}),
    "a constant column": pandas.DataFrame({"a": np.arange(10.0), "b": 7}),
    "an empty column": pandas.DataFrame({"a": np.arange(10.0), "b": [None] * 10}),
    "a single column": pandas.DataFrame({"a": np.arange(10.0)}),
    "a single category": pandas.DataFrame({"a": list("xyxyxyxyxy")}),
    "duplicated names": pandas.DataFrame(np.random.RandomState(0).normal(size=(10, 3)), columns=["a", "b", "a"]),
    "an identifier": pandas.DataFrame({"a": np.arange(30.0), "id": [f"key {at}" for at in range(30)]}),
    "bytes as of images": pandas.DataFrame(np.random.RandomState(0).randint(0, 256, (20, 64), np.uint8)).add_prefix("p"),
    "many columns": pandas.DataFrame(np.random.RandomState(0).normal(size=(12, 10_000))).add_prefix("c"),
}


@pytest.mark.parametrize("form", DEGENERATE)
def test_degenerate_frames_work(form):
    frame = DEGENERATE[form]
    y = np.array(["u", "v"] * (len(frame) // 2))
    for target in (y, np.arange(len(frame), dtype=float)):
        model = quick(frame, target)
        assert len(model.predict(frame)) == len(frame)
    if form == "an identifier":
        assert model.column_kinds_["id"][0] == "dropped"
        chosen = quick(frame, y, categorical_features=["id"])
        assert chosen.column_kinds_["id"][0] == "category"
    if form == "bytes as of images":
        assert model.n_features_in_ == 64


def test_nothing_to_learn_from_is_an_error():
    constant = pandas.DataFrame({"a": [1.0] * 12, "b": ["x"] * 12, "c": [None] * 12})
    with pytest.raises(ValueError, match="no column of the table can be learned from"):
        quick(constant, ["u", "v"] * 6)
    # The message names Python's parameter.
    with pytest.raises(ValueError, match="categorical_features|columns"):
        quick(pandas.DataFrame({"id": [f"key {at}" for at in range(30)]}), ["u", "v"] * 15)


def test_one_row_of_a_class(table):
    frame, label, _ = table
    label = label.copy()
    label[7] = "most"
    model = quick(frame, label)
    assert list(model.classes_) == ["little", "most", "much"]


@pytest.mark.parametrize("gap", [None, np.nan, pandas.NA], ids=str)
def test_rows_without_a_target_are_left_out(table, gap):
    frame, label, wage = table
    weights = np.linspace(0.5, 2, len(frame))
    left = np.ones(len(frame), bool)
    left[[3, 10, 11]] = False
    for kind, y in ((TabularClassifier, label), (TabularRegressor, wage)):
        with_gaps = y.astype(object)
        with_gaps[~left] = gap
        if kind is TabularRegressor and gap is np.nan:
            with_gaps = with_gaps.astype(float)
        with pytest.warns(UserWarning, match="3 rows without a target left out"):
            model = kind(**{**QUICK, "epochs": 2}).fit(frame, with_gaps, sample_weight=weights)
        expected = kind(**{**QUICK, "epochs": 2}).fit(frame[left], y[left], sample_weight=weights[left])
        assert np.array_equal(model.predict(frame), expected.predict(frame))
    with pytest.raises(ValueError, match="NaN in all rows"):
        TabularRegressor(**QUICK).fit(frame, np.full(len(frame), np.nan))


@pytest.mark.parametrize("name", ["Unnamed: 0", ""])
def test_an_index_column_is_warned_of(table, name):
    frame, label, _ = table
    frame = frame.copy()
    frame.insert(0, name, np.arange(len(frame)))
    with pytest.warns(UserWarning, match="looks like the index") as found:
        model = quick(frame, label)
    assert [it.filename for it in found if "the index" in str(it.message)] == [__file__]
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*the index of a frame")
        model.predict(frame)
        quick(frame.rename(columns={name: "count"}), label)


def test_validation_data_and_weights(table):
    frame, label, wage = table
    for kind, y in ((TabularClassifier, label), (TabularRegressor, wage)):
        model = kind(**QUICK).fit(frame[:300], y[:300], validation_data=(frame[300:], y[300:]))
        assert len(model.validation_scores_) == 12 and model.best_epoch_ is not None
        best = model.validation_scores_[model.best_epoch_]
        np.testing.assert_allclose(best, model.score(frame[300:], y[300:]), rtol=1e-5)
        whole = kind(**QUICK, validation_fraction=0).fit(frame, y)
        assert whole.validation_scores_ is None and whole.best_epoch_ is None
        weights = np.where(np.arange(len(frame)) < 200, 1.0, 0.0)
        weighted = kind(**QUICK, validation_fraction=0).fit(frame, y, sample_weight=weights)
        assert not np.array_equal(weighted.predict(frame), whole.predict(frame)) or kind is TabularClassifier
    heavy = TabularClassifier(**QUICK, class_weight={"much": 50.0}).fit(frame, label)
    plain = TabularClassifier(**QUICK).fit(frame, label)
    assert np.mean(heavy.predict(frame) == "much") > np.mean(plain.predict(frame) == "much")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"preset": "quick"}, "preset is 'quick', but must be one of 'tabular'"),
        ({"epochs": 0}, "epochs is 0, but must be a whole number of at least 1"),
        ({"validation_fraction": 1.0}, "must be at least 0 and below 1"),
        ({"random_state": -1}, "random_state is -1"),
        ({"n_jobs": 0}, "n_jobs is 0"),
    ],
)
def test_wrong_parameters_are_named(table, parameters, message):
    for kind, y in ((TabularClassifier, table[1]), (TabularRegressor, table[2])):
        with pytest.raises(ValueError, match=message):
            kind(**parameters).fit(table[0], y)


def test_losses_of_the_regressor(table):
    frame, _, wage = table
    model = TabularRegressor(**QUICK, loss="quantile:0.1,0.9").fit(frame, wage)
    low, high = model.predict(frame).T
    assert (low <= high).all() and model.predict([frame.iloc[0].to_dict()]).shape == (1, 2)
    counts = TabularRegressor(**QUICK, loss="poisson").fit(frame, np.maximum(np.round(wage), 0))
    assert (counts.predict(frame) >= 0).all()
    with pytest.raises(ValueError, match="loss is 'cross'"):
        TabularRegressor(loss="cross").fit(frame, wage)


def test_members_of_a_bag(table, classifier, regressor):
    frame, label, wage = people(seed=1)
    for single, y in ((classifier, label), (regressor, wage)):
        trained_on = table[1] if single is classifier else table[2]
        bag = type(single)(**QUICK, members=3).fit(table[0], trained_on)
        assert bag.score(frame, y) > single.score(frame, y) - 0.05
        record = frame.iloc[0].to_dict()
        assert np.array_equal(bag.predict([record]), bag.predict(frame.iloc[:1]))
        assert np.array_equal(pickle.loads(pickle.dumps(bag)).predict(frame), bag.predict(frame))
        assert bag.importances(frame, y, n_repeats=2).importances.shape == (5, 2)
    low, high = bag.predict_interval(frame, 0.8).T
    assert 0.6 < np.mean((low <= wage) & (wage <= high)) < 0.97
    with pytest.raises(ValueError, match="members is 0"):
        TabularClassifier(members=0).fit(frame, label)


def test_several_targets_and_labels(table):
    frame, label, wage = table
    both = TabularRegressor(**QUICK).fit(frame, np.c_[wage, frame["age"]])
    assert both.predict(frame).shape == (400, 2) and both.predict(frame.iloc[:1]).shape == (1, 2)
    indicators = np.c_[label == "much", frame["age"] > 40].astype(int)
    labels = TabularClassifier(**QUICK).fit(frame, indicators)
    assert labels.predict(frame).shape == (400, 2) and labels.score(frame, indicators) > 0.5


def test_files_pickles_and_copies(table, classifier, regressor, tmp_path):
    frame = table[0]
    for model in (classifier, regressor):
        path = tmp_path / "model.safetensors"
        model.save(path)
        loaded = type(model).load(path)
        for other in (loaded, pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
            assert np.array_equal(other.predict(frame), model.predict(frame))
            assert other.get_params() == model.get_params()
            assert other.column_kinds_ == model.column_kinds_
        # The state of the solver and the data stay behind.
        assert len(pickle.dumps(model)) < 1.2 * path.stat().st_size + 20_000
    # A model of raw columns is one for the other estimators, too.
    mlp = MLPClassifier.load(classifier.save(tmp_path / "c.safetensors") or tmp_path / "c.safetensors")
    assert np.array_equal(mlp.predict_proba(frame), classifier.predict_proba(frame))
    assert not hasattr(clone(classifier), "classes_") and clone(classifier).get_params() == classifier.get_params()
    assert repr(classifier) == "TabularClassifier(preset='tabular-small', epochs=12, random_state=0)"


def test_the_program_reads_the_model(table, classifier, regressor, tmp_path):
    frame = table[0].iloc[:50]
    frame.to_csv(tmp_path / "table.csv", index=False)
    for model in (classifier, regressor):
        model.save(tmp_path / "model.safetensors")
        done = subprocess.run(
            [program(), "predict", "model.safetensors", "table.csv", "--json"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        rows = lines[0] if isinstance(lines[0], list) else lines
        if model is regressor:
            found = [row["value"] if "value" in row else next(iter(row["values"].values())) for row in rows]
            np.testing.assert_allclose(found, model.predict(frame), rtol=1e-6)
        else:
            assert [row.get("class", row.get("label")) for row in rows] == model.predict(frame).tolist()


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_the_programs_own_training_is_the_same(task, table, tmp_path):
    frame, label, wage = table
    y = label if task == "classification" else wage
    frame.assign(target=y).to_csv(tmp_path / "train.csv", index=False)
    command = [program(), "train", "--data", "train.csv", "--label-column", "target", "--preset", "tabular-small"]
    command += ["--test", "train.csv", "--epochs", "12", "--seed", "0", "--out", "program.safetensors"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    kind = TabularClassifier if task == "classification" else TabularRegressor
    theirs = kind.load(tmp_path / "program.safetensors")
    ours = kind(**QUICK).fit(pandas.read_csv(tmp_path / "train.csv").drop(columns="target"), y)
    assert ours.column_kinds_ == theirs.column_kinds_
    predict = kind.predict_proba if task == "classification" else kind.predict
    assert np.array_equal(predict(ours, frame), predict(theirs, frame))


def test_in_scikit_learns_tools(table):
    frame, label, wage = table
    assert cross_val_score(TabularClassifier(**QUICK), frame, label, cv=3).mean() > 0.75
    assert cross_val_score(TabularRegressor(**QUICK), frame, wage, cv=3).mean() > 0.5
    pipeline = make_pipeline(FunctionTransformer(lambda X: X.drop(columns="town")), TabularClassifier(**QUICK))
    assert pipeline.fit(frame, label).score(frame, label) > 0.8
    search = GridSearchCV(TabularClassifier(**QUICK), {"epochs": [2, 12]}, cv=2).fit(frame, label)
    assert search.best_params_["epochs"] in (2, 12) and search.score(frame, label) > 0.7


def test_the_other_estimators_take_the_same_tables(table):
    frame, label, wage = table
    settings = dict(columns="infer", normalization="standard", max_iter=30, random_state=0, n_iter_no_change=None)
    model = MLPClassifier((32,), learning_rate_init=0.01, **settings).fit(frame, label)
    assert model.score(frame, label) > 0.8
    model.partial_fit(frame, label)
    assert model.n_iter_ == 31
    with pytest.raises(ValueError, match="raw columns"):
        model.plot_weights((1, 5))
    regressor = MLPRegressor("squared_error", (32,), standardize_targets=True, **settings).fit(frame, wage)
    assert regressor.column_kinds_ == model.column_kinds_
    with pytest.raises(AttributeError, match="was trained on numbers"):
        MLPClassifier(max_iter=1, n_iter_no_change=None).fit([[0.0], [1.0]], [0, 1]).column_kinds_
    from gradus import to_sklearn

    with pytest.raises(ValueError, match="raw columns of a table"):
        to_sklearn(model)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "estimator, check",
    _checks(TabularClassifier("tabular-small", epochs=30)) + _checks(TabularRegressor("tabular-small", epochs=30)),
    ids=lambda value: getattr(getattr(value, "func", value), "__name__", type(value).__name__),
)
def test_scikit_learns_check(estimator, check):
    check(estimator)
