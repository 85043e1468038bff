"""Models of other programs, and what these programs predict with them.

    python make_foreign.py [FOLDER]        (FOLDER: foreign/ where this file lies)

Run with NumPy, torch 2.15.0, scikit-learn 1.9.1, skl2onnx 1.20.0, onnx 1.23.2, Keras 3.15.1 and JAX 0.10.2.

torch: state.pt and state_old.pth (a state dictionary, the second in the form of before PyTorch 1.6), checkpoint.pth
       (one among other things, of a DataParallel), half.pt and brain.pt (in half precision), module.pt (a whole
       Sequential), activations.pt, nested.pt (nested Sequentials with batch normalization, a state dictionary),
       program.pt (a class of this program around a Sequential), script.pt, trace.pt and frozen.pt (TorchScript).
skl2onnx: three.onnx (classes ant, bee, cat), two.onnx (classes 3 and 7, with ZipMap), scaled.onnx (a StandardScaler
       before it), normalizer.onnx (a Normalizer before it, which gradus refuses).
onnx:  external.onnx and external.onnx.data (weights in a file beside the model), halves.onnx (weights in float16).
keras: halves.keras (mixed precision), old.h5 (the form of Keras 2), activations.keras.

predictions.npz has `x` (12 x 5) and for each FILE `FILE`: the probabilities of its classes.
"""

import os
import sys
import warnings
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"
warnings.simplefilter("ignore")

import keras
import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from torch import nn

RANDOM = np.random.default_rng(5)
X = RANDOM.normal(0, 1, (12, 5)).astype(np.float32)
FOUND = {"x": X}


class Program(nn.Module):
    """Its code is not in a file of torch.save."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 3))
        self.dropout = nn.Dropout(0.5)

    def forward(self, x):
        return self.layers(self.dropout(x))


class Scripted(nn.Module):
    """Functions and modules in an order of its own."""

    def __init__(self):
        super().__init__()
        self.last = nn.Linear(4, 3)
        self.norm = nn.BatchNorm1d(6)
        self.first = nn.Linear(5, 6)
        self.leaky = nn.LeakyReLU(0.2)
        self.middle = nn.Linear(6, 4)

    def forward(self, x):
        x = (torch.flatten(x, 1) - 0.5) / 2
        x = self.middle(self.leaky(self.norm(self.first(x))))
        return torch.softmax(self.last(nn.functional.elu(x, 0.7)), dim=1)


def evaluated(model):
    """The same in evaluation mode, with statistics as if it had been trained."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.normal_(module.bias)
    return model.eval()


def torch_models(folder):
    torch.manual_seed(3)
    samples = torch.tensor(X)

    def note(name, model, has_softmax=False):
        with torch.no_grad():
            found = model(samples.to(next(model.parameters()).dtype)).float()
        FOUND[name] = (found if has_softmax else torch.softmax(found, 1)).numpy()

    plain = evaluated(nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 3)))
    torch.save(plain.state_dict(), folder / "state.pt")
    torch.save(plain.state_dict(), folder / "state_old.pth", _use_new_zipfile_serialization=False)
    state = nn.DataParallel(plain).state_dict()
    optimizer = torch.optim.Adam(plain.parameters()).state_dict()
    torch.save(
        {"epoch": 3, "model_state_dict": state, "optimizer_state_dict": optimizer, "loss": np.float64(0.5)},
        folder / "checkpoint.pth",
    )
    torch.save(plain, folder / "module.pt")
    for name in ["state.pt", "state_old.pth", "checkpoint.pth", "module.pt"]:
        note(name, plain)
    for name, kind in [("half.pt", torch.float16), ("brain.pt", torch.bfloat16)]:
        torch.save({key: value.to(kind) for key, value in plain.state_dict().items()}, folder / name)
        rounded = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 3)).eval()
        rounded.load_state_dict({key: value.to(kind).float() for key, value in plain.state_dict().items()})
        note(name, rounded)
    functions = [nn.ELU(0.5), nn.SELU(), nn.SiLU(), nn.PReLU(), nn.GELU(), nn.LeakyReLU(0.3), nn.Sigmoid()]
    layers = [layer for function in functions for layer in (nn.Linear(4, 4), function)]
    activations = evaluated(nn.Sequential(nn.Flatten(), nn.Linear(5, 4), nn.Tanh(), *layers, nn.Linear(4, 3)))
    torch.save(activations, folder / "activations.pt")
    note("activations.pt", activations)
    block = lambda a, b: nn.Sequential(nn.Linear(a, b), nn.BatchNorm1d(b), nn.ReLU())
    nested = evaluated(nn.Sequential(block(5, 6), block(6, 6), nn.Linear(6, 3)))
    torch.save(nested.state_dict(), folder / "nested.pt")
    note("nested.pt", nested)
    program = evaluated(Program())
    torch.save(program, folder / "program.pt")
    note("program.pt", program)
    scripted = evaluated(Scripted())
    torch.jit.script(scripted).save(folder / "script.pt")
    torch.jit.trace(scripted, samples).save(folder / "trace.pt")
    torch.jit.freeze(torch.jit.script(scripted)).save(folder / "frozen.pt")
    for name in ["script.pt", "trace.pt", "frozen.pt"]:
        note(name, scripted, has_softmax=True)


def scikit_models(folder):
    data = RANDOM.normal(0, 1, (200, 5)).astype(np.float32)
    kinds = (data[:, 0] + data[:, 1] > 0).astype(int) + (data[:, 2] > 0.5)
    names = np.array(["ant", "bee", "cat"])[kinds]
    for name, scaler, targets, zipmap in [
        ("three.onnx", None, names, False),
        ("two.onnx", None, np.where(kinds > 0, 7, 3), True),
        ("scaled.onnx", StandardScaler(), names, True),
        ("normalizer.onnx", Normalizer(), names, True),
    ]:
        model = MLPClassifier((6,), max_iter=50, random_state=0)
        model = make_pipeline(scaler, model) if scaler else model
        model.fit(data * 3 + 1 if scaler else data, targets)
        types = [("x", FloatTensorType([None, 5]))]
        converted = convert_sklearn(model, initial_types=types, options={"zipmap": zipmap} if not scaler else None)
        (folder / name).write_bytes(converted.SerializeToString())
        FOUND[name] = model.predict_proba(X).astype(np.float32)


def onnx_models(folder):
    for name, kind, limit in [("external.onnx", np.float32, 0), ("halves.onnx", np.float16, 10**6)]:
        first, second = (RANDOM.normal(0, 1, shape).astype(kind) for shape in [(5, 6), (6, 3)])
        nodes = [("MatMul", ["x", "w"], "a"), ("Relu", ["a"], "b"), ("MatMul", ["b", "v"], "y")]
        number = TensorProto.FLOAT if kind == np.float32 else TensorProto.FLOAT16
        graph = helper.make_graph(
            [helper.make_node(op, inputs, [output]) for op, inputs, output in nodes],
            "g",
            [helper.make_tensor_value_info("x", number, ["N", 5])],
            [helper.make_tensor_value_info("y", number, ["N", 3])],
            [numpy_helper.from_array(first, "w"), numpy_helper.from_array(second, "v")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
        model.ir_version = 8
        (folder / f"{name}.data").unlink(missing_ok=True)
        onnx.save_model(
            model, folder / name, save_as_external_data=limit == 0, location=f"{name}.data", size_threshold=limit
        )
        logits = np.maximum(X @ first.astype(np.float64), 0) @ second.astype(np.float64)
        powers = np.exp(logits - logits.max(1, keepdims=True))
        FOUND[name] = (powers / powers.sum(1, keepdims=True)).astype(np.float32)


def keras_models(folder):
    layers = keras.layers
    keras.utils.set_random_seed(4)
    functions = ["elu", "selu", "silu", layers.PReLU(shared_axes=[1]), layers.ELU(0.5), "swish"]

    def stack(functions):
        model = keras.Sequential([keras.Input((5,))])
        for function in functions:
            model.add(layers.Dense(4, activation=function if isinstance(function, str) else None))
            if not isinstance(function, str):
                model.add(function)
        model.add(layers.Dense(3, activation="softmax"))
        for weight in model.weights:
            weight.assign(RANDOM.normal(0, 0.7, weight.shape))
        return model

    activations = stack(functions)
    # A slope for all units.
    activations.layers[4].alpha.assign([0.3])
    activations.save(folder / "activations.keras")
    FOUND["activations.keras"] = np.asarray(activations(X))
    old = stack(["relu", "tanh"])
    old.save(folder / "old.h5")
    FOUND["old.h5"] = np.asarray(old(X))
    keras.config.set_dtype_policy("float16")
    halves = stack(["relu"])
    halves.save(folder / "halves.keras")
    keras.config.set_dtype_policy("float32")
    singles = stack(["relu"])
    for to, value in zip(singles.weights, halves.weights):
        to.assign(np.asarray(value).astype(np.float32))
    FOUND["halves.keras"] = np.asarray(singles(X))


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "foreign"
    folder.mkdir(exist_ok=True)
    torch_models(folder)
    scikit_models(folder)
    onnx_models(folder)
    keras_models(folder)
    np.savez(folder / "predictions.npz", **FOUND)
    for file in sorted(folder.iterdir()):
        print(file.name, file.stat().st_size)


if __name__ == "__main__":
    main()
