"""The temperature that minimizes the mean cross-entropy of some logits, by SciPy.

Its number is in crates/gradus-core/src/training/temperature.rs. Run with SciPy 1.17: `python make_temperature.py`.
"""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

logits = np.array([
    [2.0, -1.0, 0.5], [0.25, 1.75, -0.5], [-2.0, 3.0, 1.0], [0.0, 0.5, 4.0], [1.5, 1.25, 1.0],
])
classes = np.array([0, 1, 0, 2, 1])


def loss(temperature):
    return -log_softmax(logits / temperature, axis=1)[np.arange(len(classes)), classes].mean()


found = minimize_scalar(loss, bounds=(0.05, 20), method="bounded", options={"xatol": 1e-12})
print(found.x)
