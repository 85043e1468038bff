"""Makes keras.keras, keras.weights.h5 and keras.npz: a small Keras 3 network, and what it predicts.

Run with Keras 3.15.1 (any backend) and NumPy; the files in this folder were made with JAX 0.10.
keras.npz holds `inputs` (samples x 4 x 3) and `probabilities`; keras.weights.h5 the weights of a
second network, without batch normalization, whose probabilities are `probabilities_weights`.
"""

import numpy as np
import keras
from keras import layers

keras.utils.set_random_seed(5)
random = np.random.default_rng(5)
inputs = random.integers(0, 256, (20, 4, 3)).astype("float32")

model = keras.Sequential(
    [
        keras.Input((4, 3, 1)),
        layers.Rescaling(1 / 127.5, offset=-1),
        layers.Flatten(),
        layers.Dense(5),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.Dropout(0.2),
        layers.Dense(6, activation="gelu", use_bias=False),
        layers.BatchNormalization(scale=False),
        layers.Dense(3, activation="softmax"),
    ]
)
for layer in model.layers:
    if isinstance(layer, (layers.BatchNormalization, layers.Dense)):
        # Variances must be positive.
        layer.set_weights([random.uniform(0.2, 1, w.shape) for w in layer.get_weights()])
model.save("keras.keras")

bare = keras.Sequential(
    [keras.Input((12,))] + [layers.Dense(n, activation="tanh") for n in [4] * 10] + [layers.Dense(3)]
)
for layer in bare.layers:
    layer.set_weights([random.normal(0, 0.7, w.shape) for w in layer.get_weights()])
bare.save_weights("keras.weights.h5")
logits = np.asarray(bare(inputs.reshape(20, 12) / 255))
exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
np.savez(
    "keras.npz",
    inputs=inputs,
    probabilities=np.asarray(model(inputs[..., None])),
    probabilities_weights=exponentials / exponentials.sum(axis=1, keepdims=True),
)
