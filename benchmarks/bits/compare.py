"""Compares two records, and sorts the differences by what they mean."""

from dataclasses import dataclass, field

from .older import current

# Digests of whole files. They change whenever a key is added to the metadata inside, and with the version of
# the program if the file names it.
WHOLE_FILES = {"file", "page"}


@dataclass
class Differences:
    """Lines to print, by kind. `equal` counts the entries without any difference."""

    changed: list = field(default_factory=list)
    missing: list = field(default_factory=list)
    added: list = field(default_factory=list)
    # Files whose bytes differ because of other differences in their entry, or another version.
    bytes_only: list = field(default_factory=list)
    equal: int = 0

    @property
    def any(self):
        """Whether anything differs, additions aside."""
        return bool(self.changed or self.missing)


def compare(old, new, renamed=()):
    """The differences between two records' entries. `renamed`: pairs of an old key and its new name."""
    result = Differences()
    new_version = old["program"]["version"] != new["program"]["version"]
    entries, other = rename(old["entries"], dict(renamed)), new["entries"]
    for name in entries | other:
        if name not in other:
            result.missing.append(f"{name}: not in the new record")
        elif name not in entries:
            result.added.append(f"{name}: not in the old record")
        else:
            # Files of earlier versions have other bytes where they state the same settings in another form.
            pair = [entries[name], other[name]]
            today = [current(entry) for entry in pair]
            compare_entry(name, *today, new_version or today != pair, result)
    return result


def compare_entry(name, old, new, other_bytes, result):
    found = Differences()
    walk(name, old, new, found)
    # Other bytes with nothing to explain them are a change.
    if found.bytes_only and not (found.added or found.any or other_bytes):
        found.changed, found.bytes_only = found.bytes_only, []
    if not (found.any or found.added or found.bytes_only):
        result.equal += 1
    for kind in ("changed", "missing", "added", "bytes_only"):
        getattr(result, kind).extend(getattr(found, kind))


def walk(place, old, new, found):
    """Adds the differences between two JSON values to `found`, key by key."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old | new:
            inner = f"{place} > {key}"
            if key not in new:
                found.missing.append(f"{inner}: was {short(old[key])}")
            elif key not in old:
                found.added.append(f"{inner}: {short(new[key])}")
            elif key in WHOLE_FILES and isinstance(old[key], str) and old[key] != new[key]:
                found.bytes_only.append(f"{inner}: {short(old[key])} -> {short(new[key])}")
            else:
                walk(inner, old[key], new[key], found)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, pair in enumerate(zip(old, new)):
            walk(f"{place} > {index}", *pair, found)
    # 1 and 1.0 are the same number in JSON, but True and 1 are not, as they are in Python.
    elif old != new or isinstance(old, bool) != isinstance(new, bool):
        found.changed.append(f"{place}: {short(old)} -> {short(new)}")


def rename(value, names):
    """A copy of the value with renamed keys, at every depth."""
    if isinstance(value, dict):
        return {names.get(key, key): rename(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [rename(item, names) for item in value]
    return value


def short(value):
    text = repr(value)
    return text if len(text) <= 70 else f"{text[:60]}... ({len(text)} characters)"
