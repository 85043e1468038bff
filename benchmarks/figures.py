#!/usr/bin/env python3
"""Copies measured figures into the documents, so that no document contradicts the results.

    python3 benchmarks/figures.py            rewrite the marked tables of the documents
    python3 benchmarks/figures.py --check    exit status 1 if a marked table differs from the results

In: the dated results in benchmarks/results. Out: the text between `<!-- figures: NAME -->` and
`<!-- end of figures -->` in README.md, docs/*.md and bindings/python/README.md; NAME is a key of
TABLES. Needs no packages. `cargo test -p gradus --test documents` runs the check.
"""

import json
import re
import sys
from pathlib import Path
from statistics import mean, median, stdev

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))

from harness import figures
from harness.tables import number, percent

RESULTS = ROOT / "benchmarks" / "results"
MARKED = re.compile(r"(<!-- figures: ([\w-]+) -->\n).*?(<!-- end of figures -->)", re.DOTALL)
CORES = {
    "AMD EPYC (family 25, model 1)": "Zen 3",
    "AMD EPYC (family 25, model 17)": "Zen 4",
    "AMD EPYC (family 26, model 2)": "Zen 5",
}


def json_lines(name):
    return [json.loads(line) for line in (RESULTS / name).read_text().splitlines()]


def markdown(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def dates(found):
    first, last = min(found), max(found)
    return first if first == last else f"{first} to {last}"


def machine(processor, vectors, threads):
    instructions = "AVX2" if vectors == "AVX2 or less" else vectors
    return f"{threads} cores, AMD EPYC {CORES[processor]}, {instructions}"


# Recipes: accuracies over seeds, from recipes.jsonl.


def recipe(name, options=None, figure="test_accuracy"):
    """The runs of a recipe on MNIST; `options` chooses where a name had several meanings."""
    runs = [run for run in json_lines("recipes.jsonl") if run["recipe"] == name and figure in run]
    runs = [run for run in runs if run["data"] == "mnist" and options in (None, run["options"])]
    if not runs:
        raise LookupError(f"recipes.jsonl has no run of {name!r}")
    return runs


def times(seconds):
    return f"{number(seconds)} s" if seconds < 100 else f"{number(seconds / 60, 2)} min"


def presets():
    """The one table of times: each row has the machine and the date of its time."""
    commands = {
        "quick": ("gradus train", "784-256-10"),
        "784-128": (
            "gradus train --hidden 128 --epochs 40 --learning-rate 0.005 "
            "--weight-decay 0.01 --input-noise 0.3",
            "784-128-10",
        ),
        "accurate": ("gradus train --preset accurate", "five hidden layers, no image-specific tricks"),
        "record": ("gradus train --preset record", "three hidden layers, distorted images"),
    }
    rows = []
    for name, (command, network) in commands.items():
        runs = recipe(name)
        accuracy = 100 * mean(run["test_accuracy"] for run in runs)
        places = {}
        for run in runs:
            place = machine(run["processor"], run["vectors"], run["threads"])
            places.setdefault(place, []).append(run)
        for place, here in places.items():
            seconds = median(run["train_seconds"] for run in here)
            rows.append([
                f"`{command}`", network, f"{accuracy:.2f} % ({len(runs)} seeds)", times(seconds),
                place, dates([run["date"] for run in here]),
            ])  # fmt: skip
    header = ["command", "network", "test accuracy", "training time", "machine", "measured"]
    return markdown(header, rows)


def accuracy_and_loss(accuracies, losses):
    """`98.410 % (0.075)`, in parentheses the standard deviation over the seeds, and the mean loss."""
    accuracies = [100 * accuracy for accuracy in accuracies]
    return [f"{mean(accuracies):.3f} % ({stdev(accuracies):.3f})", f"{mean(losses):.4f}"]


def recipe_parts(title, base, parts):
    """A recipe, and the same without each of its parts."""
    rows = []
    for label, name in [(f"`{base}`" if base != "784-128" else "the command", base), *parts]:
        runs = recipe(name)
        figures_of = [[run[key] for run in runs] for key in ("test_accuracy", "test_loss")]
        rows.append([label, *accuracy_and_loss(*figures_of)])
    return markdown([title, "accuracy", "loss"], rows)


def parts_of(base, *parts):
    return [(label, f"{base} {part}") for label, part in parts]


def quick_parts():
    return recipe_parts("test images, 6 epochs, ten seeds", "quick", parts_of(
        "quick",
        ("without weight decay", "without weight decay"),
        ("with 128 units instead of 256", "with 128 units"),
        ("with a constant rate instead of one cycle", "with a constant rate"),
    ))  # fmt: skip


def accurate_parts():
    return recipe_parts("test images, 60 epochs, five seeds", "accurate", parts_of(
        "accurate",
        ("with two layers of 1,000 instead of five that narrow", "with two layers of 1,000"),
        ("with dropout (0.2 on the inputs, 0.3) instead of noise", "with dropout in place of noise"),
        ("without batch normalization", "without batch normalisation"),
        ("with a constant rate instead of a cosine", "with a constant rate"),
        ("without noise on the inputs", "without noise in the inputs"),
    ))  # fmt: skip


def small_parts():
    return recipe_parts("test images, 40 epochs, five seeds", "784-128", parts_of(
        "784-128",
        ("without weight decay", "without weight decay"),
        ("without noise on the inputs", "without noise in the inputs"),
        ("with a constant rate instead of one cycle", "with a constant rate"),
    ))  # fmt: skip


def record_runs():
    rows = []
    for run in sorted(recipe("record"), key=lambda run: run["seed"]):
        rows.append([
            str(run["seed"]), percent(run["test_accuracy"]), f"{run['test_loss']:.4f}",
            times(run["train_seconds"]),
            machine(run["processor"], run["vectors"], run["threads"]), run["date"],
        ])  # fmt: skip
    return markdown(["seed", "test accuracy", "loss", "training time", "machine", "date"], rows)


# The recipe `record` on a GPU, from record_parts.jsonl.


def record_epochs():
    """Cross-validation: the mean over the folds of each seed, then over the seeds."""
    folds = [run for run in json_lines("record_parts.jsonl") if run["variant"].startswith("fold")]
    rows = []
    for epochs in sorted({run["epochs"] for run in folds}):
        runs = [run for run in folds if run["epochs"] == epochs]
        by_seed = {}
        for run in runs:
            by_seed.setdefault(run["seed"], []).append(run["accuracy"])
        accuracies = [100 * mean(shares) for shares in by_seed.values()]
        rows.append([
            str(epochs), f"{mean(accuracies):.3f} %", f"{stdev(accuracies):.3f}",
            f"{mean(run['loss'] for run in runs):.4f}",
        ])  # fmt: skip
    return markdown(["epochs", "accuracy", "standard deviation", "loss"], rows)


def record_parts():
    runs = [run for run in json_lines("record_parts.jsonl") if not run["variant"].startswith("fold")]
    cosine = "with a rate that falls to 0 (cosine)"
    order = [
        "record", "with ReLU", "without affine distortion", cosine, "without batch normalisation",
        "without elastic distortion", "without the average", "without any distortion",
    ]  # fmt: skip
    rows = []
    for variant in order:
        row = ["`record`" if variant == "record" else variant.replace("normalisation", "normalization")]
        for epochs in (300, 500):
            found = [run for run in runs if (run["variant"], run["epochs"]) == (variant, epochs)]
            # A cosine over 500 epochs is not at its end after 300.
            whole = not (variant == cosine and epochs == 300)
            columns = [[run[key] for run in found] for key in ("accuracy", "loss")]
            row += accuracy_and_loss(*columns) if whole else ["", ""]
        rows.append(row)
    return markdown(["seven seeds", "after 300 epochs", "loss", "after 500", "loss"], rows)


# Other trainers, from the dated results of run.py.

WORKS = {
    "a": ("the notebook's epoch, full batch, 784-128-10 (training accuracy after 6)", "seconds"),
    "b1": ("an epoch of Adam, batches of 128, 784-128-10 (accuracy after 6)", "seconds"),
    "b2": ("an epoch of Adam, batches of 128, 784-1024-1024-10 (accuracy after 2)", "seconds"),
    "c": ("process start to exit with 98 % or more", "wall_seconds"),
    "d": ("one image, warm, 784-128-10", "one_image_seconds"),
    "d10000": ("10,000 images at once, 784-128-10", "images_per_second"),
}


def rounds_of(results, work):
    """Trainer -> its figures in each round."""
    rounds = {}
    for run in results["runs"]:
        if run["work"] == work:
            rounds.setdefault(run["trainer"], []).append(run["figures"])
    return rounds


def slower(rounds, trainer, key):
    """How many times as long as gradus this trainer takes."""
    if key == "images_per_second":
        return figures.ratio(rounds["gradus"], rounds[trainer], key)
    return figures.ratio(rounds[trainer], rounds["gradus"], key)


def amount(key, value):
    if key == "images_per_second":
        return f"{number(value / 1e6, 2)} million/s"
    return f"{number(value * 1e6)} µs" if value < 1e-3 else f"{number(value)} s"


def fastest(rounds, key, shown, chosen):
    """The fastest of some trainers, with its ratio and accuracy; empty where there is none."""
    others = {name: slower(rounds, name, key) for name in rounds if chosen(name)}
    best = min(others, key=others.get, default=None)
    if best is None:
        return ""
    return f"{best.removeprefix('PyTorch, ')}: {number(others[best], 2)}x ({shown(best)})"


def peers():
    rows = []
    for date in ("2026-11-26", "2026-11-24"):
        results = json.loads((RESULTS / f"{date}.json").read_text())
        facts = results["machine"]
        vectors = "AVX-512" if "avx512f" in facts["instruction sets"] else "AVX2 or less"
        place = machine(facts["processor"], vectors, facts["threads"])
        for work, (title, key) in WORKS.items():
            rounds = rounds_of(results, work[0] if work == "d10000" else work)
            if not rounds:
                continue
            accuracy = "train_accuracy" if work == "a" else "test_accuracy"
            shown = lambda name: percent(mean(figures.column(rounds[name], accuracy)))
            rows.append([
                title, amount(key, median(figures.column(rounds["gradus"], key))), shown("gradus"),
                fastest(rounds, key, shown, lambda name: name in ("PyTorch", "PyTorch, eager")),
                fastest(rounds, key, shown, lambda name: name.startswith("PyTorch")),
                fastest(rounds, key, shown, lambda name: not name.startswith(("gradus", "PyTorch"))),
                place, date,
            ])  # fmt: skip
    header = ["work", "gradus", "accuracy", "PyTorch eager", "PyTorch at its fastest"]
    return markdown([*header, "fastest of the others", "machine", "date"], rows)


def python():
    """The Python package compared with scikit-learn, from the dated result of python.py."""
    date = "2026-11-26"
    lines = (RESULTS / f"python-{date}.md").read_text().splitlines()
    facts = dict(line[2:].split(": ", 1) for line in lines if line.startswith("- "))
    vectors = "AVX-512" if "avx512f" in facts["instruction sets"] else "AVX2 or less"
    place = machine(facts["processor"], vectors, facts["threads"])
    cells = [line.strip("|").split("|") for line in lines if line.startswith("|")]
    rows = [[*map(str.strip, row[:5]), place, date] for row in cells[2:]]
    header = ["work", "gradus", "scikit-learn", "ratio", "test accuracy, of both"]
    return markdown([*header, "machine", "date"], rows)


TABLES = {
    "presets": presets,
    "quick-parts": quick_parts,
    "accurate-parts": accurate_parts,
    "784-128-parts": small_parts,
    "record-runs": record_runs,
    "record-epochs": record_epochs,
    "record-parts": record_parts,
    "peers": peers,
    "python": python,
}


def documents():
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "bindings/python/README.md"]


def rewritten(text):
    return MARKED.sub(lambda found: found[1] + TABLES[found[2]]() + found[3], text)


def main():
    check, seen, wrong = sys.argv[1:] == ["--check"], 0, []
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit(__doc__)
    for document in documents():
        text = document.read_text(encoding="utf-8")
        seen += len(MARKED.findall(text))
        if (new := rewritten(text)) == text:
            continue
        wrong.append(str(document.relative_to(ROOT)))
        if not check:
            document.write_text(new, encoding="utf-8")
    if seen == 0:
        sys.exit("figures.py: no document has a marked table")
    if check and wrong:
        sys.exit(f"differ from benchmarks/results: {', '.join(wrong)}; run benchmarks/figures.py")
    print(f"{seen} tables, {len(wrong)} documents " + ("differ" if check else "rewritten"))


if __name__ == "__main__":
    main()
