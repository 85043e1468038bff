"""What is compared: the works, and for each of them who takes part and with which command."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from harness import figures
from harness.setup import PEERS, Place

REFERENCE = "gradus"


@dataclass
class Trainer:
    """One contestant in one work."""

    name: str
    # Round -> command.
    command: Callable[[int], list]
    environment: dict = field(default_factory=dict)
    # Part that must have been set up; looked up in Place.missing.
    needs: str = "python"
    # Own reading of an outcome, in place of the work's.
    read: Callable | None = None


@dataclass
class Work:
    key: str
    title: str
    # What the reader should know: one paragraph.
    note: str
    kind: str
    rounds: int
    read: Callable
    trainers: list
    floor_gflop: float | None = None


def python_peer(place, script, work, start, options=()):
    command = [place.python, PEERS / f"{script}.py", work, "--files", place.files]
    return [*command, "--start", start, "--threads", place.threads, *options]


def rust_peer(place, name, work, start, options=()):
    files = ["--files", place.files, "--start", start.with_suffix(".f32")]
    return [place.rust / name, work, *files, *options]


def gradus_train(place, options):
    out = place.folder / "model.safetensors"
    fixed = ["--json", "--data", place.data, "--threads", place.threads, "--out", out]
    return [place.gradus, "train", *fixed, *options]


def notebook(place: Place, rounds, quick):
    epochs, warm_up = (3, 1) if quick else (6, 2)
    start = place.files / "start-notebook.npz"
    options = ["--epochs", epochs]

    def python(name, script, *flags):
        command = python_peer(place, script, "notebook", start, [*options, *flags])
        return Trainer(name, lambda _: command)

    def rust(name, program):
        command = rust_peer(place, program, "notebook", start, options)
        return Trainer(name, lambda _: command, needs=program)

    def gradus(name, **environment):
        command = gradus_train(place, ["--preset", "notebook", "--init", start, *options])
        return Trainer(name, lambda _: command, environment, needs="gradus")

    return Work(
        "a",
        "The notebook's epoch",
        "60,000 x 784-128-10, full batch, gradient descent at 0.001, raw pixels, one start for "
        f"all; {epochs} epochs, of which {warm_up} to warm up do not count. Train accuracy is that of "
        "the last epoch's pass, before its update. Peak memory is that of the whole process.",
        "epochs",
        rounds,
        lambda outcome: figures.of_epochs(outcome, warm_up),
        [
            gradus(REFERENCE),
            gradus("gradus, AVX2", GRADUS_ISA="avx2"),
            python("NumPy, as the notebook", "numpy_peer", "--dtype", "f64"),
            python("NumPy, float32", "numpy_peer", "--dtype", "f32"),
            python("PyTorch, eager", "torch_peer"),
            python("PyTorch, compiled", "torch_peer", "--compile"),
            python("PyTorch, bfloat16", "torch_peer", "--bf16"),
            python("PyTorch, bfloat16, compiled", "torch_peer", "--bf16", "--compile"),
            python("JAX, jitted", "jax_peer"),
            rust("candle", "candle_peer"),
            rust("burn, flex", "burn_peer"),
        ],
        figures.floor_gflop([784, 128, 10]),
    )


def adam_recipe(hidden, epochs):
    """The options of `gradus train` for mini-batches of 128 with Adam, on pixels / 255."""
    recipe = ["--hidden", ",".join(map(str, hidden)), "--normalize", "unit", "--optimizer", "adam"]
    recipe += ["--learning-rate", 0.001, "--weight-decay", 0, "--schedule", "constant"]
    return [*recipe, "--batch-size", 128, "--epochs", epochs]


def minibatch(place: Place, key, hidden, epochs, rounds):
    layers = [784, *hidden, 10]
    name = "-".join(map(str, layers))
    start = place.files / f"start-{name}.npz"
    options = ["--epochs", epochs, "--batch", 128]

    def python(name, script, *flags):
        return Trainer(
            name,
            lambda seed: python_peer(
                place, script, "minibatch", start, [*options, "--seed", seed, *flags]
            ),
        )

    def rust(name, program):
        words = ["--layers", ",".join(map(str, layers)), *options]
        return Trainer(
            name,
            lambda seed: rust_peer(place, program, "minibatch", start, [*words, "--seed", seed]),
            needs=program,
        )

    recipe = ["--init", start, *adam_recipe(hidden, epochs)]
    return Work(
        key,
        f"Mini-batches with Adam, {name}",
        f"Batches of 128, a new order every epoch, Adam at 0.001, pixels / 255, one start for all; "
        f"{epochs} epochs, of which the first does not count.",
        "epochs",
        rounds,
        lambda outcome: figures.of_epochs(outcome, 1),
        [
            Trainer(
                REFERENCE,
                lambda seed: gradus_train(place, [*recipe, "--seed", seed]),
                needs="gradus",
            ),
            python("PyTorch, eager", "torch_peer"),
            python("PyTorch, eager, fused Adam", "torch_peer", "--fused"),
            python("PyTorch, compiled, fused Adam", "torch_peer", "--compile", "--fused"),
            python("JAX, jitted batch", "jax_peer", "--steps"),
            # Large batches leave no difference between the two, and each takes its time.
            *([] if hidden[0] > 512 else [python("JAX, jitted epoch", "jax_peer")]),
            python("scikit-learn", "sklearn_peer"),
            rust("candle", "candle_peer"),
            rust("burn, flex", "burn_peer"),
        ],
        figures.floor_gflop(layers),
    )


def to_98(place: Place, seeds):
    script = [place.python, PEERS / "torch_to_98.py", "--data", place.data]
    script += ["--threads", place.threads]

    def pytorch(name, *flags):
        return Trainer(name, lambda seed: [*script, "--seed", seed, *flags])

    return Work(
        "c",
        "From process start to 98 % on the test images",
        "`gradus train` with its defaults, and a PyTorch script with a recipe chosen for the least "
        "time to a mean of 98 %; the whole process, from the .gz files on, and the training in it.",
        "whole",
        seeds,
        figures.of_whole_run,
        [
            Trainer(REFERENCE, lambda seed: gradus_train(place, ["--seed", seed]), needs="gradus"),
            pytorch("PyTorch"),
            pytorch("PyTorch, fused Adam", "--fused"),
        ],
    )


def predict(place: Place, rounds, quick, model: Path, accuracy):
    flags = ["--quick"] if quick else []

    def python(name, script, *more):
        command = python_peer(place, script, "predict", model, [*flags, *more])
        return Trainer(name, lambda _: command, needs="model")

    bench = place.bench
    return Work(
        "d",
        "Prediction, 784-128-10",
        "Labels of one image at a time (warm) and of 10,000 at once, with one trained network. "
        "Peers get inputs that are float32 and scaled already; gradus gets bytes.",
        "predictions",
        rounds,
        figures.of_predictions,
        [
            Trainer(
                REFERENCE,
                lambda _: bench,
                needs="model",
                read=lambda outcome: figures.of_bench(outcome, "784-128-10", accuracy),
            ),
            python("NumPy, float32", "numpy_peer"),
            python("PyTorch, eager", "torch_peer"),
            python("PyTorch, compiled", "torch_peer", "--compile"),
            python("JAX, jitted", "jax_peer"),
            python("scikit-learn", "sklearn_peer"),
            python("onnxruntime", "onnxruntime_peer"),
        ],
    )
