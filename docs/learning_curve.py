"""Draws loss and accuracy of a run, epoch by epoch: the README's picture. Needs matplotlib.

    gradus train --validation 0.1 --epochs 20 --history history.json
    python docs/learning_curve.py history.json docs/learning-curve.svg

The ending of the second name decides the format (.svg, .png, ...).
"""

import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # files only, no window
import matplotlib.pyplot as plt

# Text stays text, and the same history gives the same file.
matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "gradus", "font.size": 10})

PARTS = [("", "training", "#1f6fb4"), ("val_", "validation", "#d9730d")]


def draw(history, out):
    figure, panels = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
    for panel, key in zip(panels, ("loss", "accuracy")):
        for prefix, name, color in PARTS:
            values = history.get(prefix + key)
            if values:
                label = f"{name}, {values[-1]:.4f} in the end"
                panel.plot(range(len(values)), values, color=color, marker=".", label=label)
        panel.set(xlabel="epoch", title=key)
        panel.xaxis.get_major_locator().set_params(integer=True)
        panel.grid(alpha=0.3)
        panel.spines[["top", "right"]].set_visible(False)
        panel.legend(frameon=False)
    figure.savefig(out, metadata={"Date": None} if Path(out).suffix == ".svg" else None)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    draw(json.loads(Path(sys.argv[1]).read_text()), sys.argv[2])
