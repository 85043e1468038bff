"""Raw columns in every form: each is the same table to the core, or an error that says what is wrong."""

import datetime
import decimal

import numpy as np
import pandas
import polars
import pyarrow
import pytest

from gradus import MLPClassifier, MLPRegressor, TabularClassifier, TabularRegressor

# Nothing is learned in so few epochs, which is told.
pytestmark = pytest.mark.filterwarnings("ignore:training ended no better than guessing")

GAP = None
CITIES = ["Ulm", GAP, "Bonn", "Ulm", "Jena", "Bonn"]
AGES = [31.0, 25.0, GAP, 40.0, 58.5, 22.0]
MEMBERS = [True, False, True, GAP, False, True]
DAYS = [datetime.datetime(2024, 1, 5, 12, 30), GAP] + [datetime.datetime(2024, month, 1) for month in (2, 3, 4, 5)]
COUNTS = [3, 1, 4, 1, 5, 9]
COLUMNS = {"city": CITIES, "age": AGES, "member": MEMBERS, "since": DAYS, "count": COUNTS}


def objects():
    return pandas.DataFrame({name: pandas.Series(values, dtype=object) for name, values in COLUMNS.items()})


def arrow():
    return pyarrow.table(COLUMNS)


def structured():
    types = [("city", object), ("age", float), ("member", object), ("since", "M8[s]"), ("count", np.int16)]
    values = [
        CITIES,
        [np.nan if it is None else it for it in AGES],
        MEMBERS,
        ["NaT" if it is None else np.datetime64(it, "s") for it in DAYS],
        COUNTS,
    ]
    return np.array(list(zip(*values, strict=True)), dtype=types)


class Stream:
    """What has the Arrow interface and nothing else, such as a result of DuckDB."""

    def __init__(self, table):
        self.table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


FORMS = {
    "pandas": lambda: pandas.DataFrame(COLUMNS).assign(since=pandas.to_datetime(pandas.Series(DAYS))),
    "pandas of objects": objects,
    "pandas nullable": lambda: objects().astype(
        {"city": "string", "age": "Float64", "member": "boolean", "since": "datetime64[ns]", "count": "Int8"}
    ),
    "pandas Arrow-backed": lambda: arrow().to_pandas(types_mapper=pandas.ArrowDtype),
    "pandas with a zone": lambda: FORMS["pandas"]().assign(
        since=lambda frame: frame["since"].dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin")
    ),
    "polars": lambda: polars.DataFrame(COLUMNS),
    "polars lazy": lambda: polars.DataFrame(COLUMNS).lazy(),
    "arrow": arrow,
    "arrow in parts": lambda: pyarrow.concat_tables([arrow().slice(0, 2), arrow().slice(2)]),
    "arrow batch": lambda: pyarrow.record_batch(COLUMNS),
    "arrow reader": lambda: arrow().to_reader(),
    "arrow views": lambda: arrow().set_column(0, "city", pyarrow.array(CITIES, pyarrow.string_view())),
    "arrow stream": lambda: Stream(arrow()),
    "records": lambda: [dict(zip(COLUMNS, row, strict=True)) for row in zip(*COLUMNS.values(), strict=True)],
    "structured": structured,
    "CSV": lambda: pandas.read_csv(__import__("io").StringIO(objects().to_csv(index=False))),
}


@pytest.fixture(scope="module")
def fitted():
    return MLPRegressor(hidden_layer_sizes=(6,), max_iter=3, random_state=0, columns="infer").fit(arrow(), np.arange(6.0))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_the_same_table(form, fitted):
    kinds = [kind for kind, _ in fitted.column_kinds_.values()]
    assert kinds == ["category", "number", "category", "date", "number"]
    assert np.array_equal(fitted.predict(FORMS[form]()), fitted.predict(arrow()))
    other = MLPRegressor(hidden_layer_sizes=(6,), max_iter=3, random_state=0, columns="infer")
    other.fit(FORMS[form](), np.arange(6.0))
    assert other.column_kinds_ == fitted.column_kinds_
    assert np.array_equal(other.predict(arrow()), fitted.predict(arrow()))


def kinds_of(X, **parameters):
    rows = X.shape[0] if hasattr(X, "shape") else len(X)
    model = TabularRegressor(epochs=1, validation_fraction=0, random_state=0, **parameters)
    return model.fit(X, np.arange(rows, dtype=float)).column_kinds_


CATEGORIES = {
    "pandas": lambda values: pandas.DataFrame({"x": pandas.Categorical(values)}),
    "polars": lambda values: polars.DataFrame({"x": polars.Series(values, dtype=polars.Categorical)}),
    "enum": lambda values: polars.DataFrame({"x": polars.Series(values, dtype=polars.Enum(["c", "a", "b", "unused"]))}),
    "arrow": lambda values: pyarrow.table({"x": pyarrow.array(values).dictionary_encode()}),
    "arrow-backed": lambda values: pyarrow.table({"x": pyarrow.array(values).dictionary_encode()}).to_pandas(
        types_mapper=pandas.ArrowDtype
    ),
}


TEXTS, NUMBERS = ["a", "b", None, "c", "a", "b"], [10, 2, None, 1, 10, 2]
# Polars has categories of text only.
CASES = [(library, TEXTS) for library in CATEGORIES]
CASES += [(library, NUMBERS) for library in CATEGORIES if library not in ("polars", "enum")]


@pytest.mark.parametrize(("library", "values"), CASES)
def test_categories_are_those_of_the_frame(library, values):
    found = kinds_of(CATEGORIES[library](values))
    expected = "flags: a, b, c" if values is TEXTS else "flags: 1, 2, 10"
    assert found == {"x": ("category", expected)}


def test_the_user_chooses_categories():
    frame = pandas.DataFrame({"zip": [10, 20, 10, 20, 30, 30], "x": [0.5, 1.5, 2.0, 3.0, 4.0, 5.0]})
    expected = ("category", "flags: 10, 20, 30")
    for chosen in (["zip"], [0], [True, False], np.array([True, False]), pandas.Index(["zip"])):
        found = kinds_of(frame, categorical_features=chosen)
        assert found["zip"] == expected and found["x"][0] == "number"
    for none in ("from_dtype", None, [], [False, False]):
        assert kinds_of(frame, categorical_features=none)["zip"][0] == "number"
    model = MLPRegressor(max_iter=1, columns={"zip": "category"}, n_iter_no_change=None).fit(frame, np.arange(6.0))
    assert model.column_kinds_["zip"] == expected
    text = frame.astype({"zip": str})
    model = MLPRegressor(max_iter=1, columns={"zip": "number"}, n_iter_no_change=None).fit(text, np.arange(6.0))
    assert model.column_kinds_["zip"][0] == "number"
    for wrong, message in (
        ({"categorical_features": ["zap"]}, "'zap', which is not a column of X: zip, x"),
        ({"categorical_features": [7]}, "position 7, but X has 2 columns"),
        ({"categorical_features": [True]}, "boolean mask should have shape"),
        ({"categorical_features": "zip"}, "must be 'from_dtype'"),
    ):
        with pytest.raises(ValueError, match=message):
            kinds_of(frame, **wrong)
    for wrong, message in (
        ({"zip": "text"}, "'text' for 'zip', but a column is one of"),
        ("all", "must be None, 'infer', or a dict"),
        ({"zap": "number"}, "not a column"),
    ):
        with pytest.raises(ValueError, match=message):
            MLPRegressor(columns=wrong).fit(frame, np.arange(6.0))


def test_types_that_need_some_thought():
    frame = pandas.DataFrame(
        {
            "sparse": pandas.arrays.SparseArray([0.0, 0, 1.5, 0, 2, 3]),
            "wait": pandas.to_timedelta([1, 2, None, 4, 5, 7], unit="h"),
            "month": pandas.period_range("2024-01", periods=6, freq="M"),
            "range": pandas.cut(pandas.Series([1, 5, 9, 1, 5, 9]), 3),
            "exact": pandas.Series([decimal.Decimal(at) / 4 for at in range(6)], dtype=object),
            "day": pandas.Series([datetime.date(2024, 1, 1 + at) for at in range(6)], dtype=object),
            "dates as text": [f"2024-0{1 + at}-01" for at in range(6)],
            "mixed": pandas.Series([1, "a", 1.0, "b", True, "a"], dtype=object),
        }
    )
    found = kinds_of(frame)
    kinds = {name: kind for name, (kind, _) in found.items()}
    assert kinds == {
        "sparse": "number",
        "wait": "number",
        "month": "date",
        "range": "category",
        "exact": "number",
        "day": "date",
        "dates as text": "date",
        "mixed": "category",
    }
    assert found["mixed"][1] == "flags: 1, True, a, b"
    times = {"t": [datetime.time(1), datetime.time(2), None], "d": [datetime.timedelta(seconds=at) for at in range(3)]}
    for library in (polars.DataFrame, pyarrow.table):
        assert [kind for kind, _ in kinds_of(library(times)).values()] == ["number", "number"]
    # Seconds, in each of them.
    model = TabularRegressor(epochs=1, validation_fraction=0, random_state=0).fit(polars.DataFrame(times), [1.0, 2.0, 3.0])
    assert np.array_equal(model.predict(pyarrow.table(times)), model.predict(polars.DataFrame(times)))


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ({"a": [1.0, 2.0], "b": [[1], [2]]}, r"X has \[1\], which is of type list, in row 0, column 1 \('b'\)"),
        ({"a": [1.0, np.inf]}, r"row 1, column 0 \('a'\): infinity"),
        ({"a": [1.0, 1e300]}, "too large for single precision"),
        ({"a": [1 + 2j, 2j]}, "Complex data not supported"),
    ],
)
def test_what_no_column_can_hold(X, message):
    with pytest.raises((ValueError, TypeError), match=message):
        kinds_of(pandas.DataFrame(X))


def test_other_wrong_inputs():
    with pytest.raises(TypeError, match="values of type list"):
        kinds_of(pyarrow.table({"a": [[1], [2]]}))
    with pytest.raises(TypeError, match="values of type List"):
        kinds_of(polars.DataFrame({"a": [[1], [2]]}))
    import scipy.sparse

    with pytest.raises(TypeError, match="sparse matrix"):
        kinds_of(scipy.sparse.csr_matrix(np.eye(3)))
    with pytest.raises(ValueError, match="X has 3 dimension"):
        kinds_of(np.zeros((2, 3, 4)))
    with pytest.raises(ValueError, match="masked"):
        kinds_of(np.ma.masked_equal(np.eye(3), 1))
    with pytest.raises(ValueError, match="0 sample"):
        kinds_of(pandas.DataFrame({"a": np.zeros(0)}))


def test_a_list_keeps_the_types_of_its_cells():
    rows = [["a", 1], ["b", 2.5], ["a", None], ["b", 4]] * 3
    model = TabularClassifier(epochs=2, random_state=0).fit(rows, [0, 1] * 6)
    assert [kind for kind, _ in model.column_kinds_.values()] == ["category", "number"]
    assert list(model.column_kinds_) == [0, 1]
    everything = model.predict_proba(rows)
    one = np.concatenate([model.predict_proba([row]) for row in rows])
    assert np.array_equal(one, everything)
    assert np.array_equal(model.predict([tuple(rows[0])]), model.predict(rows)[:1])
    assert np.array_equal(model.predict_proba(np.array(rows, dtype=object)), everything)


def test_one_row_by_name():
    frame = pandas.DataFrame({"x": [1.0, 2.0, None, 4.0] * 3, "c": ["a", "b", "c", None] * 3})
    for kind, y in ((TabularClassifier, ["u", "v"] * 6), (TabularRegressor, np.arange(12.0))):
        model = kind(epochs=2, random_state=0).fit(frame, y)
        for row, record in enumerate(frame.to_dict("records")):
            expected = model.predict(frame.iloc[row : row + 1])
            assert np.array_equal(model.predict([record]), expected)
            assert model.predict([record]).dtype == expected.dtype
        # Cells of other kinds take the longer way, to the same numbers.
        assert np.array_equal(model.predict([{"c": " b ", "x": np.float32(2)}]), model.predict([{"x": 2, "c": "b"}]))
        assert np.array_equal(model.predict([{"c": "?", "x": "2.0"}]), model.predict([{"x": 2, "c": None}]))
        with pytest.raises(ValueError, match="missing: \\['c'\\]"):
            model.predict([{"x": 2.0}])
        with pytest.warns(UserWarning, match="ignored: \\['d'\\]"):
            model.predict([{"x": 2.0, "c": "a", "d": 1}])
    mlp = MLPClassifier((4,), max_iter=2).fit([[0.0], [1.0]], [0, 1])
    assert mlp.predict([[1.0]]).shape == (1,)


def test_whole_numbers_of_any_size_are_categories():
    y = list("abc") * 100
    for numbers in ([10**18, 10**18 + 1000, 10**18 + 2000], [1e22, 2e22, 3e22], [1e-7, 2.5e-7, 3e-7]):
        X = pandas.DataFrame({"id": numbers * 100})
        model = TabularClassifier(epochs=15, random_state=0, categorical_features=["id"]).fit(X, y)
        assert model.score(X, y) == 1, numbers
        assert model.score(X.to_dict("records"), y) == 1, numbers
        assert model.score(X[["id"]].astype("category"), y) == 1, numbers


def test_truth_values_are_0_and_1():
    X = pandas.DataFrame({"flag": [True, False] * 100, "v": np.arange(200.0) % 7})
    y = ["p", "q"] * 100
    model = TabularClassifier(epochs=10, random_state=0).fit(X, y)
    expected = model.predict_proba(X)
    for other in (X.astype(int), X.to_numpy(dtype=float)):
        np.testing.assert_array_equal(model.predict_proba(other), expected)
    row = {"flag": 1, "v": X.v[0]}
    np.testing.assert_array_equal(model.predict_proba([row]), expected[:1])


def test_categories_that_are_no_text_have_one_spelling():
    y = list("abc") * 100
    days = pandas.to_datetime(["2020-01-01", "2020-04-01 12:00", "2020-07-01"] * 100, format="mixed")
    hours = pandas.to_timedelta([1, 2, 3] * 100, unit="h")
    for values in (days, hours):
        X = pandas.DataFrame({"q": pandas.Categorical(values)})
        model = TabularClassifier(epochs=15, random_state=0).fit(X, y)
        for other in (X, X.to_dict("records"), X.astype(object), pandas.DataFrame({"q": values})):
            assert model.score(other, y) == 1, other


def test_the_order_of_dates_is_remembered(tmp_path):
    days = pandas.Series(pandas.date_range("2020-01-01", periods=360))
    X = pandas.DataFrame({"d": days.dt.strftime("%m/%d/%Y"), "z": np.arange(360) % 3})
    model = TabularClassifier(epochs=5, random_state=0).fit(X, np.where(days.dt.month > 6, "late", "early"))
    expected = model.predict_proba(X)
    model.save(tmp_path / "m.safetensors")
    for trained in (model, TabularClassifier.load(tmp_path / "m.safetensors")):
        for at in (41, 300):
            row = {"d": X.d[at], "z": int(X.z[at])}
            np.testing.assert_array_equal(trained.predict_proba([row]), expected[at : at + 1])
            np.testing.assert_array_equal(trained.predict_proba(X[at : at + 1]), expected[at : at + 1])
        with pytest.raises(ValueError, match="not a date"):
            trained.predict(pandas.DataFrame({"d": ["25/01/2020"], "z": [1]}))


def test_objects_of_time_are_what_columns_of_it_are():
    times = [datetime.time(at % 24, 30) for at in range(100)]
    y = ["a" if it.hour < 12 else "b" for it in times]
    X = pandas.DataFrame({"t": times})
    model = TabularClassifier(epochs=3, random_state=0).fit(X, y)
    expected = model.predict_proba(X)
    np.testing.assert_array_equal(model.predict_proba(pyarrow.table({"t": times})), expected)
    np.testing.assert_array_equal(model.predict_proba(X[:1].to_dict("records")), expected[:1])
    X = pandas.DataFrame({"p": pandas.period_range("2000", periods=100, freq="D")})
    model = TabularClassifier(epochs=3, random_state=0).fit(X, y)
    expected = model.predict_proba(X)
    np.testing.assert_array_equal(model.predict_proba(X.to_dict("records")), expected)
    X = np.zeros(100, dtype=[("i", "i4"), ("td", "m8[s]")])
    X["i"], X["td"] = np.arange(100) % 3, np.arange(100)
    model = TabularClassifier(epochs=3, random_state=0).fit(X, y)
    row = {"i": X["i"][5], "td": X["td"][5]}
    np.testing.assert_array_equal(model.predict_proba([row]), model.predict_proba(X[5:6]))


def test_a_date_that_is_none_is_told():
    days = [f"2020-01-{at % 28 + 1:02}" for at in range(200)]
    days[17] = "unknown"
    with pytest.raises(ValueError, match=r'row 17, column 0 \(.d.\): "unknown" is not a date, but 99.5 % of this column'):
        TabularClassifier(epochs=1).fit(pandas.DataFrame({"d": days, "v": np.arange(200)}), list("ab") * 100)


def test_missing_labels_are_no_mistakes():
    X = pandas.DataFrame({"x": np.arange(200) % 2.0, "z": np.arange(200.0)})
    model = TabularClassifier(epochs=3, random_state=0).fit(X, np.arange(200) % 2)
    with pytest.raises(ValueError, match="missing label"):
        model.score(X, np.where(np.arange(200) % 4 == 0, np.nan, np.arange(200) % 2))
    with pytest.raises(ValueError, match="missing label"):
        model.score(X, pandas.array([None, 1] * 100, dtype="Int64"))


def test_targets_that_single_precision_hides_are_refused():
    X = pandas.DataFrame({"x": np.arange(200) % 2.0, "z": np.arange(200.0)})
    with pytest.raises(ValueError, match="subtract 1000000000.0 from all of them"):
        TabularRegressor(epochs=2, random_state=0).fit(X, X.x + 1e9)
    # A constant is one in any precision, and 32 steps of it suffice.
    TabularRegressor(epochs=2, random_state=0).fit(X, np.full(200, 1e9 + 1))
    TabularRegressor(epochs=2, random_state=0).fit(X, X.z / 10 + 1e6)
