"""The state of an unfinished run, one file, replaced whole after every epoch."""

from pathlib import Path
from typing import Any, BinaryIO

import torch

from lightbox.base.files import read_seal, set_aside, write_sealed, writing


def save(path: Path, state: dict[str, Any]) -> None:
    """Write a state so that a kill at any moment leaves the old or the new one.

    Raises:
        StoreError: The disk is full or the folder cannot be written; what was there
            before is still whole.
    """

    def write(file: BinaryIO) -> None:
        try:
            torch.save(state, file)
        except RuntimeError as error:
            # What the file said, which torch tells in words of its own.
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise

    with writing("the state of an unfinished run", path.parent):
        write_sealed(path, write)


def load(path: Path) -> dict[str, Any] | None:
    """Read a checkpoint without running code from it; None where there is none.

    A damaged one is set aside with a warning, and the run begins anew.

    Raises:
        StoreError: The disk does not let it be read.
    """
    with writing("the state of an unfinished run", path.parent, verb="read from"):
        if not path.exists():
            return None
        whole = read_seal(path) is not None
    reason = "its content does not match its checksum"
    if whole:
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises whatever pickle and zip raise
            reason = str(error).splitlines()[0]
    set_aside(path, what="a checkpoint", reason=reason, then="the run begins anew")
    return None
