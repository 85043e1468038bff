#!/usr/bin/env python3
"""The licences of everything that is shipped with gradus: crates and vendored web code in, NOTICES.txt out.

    python3 licenses/notices.py            writes crates/gradus-cli/NOTICES.txt
    python3 licenses/notices.py --check    fails if it is not current

The program prints the file (`gradus licenses`), and the Python wheel holds it. Crates are those of the program
and of the Python package on any platform, without those that only build or test. Needs cargo and the crates'
sources, which `cargo fetch` brings.
"""
import json, pathlib, subprocess, sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
NOTICES = ROOT / "crates/gradus-cli/NOTICES.txt"
MANIFESTS = [ROOT / "Cargo.toml", ROOT / "bindings/python/Cargo.toml"]
SHIPPED = {"gradus-cli", "gradus-python"}
VENDORED = [("uPlot 1.6.32", "MIT", [ROOT / "crates/gradus-cli/web/vendor/uPlot.LICENSE"])]
NAMES = ("license", "licence", "copying", "notice", "unlicense", "copyright")


def metadata(manifest):
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--manifest-path", str(manifest)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def shipped(tree):
    """The packages that normal dependencies lead to, from what is shipped."""
    nodes = {node["id"]: node for node in tree["resolve"]["nodes"]}
    packages = {package["id"]: package for package in tree["packages"]}
    waiting = [id for id in tree["workspace_members"] if packages[id]["name"] in SHIPPED]
    found = {}
    while waiting:
        id = waiting.pop()
        if id in found:
            continue
        found[id] = packages[id]
        waiting += [edge["pkg"] for edge in nodes[id]["deps"] if any(kind["kind"] is None for kind in edge["dep_kinds"])]
    return [package for package in found.values() if package["source"]]


def texts(package):
    """The files of a crate that hold its licence, or its notices."""
    folder = pathlib.Path(package["manifest_path"]).parent
    named = {folder / package["license_file"]} if package["license_file"] else set()
    found = {path for path in folder.iterdir() if path.is_file() and path.name.lower().startswith(NAMES)}
    return sorted(path for path in named | found if path.is_file())


def choose(package, files):
    """Of several licences to choose from, the MIT licence, which is the shortest; else all texts."""
    mit = [path for path in files if "mit" in path.name.lower()]
    choice = " OR " in package["license"] or "/" in package["license"]
    notices = [path for path in files if path.name.lower().startswith(("notice", "copyright"))]
    return sorted(set(mit + notices)) if choice and "MIT" in package["license"] and mit else files


def normal(path):
    text = path.read_text(encoding="utf-8", errors="replace").replace("\r\n", "\n").replace("\f", "")
    return "\n".join(line.rstrip() for line in text.strip().split("\n"))


def notices():
    packages = {(it["name"], it["version"]): it for tree in map(metadata, MANIFESTS) for it in shipped(tree)}
    entries = [(f"{name} {version}", it["license"] or "see its text", choose(it, texts(it)))
               for (name, version), it in sorted(packages.items())]
    entries += VENDORED
    lines = ["gradus is licensed under MIT OR Apache-2.0. It contains the following, under licences of their own.", ""]
    lines += [f"{name}: {license}" for name, license, _ in entries]
    # A text that many crates share is printed once.
    holders = {}
    for name, _, files in entries:
        for path in files:
            holders.setdefault(normal(path), []).append(name)
    for text, names in sorted(holders.items(), key=lambda item: item[1]):
        lines += ["", "-" * 80, ", ".join(sorted(set(names))) + ":", "", text]
    without = [name for name, _, files in entries if not files]
    if without:
        lines += ["", "-" * 80, "These contain no text of their licence, which is named above: " + ", ".join(without)]
    return "\n".join(lines) + "\n"


def main():
    text = notices()
    if "--check" not in sys.argv[1:]:
        NOTICES.write_text(text, encoding="utf-8")
        print(f"{NOTICES.relative_to(ROOT)}: {len(text.encode()):,} bytes")
    elif not NOTICES.exists() or NOTICES.read_text(encoding="utf-8") != text:
        sys.exit("crates/gradus-cli/NOTICES.txt is not current: run python3 licenses/notices.py")
    else:
        print("crates/gradus-cli/NOTICES.txt is current")


main()
