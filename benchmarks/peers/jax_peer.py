"""JAX on the CPU, float32: the notebook's training, mini-batches, prediction; all of it jitted.

The notebook's epoch is one jitted call. An epoch of mini-batches is one too (a scan over the
batches), or a jitted call for every batch with --steps.
"""

import os

os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import jax.numpy as jnp
import numpy as np

import common

LEARNING_RATE = 0.001


def logits_of(parameters, x):
    for weight, bias in parameters[:-1]:
        x = jnp.maximum(x @ weight + bias, 0)
    weight, bias = parameters[-1]
    return x @ weight + bias


def loss_and_logits(parameters, x, labels):
    logits = logits_of(parameters, x)
    picked = jnp.take_along_axis(logits, labels[:, None], axis=1)[:, 0]
    return jnp.mean(jax.nn.logsumexp(logits, axis=1) - picked), logits


gradient = jax.grad(loss_and_logits, has_aux=True)


@jax.jit
def accuracy(parameters, x, labels):
    return jnp.mean(jnp.argmax(logits_of(parameters, x), axis=1) == labels)


def descent_epoch(parameters, x, labels):
    """The parameters after a step, and the accuracy before it."""
    gradients, logits = gradient(parameters, x, labels)
    stepped = jax.tree.map(lambda p, g: p - LEARNING_RATE * g, parameters, gradients)
    return stepped, jnp.mean(jnp.argmax(logits, axis=1) == labels)


def adam_step(state, x, labels):
    """State: parameters, first and second moments, steps done. beta 0.9, 0.999; epsilon 1e-8."""
    parameters, first, second, steps = state
    gradients, _ = gradient(parameters, x, labels)
    steps = steps + 1
    first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradients)
    second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradients)
    rate = LEARNING_RATE / (1 - 0.9**steps)
    root = jnp.sqrt(1 - 0.999**steps)
    parameters = jax.tree.map(
        lambda p, m, v: p - rate * m / (jnp.sqrt(v) / root + 1e-8), parameters, first, second
    )
    return parameters, first, second, steps


def adam_epoch(state, x, labels, order, batch):
    """An epoch in one call: the full batches in a scan, then what is left."""
    full = len(order) // batch * batch

    def step(state, rows):
        return adam_step(state, x[rows], labels[rows]), None

    state, _ = jax.lax.scan(step, state, order[:full].reshape(-1, batch))
    return step(state, order[full:])[0] if full < len(order) else state


def step_of_rows(state, x, labels, rows):
    return adam_step(state, x[rows], labels[rows])


def data(options, scale):
    x_train, y_train, x_test, y_test = common.load(options.files)
    images = (jnp.asarray(images.astype(np.float32) / scale) for images in (x_train, x_test))
    labels = (jnp.asarray(labels.astype(np.int32)) for labels in (y_train, y_test))
    (x, x_test), (y, y_test) = images, labels
    return x, y, x_test, y_test


def parameters_of(options):
    return [
        (jnp.asarray(weight), jnp.asarray(bias)) for weight, bias in common.start(options.start)
    ]


def notebook(options):
    x, y, x_test, y_test = data(options, 1)
    parameters, reached = parameters_of(options), 0.0
    jitted = jax.jit(descent_epoch, donate_argnums=0)

    def run(_):
        nonlocal parameters, reached
        parameters, share = jitted(parameters, x, y)
        reached = float(share)
        jax.block_until_ready(parameters)

    seconds = common.timed_epochs(options.epochs, run)
    return {
        "epoch_seconds": seconds,
        "train_accuracy": reached,
        "test_accuracy": float(accuracy(parameters, x_test, y_test)),
    }


def minibatch(options):
    x, y, x_test, y_test = data(options, 255)
    parameters = parameters_of(options)
    zeros = [jax.tree.map(jnp.zeros_like, parameters) for _ in range(2)]
    state = parameters, *zeros, jnp.float32(0)
    key = jax.random.key(options.seed)
    whole = jax.jit(adam_epoch, donate_argnums=0, static_argnums=4)
    single = jax.jit(step_of_rows, donate_argnums=0)
    shuffled = jax.jit(lambda key: jax.random.permutation(key, len(x)))

    def run(epoch):
        nonlocal state
        order = shuffled(jax.random.fold_in(key, epoch))
        if options.steps:
            order = np.asarray(order)
            for begin in range(0, len(order), options.batch):
                state = single(state, x, y, order[begin : begin + options.batch])
        else:
            state = whole(state, x, y, order, options.batch)
        jax.block_until_ready(state)

    seconds = common.timed_epochs(options.epochs, run)
    return {
        "epoch_seconds": seconds,
        "test_accuracy": float(accuracy(state[0], x_test, y_test)),
    }


def predict(options):
    _, _, x_test, y_test = data(options, 255)
    parameters = parameters_of(options)
    jitted = jax.jit(lambda x: jnp.argmax(logits_of(parameters, x), axis=1))
    # Rows are cut in NumPy: JAX's own slicing would be part of the time.
    rows = np.asarray(x_test)
    one, many = common.prediction_times(lambda x: np.asarray(jitted(x)), rows, options.quick)
    return {
        "one_image_seconds": one,
        "images_per_second": len(rows) / many,
        "test_accuracy": float(accuracy(parameters, x_test, y_test)),
    }


if __name__ == "__main__":
    works = {"notebook": notebook, "minibatch": minibatch, "predict": predict}
    extra = [("--steps", {"action": "store_true"})]
    options = common.options(__doc__.splitlines()[0], works, extra)
    common.report(**works[options.work](options), version=f"jax {jax.__version__}")
