"""What the figures were measured on."""

import os
import platform
import re
import subprocess
from pathlib import Path


def describe(threads):
    """Name -> value, in the order in which they are printed."""
    return {
        "processor": processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "threads": str(threads),
        "caches": caches(),
        "instruction sets": ", ".join(instruction_sets()) or "unknown",
        "memory": memory(),
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "load before": f"{os.getloadavg()[0]:.2f} in the last minute",
    }


def processor():
    for key in ("model name", "Hardware", "CPU part"):
        found = cpuinfo(key)
        if found:
            family, model = cpuinfo("cpu family"), cpuinfo("model")
            return f"{found} (family {family}, model {model})" if family and model else found
    return platform.processor() or "unknown"


def instruction_sets():
    flags = (cpuinfo("flags") or cpuinfo("Features") or "").split()
    wanted = (
        "avx2",
        "fma",
        "avx512f",
        "avx512vl",
        "avx512_vnni",
        "avx512_bf16",
        "amx_tile",
        "asimd",
    )
    return [flag for flag in wanted if flag in flags]


def caches():
    """Sizes as the kernel names them: L1 data, L2 and L3 of the first core."""
    sizes = []
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        try:
            level, kind, size = (
                (folder / name).read_text().strip() for name in ("level", "type", "size")
            )
        except OSError:
            continue
        if kind != "Instruction":
            sizes.append(f"L{level} {size}")
    return ", ".join(sizes) or "unknown"


def memory():
    found = re.search(r"MemTotal:\s+(\d+) kB", read("/proc/meminfo"))
    return f"{int(found[1]) / 1e6:.1f} GB" if found else "unknown"


def cpuinfo(key):
    found = re.search(rf"^{re.escape(key)}\s*:\s*(.*)$", read("/proc/cpuinfo"), re.MULTILINE)
    return found[1].strip() if found else None


def read(path):
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def first_line(*command):
    """What a program says to --version and the like; "not found" where it does not answer."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "not found"
    return (done.stdout.strip() or "no answer").splitlines()[0]
