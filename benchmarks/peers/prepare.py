"""Writes what all peers read, so that none of them spends its time on unpacking.

    python prepare.py --data FOLDER --files FOLDER

--data   MNIST's four IDX files, .gz or plain
--files  gets {train,test}-{images,labels}.u8 (bytes as they lie in the IDX files), and for every
         network the weights that all trainers start from: start-NAME.npz (w1 [in x out], b1, ...)
         and the same as one run of little-endian float32, start-NAME.f32 (w1, b1, w2, b2, ...)
"""

import argparse
import gzip
from pathlib import Path

import numpy as np

SEED = 20


def idx(folder, name, header_bytes):
    path = folder / f"{name}.gz"
    if path.exists():
        with gzip.open(path) as file:
            data = file.read()
    else:
        data = (folder / name).read_bytes()
    return np.frombuffer(data, np.uint8, offset=header_bytes)


def weights(layers, rule):
    """w1, b1, ...; "notebook": N(0, 0.01^2) and zeros; "uniform": all in +-1/sqrt(inputs)."""
    rng = np.random.default_rng(SEED)
    arrays = {}
    for i, (inputs, outputs) in enumerate(zip(layers, layers[1:]), 1):
        if rule == "notebook":
            weight, bias = rng.standard_normal((inputs, outputs)) * 0.01, np.zeros(outputs)
        else:
            bound = inputs**-0.5
            weight = rng.uniform(-bound, bound, (inputs, outputs))
            bias = rng.uniform(-bound, bound, outputs)
        arrays[f"w{i}"] = weight.astype(np.float32)
        arrays[f"b{i}"] = bias.astype(np.float32).reshape(-1, 1)
    return arrays


def write_start(folder, name, arrays):
    np.savez(folder / f"start-{name}.npz", **arrays)
    flat = np.concatenate([array.reshape(-1) for array in arrays.values()])
    flat.astype("<f4").tofile(folder / f"start-{name}.f32")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--files", required=True, type=Path)
    options = parser.parse_args()
    options.files.mkdir(parents=True, exist_ok=True)
    for ours, theirs in (("train", "train"), ("test", "t10k")):
        images = idx(options.data, f"{theirs}-images-idx3-ubyte", 16)
        images.tofile(options.files / f"{ours}-images.u8")
        labels = idx(options.data, f"{theirs}-labels-idx1-ubyte", 8)
        labels.tofile(options.files / f"{ours}-labels.u8")
    write_start(options.files, "notebook", weights([784, 128, 10], "notebook"))
    for hidden in ([128], [1024, 1024]):
        layers = [784, *hidden, 10]
        name = "-".join(map(str, layers))
        write_start(options.files, name, weights(layers, "uniform"))


if __name__ == "__main__":
    main()
