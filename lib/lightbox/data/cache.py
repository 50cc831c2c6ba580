"""Decoded pixels: one memory-mapped uint8 array per set, size and policy."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
from filelock import FileLock

from lightbox import paths
from lightbox.data.decode import FILTERS, decode, fit
from lightbox.data.inspection import DECODER_ERRORS, in_chunks, parallel
from lightbox.durable import (
    FULL,
    checksum,
    discard,
    set_aside,
    sync_folder,
    write_whole,
    writing,
)
from lightbox.errors import DataError, ParameterError
from lightbox.progress import Progress

RESIZES = ("squash", "crop", "pad")
SPARE_BYTES = 200_000_000  # that must stay free on the disk

# Caches whose checksum this process has verified: path to (size, mtime_ns).
_verified: dict[Path, tuple[int, int]] = {}


def _decode_chunk(
    target: Path, folder: Path, start: int, images: list[str], policy: dict[str, object]
) -> int:
    """Decode some rows into the array file; runs in a thread."""
    array = np.load(target, mmap_mode="r+")
    channels = array.shape[3]
    for row, image in enumerate(images, start):
        try:
            picture = fit(decode(folder / image, channels), **policy)
        except DECODER_ERRORS as error:
            raise DataError(
                f"image {image!r} cannot be decoded although the audit could: did "
                f"the file change? Run again ({error})"
            ) from error
        array[row] = np.asarray(picture).reshape(array.shape[1:])
    array.flush()
    return len(images)


def _sound(path: Path, sidecar: Path, shape: tuple[int, ...]) -> bool:
    """Tell whether a finished cache is whole: shape, size and checksum."""
    status = path.stat()
    mark = (status.st_size, status.st_mtime_ns)
    if _verified.get(path) == mark:
        return True
    try:
        expected = json.loads(sidecar.read_text(encoding="utf-8"))
        array = np.load(path, mmap_mode="r")
        whole = (
            array.shape == shape
            and array.dtype == np.uint8
            and expected["sha256"] == checksum(path)
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False
    if whole:
        _verified[path] = mark
    return whole


def _require_space(folder: Path, needed: int) -> None:
    """Refuse before writing: a full disk under a memory map kills the process."""
    free = shutil.disk_usage(folder).free
    if free < needed + SPARE_BYTES:
        raise DataError(
            f"decoding needs {needed / 1e9:.2f} GB in {str(folder)!r}, "
            f"{free / 1e9:.2f} GB are free: make room, lower image_size, or point "
            "LIGHTBOX_HOME at another disk"
        )


def _reserve(path: Path) -> None:
    """Take a sparse file's room now: OSError then, not a killed process later."""
    if not hasattr(os, "posix_fallocate"):  # macOS and Windows: `_require_space` only
        return
    with path.open("rb+") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        except OSError as error:
            if error.errno in FULL:
                raise  # other file systems do not know how


def _build(
    path: Path,
    sidecar: Path,
    images: list[str],
    *,
    folder: Path,
    shape: tuple[int, ...],
    policy: dict[str, object],
) -> None:
    """Decode all images into a partial file and rename it when it is whole."""
    _require_space(path.parent, int(np.prod(shape, dtype=np.int64)))
    partial = path.with_name(f"{path.stem}.partial.npy")
    try:
        array = np.lib.format.open_memmap(
            partial, mode="w+", dtype=np.uint8, shape=shape
        )
        del array
        _reserve(partial)
        tasks = [
            (partial, folder, start, images[start:stop], policy)
            for start, stop in in_chunks(len(images))
        ]
        with Progress("Decoding images", len(images), "image") as progress:
            for done in parallel(_decode_chunk, tasks):
                progress.advance(done)
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        facts = {"sha256": checksum(partial), "shape": shape, **policy}
        write_whole(sidecar, lambda file: file.write(json.dumps(facts).encode()))
        partial.replace(path)
        sync_folder(path.parent)
    finally:
        discard(partial)
    status = path.stat()
    _verified[path] = (status.st_size, status.st_mtime_ns)


def pixels(
    table: pd.DataFrame,
    folder: Path,
    *,
    size: int,
    resize: str,
    channels: int,
    interpolation: str,
    fingerprint: str,
) -> np.memmap:
    """Give the decoded images, from the cache where it is whole.

    Two processes that ask at once decode once: the second waits for the first. A
    damaged cache is set aside with a warning and made again.

    Args:
        table: Rows with `image`; row i of the result is row i of the table.
        folder: The data folder.
        size: Side of the square images, pixels.
        resize: `squash`, `crop` or `pad`.
        channels: C, 1 or 3.
        interpolation: `bilinear` or `bicubic`, antialiased (Pillow).
        fingerprint: Hash of the images' content and order.

    Returns:
        Read-only memory map (N, size, size, C), uint8, 0 to 255.

    Raises:
        ParameterError: An unknown policy or a size out of range.
        DataError: An image cannot be decoded any more, or the disk is full.
        StoreError: The disk fills up, or goes, while the cache is written.
    """
    if resize not in RESIZES or interpolation not in FILTERS or size < 1:
        raise ParameterError(
            f"resize {resize!r}, interpolation {interpolation!r}, size {size}: allowed "
            f"are {', '.join(RESIZES)}; {', '.join(FILTERS)}; and a size of 1 or more"
        )
    images = list(table["image"])
    shape = (len(images), size, size, channels)
    store = paths.data() / "cache"
    path = store / f"{fingerprint}-{size}-{resize}-{interpolation}-{channels}.npy"
    sidecar = path.with_suffix(".json")
    with writing("the decoded images", store):
        store.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):
            if path.exists() and not _sound(path, sidecar, shape):
                set_aside(
                    path,
                    what=f"the decoded images in {path.name}",
                    reason="they do not match their checksum",
                    then="the images are decoded again",
                )
            if not path.exists():
                policy = {"size": size, "resize": resize}
                policy["interpolation"] = interpolation
                _build(path, sidecar, images, folder=folder, shape=shape, policy=policy)
            return np.load(path, mmap_mode="r")
