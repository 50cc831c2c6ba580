"""Files that are whole or not there: temporary name, sync, rename, checksum."""

import errno
import hashlib
import json
import os
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from lightbox.base.errors import LightboxError

DAMAGED = ".damaged-"  # opens the name of what was set aside
LENGTH = 8  # bytes that say how long the facts of a seal are
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class StoreError(LightboxError):
    """A store that is damaged, full, gone, or cannot be written."""


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file so that a kill at any moment leaves the old one or the new.

    What a killed process left half-written is overwritten by the next.

    Raises:
        OSError: The disk is full or the folder cannot be written; what was there
            before is still whole.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("w+b") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        discard(temporary)
        raise
    sync_folder(path.parent)


def write_sealed(path: Path, write: Callable[[BinaryIO], object], **facts: Any) -> None:
    """Write a file whole, with facts and a checksum behind its content.

    Readers of `.npy` stop where the array ends, and those of zip files, torch among
    them, look for the end of the archive from behind: neither minds the seal.

    Raises:
        OSError: As of `write_whole`.
    """

    def sealed(file: BinaryIO) -> None:
        write(file)
        seal(file, **facts)

    write_whole(path, sealed)


def seal(file: BinaryIO, **facts: Any) -> None:
    """Put facts, their length and the SHA-256 of all before behind what was written."""
    text = json.dumps(facts).encode()
    file.seek(0, os.SEEK_END)
    file.write(text + len(text).to_bytes(LENGTH, "little"))
    file.seek(0)
    file.write(hashlib.file_digest(file, "sha256").digest())


def read_seal(path: Path) -> dict[str, Any] | None:
    """Give a sealed file's facts, or None where it is not what was written."""
    hash_ = hashlib.sha256()
    with path.open("rb") as file:
        left = file.seek(0, os.SEEK_END) - hash_.digest_size
        file.seek(0)
        while left > 0 and (chunk := file.read(min(left, 1 << 20))):
            hash_.update(chunk)
            left -= len(chunk)
        if file.read() != hash_.digest():
            return None
        file.seek(-hash_.digest_size - LENGTH, os.SEEK_END)
        length = int.from_bytes(file.read(LENGTH), "little")
        file.seek(-LENGTH - length, os.SEEK_CUR)
        return json.loads(file.read(length))


def sync_folder(folder: Path) -> None:
    """Make renames in a folder last, where the system can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows opens no folders
        return
    try:
        os.fsync(handle)
    except OSError as error:
        # Some network and FUSE file systems sync no folders; others have failed.
        if error.errno not in {errno.EINVAL, errno.ENOTSUP, errno.ENOSYS}:
            raise
    finally:
        os.close(handle)


def discard(path: Path) -> None:
    """Remove a temporary file, without hiding the error that made it useless."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return


def checksum(path: Path) -> str:
    """Hash a file's content.

    Returns:
        SHA-256, in hex.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def set_aside(path: Path, *, what: str, reason: str, then: str) -> Path:
    """Rename what is damaged, so that nothing reads it again, and warn."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    aside = path.with_name(f"{DAMAGED}{path.name.lstrip('.')}-{stamp}")
    number = 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{DAMAGED}{path.name.lstrip('.')}-{stamp}-{number}")
    try:
        path.rename(aside)
    except FileNotFoundError:  # another process was quicker
        return aside
    warnings.warn(
        f"{what}: damaged ({reason}); kept as {aside}, and {then}",
        stacklevel=3,
    )
    return aside


@contextmanager
def writing(what: str, folder: Path, *, verb: str = "written to") -> Iterator[None]:
    """Turn a full or vanished disk into one line that says what to do.

    Raises:
        StoreError: In place of the operating system's error.
    """
    try:
        yield
    except OSError as error:
        # A temporary file's name says less than the folder that the user chose.
        reason = error.strerror or str(error).splitlines()[0]
        if error.errno in FULL or "No space" in reason:
            remedy = "make room there (`lightbox runs gc` lists what can go), or point"
        else:
            remedy = "is the disk or Drive still there, and yours? Or point"
        raise StoreError(
            f"{what} could not be {verb} {folder}: {reason}; {remedy} LIGHTBOX_HOME "
            "at another disk; then run again: what was finished is kept"
        ) from None
