"""Figures in, Markdown tables out, aligned so that they read well in a terminal too."""

from harness import figures


def number(value, digits=3):
    """A number to so many significant digits, without an exponent; a dash for None."""
    if value is None:
        return "-"
    if value == 0:
        return "0"
    size = len(str(int(abs(value)))) if abs(value) >= 1 else 0
    if size >= digits:
        return f"{value:,.0f}"
    places = digits - size
    scaled = abs(value)
    while scaled < 0.1 and places < 12:
        scaled *= 10
        places += 1
    return f"{value:.{places}f}"


def percent(value):
    return "-" if value is None else f"{100 * value:.2f} %"


def with_spread(values, scale=1.0):
    """`0.048 (0.047 - 0.051)`; without the brackets where there is one value."""
    found = figures.spread([value * scale for value in values])
    if found is None:
        return "-"
    median, least, most = map(number, found)
    return median if len(values) == 1 else f"{median} ({least} - {most})"


def mean(values):
    return sum(values) / len(values) if values else None


def markdown(header, rows):
    """The first column to the left, all others to the right."""
    lines = [header, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]

    def text(line):
        cells = [line[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(line[1:], widths[1:])]
        return "| " + " | ".join(cells) + " |"

    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join([text(header), text(rule), *map(text, rows)])


def of_epochs(results, reference, floor_seconds=None):
    """Trainers by their median epoch. `results`: name -> figures of each round."""
    header = ["trainer", "epoch, s", f"/ {reference}"]
    header += ["of the floor"] if floor_seconds else []
    header += ["first epoch, s"]
    # The training accuracy says something where several trainers report it.
    trained = sum(bool(figures.column(rounds, "train_accuracy")) for rounds in results.values())
    header += ["train", "test"] if trained > 1 else ["test"]
    header += ["peak memory, MB", "rounds"]
    rows = []
    for name, rounds in results.items():
        seconds = figures.column(rounds, "seconds")
        first = figures.column(rounds, "first_seconds")
        row = [name, with_spread(seconds)]
        row.append(number(figures.ratio(rounds, results[reference], "seconds")))
        if floor_seconds:
            median = figures.spread(seconds)
            row.append(number(floor_seconds / median[0], 2) if median else "-")
        row.append(number(max(first, default=None)))
        if trained > 1:
            row.append(percent(mean(figures.column(rounds, "train_accuracy"))))
        row.append(percent(mean(figures.column(rounds, "test_accuracy"))))
        row.append(number(max(figures.column(rounds, "peak_mb"), default=None)))
        rows.append([*row, str(len(seconds))])
    return markdown(header, rows)


def of_whole_runs(results, reference):
    header = ["trainer", "start to exit, s", f"/ {reference}", "training, s", f"/ {reference}"]
    header += ["test, mean", "test, least", "peak memory, MB", "seeds"]
    rows = []
    for name, rounds in results.items():
        wall = figures.column(rounds, "wall_seconds")
        test = figures.column(rounds, "test_accuracy")
        rows.append([
            name,
            with_spread(wall),
            number(figures.ratio(rounds, results[reference], "wall_seconds")),
            with_spread(figures.column(rounds, "train_seconds")),
            number(figures.ratio(rounds, results[reference], "train_seconds")),
            percent(mean(test)),
            percent(min(test, default=None)),
            number(max(figures.column(rounds, "peak_mb"), default=None)),
            str(len(wall)),
        ])  # fmt: skip
    return markdown(header, rows)


def of_predictions(results, reference):
    header = ["trainer", "one image, microseconds", f"/ {reference}", "10,000 images, thousands/s"]
    header += [f"{reference} /", "test", "rounds"]
    rows = []
    for name, rounds in results.items():
        one = figures.column(rounds, "one_image_seconds")
        slower = figures.ratio(results[reference], rounds, "images_per_second")
        rows.append([
            name,
            with_spread(one, 1e6),
            number(figures.ratio(rounds, results[reference], "one_image_seconds")),
            with_spread(figures.column(rounds, "images_per_second"), 1e-3),
            number(slower),
            percent(mean(figures.column(rounds, "test_accuracy"))),
            str(len(one)),
        ])  # fmt: skip
    return markdown(header, rows)


def failures(errors):
    """`errors`: name -> messages."""
    lines = []
    for name, messages in errors.items():
        for message in dict.fromkeys(messages):
            lines.append(f"- {name} failed: {message}")
    return "\n".join(lines)
