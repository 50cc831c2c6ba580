"""The state of an unfinished run, one file, replaced whole after every epoch."""

import hashlib
import os
from pathlib import Path
from typing import Any, BinaryIO

import torch

from lightbox.base.files import set_aside, write_whole, writing

# The file is what torch writes, then the hash of that: readers of zip files, torch
# among them, look for the end of the archive from behind and skip what follows it.
TRAILER = hashlib.sha256().digest_size


class _Hashing:
    """Hands what is written on to a file, and hashes it on the way."""

    def __init__(self, file: BinaryIO):
        self._file, self.hash = file, hashlib.sha256()
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        self.hash.update(data)
        try:
            return self._file.write(data)
        except OSError as error:  # torch would tell of it as a RuntimeError
            self.error = error
            raise

    def flush(self) -> None:
        self._file.flush()


def save(path: Path, state: dict[str, Any]) -> None:
    """Write a state so that a kill at any moment leaves the old or the new one.

    Args:
        path: The checkpoint.
        state: Tensors, numbers, text, lists and dicts of them.

    Raises:
        StoreError: The disk is full or the folder cannot be written; what was there
            before is still whole.
    """

    def write(file: BinaryIO) -> None:
        hashing = _Hashing(file)
        try:
            torch.save(state, hashing)
        except RuntimeError:
            if hashing.error is None:
                raise
            raise hashing.error from None
        file.write(hashing.hash.digest())

    with writing("the state of an unfinished run", path.parent):
        write_whole(path, write)


def load(path: Path) -> dict[str, Any] | None:
    """Read a checkpoint without running code from it.

    Args:
        path: The checkpoint.

    Returns:
        The state, or None where there is none; a damaged one is set aside with a
        warning, and the run begins anew.

    Raises:
        StoreError: The disk does not let it be read.
    """
    with writing("the state of an unfinished run", path.parent, verb="read from"):
        if not path.exists():
            return None
        reason = "" if _is_whole(path) else "its content does not match its checksum"
    if not reason:
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises whatever pickle and zip raise
            reason = str(error).splitlines()[0]
    set_aside(path, what="a checkpoint", reason=reason, then="the run begins anew")
    return None


def _is_whole(path: Path) -> bool:
    """Compare a checkpoint with the hash at its end."""
    hash_, left = hashlib.sha256(), path.stat().st_size - TRAILER
    with path.open("rb") as file:
        while left > 0 and (chunk := file.read(min(left, 1 << 20))):
            hash_.update(chunk)
            left -= len(chunk)
        file.seek(-min(TRAILER, path.stat().st_size), os.SEEK_END)
        return file.read() == hash_.digest()
