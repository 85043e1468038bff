"""Data that many tests use."""

import os
from pathlib import Path

import numpy as np
import pytest

from gradus import MLPClassifier, datasets


@pytest.fixture(scope="session")
def digits():
    """2,000 digits to train on and 500 others, as bytes of shape (28, 28)."""
    return datasets.digits(2000, seed=1), datasets.digits(500, seed=1, test=True)


@pytest.fixture(scope="session")
def table():
    """Three clouds of points in five dimensions, float64."""
    random = np.random.RandomState(0)
    y = np.arange(300) % 3
    return random.normal(size=(300, 5)) + 3 * np.eye(5)[y], y


@pytest.fixture(scope="session")
def fitted(table):
    """A classifier trained on the table."""
    return MLPClassifier((20,), max_iter=30, random_state=0, learning_rate_init=0.01).fit(*table)


@pytest.fixture(scope="session")
def mnist():
    """The real MNIST, where GRADUS_DATA says where it is."""
    if not (Path(os.environ.get("GRADUS_DATA", "/nowhere")) / "mnist").is_dir():
        pytest.skip("GRADUS_DATA does not lead to MNIST")
    return datasets.load_mnist(download=False)
