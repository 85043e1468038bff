"""Plots: well-formed, complete, safe, and saved."""

import copy
from xml.etree import ElementTree

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from gradus import MLPClassifier, MLPRegressor, NotFittedError, plots

SVG = "{http://www.w3.org/2000/svg}"


def parse(plot):
    """The root of a plot's document, which loads nothing from anywhere."""
    assert isinstance(plot, plots.Plot)
    assert plot._repr_svg_() == plot.svg
    root = ElementTree.fromstring(plot.svg)
    assert root.tag == f"{SVG}svg"
    assert root.get("aria-label")
    for image in root.iter(f"{SVG}image"):
        assert image.get("href").startswith("data:image/png;base64,")
    return root


def texts(root):
    return [node.text for node in root.iter(f"{SVG}text")]


def titles(root):
    return [node.text for node in root.iter(f"{SVG}title")]


def curves(root):
    return [node for node in root.iter(f"{SVG}path") if "line" in node.get("class")]


@pytest.fixture(scope="module")
def regressor(table):
    X, y = table
    return MLPRegressor(hidden_layer_sizes=(20,), max_iter=4, random_state=0).fit(X, y * 0.5)


@pytest.fixture(scope="module")
def of_images(digits):
    X, y = digits[0]
    return MLPClassifier((16,), normalization="unit", max_iter=2, random_state=0).fit(X, y)


def test_curves_of_a_classifier(table, fitted):
    root = parse(fitted.plot_curves())
    assert len(curves(root)) == 2
    assert {"Loss", "Accuracy", "cross-entropy (nats)", "accuracy (%)", "training"} <= set(texts(root))
    assert (root.get("width"), root.get("viewBox")) == ("960", "0 0 960 300")
    # Both are whole plots, one beside the other.
    assert [node.get("width") for node in root.iter(f"{SVG}svg")] == ["960", "480", "480"]
    assert [node.get("transform") for node in root.findall(f"{SVG}g")] == [
        "translate(0 0)",
        "translate(480 0)",
    ]
    for figure, title in [("loss", "Loss"), ("accuracy", "Accuracy"), ("learning_rate", "Learning rate")]:
        root = parse(fitted.plot_curves(figure))
        assert len(curves(root)) == 1
        assert texts(root)[0] == title
        assert f"{fitted.n_iter_} epochs" in root.get("aria-label")


def test_curves_of_validation(table):
    X, y = table
    model = MLPClassifier((20,), max_iter=3, random_state=0).fit(X, y, validation_data=(X[:60], y[:60]))
    root = parse(model.plot_curves())
    assert len(curves(root)) == 4
    assert texts(root).count("validation") == 2
    loss = parse(model.plot_curves("loss"))
    assert f"{model.validation_loss_curve_[-1]:.4f}" in texts(loss)
    # Further epochs of other samples are drawn with the first ones; a new fit begins anew.
    warm_start = MLPClassifier((20,), max_iter=3, random_state=0).fit(X, y).partial_fit(X, y)
    assert "4 epochs" in parse(warm_start.plot_curves("loss")).get("aria-label")
    assert "3 epochs" in parse(warm_start.fit(X, y).plot_curves("loss")).get("aria-label")


def test_curves_of_a_regressor(regressor):
    root = parse(regressor.plot_curves())
    assert len(curves(root)) == 1
    assert "loss" in texts(root)
    with pytest.raises(ValueError, match="figure is 'accuracy', but must be one of 'loss', 'learning_rate'"):
        regressor.plot_curves("accuracy")


def test_figures_that_are_no_numbers(fitted):
    model = copy.copy(fitted)
    model.history_ = {name: list(values) for name, values in fitted.history_.items()}
    model.history_["loss"][1] = float("nan")
    model.history_["loss"][2] = float("inf")
    model.history_["accuracy"][1] = float("nan")
    root = parse(model.plot_curves())
    assert len(curves(root)) == 2
    assert "nan" not in model.plot_curves().svg.lower()
    model.history_["accuracy"].pop()
    with pytest.raises(ValueError, match="loss has 30 epochs, but accuracy 29"):
        model.plot_curves()


def test_curves_of_model_files(fitted, tmp_path):
    fitted.save(tmp_path / "model.safetensors")
    loaded = MLPClassifier.load(tmp_path / "model.safetensors")
    assert loaded.plot_curves().svg == fitted.plot_curves().svg
    # Of a model of others no epoch is known.
    arrays = {"w1": fitted.coefs_[0], "b1": fitted.intercepts_[0]}
    arrays.update(w2=fitted.coefs_[1], b2=fitted.intercepts_[1])
    np.savez(tmp_path / "bare.npz", **arrays)
    bare = MLPClassifier.load(tmp_path / "bare.npz", activation="relu", normalization=(0.0, 1.0))
    with pytest.raises(ValueError, match="MLPClassifier has no history of its epochs"):
        bare.plot_curves()
    parse(bare.plot_weight_histograms())


def test_the_confusion_matrix_counts_as_scikit_learns(table):
    X, y = table
    names = np.array(["ash", "birch", "oak"])[y]
    model = MLPClassifier((8,), max_iter=2, random_state=0).fit(X, names)
    counts = confusion_matrix(names, model.predict(X))
    assert np.count_nonzero(counts - np.diag(np.diag(counts))) > 0
    root = parse(model.plot_confusion(X, names))
    assert {"ash", "birch", "oak", "300 samples"} <= set(texts(root))
    cells = [node.text for node in root.iter(f"{SVG}text") if node.get("font-size")]
    assert cells == [str(count) for count in counts.ravel() if count > 0]
    reported = set()
    for row, true in enumerate(model.classes_):
        for column, predicted in enumerate(model.classes_):
            count = counts[row, column]
            share = f"{count} ({100 * count / counts[row].sum():.2f} %)"
            right = f"{true}: {share.replace(' (', ' correct (')}"
            reported.add(right if row == column else f"{true} predicted as {predicted}: {share}")
    drawn = {title for title in titles(root) if " (" in title}
    assert drawn <= reported and len(drawn) == np.count_nonzero(counts)


def test_class_names_are_escaped(table):
    X, y = table
    names = np.array(["<b>&", "]]>\"'", "<script>alert(1)</script>"])[y]
    model = MLPClassifier((8,), max_iter=5, random_state=0).fit(X, names)
    plot = model.plot_confusion(X, names)
    root = parse(plot)
    assert {"<b>&", "]]>\"'"} <= set(texts(root))
    assert "<b>" not in plot.svg and "<script" not in plot.svg
    assert "&lt;b&gt;&amp;" in plot.svg


def test_calibration_has_the_expected_error(table):
    X, y = table
    model = MLPClassifier((8,), max_iter=2, random_state=0).fit(X, y)
    probabilities = model.predict_proba(X).astype(float)
    confidence, right = probabilities.max(axis=1), model.predict(X) == y
    bins = np.clip(np.ceil(confidence * 15), 1, 15)
    parts = [bins == it for it in np.unique(bins)]
    error = sum(abs(right[it].mean() - confidence[it].mean()) * it.mean() for it in parts)
    root = parse(model.plot_calibration(X, y))
    assert f"expected calibration error {100 * error:.2f} %" in texts(root)
    assert len(list(root.iter(f"{SVG}circle"))) == len(parts)
    assert "300 predictions" in root.get("aria-label")


def test_measured_on_whatever_is_predicted(table):
    import pandas
    from scipy import sparse

    X, y = table
    model = MLPClassifier((8,), max_iter=2, random_state=0).fit(X, y)
    expected = model.plot_confusion(X, y).svg
    for samples in (X.tolist(), X.astype(np.float32), np.asfortranarray(X), sparse.csr_matrix(X)):
        assert model.plot_confusion(samples, y).svg == expected
    frame = pandas.DataFrame(X, columns=list("abcde"))
    with pytest.warns(UserWarning, match="X has feature names") as caught:
        model.plot_calibration(frame, y)
    assert caught[0].filename == __file__
    # One sample, and a class without any.
    root = parse(model.plot_confusion(X[:1], y[:1]))
    assert "1 samples" in texts(root)
    parse(model.plot_calibration(X[:1], y[:1]))


def test_wrong_samples_and_labels_are_named(table, fitted):
    X, y = table
    for draw in (fitted.plot_confusion, fitted.plot_calibration):
        for samples, labels, message in [
            (X[:, :4], y, "X has 4 features, but MLPClassifier is expecting 5"),
            (X, y[:9], "y has 9 entries, but X has 300 samples"),
            (X, y + 1, "labels that are not among the classes"),
            (X, y + 0.5, "Unknown label type"),
            (X[:0], y[:0], "0 sample"),
            (X[0], y[:1], "expected samples as rows"),
            (np.full_like(X, np.nan), y, "X has NaN in row 0, column 0"),
        ]:
            with pytest.raises(ValueError, match=message):
                draw(samples, labels)


def test_weights_of_images(of_images, digits):
    root = parse(of_images.plot_weights())
    assert "all 16 units, the largest weights first" in texts(root)
    assert "28 x 28" in root.get("aria-label")
    assert of_images.plot_weights((28, 28)).svg == of_images.plot_weights().svg
    assert "14 x 56" in parse(of_images.plot_weights((14, 56))).get("aria-label")
    # Rows of pixels need the shape: they may be anything.
    X, y = digits[0]
    rows = MLPClassifier((16,), normalization="unit", max_iter=2, random_state=0)
    rows.fit(X.reshape(len(X), 784), y)
    with pytest.raises(ValueError, match=r"rows of 784 features, .* give shape=\(height, width\)"):
        rows.plot_weights()
    assert rows.plot_weights([28, np.int64(28)]).svg == of_images.plot_weights().svg


@pytest.mark.parametrize(
    "shape, message",
    [
        ((2, 3), r"shape \(2, 3\) has 6 pixels, but the model takes 5 features"),
        ((0, 5), "shape is 0, but must be a whole number of at least 1"),
        ((5, 1.0), "shape is 1.0, but must be a whole number"),
        (5, r"shape is 5, but must be a pair \(height, width\)"),
        ((1, 5, 1), "must be a pair"),
        ((2**70, 2**70), "but the model takes 5 features"),
    ],
)
def test_wrong_shapes_are_named(shape, message, fitted, regressor):
    for model in (fitted, regressor):
        with pytest.raises(ValueError, match=message):
            model.plot_weights(shape)


def test_weights_of_a_regressor(regressor):
    assert "1 x 5" in parse(regressor.plot_weights((1, 5))).get("aria-label")
    with pytest.raises(ValueError, match="trained on rows of 5 features, not on images"):
        regressor.plot_weights()
    root = parse(regressor.plot_weight_histograms())
    assert {"Layer 1: 5 to 20", "Layer 2: 20 to 1"} <= set(texts(root))
    single = MLPRegressor(hidden_layer_sizes=(2,), max_iter=1).fit([[0.0], [1.0]], [0.0, 1.0])
    with pytest.raises(ValueError, match="weights of 1 features cannot be drawn as images"):
        single.plot_weights((1, 1))


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_nothing_is_drawn_before_fit(kind):
    model = kind()
    draws = [
        model.plot_curves,
        model.plot_weights,
        lambda: model.plot_weights((28, 28)),
        model.plot_weight_histograms,
    ]
    if kind is MLPClassifier:
        draws.append(lambda: model.plot_confusion([[1.0]], [1]))
        draws.append(lambda: model.plot_calibration([[1.0]], [1]))
    for draw in draws:
        with pytest.raises(NotFittedError, match="not trained yet"):
            draw()


def test_plots_are_saved_as_svg_alone(fitted, tmp_path):
    plot = fitted.plot_curves("loss")
    for path in (tmp_path / "loss.svg", str(tmp_path / "LOSS.SVG")):
        assert plot.save(path) is None
        with open(path, encoding="utf-8", newline="") as file:
            assert file.read() == plot.svg
    other = plots.Plot('<svg xmlns="http://www.w3.org/2000/svg"><title>Ü</title></svg>')
    other.save(tmp_path / "loss.svg")
    assert (tmp_path / "loss.svg").read_bytes() == other.svg.encode("utf-8")
    for name in ("loss.png", "loss", "loss.svg.gz", ".svg"):
        with pytest.raises(ValueError, match=r"must end in \.svg.*export it"):
            plot.save(tmp_path / name)
        assert not (tmp_path / name).exists()
    with pytest.raises(FileNotFoundError):
        plot.save(tmp_path / "none" / "loss.svg")


def test_a_plot_is_shown_in_short(fitted):
    plot = fitted.plot_confusion([[0.0] * 5], [0])
    assert repr(plot) == f"<Plot: {len(plot.svg):,} characters of SVG>"
