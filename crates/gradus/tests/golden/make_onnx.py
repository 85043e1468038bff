"""Makes foreign.onnx and foreign.npz: a network as exporters write it, and what it predicts.

Run with NumPy, onnx and onnxruntime. The graph has what a dense network of others may have: an input
normalization by channel, Flatten, Gemm with and without transB, MatMul and Add, batch normalization
before and after an activation, GELU by Erf. foreign.npz holds `inputs` and `probabilities`.
"""

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

random = np.random.default_rng(11)
nodes, constants = [], []
current = "x"


def constant(values):
    constants.append(numpy_helper.from_array(np.asarray(values, np.float32), f"c{len(constants)}"))
    return constants[-1].name


def node(op, *inputs, **attributes):
    """An input that is None is the current value, one that is no name a constant."""
    global current
    names = [current if it is None else it for it in inputs or [None]]
    names = [it if isinstance(it, str) else constant(it) for it in names]
    current = f"v{len(nodes)}"
    nodes.append(helper.make_node(op, names, [current], **attributes))
    return current


def weights(*shape):
    return random.normal(0, 0.7, shape)


def batch_norm(width):
    variance = np.abs(weights(width)) + 0.1
    node("BatchNormalization", None, weights(width), weights(width), weights(width), variance)


node("Div", None, 255)
node("Sub", None, np.array([0.1, 0.4]).reshape(2, 1, 1))
node("Div", None, np.array([0.3, 0.2]).reshape(1, 2, 1, 1))
node("Flatten", axis=1)
node("Gemm", None, weights(12, 24), weights(12), transB=1)
batch_norm(12)
x = node("LeakyRelu", alpha=0.01)
batch_norm(12)
node("Dropout")
node("MatMul", None, weights(12, 8))
x = node("Add", weights(8), None)
node("Add", node("Erf", node("Div", x, np.sqrt(2))), 1)
node("Mul", node("Mul", x, None), 0.5)
node("Gemm", None, weights(8, 3), weights(1, 3), alpha=0.5, beta=1.5)
probabilities = node("Softmax", axis=-1)
label = node("ArgMax", axis=-1, keepdims=0)

graph = helper.make_graph(
    nodes,
    "foreign",
    [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["batch", 2, 4, 3])],
    [
        helper.make_tensor_value_info(label, onnx.TensorProto.INT64, ["batch"]),
        helper.make_tensor_value_info(probabilities, onnx.TensorProto.FLOAT, ["batch", 3]),
    ],
    constants,
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
onnx.checker.check_model(model, full_check=True)
inputs = random.integers(0, 256, (20, 2, 4, 3)).astype(np.float32)
session = onnxruntime.InferenceSession(model.SerializeToString())
_, expected = session.run(None, {"x": inputs})
onnx.save(model, "foreign.onnx")
np.savez("foreign.npz", inputs=inputs, probabilities=expected)
