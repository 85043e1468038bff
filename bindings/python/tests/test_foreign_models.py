"""Models that leave gradus and models that come to it, held against onnxruntime and NumPy.

GRADUS_PROGRAM names the program; where GRADUS_DATA names a folder with MNIST's files in `mnist`, its
test images are taken too.
"""

import gzip
import io
import json
import os
import subprocess
import zipfile
from pathlib import Path

import h5py
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

from gradus import MLPClassifier

PROGRAM = os.environ.get("GRADUS_PROGRAM", "")
DATA = os.environ.get("GRADUS_DATA", "")

pytestmark = pytest.mark.skipif(not PROGRAM, reason="GRADUS_PROGRAM does not name the program")
needs_mnist = pytest.mark.skipif(not DATA, reason="GRADUS_DATA does not say where MNIST is")


def gradus(*arguments, status=0):
    """Runs the program, and gives what it prints: on standard error where it is to fail."""
    command = [str(Path(PROGRAM).resolve()), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == status, done.stderr
    return done.stdout if status == 0 else done.stderr


def predict(model, samples, folder, *options):
    """Labels and probabilities that the program gives for these samples."""
    path = folder / "samples.npy"
    np.save(path, samples)
    lines = map(json.loads, gradus("predict", model, path, "--json", *options).splitlines())
    rows = [(line["label"], list(line["probabilities"].values())) for line in lines]
    return [label for label, _ in rows], np.array([row for _, row in rows], dtype=np.float32)


def run(model, samples):
    """What onnxruntime gives for the outputs of the model."""
    bytes_ = model if isinstance(model, bytes) else model.SerializeToString()
    session = onnxruntime.InferenceSession(bytes_, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: samples})


def softmax(logits):
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def check(path):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert model.ir_version == 8
    assert [(it.domain, it.version) for it in model.opset_import] == [("", 17)]
    return model


# From gradus to ONNX.


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A folder with a table of three classes by four features."""
    folder = tmp_path_factory.mktemp("table")
    random = np.random.default_rng(3)
    classes = random.integers(0, 3, 400)
    samples = random.normal(0, 1, (400, 4)) + np.eye(3, 4)[classes] * 3
    samples = samples * [1, 10, 0.1, 100] + [0, 5, -3, 1000]
    names = np.array(["red", "green", "blue"])[classes]
    rows = [",".join([*(f"{x:.4f}" for x in row), name]) for row, name in zip(samples, names)]
    (folder / "table.csv").write_text("a,b,c,d,label\n" + "\n".join(rows))
    return folder, samples.astype(np.float32)


@pytest.mark.parametrize("normalize", ["none", "unit", "standard"])
@pytest.mark.parametrize(
    "activation",
    ["identity", "relu", "leaky_relu", "leaky_relu:0.2", "tanh", "sigmoid", "gelu"],
)
def test_tables(table, tmp_path, activation, normalize):
    folder, samples = table
    for hidden in ["none", "8", "9,7"]:
        model, exported = tmp_path / "m.safetensors", tmp_path / "m.onnx"
        network = ["--hidden", hidden, "--normalize", normalize]
        network += ["--activation", activation] if hidden != "none" else []
        training = ["--epochs", "3", "--batch-size", "32", "--quiet", "--out", model]
        gradus("train", "--data", folder / "table.csv", *network, *training)
        gradus("export", model, exported)
        graph = check(exported)
        assert [it.name for it in graph.graph.input] == ["input"]
        assert [it.name for it in graph.graph.output] == ["label", "probabilities"]
        labels, probabilities = predict(model, samples, tmp_path)
        found_labels, found = run(graph, samples)
        assert found_labels.dtype == np.int64 and found.dtype == np.float32
        names = json.loads({it.key: it.value for it in graph.metadata_props}["class_names"])
        assert [names[label] for label in found_labels] == labels
        assert np.abs(found - probabilities).max() < 1e-5
        # And back again, to the very file.
        gradus("export", exported, tmp_path / "again.safetensors")
        assert (tmp_path / "again.safetensors").read_bytes() == model.read_bytes()


def test_values(tmp_path):
    random = np.random.default_rng(5)
    samples = random.normal(0, 1, (200, 3)).astype(np.float32)
    answers = np.stack([samples @ [1, 2, 3], samples[:, 0] ** 2], axis=1)
    rows = [",".join(f"{x:.5f}" for x in row) for row in np.hstack([samples, answers])]
    (tmp_path / "values.csv").write_text("a,b,c,sum,square\n" + "\n".join(rows))
    data = ["--data", tmp_path / "values.csv", "--loss", "squared", "--label-column", "sum,square"]
    network = ["--hidden", "9,7", "--activation", "gelu,tanh", "--normalize", "standard"]
    model, exported = tmp_path / "m.safetensors", tmp_path / "m.onnx"
    gradus("train", *data, *network, "--epochs", "3", "--quiet", "--out", model)
    gradus("export", model, exported)
    graph = check(exported)
    assert [it.name for it in graph.graph.output] == ["values"]
    (found,) = run(graph, samples)
    np.save(tmp_path / "samples.npy", samples)
    lines = gradus("predict", model, tmp_path / "samples.npy", "--json").splitlines()
    expected = [list(json.loads(line)["values"].values()) for line in lines]
    assert np.abs(found - np.array(expected)).max() < 1e-5
    gradus("export", exported, tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == model.read_bytes()


def test_the_first_of_equals_is_the_label(tmp_path):
    zeros = {"0.weight": np.zeros((3, 4), np.float32), "0.bias": np.zeros(3, np.float32)}
    save_file(zeros, tmp_path / "zeros.safetensors")
    gradus("export", tmp_path / "zeros.safetensors", tmp_path / "zeros.onnx")
    labels, probabilities = run(check(tmp_path / "zeros.onnx"), np.ones((2, 4), np.float32))
    assert labels.tolist() == [0, 0]
    assert np.allclose(probabilities, 1 / 3)


def idx(name):
    with gzip.open(Path(DATA) / "mnist" / name) as file:
        return np.frombuffer(file.read(), np.uint8)


@pytest.fixture(scope="module")
def mnist(tmp_path_factory):
    """A model of MNIST, and all test images."""
    folder = tmp_path_factory.mktemp("mnist")
    model = folder / "mnist.safetensors"
    gradus("train", "--epochs", "2", "--normalize", "standard", "--quiet", "--out", model)
    images = idx("t10k-images-idx3-ubyte.gz")[16:].reshape(-1, 28, 28)
    return folder, model, images, predict(model, images, folder)


@needs_mnist
@pytest.mark.parametrize("kind", [np.float32, np.uint8])
def test_mnist(mnist, kind):
    folder, model, images, (labels, probabilities) = mnist
    exported = folder / "mnist.onnx"
    gradus("export", model, exported, *(["--uint8"] if kind == np.uint8 else []))
    graph = check(exported)
    found_labels, found = run(graph, images.astype(kind))
    assert found_labels.tolist() == [int(label) for label in labels]
    assert np.abs(found - probabilities).max() < 1e-5
    accuracy = np.mean(found_labels == idx("t10k-labels-idx1-ubyte.gz")[8:])
    figures = json.loads(gradus("evaluate", exported, "--json"))
    assert figures["accuracy"] == pytest.approx(accuracy, abs=1e-9) and accuracy > 0.9


@needs_mnist
def test_uint8_is_for_onnx_only(mnist):
    folder, model, _, _ = mnist
    message = gradus("export", model, folder / "m.npz", "--uint8", status=2)
    assert "--uint8 is for ONNX models" in message


# From ONNX to gradus.


class Graph:
    """An ONNX graph under construction; `current` is the value that the next node takes."""

    def __init__(self, shape, kind=TensorProto.FLOAT, opset=17):
        self.nodes, self.constants, self.opset = [], [], opset
        self.input = helper.make_tensor_value_info("x", kind, ["batch", *shape])
        self.current, self.random = "x", np.random.default_rng(11)

    def constant(self, values):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, np.float32), name))
        return name

    def node(self, op, *inputs, domain="", **attributes):
        """A node; an input that is no name is a constant, and None the current value."""
        names = []
        for it in inputs or [None]:
            name = self.current if it is None else it
            names.append(name if isinstance(name, str) else self.constant(name))
        self.current = f"v{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(op, names, [self.current], domain=domain, **attributes)
        )
        return self.current

    def weights(self, *shape):
        return self.random.normal(0, 0.7, shape)

    def linear(self, inputs, outputs):
        """As PyTorch exports it."""
        weight, bias = self.weights(outputs, inputs), self.weights(outputs)
        return self.node("Gemm", None, weight, bias, transB=1)

    def model(self, *outputs):
        kinds = {"ArgMax": TensorProto.INT64}
        made = {node.output[0]: node.op_type for node in self.nodes}
        names = outputs or [self.current]
        outputs = [
            helper.make_tensor_value_info(name, kinds.get(made[name], TensorProto.FLOAT), None)
            for name in names
        ]
        graph = helper.make_graph(self.nodes, "graph", [self.input], outputs, self.constants)
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def gelu(graph, order):
    """The ways in which exporters write it."""
    x = graph.current
    if order == "pytorch":
        erf = graph.node("Erf", graph.node("Div", x, np.sqrt(2)))
        graph.node("Mul", graph.node("Mul", x, graph.node("Add", erf, 1)), 0.5)
    elif order == "half first":
        half = graph.node("Mul", 0.5, x)
        erf = graph.node("Erf", graph.node("Mul", x, np.sqrt(0.5)))
        graph.node("Mul", graph.node("Add", 1, erf), half)
    else:
        erf = graph.node("Erf", graph.node("Div", x, np.sqrt(2)))
        graph.node("Mul", graph.node("Mul", graph.node("Add", erf, 1), 0.5), x)


def batch_norm(graph, width):
    positive = np.abs(graph.weights(width)) + 0.1
    rest = [graph.weights(width), graph.weights(width), positive]
    graph.node("BatchNormalization", None, graph.weights(width), *rest, epsilon=1e-3)


def activation(op, **attributes):
    return lambda graph: graph.node(op, **attributes)


ACTIVATIONS = {
    "relu": activation("Relu"),
    "leaky_relu": activation("LeakyRelu"),
    "leaky_relu with slope 0.3": activation("LeakyRelu", alpha=0.3),
    "tanh": activation("Tanh"),
    "sigmoid": activation("Sigmoid"),
    "elu": activation("Elu"),
    "elu with alpha 0.4": activation("Elu", alpha=0.4),
    "selu": activation("Selu"),
    "silu": lambda graph: silu(graph),
    "mish": lambda graph: mish(graph),
    "none": lambda graph: None,
    "gelu of pytorch": lambda graph: gelu(graph, "pytorch"),
    "gelu, half first": lambda graph: gelu(graph, "half first"),
    "gelu, half inside": lambda graph: gelu(graph, "half inside"),
    "gelu of onnxruntime": lambda graph: graph.node("Gelu", domain="com.microsoft"),
}


def silu(graph):
    """As exporters write it."""
    x = graph.current
    graph.node("Mul", x, graph.node("Sigmoid"))


def mish(graph):
    """As exporters write it before opset 18."""
    x = graph.current
    graph.node("Softplus")
    graph.node("Mul", x, graph.node("Tanh"))


def import_and_compare(graph, model, samples, folder, logits=None):
    """gradus and onnxruntime give the same for this model and these samples."""
    path = folder / "foreign.onnx"
    path.write_bytes(model.SerializeToString())
    labels, probabilities = predict(path, samples, folder)
    expected = run(model, samples)[0] if logits is None else logits
    rows = expected.sum(axis=1)
    if not np.allclose(rows, 1, atol=1e-3):
        expected = softmax(expected)
    assert np.abs(probabilities - expected).max() < 1e-5
    assert [int(label) for label in labels] == expected.argmax(axis=1).tolist()
    gradus("export", path, folder / "back.onnx")
    labels, found = run(check(folder / "back.onnx"), samples.reshape(check_shape(folder)))
    assert np.abs(found - expected).max() < 1e-5


def check_shape(folder):
    dims = onnx.load(folder / "back.onnx").graph.input[0].type.tensor_type.shape.dim
    return [-1, *(dim.dim_value for dim in dims[1:])]


def table_samples(seed=2, shape=(50, 6)):
    return np.random.default_rng(seed).normal(0, 2, shape).astype(np.float32)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_stacks_of_pytorch(tmp_path, name):
    graph = Graph([6])
    for inputs, outputs in [(6, 9), (9, 7)]:
        graph.linear(inputs, outputs)
        ACTIVATIONS[name](graph)
        graph.node("Identity")
    graph.linear(7, 4)
    import_and_compare(graph, graph.model(), table_samples(), tmp_path)


@pytest.mark.parametrize("end", ["Softmax", "LogSoftmax", "none", "both", "label too"])
def test_ends(tmp_path, end):
    graph = Graph([6])
    logits = graph.linear(6, 3)
    outputs = [logits]
    if end in ["Softmax", "both", "label too"]:
        outputs = [graph.node("Softmax", axis=-1)]
    if end == "LogSoftmax":
        outputs = [graph.node("LogSoftmax", axis=1)]
    if end == "both":
        outputs = [logits, *outputs]
    if end == "label too":
        outputs.append(graph.node("ArgMax", axis=1, keepdims=0))
    samples = table_samples()
    expected = softmax(run(graph.model(logits), samples)[0])
    import_and_compare(graph, graph.model(*outputs), samples, tmp_path, expected)


def test_images_with_everything(tmp_path):
    """Input normalization, channels, dropout, batch normalization before and after activations."""
    graph = Graph([2, 5, 4])
    graph.node("Div", None, 255)
    graph.node("Sub", None, np.array([0.1, 0.4]).reshape(1, 2, 1, 1))
    graph.node("Div", None, np.array([0.3, 0.2]).reshape(2, 1, 1))
    graph.node("Flatten", axis=1)
    graph.linear(40, 12)
    batch_norm(graph, 12)
    graph.node("Relu")
    batch_norm(graph, 12)
    graph.node("Dropout")
    graph.node("MatMul", None, graph.weights(12, 8))
    graph.node("Add", graph.weights(8), None)
    gelu(graph, "half inside")
    graph.node("Mul", None, graph.weights(1, 8))
    graph.node("Gemm", None, graph.weights(8, 3), graph.weights(1, 3), alpha=0.3, beta=1.7)
    graph.node("Sub", None, graph.weights(3))
    samples = np.random.default_rng(4).integers(0, 256, (30, 2, 5, 4)).astype(np.float32)
    import_and_compare(graph, graph.model(), samples, tmp_path)


def test_bytes_are_cast_and_reshaped(tmp_path):
    graph = Graph([1, 8, 8], TensorProto.UINT8)
    graph.node("Cast", to=TensorProto.FLOAT)
    graph.constants.append(numpy_helper.from_array(np.array([-1, 64]), "shape"))
    graph.node("Reshape", None, "shape")
    graph.node("Sub", 255, None)
    graph.node("Mul", None, 1 / 255)
    graph.linear(64, 10)
    samples = np.random.default_rng(4).integers(0, 256, (30, 1, 8, 8)).astype(np.uint8)
    expected = softmax(run(graph.model(), samples)[0])
    path = tmp_path / "bytes.onnx"
    path.write_bytes(graph.model().SerializeToString())
    _, probabilities = predict(path, samples.reshape(30, 8, 8), tmp_path)
    assert np.abs(probabilities - expected).max() < 1e-5


def test_a_computed_shape_is_flattened(tmp_path):
    """`x.view(x.size(0), -1)`, as PyTorch exports it."""
    graph = Graph([3, 4])
    for name, values in [("zero", 0), ("axes", [0]), ("rest", [-1])]:
        graph.constants.append(numpy_helper.from_array(np.array(values), name))
    size = graph.node("Gather", graph.node("Shape", "x"), "zero")
    shape = graph.node("Concat", graph.node("Unsqueeze", size, "axes"), "rest", axis=0)
    graph.node("Reshape", "x", shape)
    graph.linear(12, 3)
    import_and_compare(graph, graph.model(), table_samples(shape=(20, 3, 4)), tmp_path)


def test_a_single_sigmoid_becomes_two_classes(tmp_path):
    graph = Graph([6])
    graph.linear(6, 5)
    graph.node("Tanh")
    graph.linear(5, 1)
    graph.node("Sigmoid")
    samples = table_samples()
    second = run(graph.model(), samples)[0]
    import_and_compare(
        graph, graph.model(), samples, tmp_path, np.concatenate([1 - second, second], axis=1)
    )


def refuse(graph, folder, words, model=None):
    path = folder / "refused.onnx"
    path.write_bytes((model or graph.model()).SerializeToString())
    message = gradus("inspect", path, status=1)
    assert words in message, message


def test_what_gradus_does_not_have_is_named(tmp_path):
    def graph(*steps):
        made = Graph([6])
        made.linear(6, 6)
        for op, attributes in steps:
            made.node(op, **attributes)
        return made

    refuse(graph(("Softsign", {})), tmp_path, "Softsign: gradus does not have this operator")
    refuse(graph(("Elu", {"alpha": 101.0})), tmp_path, "alpha is 101")
    refuse(graph(("Selu", {"alpha": 1.0})), tmp_path, "others than those of SELU")
    refuse(graph(("LeakyRelu", {"alpha": 1.5})), tmp_path, "slope is 1.5")
    refuse(graph(("Relu", {})), tmp_path, "ends with relu on 6 outputs")
    refuse(graph(("Relu", {}), ("Tanh", {})), tmp_path, "tanh follows relu")
    refuse(graph(("Softmax", {"axis": 0})), tmp_path, "axis is 0")
    refuse(graph(("Erf", {})), tmp_path, "Erf stands alone")
    residual = graph()
    x = residual.current
    residual.node("Add", x, residual.node("Relu"))
    refuse(residual, tmp_path, "two ways from the input")
    heads = graph()
    x = heads.current
    first, second = heads.linear(6, 2), heads.node("Gemm", x, heads.weights(6, 3))
    refuse(heads, tmp_path, "2 different places", heads.model(first, second))
    middle = graph(("Softmax", {"axis": 1}))
    middle.linear(6, 2)
    refuse(middle, tmp_path, "follows softmax")
    flat = Graph([2, 3])
    flat.node("MatMul", None, flat.weights(3, 4))
    refuse(flat, tmp_path, "Flatten before it")
    old = Graph([6], opset=6)
    old.linear(6, 2)
    refuse(old, tmp_path, "opset 6")


def test_weights_in_another_file_are_read(tmp_path):
    graph = Graph([6])
    graph.linear(6, 40)
    samples = table_samples()
    expected = run(graph.model(), samples)[0]
    onnx.save(
        graph.model(), tmp_path / "outside.onnx", save_as_external_data=True, size_threshold=0, location="w.bin"
    )
    _, probabilities = predict(tmp_path / "outside.onnx", samples, tmp_path)
    assert np.abs(probabilities - softmax(expected)).max() < 1e-5
    (tmp_path / "w.bin").unlink()
    message = gradus("inspect", tmp_path / "outside.onnx", status=1)
    assert "w.bin" in message and "both files in one folder" in message


def test_the_same_weight_over_and_over_takes_no_memory(tmp_path):
    graph = Graph([64])
    weight = graph.constant(graph.weights(64, 64))
    for _ in range(200):
        graph.node("MatMul", None, weight)
    refuse(graph, tmp_path, "used more than once")


# Weights of PyTorch and Keras.


def test_weights_of_pytorch(tmp_path):
    random = np.random.default_rng(7)
    sizes = [6, 9, 8, 3]
    for names in [["0", "2", "4"], ["fc1", "fc2", "fc10"], ["first", "inner", "head"]]:
        weights = [random.normal(0, 0.5, (b, a)).astype(np.float32) for a, b in zip(sizes, sizes[1:])]
        biases = [random.normal(0, 0.5, b).astype(np.float32) for b in sizes[1:]]
        tensors = {f"{name}.weight": weight for name, weight in zip(names, weights)}
        tensors |= {f"{name}.bias": bias for name, bias in zip(names, biases)}
        save_file(tensors, tmp_path / "torch.safetensors")
        samples = table_samples()
        values = (samples - 1.5) / 4
        for weight, bias in zip(weights, biases):
            logits = values @ weight.T + bias
            values = np.tanh(logits)
        options = ["--activation", "tanh", "--normalize", "1.5,4"]
        model = tmp_path / "torch.safetensors"
        labels, probabilities = predict(model, samples, tmp_path, *options)
        assert np.abs(probabilities - softmax(logits)).max() < 1e-5
        # What was said once need not be said again.
        gradus("export", model, tmp_path / "own.safetensors", *options)
        own = predict(tmp_path / "own.safetensors", samples, tmp_path)
        assert own[0] == labels and (own[1] == probabilities).all()


def dense(activation):
    return {"class_name": "Dense", "config": {"name": "d", "activation": activation}}


def test_a_file_of_keras(tmp_path):
    """Twelve layers, so that dense_10 comes after dense_2 and before dense_11."""
    random = np.random.default_rng(9)
    buffer = io.BytesIO()
    samples = table_samples(shape=(20, 4))
    values = samples
    with h5py.File(buffer, "w") as file:
        for number in range(12):
            kernel = random.normal(0, 0.8, (4, 4)).astype(np.float32)
            bias = random.normal(0, 0.1, 4).astype(np.float32)
            suffix = f"_{number}" if number else ""
            group = file.create_group(f"layers/dense{suffix}/vars")
            group["0"], group["1"] = kernel, bias
            logits = values @ kernel + bias
            values = np.tanh(logits)
    config = {
        "class_name": "Sequential",
        "config": {
            "layers": [
                {"class_name": "InputLayer", "config": {"batch_shape": [None, 4]}},
                *[dense("tanh")] * 11,
                dense("softmax"),
            ]
        },
    }
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", buffer.getvalue())
    (tmp_path / "m.weights.h5").write_bytes(buffer.getvalue())
    for name, options in [("m.keras", []), ("m.weights.h5", ["--activation", "tanh"])]:
        _, probabilities = predict(tmp_path / name, samples, tmp_path, *options)
        assert np.abs(probabilities - softmax(logits)).max() < 1e-5


def test_keras_itself(tmp_path):
    keras = pytest.importorskip("keras")
    layers = keras.layers
    normalization = layers.Normalization()
    data = np.random.default_rng(1).normal(5, 3, (200, 6)).astype("float32")
    normalization.adapt(data)
    entry = keras.Input((6,))
    x = layers.Dense(8)(normalization(entry))
    x = layers.BatchNormalization()(x)
    x = layers.LeakyReLU()(x)
    x = layers.Dense(5, activation="gelu")(x)
    model = keras.Model(entry, layers.Dense(1, activation="sigmoid")(x))
    model.save(tmp_path / "m.keras")
    _, probabilities = predict(tmp_path / "m.keras", data, tmp_path)
    assert np.abs(probabilities[:, 1] - np.asarray(model(data))[:, 0]).max() < 1e-5
    np.savez(tmp_path / "m.npz", *keras.Sequential([keras.Input((6,)), layers.Dense(3)]).get_weights())
    assert "6-3" in gradus("inspect", tmp_path / "m.npz")


GOLDEN = Path(__file__).parents[3] / "crates/gradus/tests/golden/foreign"


def test_class_names_in_python():
    """Names of any order, for a file of PyTorch that has none."""
    with np.load(GOLDEN / "predictions.npz") as arrays:
        samples, expected = arrays["x"], arrays["state.pt"].argmax(axis=1)
    names = np.array(["wasp", "ant", "cat"])
    with pytest.warns(UserWarning, match="relu is assumed"):
        model = MLPClassifier.load(GOLDEN / "state.pt", class_names=names)
    assert model.classes_.tolist() == names.tolist()
    assert model.predict(samples).tolist() == names[expected].tolist()
    assert model.score(samples, names[expected]) == 1.0
    with pytest.raises(ValueError, match="2 class names, but the model has 3"):
        MLPClassifier.load(GOLDEN / "state.pt", class_names=["a", "b"])
    with pytest.raises(ValueError, match="expected a sequence"):
        MLPClassifier.load(GOLDEN / "state.pt", class_names="a,b,c")
    with pytest.raises(ValueError, match="its own class names"):
        MLPClassifier.load(GOLDEN / "three.onnx", class_names=["a", "b", "c"])
    named = MLPClassifier.load(GOLDEN / "three.onnx")
    assert named.classes_.tolist() == ["ant", "bee", "cat"]


@pytest.mark.parametrize("activation", ["elu", "elu:0.5", "selu", "silu", "swish", "mish"])
def test_new_activations_train_and_leave_in_onnx(activation):
    data, targets = np.random.default_rng(4).normal(0, 1, (120, 5)), np.arange(120) % 3
    model = MLPClassifier((8, 6), activation=activation, max_iter=3, random_state=1).fit(data, targets)
    session = onnxruntime.InferenceSession(model.to_onnx(), providers=["CPUExecutionProvider"])
    found = session.run(["probabilities"], {"input": data.astype(np.float32)})[0]
    assert np.abs(found - model.predict_proba(data)).max() < 1e-5
