"""The state of an unfinished run, one file, replaced whole after every epoch."""

import os
import warnings
from pathlib import Path
from typing import Any

import torch


def save(path: Path, state: dict[str, Any]) -> None:
    """Write a state so that a kill at any moment leaves the old or the new one.

    Args:
        path: The checkpoint.
        state: Tensors, numbers, text, lists and dicts of them.

    Raises:
        OSError: The disk is full or the folder cannot be written; what was there
            before is still whole.
    """
    temporary = path.with_suffix(".tmp")
    try:
        with temporary.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def load(path: Path) -> dict[str, Any] | None:
    """Read a checkpoint without running code from it.

    Args:
        path: The checkpoint.

    Returns:
        The state, or None where there is none; a damaged one is set aside with a
        warning, and the run begins anew.
    """
    if not path.exists():
        return None
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises whatever pickle and zip raise
        aside = path.with_suffix(".damaged")
        path.replace(aside)
        reason = str(error).splitlines()[0]
        warnings.warn(
            f"the checkpoint was damaged and is set aside as {aside} ({reason}); "
            "the run begins anew",
            stacklevel=2,
        )
        return None
