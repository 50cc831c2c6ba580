"""Files that are whole or not there: temporary name, sync, rename, checksum."""

import errno
import hashlib
import os
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from lightbox.base.errors import LightboxError

DAMAGED = ".damaged-"  # opens the name of what was set aside
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class StoreError(LightboxError):
    """A store that is damaged, full, gone, or cannot be written."""


def write_whole(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Write a file so that a kill at any moment leaves the old one or the new.

    What a killed process left half-written is overwritten by the next.

    Args:
        path: The file, which one process writes at a time.
        write: Writes its content.

    Raises:
        OSError: The disk is full or the folder cannot be written; what was there
            before is still whole.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        discard(temporary)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder last, where the system can.

    Args:
        folder: The folder.
    """
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
    """Remove a temporary file, without hiding the error that made it useless.

    Args:
        path: The file, which may be gone, with the disk that held it.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return


def checksum(path: Path) -> str:
    """Hash a file's content.

    Args:
        path: The file.

    Returns:
        SHA-256, in hex.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def set_aside(path: Path, *, what: str, reason: str, then: str) -> Path:
    """Rename what is damaged, so that nothing reads it again, and warn.

    Args:
        path: A file or a folder.
        what: How the warning names it.
        reason: What is wrong with it.
        then: What happens next.

    Returns:
        Where it lies now.
    """
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

    Args:
        what: What is written, as the line names it.
        folder: Where.
        verb: `written to` or `read from`.

    Yields:
        Nothing.

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
