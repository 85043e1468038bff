"""Outcomes of processes in, figures out: a number for each round, medians, ratios.

A figure is a dictionary with what applies of: seconds (the median epoch), first_seconds,
wall_seconds, train_seconds, one_image_seconds, images_per_second, train_accuracy, test_accuracy,
peak_mb, version.
"""

import statistics


def of_epochs(outcome, warm_up):
    """A peer's or `gradus train --json`'s epochs; the first `warm_up` ones do not count."""
    events = [line for line in outcome.lines if line.get("event") == "epoch"]
    if events:
        seconds = [event["seconds"] for event in events]
        done = next(line for line in outcome.lines if line.get("event") == "done")
        accuracies = events[-1]["accuracy"], done["test_accuracy"]
    else:
        seconds = outcome.lines[-1]["epoch_seconds"]
        accuracies = (outcome.lines[-1].get(key) for key in ("train_accuracy", "test_accuracy"))
    train_accuracy, test_accuracy = accuracies
    return {
        "seconds": statistics.median(seconds[warm_up:]),
        "first_seconds": seconds[0],
        "train_accuracy": train_accuracy,
        "test_accuracy": test_accuracy,
        "peak_mb": outcome.peak_mb,
        "version": outcome.lines[-1].get("version"),
    }


def of_whole_run(outcome):
    """From process start to exit, and the training in it."""
    last = outcome.lines[-1]
    return {
        "wall_seconds": outcome.wall_seconds,
        "train_seconds": last["train_seconds"],
        "test_accuracy": last["test_accuracy"],
        "peak_mb": outcome.peak_mb,
        "version": last.get("version"),
    }


def of_predictions(outcome):
    last = outcome.lines[-1]
    keys = "one_image_seconds", "images_per_second", "test_accuracy", "version"
    return {key: last.get(key) for key in keys}


def of_bench(outcome, network, test_accuracy):
    """The predictions among the lines of `gradus bench --json`."""

    def line(work, key):
        for found in outcome.lines:
            if found.get("work") == work and found.get("network") == network:
                return found[key]
        raise KeyError(f"no line on {work!r} for {network}")

    return {
        "one_image_seconds": line("predict one image", "seconds"),
        "images_per_second": line("predict all test images", "samples_per_second"),
        "test_accuracy": test_accuracy,
    }


def peak_gflops(lines, threads):
    """The arithmetic peak that `gradus bench --json` measured with so many threads, or None."""
    peaks = [line for line in lines if line.get("work") == "peak"]
    for line in peaks:
        if line.get("threads", threads) == threads:
            return line["gflops"]
    return None


def column(rounds, key):
    """The values of a figure in those rounds that have it."""
    return [figures[key] for figures in rounds if figures and figures.get(key) is not None]


def spread(values):
    """(median, least, most), or None."""
    return (statistics.median(values), min(values), max(values)) if values else None


def ratios(rounds, reference, key):
    """This trainer's figure by the reference's of the same round, for each round that has both.

    Taken within a round because the two ran one after the other: what slows the machine down for a
    while slows both.
    """
    return [
        ours[key] / theirs[key]
        for ours, theirs in zip(rounds, reference)
        if ours and theirs and ours.get(key) and theirs.get(key)
    ]


def ratio(rounds, reference, key):
    """The median of `ratios`, or None."""
    pairs = ratios(rounds, reference, key)
    return statistics.median(pairs) if pairs else None


def floor_gflop(layers, samples=60_000, nonzero=150):
    """The arithmetic of an epoch that nobody can leave out, in GFLOP (a product and a sum are 2).

    The first layer's forward product and weight gradient with the pixels that are not zero (150 of
    784 in an average image), the other layers' forward product, weight gradient and input gradient.
    """
    first = 2 * nonzero * layers[1]
    others = sum(3 * inputs * outputs for inputs, outputs in zip(layers[1:], layers[2:]))
    return 2 * samples * (first + others) / 1e9
