"""onnxruntime on the CPU: prediction with the same network as an ONNX graph."""

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import common


def graph(layers):
    """Gemm, Relu, Gemm, ..., ArgMax, as bytes; the number of samples stays open."""
    nodes, weights, value = [], [], "x"
    for i, (weight, bias) in enumerate(layers, 1):
        weights += [
            numpy_helper.from_array(weight, f"w{i}"),
            numpy_helper.from_array(bias, f"b{i}"),
        ]
        nodes.append(helper.make_node("Gemm", [value, f"w{i}", f"b{i}"], [f"z{i}"]))
        value = f"z{i}"
        if i < len(layers):
            nodes.append(helper.make_node("Relu", [value], [f"a{i}"]))
            value = f"a{i}"
    nodes.append(helper.make_node("ArgMax", [value], ["label"], axis=1, keepdims=0))
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["samples", 784])]
    outputs = [helper.make_tensor_value_info("label", TensorProto.INT64, ["samples"])]
    whole = helper.make_graph(nodes, "mlp", inputs, outputs, weights)
    model = helper.make_model(whole, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


def main():
    options = common.options(__doc__, ("predict",))
    _, _, x_test, y_test = common.load(options.files)
    inputs = x_test.astype(np.float32) / 255
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    session = onnxruntime.InferenceSession(
        graph(common.start(options.start)), settings, providers=["CPUExecutionProvider"]
    )

    def labels(x):
        return session.run(None, {"x": x})[0]

    one, many = common.prediction_times(labels, inputs, options.quick)
    common.report(
        one_image_seconds=one,
        images_per_second=len(inputs) / many,
        test_accuracy=float(np.mean(labels(inputs) == y_test)),
        version=f"onnxruntime {onnxruntime.__version__}",
    )


if __name__ == "__main__":
    main()
