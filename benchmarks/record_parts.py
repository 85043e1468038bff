#!/usr/bin/env python3
"""What each part of the preset `record` brings: left out in turn, with several seeds, in JAX on a GPU.

    python3 benchmarks/record_parts.py --data FOLDER --out FILE.jsonl [--seeds 5] [--epochs 300]
    python3 benchmarks/record_parts.py --data FOLDER --out FILE.jsonl --folds

`recipes.py --only record --leave-out` measures the same with gradus itself: a quarter of an hour to
one for each run on two cores. Here the recipe is written down once more in JAX, after docs/maths.md, and all
runs are trained side by side as one batch of products: minutes on one large GPU. Needs Python 3.11
and JAX with its GPU support; on a CPU it is for small trials (`--hidden 64 --epochs 2 --seeds 1`).

The runs of one seed have the same initial weights, order of images and random numbers behind the
distortions, whatever is left out. What differs from gradus: the random numbers; products in TF32,
which keeps 11 binary digits of each factor; and the 96 images that an epoch has left after its last
whole batch of 256 (others in each) are not used.

--data   MNIST's four IDX files, .gz or plain
--out    gets a JSON line for each run and each evaluation on the 10,000 test images
--folds  nothing is left out; instead every sixth of the training images is set apart in turn, the runs
         are trained on the rest and judged on it. This is what settings may be chosen by
"""

import argparse
import datetime
import json
import sys
import time
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import mean, stdev

import jax
import jax.numpy as jnp
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent / "peers"))

import prepare

# The preset.
HIDDEN = (2048, 1024, 512)
BATCH = 256
RATE, DECAY, WARM_UP_EPOCHS = 0.0015, 0.01, 2
AVERAGE = 0.9999
SHIFT, TURN, SCALE, SHEAR, ALPHA, SIGMA = 2.0, 12.0, 0.18, 0.2, 40.0, 5.5
# What the program has for all recipes.
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
NORM_EPSILON, NORM_MOMENTUM = 1e-5, 0.1

SIDE = 28
# The image with a border of zeros; one cell for every two by two pixels.
CELLS = SIDE + 2

WHOLE = {"affine": 1.0, "elastic": 1.0, "norm": True, "slope": 0.1, "cosine": False}
VARIANTS = {
    "record": {},
    "without elastic distortion": {"elastic": 0.0},
    "without affine distortion": {"affine": 0.0},
    "without any distortion": {"affine": 0.0, "elastic": 0.0},
    "without batch normalisation": {"norm": False},
    "with ReLU": {"slope": 0.0},
    "with a rate that falls to 0 (cosine)": {"cosine": True},
}
FOLDS = 6
# The last weights of the runs of `record` instead of their average.
UNAVERAGED = "without the average"


def load(folder, name):
    images = prepare.idx(folder, f"{name}-images-idx3-ubyte", 16).reshape(-1, SIDE, SIDE)
    return images, prepare.idx(folder, f"{name}-labels-idx1-ubyte", 8).astype(np.int32)


def corners(images):
    """[n, CELLS * CELLS]: the four pixels around a place in one number, zeros outside the image."""
    padded = np.pad(images, ((0, 0), (1, 2), (1, 2))).astype(np.uint32)
    cells = (
        padded[:, :-1, :-1]
        | padded[:, :-1, 1:] << 8
        | padded[:, 1:, :-1] << 16
        | padded[:, 1:, 1:] << 24
    )
    return cells.reshape(len(images), -1)


def smoothing():
    """[784, 784]: a field of noise, as a row, times this is the field smoothed (M19)."""
    reach = int(np.ceil(3 * SIGMA))
    bell = np.exp(-0.5 * (np.arange(-reach, reach + 1) / SIGMA) ** 2)
    distance = np.abs(np.subtract.outer(np.arange(SIDE), np.arange(SIDE)))
    one = np.where(distance <= reach, np.exp(-0.5 * (distance / SIGMA) ** 2) / bell.sum(), 0)
    return np.kron(one, one).astype(np.float32)


# Distortion (M19). One image each; `jax.vmap` makes batches of it.


def draw(key, smooth):
    """Random numbers of a batch: six in (-1, 1) for each image, and its two smoothed fields."""
    affine, elastic = jax.random.split(key)
    bits = jax.random.bits(elastic, (BATCH, SIDE * SIDE), jnp.uint32)
    halves = jnp.stack([bits & 0xFFFF, bits >> 16], axis=1).astype(jnp.float32)
    noise = (halves + 0.5) / 32768 - 1
    return jax.random.uniform(affine, (BATCH, 6), minval=-1, maxval=1), noise @ smooth


def distort(cells, numbers, field, affine, elastic):
    """[784] bytes as float32: the image of `cells`, with each kind of distortion times a factor."""
    numbers = affine * numbers
    shift = SHIFT * numbers[:2]
    angle = jnp.deg2rad(TURN * numbers[2])
    scale = 1 + SCALE * numbers[3:5]
    slant = SHEAR * numbers[5]
    sine, cosine = jnp.sin(angle), jnp.cos(angle)
    center = (SIDE - 1) / 2
    y, x = jnp.divmod(jnp.arange(SIDE * SIDE), SIDE)
    x, y = x - center - shift[0], y - center - shift[1]
    along_x = ((cosine + slant * sine) * x + (sine - slant * cosine) * y) / scale[0]
    along_y = (cosine * y - sine * x) / scale[1]
    field = elastic * ALPHA * field
    x = jnp.clip(along_x + center + field[0], -1, SIDE)
    y = jnp.clip(along_y + center + field[1], -1, SIDE)
    left, top = jnp.floor(x), jnp.floor(y)
    right_share, lower_share = x - left, y - top
    cell = cells[((top + 1) * CELLS + left + 1).astype(jnp.int32)]
    pixel = [((cell >> place) & 255).astype(jnp.float32) for place in (0, 8, 16, 24)]
    upper = pixel[0] + right_share * (pixel[1] - pixel[0])
    lower = pixel[2] + right_share * (pixel[3] - pixel[2])
    return jnp.round(upper + lower_share * (lower - upper))


# The network (M2 to M4, M14), one run of it.


def start(key, layers):
    """He's initial weights; of every hidden layer also its scale and shift."""
    parameters = []
    for number, (inputs, outputs) in enumerate(pairwise(layers)):
        normal = jax.random.normal(jax.random.fold_in(key, number), (inputs, outputs))
        parameters.append(
            {
                "weight": normal * (2 / inputs) ** 0.5,
                "gamma": jnp.ones(outputs),
                "beta": jnp.zeros(outputs),
            }
        )
    statistics = [(jnp.zeros(outputs), jnp.ones(outputs)) for outputs in layers[1:-1]]
    return parameters, statistics


def logits_of(parameters, statistics, x, settings, training):
    """The logits, and in training the running statistics with this batch in them."""
    running = []
    for layer, known in zip(parameters[:-1], statistics):
        z = x @ layer["weight"]
        center, variance = (z.mean(0), z.var(0)) if training else known
        normal = (z - center) * jax.lax.rsqrt(variance + NORM_EPSILON)
        y = jnp.where(settings["norm"], layer["gamma"] * normal, z) + layer["beta"]
        x = jnp.where(y > 0, y, settings["slope"] * y)
        batch = (center, variance * len(z) / (len(z) - 1))
        running.append(tuple(k + NORM_MOMENTUM * (b - k) for k, b in zip(known, batch)))
    return x @ parameters[-1]["weight"] + parameters[-1]["beta"], running


def cross_entropy(logits, labels):
    picked = jnp.take_along_axis(logits, labels[:, None], axis=1)[:, 0]
    return jnp.mean(jax.nn.logsumexp(logits, axis=1) - picked)


def loss_of(parameters, statistics, x, labels, settings):
    logits, running = logits_of(parameters, statistics, x, settings, training=True)
    return cross_entropy(logits, labels), running


# Training: AdamW, the schedule and the average (M9, M10, M18).


def rate_at(step, steps, warm_up, cosine):
    progress = jnp.clip((step - warm_up) / (steps - warm_up), 0, 1)
    falling = jnp.where(cosine, 0.5 * (1 + jnp.cos(jnp.pi * progress)), 1)
    return RATE * jnp.where(step < warm_up, 0.1 + 0.9 * step / warm_up, falling)


def train_step(state, x, labels, settings, step, steps, warm_up):
    """One step of one run."""
    parameters, statistics = state["model"]
    gradients, statistics = jax.grad(loss_of, has_aux=True)(
        parameters, statistics, x, labels, settings
    )
    rate = rate_at(step, steps, warm_up, settings["cosine"])
    first_factor = rate / (1 - BETA1 ** (step + 1))
    root_factor = jnp.sqrt(1 - BETA2 ** (step + 1))
    first = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, state["first"], gradients)
    second = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, state["second"], gradients)

    def moved(p, m, v):
        kept = 1 - rate * DECAY if p.ndim == 2 else 1
        return kept * p - first_factor * m / (jnp.sqrt(v) / root_factor + EPSILON)

    model = jax.tree.map(moved, parameters, first, second), statistics
    decay = jnp.minimum(AVERAGE, (1 + step) / (10 + step))
    average = jax.tree.map(lambda a, p: p + decay * (a - p), state["average"], model)
    return {"model": model, "first": first, "second": second, "average": average}


def over_runs(function, *axes):
    """`function` for every variant and seed. An argument is "each" run's, of its "variant", of its
    "seed", or of "all"."""
    outer = [0 if axis in ("each", "variant") else None for axis in axes]
    inner = [0 if axis in ("each", "seed") else None for axis in axes]
    return jax.vmap(jax.vmap(function, in_axes=inner), in_axes=outer)


@partial(jax.jit, donate_argnames="state")
def train_epoch(state, cells, labels, rows, smooth, settings, keys, epoch, *, steps, warm_up):
    """An epoch of all runs; `rows` are the images of each variant, `keys` has one for each seed."""
    epoch_keys = jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys, epoch)
    variants, count = rows.shape
    batches = count // BATCH
    order = jax.vmap(lambda key: jax.random.permutation(key, count))(epoch_keys)
    order = rows[:, order[:, : batches * BATCH]].reshape(variants, len(keys), batches, BATCH)

    def distort_batch(rows, numbers, fields, affine, elastic):
        one = jax.vmap(distort, in_axes=(0, 0, 0, None, None))
        return one(cells[rows], numbers, fields, affine, elastic) / 255

    def step(state, at):
        batch, rows = at
        number = (epoch * batches + batch).astype(jnp.float32)
        step_keys = jax.vmap(jax.random.fold_in, in_axes=(0, None))(epoch_keys, 1 + batch)
        numbers, fields = jax.vmap(draw, in_axes=(0, None))(step_keys, smooth)
        x = over_runs(distort_batch, "each", "seed", "seed", "variant", "variant")(
            rows, numbers, fields, settings["affine"], settings["elastic"]
        )
        run_step = partial(train_step, steps=steps, warm_up=warm_up)
        state = over_runs(run_step, "each", "each", "each", "variant", "all")(
            state, x, labels[rows], settings, number
        )
        return state, None

    return jax.lax.scan(step, state, (jnp.arange(batches), jnp.moveaxis(order, 2, 0)))[0]


@jax.jit
def judge(model, settings, images, labels):
    """Share right and loss of every run, [variants, seeds] each; each variant has its own images."""

    def of_variant(variant):
        models, settings, images, labels = variant

        def of_seed(model):
            logits, _ = logits_of(*model, images, settings, training=False)
            right = jnp.mean(jnp.argmax(logits, axis=1) == labels)
            return right, cross_entropy(logits, labels)

        return jax.lax.map(of_seed, models)

    return jax.lax.map(of_variant, (model, settings, images, labels))


def evaluate(state, names, settings, unseen):
    """Name of variant -> accuracies and losses over the seeds."""
    shares, losses = jax.device_get(judge(state["average"], settings, *unseen))
    figures = {name: (shares[i], losses[i]) for i, name in enumerate(names)}
    if "record" in figures:
        shares, losses = jax.device_get(judge(state["model"], settings, *unseen))
        figures[UNAVERAGED] = (shares[0], losses[0])
    return figures


def write(file, figures, facts):
    """A line for every run."""
    for name, (shares, losses) in figures.items():
        for seed, (share, loss) in enumerate(zip(shares.tolist(), losses.tolist()), 1):
            run = {"variant": name, "seed": seed} | facts
            run |= {"accuracy": round(share, 6), "loss": round(loss, 6)}
            file.write(json.dumps(run) + "\n")
    file.flush()


def table(figures):
    """Markdown: mean and standard deviation over the seeds."""
    lines = ["| | accuracy | deviation | loss |", "|---|---|---|---|"]
    if "record" not in figures:
        figures = figures | {"all folds": np.mean(list(figures.values()), axis=0)}
    for name, (accuracies, losses) in figures.items():
        values = [100 * float(value) for value in accuracies]
        deviation = f"{stdev(values):.3f}" if len(values) > 1 else ""
        loss = mean(map(float, losses))
        lines.append(f"| {name} | {mean(values):.3f} % | {deviation} | {loss:.4f} |")
    return "\n".join(lines)


def options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--folds", action="store_true", help="judge on training images set apart")
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="seeds 1 to N")
    parser.add_argument("--epochs", type=int, default=300, metavar="N")
    parser.add_argument("--every", type=int, default=100, metavar="N", help="epochs to a judgement")
    parser.add_argument(
        "--hidden", type=lambda text: tuple(map(int, text.split(","))), default=HIDDEN
    )
    return parser.parse_args()


def main():
    wanted = options()
    images, labels = load(wanted.data, "train")
    cells, labels = jnp.asarray(corners(images)), jnp.asarray(labels)
    everything = np.arange(len(images))
    if wanted.folds:
        names = [f"fold {fold}" for fold in range(1, FOLDS + 1)]
        changes = [{}] * FOLDS
        apart = np.stack(np.split(everything, FOLDS))
        rows = np.stack([np.setdiff1d(everything, fold) for fold in apart])
        unseen = images[apart], labels[apart]
    else:
        names, changes = list(VARIANTS), VARIANTS.values()
        rows = np.tile(everything, (len(names), 1))
        unseen = [np.stack([part] * len(names)) for part in load(wanted.data, "t10k")]
    unseen = (
        jnp.asarray(unseen[0].reshape(len(names), -1, SIDE * SIDE) / np.float32(255)),
        jnp.asarray(unseen[1]),
    )
    smooth = jnp.asarray(smoothing())
    changed = [WHOLE | change for change in changes]
    settings = {name: jnp.asarray([row[name] for row in changed]) for name in WHOLE}

    layers = (SIDE * SIDE, *wanted.hidden, 10)
    keys = jnp.stack([jax.random.key(seed) for seed in range(1, wanted.seeds + 1)])
    models = jax.vmap(lambda key: start(jax.random.fold_in(key, 2**31), layers))(keys)
    models = jax.tree.map(lambda p: jnp.broadcast_to(p, (len(names), *p.shape)).copy(), models)
    zeros = partial(jax.tree.map, jnp.zeros_like)
    state = {
        "model": models,
        "first": zeros(models[0]),
        "second": zeros(models[0]),
        "average": jax.tree.map(jnp.copy, models),
    }
    batches = rows.shape[1] // BATCH
    rows = jnp.asarray(rows)
    schedule = {"steps": wanted.epochs * batches, "warm_up": WARM_UP_EPOCHS * batches}

    facts = {"of": wanted.epochs, "date": datetime.date.today().isoformat()}
    facts |= {"device": jax.devices()[0].device_kind, "version": f"jax {jax.__version__}"}
    began = time.perf_counter()
    with wanted.out.open("a") as file:
        for done in range(1, wanted.epochs + 1):
            state = train_epoch(
                state, cells, labels, rows, smooth, settings, keys, done - 1, **schedule
            )
            jax.block_until_ready(state)
            if done in (1, 2) or done % 25 == 0:
                print(f"epoch {done}, {time.perf_counter() - began:.1f} s", file=sys.stderr)
            if done % wanted.every == 0 or done == wanted.epochs:
                figures = evaluate(state, names, settings, unseen)
                write(file, figures, {"epochs": done} | facts)
                print(f"\nafter {done} epochs:\n{table(figures)}", flush=True)


if __name__ == "__main__":
    main()
