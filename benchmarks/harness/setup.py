"""Builds what is compared: gradus, the Rust peers, a virtual environment for the Python peers.

What cannot be had leaves a reason behind, and the runs that need it fail with that reason.
"""

import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from harness import process

BENCHMARKS = Path(__file__).resolve().parent.parent
ROOT = BENCHMARKS.parent
PEERS = BENCHMARKS / "peers"
REQUIREMENTS = BENCHMARKS / "requirements.txt"
# Compiled for this processor, as their authors advise; gradus is compiled for any and chooses at
# run time.
RUST_PEER_FLAGS = "-C target-cpu=native"


@dataclass
class Place:
    """Where everything lies. `missing`: part -> why it could not be made."""

    data: Path
    folder: Path
    python: Path
    gradus: Path
    rust: Path
    threads: int
    missing: dict = field(default_factory=dict)

    @property
    def files(self):
        return self.folder / "files"

    @property
    def sets(self):
        return self.folder / "sets"

    @property
    def bench(self):
        """`gradus bench`, which looks for MNIST by its name in a folder of sets."""
        found = ["--no-download", "--data-dir", self.sets]
        return [self.gradus, "bench", "--json", "--threads", self.threads, *found]

    def environment(self, added=()):
        return process.clean_environment(self.threads, added, self.folder)

    def run(self, command, limit_seconds, added=()):
        return process.run(command, self.environment(added), self.threads, limit_seconds)


class Failed(Exception):
    """A command of the set-up did not end well; the message says which and why."""


def say(message):
    print(message, file=sys.stderr, flush=True)


def call(what, command, environment=None, folder=ROOT):
    """Runs a command of the set-up; its output goes to standard error."""
    say(f"{what} ...")
    try:
        done = subprocess.run(
            [str(word) for word in command],
            cwd=folder, env=environment, stdout=sys.stderr, stderr=subprocess.PIPE,
        )  # fmt: skip
    except OSError as error:
        raise Failed(f"{what}: cannot start {command[0]}: {error.strerror}") from error
    if done.returncode != 0:
        sys.stderr.write(done.stderr.decode(errors="replace")[-4000:])
        raise Failed(f"{what}: {process.last_words(done.stderr)}")


def build_gradus(given):
    """The program: the one named, or this repository's, built now."""
    if given is not None:
        return given.resolve()
    call("building gradus", ["cargo", "build", "--release", "--locked", "--package", "gradus-cli"])
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "release/gradus"


def build_rust_peers(target, names):
    """The folder of their programs, and why one could not be built: name -> reason."""
    environment = os.environ | {"RUSTFLAGS": RUST_PEER_FLAGS}
    command = ["cargo", "build", "--release", "--locked", "--target-dir", target, "--package"]
    missing = {}
    for name in names:
        try:
            call(f"building {name}", [*command, name], environment, PEERS / "rust")
        except Failed as failure:
            missing[name] = str(failure)
    return target / "release", missing


def make_environment(folder):
    """The interpreter of a virtual environment that holds requirements.txt."""
    python = folder / "bin/python"
    stamp = folder / "requirements.sha256"
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    if not python.exists():
        call("making a virtual environment", [sys.executable, "-m", "venv", folder])
    if not stamp.exists() or stamp.read_text() != wanted:
        install = [python, "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
        call("installing the Python peers", [*install, "--requirement", REQUIREMENTS])
        stamp.write_text(wanted)
    return python


def find_data(given, gradus):
    """The folder of MNIST's files: the one named, or the one that gradus fetches into its cache."""
    if given is not None:
        return given.resolve()
    say("looking for MNIST ...")
    done = subprocess.run([gradus, "fetch", "mnist"], capture_output=True, text=True)
    _, _, folder = done.stdout.strip().partition("mnist: ")
    if done.returncode != 0 or not folder:
        raise Failed(f"no MNIST: {process.last_words(done.stderr.encode())}; name it with --data")
    return Path(folder)


def link_data(place):
    """Puts the data into `place.sets` under the name by which `gradus bench` looks for them."""
    link = place.sets / "mnist"
    place.sets.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(place.data, target_is_directory=True)


def prepare_files(place):
    """Data and starting weights as files that every peer reads."""
    link_data(place)
    command = [place.python, PEERS / "prepare.py", "--data", place.data, "--files", place.files]
    call("preparing data and starting weights", command)


def train_model(place):
    """The network whose predictions are timed: an .npz, and its accuracy on the test images."""
    model = place.files / "model.safetensors"
    outcome = place.run(
        [place.gradus, "train", "--json", "--data", place.data, "--hidden", "128", "--out", model],
        300,
    )
    if outcome.error:
        raise Failed(f"training the network for predictions: {outcome.error}")
    arrays = model.with_suffix(".npz")
    call("exporting the network for predictions", [place.gradus, "export", model, arrays])
    return arrays, outcome.lines[-1]["test_accuracy"]
