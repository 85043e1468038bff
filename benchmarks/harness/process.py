"""A command in, its last JSON lines, wall time and peak memory out."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field

# Settings of mathematics libraries, compilers and gradus itself that a shell may carry: a run is
# measured without them.
FOREIGN = (
    "OPENBLAS", "GOTO_", "BLIS_", "MKL_", "NVPL_", "OMP_", "KMP_", "GOMP_", "NUMEXPR_", "VECLIB_",
    "XLA_", "JAX_", "TORCH", "PYTORCH", "ATEN_", "DNNL_", "ONEDNN_", "ORT_", "RAYON_", "GEMM_",
    "BURN_", "CUBECL_", "CANDLE_", "GRADUS_", "PYTHON", "LD_PRELOAD", "MALLOC_",
)  # fmt: skip


@dataclass
class Outcome:
    """What a process did. `error` is None where it ended well and printed JSON."""

    lines: list = field(default_factory=list)
    wall_seconds: float = 0.0
    peak_mb: float = 0.0
    error: str | None = None


def clean_environment(threads, added=(), caches=None):
    """This process's environment without foreign settings, with the number of threads."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
        kept[name] = str(threads)
    if caches is not None:
        kept["TORCHINDUCTOR_CACHE_DIR"] = str(caches / "inductor")
    return kept | dict(added)


def cores(threads):
    """The cores that a process of so many threads may use: the first ones of ours."""
    ours = sorted(os.sched_getaffinity(0))
    return set(ours[:threads])


def run(command, environment, threads, limit_seconds, folder=None, json_wanted=True):
    """Runs the command on `threads` cores, in `folder`; kills it and its children after the limit.

    Peak memory is the kernel's figure for the process and the children it waited for. If `json_wanted`, a
    process that prints no JSON counts as failed.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        allowed = os.sched_getaffinity(0)
        began = time.perf_counter()
        try:
            # A child inherits the affinity; ours is set back at once.
            os.sched_setaffinity(0, cores(threads))
            child = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                env=environment, cwd=folder, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            return Outcome(error=f"cannot start {command[0]}: {error.strerror}")
        finally:
            os.sched_setaffinity(0, allowed)
        expired = threading.Event()

        def end():
            expired.set()
            kill_group(child.pid)

        timer = threading.Timer(limit_seconds, end)
        timer.start()
        try:
            _, status, usage = os.wait4(child.pid, 0)
        except BaseException:
            kill_group(child.pid)
            raise
        finally:
            timer.cancel()
        wall = time.perf_counter() - began
        # Told to Popen, which would otherwise wait for a process that is gone.
        child.returncode = os.waitstatus_to_exitcode(status)
        # Helpers that a compiler in the process may have left behind.
        kill_group(child.pid)
        out.seek(0)
        err.seek(0)
        outcome = Outcome(json_lines(out.read()), wall, usage.ru_maxrss / 1024)
        if expired.is_set():
            outcome.error = f"not done after {limit_seconds:.0f} s"
        elif child.returncode != 0:
            outcome.error = f"{ending(child.returncode)}: {last_words(err.read())}"
        elif json_wanted and not outcome.lines:
            outcome.error = "printed no JSON"
        return outcome


def kill_group(pid):
    """Kills the process group that `run` started, if anything of it is left."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def ending(status):
    return f"exit status {status}" if status > 0 else f"killed by signal {-status}"


def json_lines(output):
    """The objects among the lines of standard output."""
    found = []
    for line in output.decode(errors="replace").splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            found.append(value)
    return found


def last_words(stderr):
    """The line of an error output that most likely says why."""
    lines = [line.strip() for line in stderr.decode(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or ["no message"])[-1][:200]


def keep(run, path):
    """Tells what a run found, and adds it to the JSON lines of a file, if there is one, so that it need not be made again."""
    line = json.dumps(run)
    print(line, file=sys.stderr, flush=True)
    if path:
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
