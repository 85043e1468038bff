#!/usr/bin/env python3
"""How accurate each recipe is on MNIST's test images, over seeds, and what each part of it brings.

    python3 benchmarks/recipes.py                      the presets, five seeds: hours
    python3 benchmarks/recipes.py --only quick,784-128 --seeds 10
    python3 benchmarks/recipes.py --only accurate --leave-out
    python3 benchmarks/recipes.py --table              only the table of what was measured

Needs Python 3.11 and a built gradus (or Rust, to build it). Every run is added to
benchmarks/results/recipes.jsonl the moment it ends; a run that stands there is not made again, so
that the measurement can be stopped and resumed. The table is written to
benchmarks/results/recipes.md. Settings were chosen on 10,000 training images set apart
(--validation), never on the test images: --choose runs a recipe that way.
"""

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import mean, median, stdev

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import machine
from harness.setup import Failed, build_gradus, say

HERE = Path(__file__).resolve().parent
RUNS = HERE / "results" / "recipes.jsonl"
TABLE = HERE / "results" / "recipes.md"

# Name -> the options of `gradus train`.
RECIPES = {
    "quick": "--preset quick",
    "784-128": "--hidden 128 --epochs 40 --learning-rate 0.005 --weight-decay 0.01 --input-noise 0.3",
    "accurate": "--preset accurate",
    "record": "--preset record",
}

# Recipe -> what is left out, or put in another's place -> the options that do it.
LEFT_OUT = {
    "quick": {
        "with a constant rate": "--schedule constant",
        "without weight decay": "--weight-decay 0",
        "with 128 units": "--hidden 128",
    },
    "784-128": {
        "with a constant rate": "--schedule constant",
        "without weight decay": "--weight-decay 0",
        "without noise in the inputs": "--input-noise 0",
    },
    "accurate": {
        "without batch normalisation": "--batch-norm=false",
        "without noise in the inputs": "--input-noise 0",
        "with noise in hidden layers, too": "--noise 0.3",
        "with a constant rate": "--schedule constant",
        "with dropout in place of noise": "--input-noise 0 --dropout 0.3 --input-dropout 0.2",
        "with two layers of 1,000": "--hidden 1000,1000",
    },
    "record": {
        "without elastic distortion": "--distort shift:2,rotate:12,scale:0.18,shear:0.2",
        "without affine distortion": "--distort elastic:40:5.5",
        "without batch normalisation": "--batch-norm=false",
        "without the average": "--average 0",
        "with ReLU": "--activation relu",
    },
}


def options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", default=",".join(RECIPES), metavar="LIST", help="of " + ", ".join(RECIPES)
    )
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="seeds 1 to N")
    parser.add_argument("--leave-out", action="store_true", help="also without each part")
    parser.add_argument("--choose", action="store_true", help="accuracy on 10,000 images set apart")
    parser.add_argument("--data", default="mnist", metavar="NAME", help="the data set")
    parser.add_argument("--threads", type=int, metavar="N")
    parser.add_argument(
        "--gradus", type=Path, metavar="FILE", help="a built program, not a new one"
    )
    parser.add_argument("--table", action="store_true", help="measure nothing")
    return parser.parse_args()


def plan(wanted):
    """(name, options) of every recipe to run."""
    for name in wanted.only.split(","):
        if name not in RECIPES:
            raise Failed(f"--only {name}: no such recipe; there are {', '.join(RECIPES)}")
        yield name, RECIPES[name]
        if wanted.leave_out:
            for part, change in LEFT_OUT.get(name, {}).items():
                yield f"{name} {part}", changed(RECIPES[name], change)


def changed(recipe, change):
    """The options of a recipe, with those of a change in the place of their own."""
    given = [word.split("=")[0] for word in change.split()]
    kept = [f"--{option}" for option in recipe.removeprefix("--").split(" --")]
    return " ".join([*(option for option in kept if option.split()[0] not in given), change])


def measured():
    """The runs so far; a last line that was cut off is passed over."""
    runs = []
    if RUNS.exists():
        for line in RUNS.read_text().splitlines():
            try:
                runs.append(json.loads(line))
            except json.JSONDecodeError:
                say(f"{RUNS.name}: a line that is no JSON is passed over")
    return runs


def train(gradus, name, recipe, seed, wanted):
    """One run, as it is kept."""
    extra = ["--data", wanted.data, "--seed", str(seed)]
    if wanted.threads:
        extra += ["--threads", str(wanted.threads)]
    if wanted.choose:
        extra += ["--validation", "0.16667"]
    with tempfile.TemporaryDirectory() as folder:
        command = [gradus, "train", "--json", "--out", f"{folder}/model.safetensors"]
        command += [*recipe.split(), *extra]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"{name}: {done.stderr.strip()}")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    result = events[-1]
    run = {
        "recipe": name,
        "options": recipe,
        "data": wanted.data,
        "seed": seed,
        "epochs": result["epochs"],
        "train_seconds": round(result["train_seconds"], 2),
        "date": datetime.date.today().isoformat(),
        "processor": machine.processor(),
        "vectors": "AVX-512" if "avx512f" in machine.instruction_sets() else "AVX2 or less",
        "threads": wanted.threads or len(os.sched_getaffinity(0)),
    }
    if wanted.choose:
        return run | {"validation_accuracy": events[-2]["val_accuracy"]}
    return run | {"test_accuracy": result["test_accuracy"], "test_loss": result["test_loss"]}


def key(run):
    figure = "validation_accuracy" if "validation_accuracy" in run else "test_accuracy"
    return run["recipe"], run["options"], run["data"], figure


def table(runs):
    """Markdown: one line for each recipe and kind of figure."""
    lines = [
        "# Accuracy of the recipes",
        "",
        "Made by `python3 benchmarks/recipes.py` from [recipes.jsonl](recipes.jsonl), which has each",
        "run. Mean and standard deviation over the seeds, in per cent; seconds of training, the median on",
        "each machine.",
        "",
        "| recipe | data | figure | seeds | mean | deviation | least | most | epochs | seconds | dates | machine |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    groups = {}
    for run in runs:
        groups.setdefault(key(run), []).append(run)
    for (name, _, data, figure), group in groups.items():
        values = [100 * run[figure] for run in group]
        deviation = f"{stdev(values):.3f}" if len(values) > 1 else ""
        dates = sorted({run["date"] for run in group})
        places = {}
        for run in group:
            place = f"{run['processor']}, {run['vectors']}, {run['threads']} threads"
            places.setdefault(place, []).append(run["train_seconds"])
        times = [f"{median(times):.4g}" for times in places.values()]
        lines.append(
            f"| {name} | {data} | {figure.split('_')[0]} | {len(values)} | {mean(values):.3f} | "
            f"{deviation} | {min(values):.2f} | {max(values):.2f} | {group[-1]['epochs']} | "
            f"{'; '.join(times)} | {' to '.join({dates[0]: 0, dates[-1]: 0})} | "
            f"{'; '.join(places)} |"
        )
    options_of = {name: recipe for name, recipe, _, _ in groups}
    lines += ["", "The options of `gradus train`:", ""]
    lines += [f"- {name}: `{recipe}`" for name, recipe in options_of.items()]
    return "\n".join(lines) + "\n"


def main():
    wanted = options()
    recipes = list(plan(wanted))
    if not wanted.table:
        gradus = build_gradus(wanted.gradus)
        there = {(*key(run), run["seed"]) for run in measured()}
        figure = "validation_accuracy" if wanted.choose else "test_accuracy"
        # Seed after seed, so that every recipe has some runs if there is no time for all.
        for seed in range(1, wanted.seeds + 1):
            for name, recipe in recipes:
                if (name, recipe, wanted.data, figure, seed) in there:
                    continue
                run = train(gradus, name, recipe, seed, wanted)
                RUNS.parent.mkdir(exist_ok=True)
                with RUNS.open("a") as file:
                    file.write(json.dumps(run) + "\n")
                say(f"{name}, seed {seed}: {run[figure]:.4f} in {run['train_seconds']} s")
    text = table(measured())
    TABLE.write_text(text)
    print(text, end="")


if __name__ == "__main__":
    try:
        main()
    except Failed as error:
        sys.exit(f"recipes.py: {error}")
