"""What the peer scripts share: MNIST's four .gz files as arrays, and the closing JSON line."""

import gzip
import json
import os
import platform
import resource
import statistics
from pathlib import Path


def load(folder):
    """(x_train, y_train, x_test, y_test): images uint8 [samples x 784], labels int64."""
    import numpy as np  # late, after the caller has set the number of threads

    def idx(name, header_bytes):
        with gzip.open(Path(folder) / name) as file:
            return np.frombuffer(file.read(), np.uint8, offset=header_bytes)

    parts = []
    for prefix in ("train", "t10k"):
        parts.append(idx(f"{prefix}-images-idx3-ubyte.gz", 16).reshape(-1, 784))
        parts.append(idx(f"{prefix}-labels-idx1-ubyte.gz", 8).astype(np.int64))
    return tuple(parts)


def report(epoch_seconds, **facts):
    """Prints one JSON object: the facts, the times, and what may have influenced them."""
    overrides = {k: v for k, v in os.environ.items() if k.startswith(("OPENBLAS_", "MKL_", "OMP_"))}
    line = {
        **facts,
        "epochs": len(epoch_seconds),
        "median_epoch_seconds": round(statistics.median(epoch_seconds), 5),
        "fastest_epoch_seconds": round(min(epoch_seconds), 5),
        "first_epoch_seconds": round(epoch_seconds[0], 5),
        "train_seconds": round(sum(epoch_seconds), 4),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "python": platform.python_version(),
        "environment": overrides,
    }
    print(json.dumps(line), flush=True)
