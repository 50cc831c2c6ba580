"""Where and with what a run was made: commit, packages, hardware, memory."""

import contextlib
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from lightbox import paths
from lightbox.devices import hardware

PACKAGES = ("lightbox", "torch", "torchvision", "numpy", "pandas", "scikit-learn")


class PeakMemory:
    """The most memory that is in use from now on.

    On the GPU what torch has allocated; on Linux the process's resident memory,
    whose high-water mark can be reset; elsewhere unknown.

    Args:
        device: `cpu`, `cuda` or `mps`.
    """

    def __init__(self, device: str):
        self._device = device
        if device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        elif Path("/proc/self/clear_refs").exists():
            # A container may forbid it: the mark is then older.
            with contextlib.suppress(OSError):
                Path("/proc/self/clear_refs").write_text("5")

    def read(self) -> int | None:
        """Give the peak in bytes, or None where it is not known."""
        if self._device == "cuda":
            return torch.cuda.max_memory_allocated()
        status = Path("/proc/self/status")
        if not status.exists():
            return None
        lines = status.read_text().splitlines()
        peak = next((line for line in lines if line.startswith("VmHWM")), None)
        return int(peak.split()[1]) * 1024 if peak else None


def environment(device: str) -> dict[str, Any]:
    """Say where and with what a run was made.

    Args:
        device: What it computed on.

    Returns:
        Commit, packages, Python, platform, hardware, UTC time.
    """
    return {
        "commit": commit(),
        "packages": {name: version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "hardware": hardware(device),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def commit() -> str:
    """Name the project's commit, with a mark where files were changed since.

    Returns:
        Twelve hex digits, `+` behind them where the tree differs, or `unknown`.
    """
    command = ["git", "-C", str(paths.project()), "describe", "--always", "--dirty=+"]
    command += ["--abbrev=12", "--exclude=*"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return answer.stdout.strip()
