"""ONNX from raw columns: onnxruntime predicts for the rows of a table what the program predicts."""

import csv
import io
import json
import os
import pathlib
import random
import subprocess

import numpy as np
import onnx
import onnxruntime
import pandas
import pytest
from test_files import program

# The folder with NAME.train.csv and NAME.test.csv.
TABLES = os.environ.get("GRADUS_TABLES")
SETS = {"adult": "class", "california": "value", "diamonds": "value", "magic": "class", "letter": "class", "flights": "value"}


def run(*arguments, cwd):
    return subprocess.run([program(), *map(str, arguments)], check=True, capture_output=True, cwd=cwd).stdout


def feed(session, frame):
    """Return the inputs of a graph from a data frame of raw columns, as docs/formats.md has it."""
    types = {
        "tensor(double)": ("float64", "float64"),
        "tensor(string)": (object, str),
        "tensor(int64)": ("datetime64[s]", "int64"),
    }
    inputs = {}
    if [column.name for column in session.get_inputs()] == ["input"]:
        # A table of numbers without gaps has one input for all of them.
        kind = session.get_inputs()[0].type.strip(")").replace("tensor(", "")
        return {"input": frame.iloc[:, :-1].to_numpy({"float": "float32"}.get(kind, "float64"))}
    for column in session.get_inputs():
        first, then = types[column.type]
        inputs[column.name] = frame[[column.name]].to_numpy(first).astype(then)
    return inputs


def compare(folder, table, named):
    """Compare the graph of the model in a folder with the program on the rows of a table."""
    run("export", "model.safetensors", "model.onnx", cwd=folder)
    model = (folder / "model.onnx").read_bytes()
    onnx.checker.check_model(onnx.load_from_string(model), full_check=True)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    # Text and gaps as they are in the file; numbers come as numbers.
    frame = pandas.read_csv(table, dtype=str, keep_default_na=False)
    for column in session.get_inputs():
        if column.name == "input":
            features = frame.columns[:-1]
            frame[features] = frame[features].astype(float)
        elif column.type == "tensor(double)":
            gaps = frame[column.name].isin(["", "?", "NA"])
            frame[column.name] = pandas.to_numeric(frame[column.name].mask(gaps))
        elif column.type == "tensor(int64)":
            times = frame[column.name].mask(frame[column.name] == "")
            times = pandas.to_datetime(times, format="ISO8601", utc=True)
            frame[column.name] = times.dt.tz_localize(None)
        else:
            frame[column.name] = frame[column.name].str.strip()
    found = session.run(None, feed(session, frame))
    printed = run("predict", "model.safetensors", table, "--out", "-", cwd=folder).decode()
    rows = list(csv.DictReader(io.StringIO(printed)))
    assert len(rows) == len(frame)
    if named:
        classes = json.loads(session.get_modelmeta().custom_metadata_map["class_names"])
        expected = np.array([[float(row[f"probability_{name}"]) for name in classes] for row in rows])
        np.testing.assert_allclose(found[1], expected, atol=1e-5)
        labels = np.array([row["prediction"] for row in rows])
        if found[0].dtype != object:
            labels = np.array([classes.index(label) for label in labels])
        # Where two classes are almost equally probable, rounding decides.
        top = np.sort(expected, axis=1)
        clear = top[:, -1] - top[:, -2] > 1e-5
        assert np.array_equal(found[0][clear], labels[clear])
    else:
        expected = np.array([float(row["prediction"]) for row in rows])
        scale = np.abs(expected).max()
        np.testing.assert_allclose(found[0][:, 0] / scale, expected / scale, atol=1e-5)
    # What gradus reads from the file is the same model.
    run("export", "model.onnx", "again.safetensors", cwd=folder)
    assert (folder / "again.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
    return len(rows)


def disturbed(table, target, seed=0):
    """Return the rows of a table in which some cells are gaps or values that no table has."""
    chance = random.Random(seed)
    with open(table, newline="") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    numbers = {name for name in reader.fieldnames if all(_is_number(row[name]) for row in rows)}
    dates = {name for name in reader.fieldnames if rows[0][name][:4].isdigit() and "-" in rows[0][name]}
    for row in rows:
        for name in reader.fieldnames:
            if name == target:
                continue
            draw = chance.random()
            if draw < 0.1:
                row[name] = chance.choice(["", "?", "NA"]) if name not in dates else ""
            elif draw < 0.15 and name in numbers:
                row[name] = chance.choice(["1e9", "-3.25e12", "0", "-0.5"])
            elif draw < 0.15 and name not in dates:
                row[name] = chance.choice(["never seen", "nie gesehen: ü", "x y"])
            elif draw < 0.3 and name in dates:
                row[name] = f"{chance.randint(1600, 2400)}-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}T23:59:59Z"
    out = io.StringIO()
    writer = csv.DictWriter(out, reader.fieldnames)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return text in ("", "?", "NA")
    return True


def made_up(rows):
    """Return a table with all kinds of columns; the names of some are those of values of the graph."""
    chance = random.Random(1)
    text = "w1,probabilities,code_0,when,is_gap,many,number,flat,y\n"
    for row in range(rows):
        colour = chance.choice(["red", "green", "blue"])
        size = "" if row % 7 == 0 else f"{chance.random():.3f}"
        day = "" if row % 50 == 3 else f"{chance.randint(1990, 2030)}-{chance.randint(1, 12):02}-{chance.randint(1, 28):02} 0{chance.randint(0, 9)}:30:15"
        many, yes = f"v{chance.randint(0, 90)}", chance.choice(["yes", "no"])
        kind = "warm" if colour == "red" or (size and float(size) > 0.6) else chance.choice(["cold", "mild"])
        text += f"{size},{colour},{yes},{day},{many},{chance.choice('abcdefghijkl')},{1.7e9 + chance.random()},1,{kind}\n"
    return text


@pytest.mark.parametrize(
    "options",
    [
        *("", "--preset tabular-small", "--preset tabular", "--normalize standard", "--loss squared"),
        *("--preset tabular --numeric-embedding ple", "--preset tabular --loss squared --numeric-embedding ple:30:2"),
    ],
)
def test_all_kinds_of_columns(tmp_path, options):
    table = made_up(400)
    if "squared" in options:
        table = table.replace("warm", "3.5").replace("cold", "-1").replace("mild", "0")
    (tmp_path / "table.csv").write_text(table)
    run("train", "--data", "table.csv", "--epochs", "3", "--quiet", *options.split(), cwd=tmp_path)
    compare(tmp_path, tmp_path / "table.csv", "squared" not in options)
    (tmp_path / "other.csv").write_text(disturbed(tmp_path / "table.csv", "y"))
    compare(tmp_path, tmp_path / "other.csv", "squared" not in options)


@pytest.mark.skipif(TABLES is None, reason="GRADUS_TABLES names no folder of tables")
@pytest.mark.parametrize("embedding", ["pbld", "ple"])
@pytest.mark.parametrize("name", SETS)
def test_rows_of_real_tables(tmp_path, name, embedding):
    train, test = (pathlib.Path(TABLES) / f"{name}.{part}.csv" for part in ("train", "test"))
    run(
        *("train", "--data", train, "--preset", "tabular", "--epochs", "2", "--hidden", "32", "--quiet"),
        *("--numeric-embedding", embedding),
        cwd=tmp_path,
    )
    assert compare(tmp_path, test, SETS[name] == "class") > 3000
    if name in ("california", "magic", "letter"):
        # Their models take numbers without gaps.
        return
    target = test.open().readline().strip().split(",")[-1]
    (tmp_path / "other.csv").write_text(disturbed(test, target))
    compare(tmp_path, tmp_path / "other.csv", SETS[name] == "class")
