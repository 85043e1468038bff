"""Settings of a run as files have them, in one form: earlier versions of gradus nested them and had a form of
its own for each kind of value. The same translation as in crates/gradus-core/src/training/settings/file.rs."""

RENAMED = {"average": "ema_decay", "normalization": "normalize", "distortion": "distort", "decay": "beta2"}
PARTS = ("shift", "rotate", "scale", "shear", "elastic")


def current(value):
    """A copy of the value with each "config" in it in today's form."""
    if isinstance(value, dict):
        return {
            key: settings(item) if key == "config" and isinstance(item, dict) else current(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [current(item) for item in value]
    return value


def settings(config):
    found = {}
    for key, value in config.items():
        if key in ("regularization", "early_stopping"):
            found.update(settings(value or {}))
        elif key == "optimizer" and isinstance(value, dict):
            found.update(settings({"optimizer" if name == "name" else name: it for name, it in value.items()}))
        else:
            found[RENAMED.get(key, key)] = text(value)
    # Left out where nothing is said, and text even where it is one number.
    found = {key: value for key, value in found.items() if key != "monitor" or value is not None}
    return {
        key: str(value) if key in ("hidden", "batch_size", "class_weights") else value
        for key, value in found.items()
    }


def text(value):
    if value == "one_cycle":
        return "one-cycle"
    if isinstance(value, list):
        return ",".join(number(item) for item in value) or "none"
    if not isinstance(value, dict):
        return value
    if set(PARTS) <= set(value):
        return ",".join(f"{name}:{joined(value[name])}" for name in PARTS if value[name]) or "none"
    ((kind, inner),) = value.items()
    return text(inner) if kind in ("samples", "each") else f"{kind}:{joined(inner)}"


def joined(value):
    if not isinstance(value, dict):
        return number(value)
    names = ("epochs", "patience", "factor", "alpha", "sigma")
    return ":".join(number(value[name]) for name in names if name in value)


def number(value):
    return f"{value:g}" if isinstance(value, float) and value == int(value) else str(value)
