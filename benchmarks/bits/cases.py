"""The cases that same_bits.py records: runs of `gradus train`, and commands that read their models.

Records are compared by the names of the cases, so a name never changes. The options are those of the version
that made the first record; later versions still accept them.
"""

import shlex
from dataclasses import dataclass


@dataclass
class Run:
    """One `gradus train`."""

    name: str
    options: list
    threads: int = 2
    # An instruction set to force; the machine's best one without it.
    isa: str | None = None


IMAGES = "--data images.npz --hidden 24 --batch-size 50 --epochs 2"
FEW_ZEROS = "--data few-zeros.npz --hidden 20 --batch-size 64 --epochs 2"
MANY = "--hidden 16 --batch-size full --epochs 3 --schedule constant"
FLOATS = "--data floats.npz --hidden 16,12 --batch-size 32 --epochs 3 --normalize standard"
REGRESSION = "--data values.npz --loss squared --hidden 20 --batch-size 25 --epochs 4 --normalize standard"
FLOWERS = "--data flowers.csv --label-column species --hidden 16 --batch-size 16 --epochs 4"
HOUSES = "--data houses.csv --loss squared --label-column price,rent --hidden 16 --batch-size 20 --epochs 4"
EVERYTHING = (
    "--dropout 0.2 --input-dropout 0.1 --noise 0.1 --input-noise 0.1 --batch-norm --label-smoothing 0.1 "
    "--mixup 0.3 --l1 1e-5 --l2 1e-4 --max-norm 2 --clip-norm 1 --clip-value 0.5 --average 0.9 "
    "--class-weights balanced"
)

# Group -> (options that all its runs share, name -> options of that run).
GROUPS = {
    "preset": (
        "--epochs 1",
        {
            "quick": "--data digits --preset quick",
            "quick, images": "--data images.npz --preset quick --epochs 2",
            "notebook, digits": "--data digits --preset notebook --epochs 2",
            "notebook, images": "--data images.npz --preset notebook --epochs 2",
            "accurate": "--data images.npz --preset accurate",
            "record": "--data images.npz --preset record",
        },
    ),
    "optimizer": (
        IMAGES,
        {
            "sgd": "--optimizer sgd --learning-rate 0.1",
            "sgd, momentum": "--optimizer sgd --learning-rate 0.05 --momentum 0.9",
            "sgd, nesterov": "--optimizer sgd --learning-rate 0.05 --momentum 0.8 --nesterov",
            "sgd, weight decay": "--optimizer sgd --learning-rate 0.1 --weight-decay 0.01",
            "adam": "--optimizer adam",
            "adam, all": "--optimizer adam --beta1 0.8 --beta2 0.95 --epsilon 1e-6 --weight-decay 0.001",
            "adamw": "--optimizer adamw",
            "adamw, all": "--optimizer adamw --beta1 0.8 --beta2 0.95 --epsilon 1e-6 --weight-decay 0.2",
            "rmsprop": "--optimizer rmsprop",
            "rmsprop, all": "--optimizer rmsprop --momentum 0.5 --beta2 0.8 --epsilon 1e-6 --weight-decay 0.001",
            "lion": "--optimizer lion --learning-rate 0.001",
            "lion, all": "--optimizer lion --learning-rate 0.001 --beta1 0.8 --beta2 0.9 --weight-decay 0.5",
            "muon": "--optimizer muon",
            "muon, all": "--optimizer muon --momentum 0.8 --beta1 0.8 --beta2 0.9 --epsilon 1e-6 "
            "--weight-decay 0.2 --hidden 24,16",
        },
    ),
    "schedule": (
        f"{IMAGES} --epochs 4",
        {
            "constant": "--schedule constant",
            "step": "--schedule step:1:0.5",
            "cosine": "--schedule cosine",
            "one cycle": "--schedule one-cycle",
            "plateau": "--schedule plateau:1:0.5 --validation 0.2 --learning-rate 0.1 --epochs 7",
            "constant, warm-up": "--schedule constant --warm-up 1.5",
            "cosine, warm-up": "--schedule cosine --warm-up 0.5",
        },
    ),
    "regularisation": (
        IMAGES,
        {
            "dropout": "--dropout 0.3",
            "input dropout": "--input-dropout 0.2",
            "noise": "--noise 0.2",
            "input noise": "--input-noise 0.3",
            "batch norm": "--batch-norm --hidden 24,16",
            "batch norm, dropout and noise": "--batch-norm --dropout 0.2 --noise 0.1",
            "label smoothing": "--label-smoothing 0.1",
            "mixup": "--mixup 0.4",
            "l1": "--l1 0.0001",
            "l2": "--l2 0.001",
            "max norm": "--max-norm 0.8",
            "max norm, deep": "--max-norm 0.8 --hidden 24,16",
            "clip norm": "--clip-norm 0.5",
            "clip value": "--clip-value 0.01",
            "average": "--average 0.9",
            "average, batch norm": "--average 0.9 --batch-norm",
            "class weights": "--class-weights 1,2,1,0.5,1,1,3,1,1,1",
            "balanced classes": "--class-weights balanced",
            "sample weights, text": "--sample-weights factors.txt",
            "sample weights, npy": "--sample-weights factors.npy",
            "distortion, standard": "--distort standard",
            "distortion, strong": "--distort strong",
            "distortion, parts": "--distort shift:2,rotate:10,scale:0.1,shear:0.1",
            "distortion, elastic": "--distort elastic:36:6",
            "everything": f"{EVERYTHING} --distort standard --hidden 24,16",
        },
    ),
    "activation": (
        IMAGES,
        {
            name: f"--activation {name} --hidden 24,16"
            for name in ("identity", "relu", "leaky_relu", "leaky_relu:0.2", "tanh", "sigmoid", "gelu")
        }
        | {"one for each": "--activation tanh,relu --hidden 24,16"},
    ),
    "initial weights": (
        IMAGES,
        {
            "auto": "--init auto --activation tanh",
            "he": "--init he",
            "glorot": "--init glorot",
            "normal": "--init normal:0.05",
            "file": "--init start.npz --hidden 16",
            "seed": "--seed 12345",
        },
    ),
    "normalisation": (
        "",
        {
            f"{name}, {kind}": f"{options} --normalize {name}"
            for name in ("none", "unit", "standard")
            for kind, options in (
                ("images", IMAGES),
                ("few zeros", FEW_ZEROS),
                ("floats", FLOATS + " --learning-rate 0.005"),
            )
        },
    ),
    "depth": (
        "",
        {
            f"{hidden}, {kind}": f"{options} --hidden {hidden}"
            for hidden in ("none", "32", "32,24", "32,24,16")
            for kind, options in (("images", IMAGES), ("few zeros", FEW_ZEROS), ("regression", REGRESSION))
        }
        # More units than one thread computes alone, for sparse and for dense inputs.
        | {
            "300,130, images": f"{IMAGES} --hidden 300,130",
            "300,130, few zeros": f"{FEW_ZEROS} --hidden 300,130",
        },
    ),
    "data": (
        "",
        {
            "npz, few zeros": FEW_ZEROS,
            "npz, floats": FLOATS,
            "npz, regression": REGRESSION,
            "idx": "--data idx --hidden 24 --epochs 2",
            "csv, flowers": FLOWERS,
            "csv, per feature": f"{FLOWERS} --normalize standard",
            "csv, test set": f"{FLOWERS} --test flowers-test.csv",
            "csv, no header": "--data no-header.csv --hidden 8 --epochs 3 --batch-size 20",
            "csv, regression": HOUSES,
            "csv, regression per feature": f"{HOUSES} --normalize standard",
            "csv, one target": f"{HOUSES} --label-column price --normalize standard",
            "image folder": "--data pictures --hidden 24 --epochs 3 --batch-size 16",
            "image folder, scaled": "--data pictures --image-size 9x10 --hidden 24 --epochs 3 --batch-size 16",
        },
    ),
    "regression": (
        REGRESSION,
        {
            "sgd": "--optimizer sgd --learning-rate 0.01 --momentum 0.9",
            "muon": "--optimizer muon",
            "full batch": "--batch-size full",
            "regularised": "--dropout 0.1 --noise 0.1 --batch-norm --mixup 0.2 --l2 0.001 --average 0.9",
            "validation": "--validation 0.2 --patience 2 --epochs 10",
        },
    ),
    "validation": (
        f"{IMAGES} --epochs 8",
        {
            "share": "--validation 0.1",
            "early stopping": "--validation 0.2 --patience 2",
            "early stopping, accuracy": "--validation 0.2 --patience 1 --monitor val_accuracy --min-delta 0.001",
            "early stopping, training loss": "--patience 1 --min-delta 0.05 --monitor loss",
            "average": "--validation 0.2 --patience 2 --average 0.9 --batch-norm",
        },
    ),
    "validation set": (FLOWERS, {"csv": "--validation flowers-more.csv --patience 3 --epochs 8"}),
    "full batch": (
        MANY,
        {
            "one micro-batch, images": "--data images.npz --optimizer sgd --learning-rate 0.1",
            "two micro-batches, bytes": "--data many-bytes.npz",
            "two micro-batches, floats": "--data many-floats.npz --normalize standard",
            "two micro-batches, deep": "--data many-bytes.npz --hidden 32,16 --dropout 0.2 --clip-norm 0.5",
            "two micro-batches, noisy": "--data many-floats.npz --noise 0.1 --input-noise 0.1 --mixup 0.3 --l2 0.001",
            "batch norm": "--data many-bytes.npz --batch-norm",
            "mini-batches of 8192, floats": "--data many-floats.npz --batch-size 8192",
            "five micro-batches, floats": "--data five-micro-batches.npz --normalize standard",
            "five micro-batches, muon": "--data five-micro-batches.npz --optimizer muon --hidden 32,16",
            "eight micro-batches, digits": "--data digits --optimizer sgd --learning-rate 0.1 --epochs 2",
        },
    ),
}

# Only where this machine has MNIST.
MNIST = {
    "mnist": (
        "--data mnist --no-download",
        {
            "quick": "--epochs 1",
            "notebook": "--preset notebook --epochs 2",
            "adam": "--hidden 128 --optimizer adam --learning-rate 0.001 --schedule constant --epochs 1",
        },
    )
}

# These models must have the same bits on 1, 2 and 5 threads.
THREADED = (
    "optimizer/adam",
    "optimizer/muon, all",
    "regularisation/batch norm, dropout and noise",
    "regularisation/everything",
    "depth/300,130, images",
    "depth/300,130, few zeros",
    "data/npz, regression",
    "validation/average",
    "full batch/two micro-batches, deep",
    "full batch/two micro-batches, noisy",
    "full batch/five micro-batches, floats",
    "full batch/five micro-batches, muon",
)
THREADS = (1, 5)

# These are trained with every instruction set of the machine.
ON_EACH_ISA = (
    "optimizer/adamw",
    "activation/gelu",
    "regularisation/everything",
    "depth/300,130, few zeros",
    "full batch/two micro-batches, floats",
)
ISAS = ("portable", "avx2", "avx512")

# Resumed runs: the options of the whole run, and the epochs between two checkpoints. The number does not
# divide the run's epochs, so the last checkpoint lies before the end and there is something left to train.
RESUMED = {
    "images": (f"{IMAGES} --epochs 5", 3),
    "one cycle, momentum": (f"{IMAGES} --epochs 5 --optimizer sgd --momentum 0.9 --schedule one-cycle", 3),
    "muon": (f"{IMAGES} --epochs 3 --optimizer muon", 2),
    "everything": (f"{IMAGES} --epochs 5 {EVERYTHING} --distort standard", 3),
    "early stopping": (f"{IMAGES} --epochs 7 --validation 0.2 --patience 5 --average 0.9", 4),
    "plateau": (f"{IMAGES} --epochs 7 --schedule plateau:1:0.5 --learning-rate 0.1 --validation 0.2", 5),
    "few zeros": (f"{FEW_ZEROS} --epochs 3 --optimizer rmsprop --momentum 0.5", 2),
    "regression": (f"{REGRESSION} --epochs 5 --batch-norm", 3),
    "csv, own test set": (f"{FLOWERS} --test flowers-test.csv --epochs 5", 2),
    "image folder": ("--data pictures --image-size 9x10 --hidden 24 --epochs 3 --batch-size 16", 2),
    "two micro-batches": (f"{MANY} --data many-bytes.npz", 2),
    "initial weights": (f"{IMAGES} --init start.npz --hidden 16 --epochs 3", 2),
    "sample weights": (f"{IMAGES} --sample-weights factors.npy --epochs 3", 2),
}


def runs(with_mnist, isas):
    """All runs except the resumed ones, by name. `isas`: the instruction sets of this machine."""
    found = {}
    for group, (shared, members) in (GROUPS | (MNIST if with_mnist else {})).items():
        for name, own in members.items():
            run = Run(f"{group}/{name}", options(shared, own))
            found[run.name] = run
    for name in THREADED:
        for threads in THREADS:
            run = Run(f"{name} [{threads} threads]", found[name].options, threads)
            found[run.name] = run
    for name in ON_EACH_ISA:
        for isa in isas:
            run = Run(f"{name} [{isa}]", found[name].options, isa=isa)
            found[run.name] = run
    return found


def options(*texts):
    """All options as a list of words. If an option is given several times, the last one counts."""
    found = {}
    for word in shlex.split(" ".join(texts)):
        if word.startswith("--"):
            name = word
            found[name] = []
        else:
            found[name].append(word)
    return [word for name, values in found.items() for word in (name, *values)]


# The models that the commands below read: file name without extension -> run.
MODELS = {
    "digits": "preset/quick",
    "images": "validation/early stopping",
    "tanh": "activation/one for each",
    "gelu": "activation/gelu",
    "few-zeros": "data/npz, few zeros",
    "floats": "data/npz, floats",
    "idx": "data/idx",
    "flowers": "data/csv, per feature",
    "no-header": "data/csv, no header",
    "folder": "data/image folder, scaled",
    "values": "data/npz, regression",
    "houses": "data/csv, regression per feature",
}

# Commands with --json.
JSON = {
    "evaluate": {
        "digits": "digits.safetensors --errors 5",
        "images": "images.safetensors --data images.npz --errors 3 --top 2",
        "images, one thread": "images.safetensors --data images.npz --threads 1",
        "other data": "images.safetensors --data idx --errors 2",
        "few zeros": "few-zeros.safetensors --data few-zeros.npz",
        "held-out samples": "floats.safetensors --data floats.npz --errors 4",
        "idx": "idx.safetensors --data idx",
        "flowers": "flowers.safetensors --data flowers.csv --label-column species",
        "flowers, other table": "flowers.safetensors --data flowers-more.csv --label-column species",
        "no header": "no-header.safetensors --data no-header.csv --errors 2",
        "image folder": "folder.safetensors --data pictures --image-size 9x10",
        "regression": "values.safetensors --data values.npz",
        "houses": "houses.safetensors --data houses.csv --label-column price,rent",
        "npz model": "images.npz-model.npz --activation relu --data images.npz",
        "onnx model": "tanh.onnx --data images.npz",
    },
    "predict": {
        "drawing": "digits.safetensors drawing.png",
        "drawings, top 3": "digits.safetensors drawing.png other-drawing.png --top 3",
        "drawing, raw": "digits.safetensors drawing.png --raw",
        "drawing, not in MNIST's form": "images.safetensors drawing.png",
        "idx": "images.safetensors idx/t10k-images-idx3-ubyte",
        "idx, one thread": "images.safetensors idx/t10k-images-idx3-ubyte --threads 1",
        "npy": "images.safetensors samples.npy",
        "csv": "flowers.safetensors flowers-test.csv --label-column species",
        "csv, no header": "no-header.safetensors no-header.csv",
        "image folder": "folder.safetensors pictures/test/bars/000.png pictures/test/rows/001.png",
        "regression": "houses.safetensors houses-new.csv --label-column price,rent",
        "onnx model": "tanh.onnx samples.npy",
        "npz model": "images.npz-model.npz samples.npy --activation relu",
    },
    "data": {
        "digits": "digits",
        "npz": "images.npz",
        "few zeros": "few-zeros.npz",
        "floats": "floats.npz",
        "regression": "values.npz --loss squared",
        "idx": "idx",
        "flowers": "flowers.csv --label-column species",
        "no header": "no-header.csv",
        "houses": "houses.csv --loss squared --label-column price,rent",
        "image folder": "pictures",
        "image folder, scaled": "pictures --image-size 9x10",
    },
    "inspect": {
        **{name: f"{name}.safetensors" for name in MODELS},
        "checkpoint": "kept.safetensors",
        "npz model": "images.npz-model.npz",
        "npz model, named": "images.npz-model.npz --activation tanh --normalize 0,255",
        "onnx model": "tanh.onnx",
    },
}
MNIST_JSON = {"data": {"mnist": "mnist --no-download"}}

# Sweeps write their results as JSON lines.
SWEEPS = {
    "grid": "--vary hidden=8/16,8 --vary learning-rate=0.003/0.01 "
    "-- --data images.npz --epochs 2 --validation 0.2",
    "draws": "--vary learning-rate=0.001..0.03:log --vary dropout=0..0.5 --vary hidden=8/16 --runs 5 --seed 3 "
    "-- --data few-zeros.npz --epochs 2 --validation 0.2",
    "halved": "--vary learning-rate=0.0001..0.1:log --vary batch-size=16..64:int --runs 6 --halve "
    "-- --data floats.npz --hidden 16,12 --epochs 9 --validation 0.2",
    "regression": "--vary optimizer=adam/sgd --vary learning-rate=0.01/0.001 "
    "-- --data values.npz --loss squared --hidden 20 --epochs 4 --validation 0.2",
}

# Exports: the file to write -> the model to read, and options.
EXPORTS = {
    "digits.onnx": "digits.safetensors",
    "digits-uint8.onnx": "digits.safetensors --uint8",
    "tanh.onnx": "tanh.safetensors",
    "gelu.onnx": "gelu.safetensors",
    "flowers.onnx": "flowers.safetensors",
    "houses.onnx": "houses.safetensors",
    "images.npz-model.npz": "images.safetensors",
    "flowers-model.npz": "flowers.safetensors",
    "houses-model.npz": "houses.safetensors",
    "digits.html": "digits.safetensors",
    "from-onnx.safetensors": "tanh.onnx",
    "from-npz.safetensors": "images.npz-model.npz --activation relu",
    "weights-of-checkpoint.npz": "kept.safetensors",
}

# Reports, as CSV tables: pages and plots contain prose, which may change while the results stay the same.
REPORTS = {
    "digits": "digits.safetensors",
    "images": "images.safetensors --data images.npz",
    "regression": "values.safetensors",
    "history": "history.json",
}
