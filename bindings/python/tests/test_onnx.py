"""ONNX from Python: onnxruntime answers as the estimator does."""

import numpy as np
import onnx
import onnxruntime
import pytest

from gradus import MLPClassifier, MLPRegressor, NotFittedError


def _run(model, samples):
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {session.get_inputs()[0].name: samples})))


@pytest.mark.parametrize("uint8", [False, True])
def test_a_classifier_of_images(digits, uint8):
    (x, y), (x_test, _) = digits
    model = MLPClassifier((20, 10), activation=["gelu", "tanh"], normalization="standard", max_iter=3)
    bytes_ = model.fit(x, y).to_onnx(uint8=uint8)
    onnx.checker.check_model(onnx.load_from_string(bytes_), full_check=True)
    found = _run(bytes_, x_test if uint8 else x_test.astype(np.float32))
    np.testing.assert_array_equal(model.classes_[found["label"]], model.predict(x_test))
    np.testing.assert_allclose(found["probabilities"], model.predict_proba(x_test), atol=1e-5)


def test_labels_are_indices_of_classes(table):
    x, y = table
    names = np.array(["cherry", "apple", "plum"])
    model = MLPClassifier((10,), max_iter=20).fit(x, names[y])
    found = _run(model.to_onnx(), x.astype(np.float32))
    np.testing.assert_array_equal(model.classes_[found["label"]], model.predict(x))


def test_a_regressor(table):
    x, _ = table
    model = MLPRegressor(hidden_layer_sizes=(10,), max_iter=20).fit(x, x[:, :2])
    found = _run(model.to_onnx(), x.astype(np.float32))
    np.testing.assert_allclose(found["values"], model.predict(x), atol=1e-5)


@pytest.mark.parametrize("loss", ["squared_error", "poisson", "quantile:0.1,0.9"])
@pytest.mark.parametrize("members", [None, 3])
def test_clipped_predictions(loss, members, tmp_path):
    x = np.linspace(0, 1, 200)[:, None]
    y = 3 + 5 * x[:, 0]
    model = MLPRegressor(
        loss, (8,), learning_rate_init=0.05, max_iter=20, members=members, clip_predictions=True, random_state=0
    ).fit(x, y)
    far = np.linspace(-9, 9, 50)[:, None]
    predicted = model.predict(far)
    # The logarithms of a bag for counts need not reach the lower end.
    assert predicted.min() >= np.float32(3) and predicted.max() == np.float32(8)
    found = _run(model.to_onnx(), far.astype(np.float32))
    np.testing.assert_allclose(found["values"].reshape(predicted.shape), predicted, rtol=1e-6)
    model.save(tmp_path / "model.safetensors")
    again = MLPRegressor.load(tmp_path / "model.safetensors")
    assert again.clip_predictions is True
    np.testing.assert_array_equal(again.predict(far), predicted)
    free = MLPRegressor(
        loss, (8,), learning_rate_init=0.05, max_iter=20, members=members, random_state=0
    ).fit(x, y)
    if members is None:
        # A bag is the mean of clipped members instead.
        np.testing.assert_allclose(np.clip(free.predict(far), 3, 8), predicted, rtol=1e-6)
    assert free.predict(far).max() > 8


def test_into_a_file(fitted, table, tmp_path):
    path = tmp_path / "model.onnx"
    assert fitted.to_onnx(path) is None
    assert path.read_bytes() == fitted.to_onnx()
    with pytest.raises(ValueError, match="must end in .onnx"):
        fitted.to_onnx(tmp_path / "model.bin")
    # The file is a model of gradus again.
    again = MLPClassifier.load(path)
    np.testing.assert_allclose(again.predict_proba(table[0]), fitted.predict_proba(table[0]), atol=1e-6)
    with pytest.raises(NotFittedError):
        MLPClassifier().to_onnx()
