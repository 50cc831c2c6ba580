"""Where and with what a run was made: commit, packages, hardware, memory."""

import contextlib
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lightbox.base import paths

PACKAGES = ("lightbox", "torch", "torchvision", "numpy", "pandas", "scikit-learn")


class PeakMemory:
    """The most memory that is in use from now on.

    On the GPU what torch has allocated; on Linux the process's resident memory,
    whose high-water mark can be reset; elsewhere unknown.
    """

    def __init__(self, device: str):
        self._device = device
        if device == "cuda":
            import torch

            torch.cuda.reset_peak_memory_stats()
        elif Path("/proc/self/clear_refs").exists():
            # A container may forbid it: the mark is then older.
            with contextlib.suppress(OSError):
                Path("/proc/self/clear_refs").write_text("5")

    def read(self) -> int | None:
        """Give the peak in bytes, or None where it is not known."""
        if self._device == "cuda":
            import torch

            return torch.cuda.max_memory_allocated()
        status = Path("/proc/self/status")
        if not status.exists():
            return None
        lines = status.read_text().splitlines()
        peak = next((line for line in lines if line.startswith("VmHWM")), None)
        return int(peak.split()[1]) * 1024 if peak else None


def environment(device: str | None) -> dict[str, Any]:
    """Say where and with what a run or a page was made.

    torch is not imported where it computed nothing: `device` is None then.
    """
    return {
        "commit": commit(),
        "packages": {name: version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "hardware": hardware(device) if device else processor(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def hardware(device: str) -> str:
    """Describe what a run computes on, in a line such as `AMD EPYC, 2 threads`."""
    import torch

    if device == "cuda":
        return torch.cuda.get_device_name()
    if device == "mps":
        return "Apple GPU (MPS)"
    return f"{processor()}, {torch.get_num_threads()} threads"


def processor() -> str:
    """Name the processor's model where the system tells it, else `CPU`."""
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return "CPU"
    lines = path.read_text(encoding="utf-8").splitlines()
    names = (line.split(":", 1)[1] for line in lines if "model name" in line)
    return next(names, "CPU").strip()


def commit() -> str:
    """Name the project's commit, `+` behind it where files differ, or `unknown`."""
    command = ["git", "-C", str(paths.project()), "describe", "--always", "--dirty=+"]
    command += ["--abbrev=12", "--exclude=*"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return answer.stdout.strip()
