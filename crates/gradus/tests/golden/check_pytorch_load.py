"""Loads a gradus model file into PyTorch and compares what both predict.

    python check_pytorch_load.py MODEL.safetensors PREDICTIONS.npz

PREDICTIONS.npz holds `inputs` (samples x features, raw values) and `probabilities` (samples x
classes) as gradus predicted them. Every state_dict key and shape must match; the largest difference
of a probability is printed and must not exceed 1e-5. Needs numpy, safetensors and torch.
"""

import json
import sys

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file

ACTIVATIONS = {
    "identity": torch.nn.Identity,
    "relu": torch.nn.ReLU,
    "leaky_relu": torch.nn.LeakyReLU,
    "tanh": torch.nn.Tanh,
    "sigmoid": torch.nn.Sigmoid,
    "gelu": torch.nn.GELU,
    "elu": torch.nn.ELU,
    "selu": torch.nn.SELU,
    "silu": torch.nn.SiLU,
    "mish": torch.nn.Mish,
}
TOLERANCE = 1e-5


def build(architecture):
    """The torch.nn.Sequential of the metadata's list of layers."""
    layers = []
    for layer in architecture:
        if isinstance(layer, str):
            name, *constants = layer.split(":")
            layers.append(ACTIVATIONS[name](*map(float, constants)))
        else:
            size = layer["linear"]
            layers.append(torch.nn.Linear(size["inputs"], size["outputs"]))
    return torch.nn.Sequential(*layers)


def normalize(inputs, normalization):
    """(x - mean) / deviation, the same for all features or one pair for each."""
    ((kind, values),) = normalization.items()
    names = {"scalar": ("mean", "deviation"), "per_feature": ("means", "deviations")}[kind]
    mean, deviation = (np.float32(values[name]) for name in names)
    return (inputs.astype(np.float32) - mean) / deviation


def main(model_path, predictions_path):
    with safe_open(model_path, framework="pt") as file:
        metadata = file.metadata()
    if metadata["format"] != "gradus" or metadata["gradus_version"] != "1":
        raise SystemExit(f"{model_path}: not a gradus model of format 1")
    model = build(json.loads(metadata["architecture"]))
    model.load_state_dict(load_file(model_path), strict=True)

    predictions = np.load(predictions_path)
    inputs = normalize(predictions["inputs"], json.loads(metadata["normalization"]))
    with torch.no_grad():
        found = torch.softmax(model(torch.from_numpy(inputs)), dim=1).numpy()
    expected = predictions["probabilities"]
    if found.shape != expected.shape or found.shape[1] != len(json.loads(metadata["class_names"])):
        raise SystemExit(f"shapes differ: {found.shape} {expected.shape}")
    difference = float(np.abs(found - expected).max())
    print(f"largest difference of a probability: {difference:.3g}")
    if not difference <= TOLERANCE:
        raise SystemExit(f"more than {TOLERANCE}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(sys.argv[1], sys.argv[2])
