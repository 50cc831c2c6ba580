"""Pixels: one file to one image, and all images to one memory-mapped uint8 array."""

import os
import shutil
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from filelock import FileLock
from PIL import Image, ImageOps

from lightbox.base import paths
from lightbox.base.errors import DataError, ParameterError
from lightbox.base.files import (
    FULL,
    discard,
    read_seal,
    seal,
    set_aside,
    sync_folder,
    writing,
)
from lightbox.base.progress import track

# 100 megapixels. The largest fundus photographs have 12; a file that claims more
# is a scan of something else or made to exhaust the memory.
MAX_PIXELS = 100_000_000
SIXTEEN_BIT = {"I", "I;16", "I;16L", "I;16B", "I;16N"}
ALPHA = {"LA", "PA", "RGBA", "La", "RGBa"}
FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}


def has_transparency(image: Image.Image) -> bool:
    """Tell whether an image has an alpha channel or a transparent colour."""
    return image.mode in ALPHA or "transparency" in image.info


def to_channels(image: Image.Image, channels: int) -> Image.Image:
    """Convert any mode to L or RGB, always in the same way.

    16-bit values are scaled by their full range (65535 to 255), transparent parts
    are laid on black, colours become luminance by ITU-R 601-2 (Pillow's `convert`).
    """
    if image.mode in SIXTEEN_BIT:
        values = np.asarray(image).astype(np.uint32)
        image = Image.fromarray(((values + 128) // 257).astype(np.uint8))
    if has_transparency(image):
        rgba = image.convert("RGBA")
        black = Image.new("RGBA", rgba.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, rgba).convert("RGB")
    mode = "L" if channels == 1 else "RGB"
    if image.mode == mode:
        return image
    if image.mode not in {"L", "1", "RGB"}:
        image = image.convert("RGB")  # palette, CMYK, YCbCr, LAB
    return image.convert(mode)


def decode(path: Path, channels: int) -> Image.Image:
    """Open a file that the audit found good: upright (EXIF), of mode L or RGB.

    Raises:
        OSError: The file cannot be decoded (any more).
    """
    with Image.open(path) as image:
        if channels == 1 and image.format == "JPEG" and image.mode == "RGB":
            image.draft("L", None)  # luminance as stored: no colour conversion
        return to_channels(ImageOps.exif_transpose(image), channels)


def _fit(
    image: Image.Image, *, size: int, resize: str, interpolation: str
) -> Image.Image:
    """Bring an image to a square; `squash` alone ignores the aspect."""
    method = FILTERS[interpolation]
    if resize == "crop":
        return ImageOps.fit(image, (size, size), method)
    if resize == "pad":
        return ImageOps.pad(image, (size, size), method)
    return image.resize((size, size), method)


RESIZES = ("squash", "crop", "pad")
SPARE_BYTES = 200_000_000  # that must stay free on the disk
# Caches whose checksum this process has verified: path to (size, mtime_ns).
_verified: dict[Path, tuple[int, int]] = {}
CHUNK = 32  # files per task

# What Pillow's decoders raise on damaged files, beside OSError.
DECODER_ERRORS = (
    OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError,
    AttributeError, OverflowError, NotImplementedError, MemoryError, RuntimeError,
    ZeroDivisionError, struct.error, zlib.error, Image.DecompressionBombError,
)  # fmt: skip


def parallel(function: Any, tasks: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
    """Run tasks in as many threads as there are cores; results in the tasks' order."""
    # Threads do: Pillow and hashlib let others run while they decode and hash.
    run = joblib.Parallel(
        joblib.cpu_count(), prefer="threads", return_as="generator", batch_size=CHUNK
    )
    yield from run(joblib.delayed(function)(*task) for task in tasks)


def _decode_row(
    array: np.memmap, row: int, folder: Path, image: str, policy: dict[str, Any]
) -> None:
    """Decode one image into its row; runs in a thread."""
    try:
        picture = _fit(decode(folder / image, array.shape[3]), **policy)
    except DECODER_ERRORS as error:
        raise DataError(
            f"image {image!r} cannot be decoded although the audit could: did "
            f"the file change? Run again ({error})"
        ) from error
    array[row] = np.asarray(picture).reshape(array.shape[1:])


def _mark(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _sound(path: Path, shape: tuple[int, ...]) -> bool:
    """Tell whether a finished cache is whole: checksum and shape."""
    mark = _mark(path)
    if _verified.get(path) == mark:
        return True
    if read_seal(path) is None or np.load(path, mmap_mode="r").shape != shape:
        return False
    _verified[path] = mark
    return True


def _reserve(path: Path) -> None:
    """Take a sparse file's room: a full disk under a memory map kills the process."""
    needed, free = path.stat().st_size, shutil.disk_usage(path).free
    if free < needed + SPARE_BYTES:
        raise DataError(
            f"decoding needs {needed / 1e9:.2f} GB in {str(path.parent)!r}, "
            f"{free / 1e9:.2f} GB are free: make room, lower image_size, or point "
            "LIGHTBOX_HOME at another disk"
        )
    if not hasattr(os, "posix_fallocate"):  # macOS and Windows
        return
    with path.open("rb+") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, needed)
        except OSError as error:
            if error.errno in FULL:
                raise  # other file systems do not know how


def _build(
    path: Path, images: list[str], folder: Path, shape: tuple, policy: dict[str, Any]
) -> None:
    """Decode all images into a partial file and rename it when it is whole."""
    partial = path.with_name(f"{path.stem}.partial.npy")
    try:
        array = np.lib.format.open_memmap(
            partial, mode="w+", dtype=np.uint8, shape=shape
        )
        _reserve(partial)
        tasks = ((array, k, folder, image, policy) for k, image in enumerate(images))
        decoded = parallel(_decode_row, tasks)
        for _ in track(decoded, "Decoding images", len(images), "image"):
            pass
        array.flush()
        del array  # Windows renames no open file
        with partial.open("rb+") as file:
            seal(file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        sync_folder(path.parent)
    finally:
        discard(partial)
    _verified[path] = _mark(path)


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
        size: Side of the square images, pixels.
        resize: `squash` ignores the aspect, `crop` keeps it and cuts the centre
            square, `pad` keeps it and adds black borders.
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
    policy = {"size": size, "resize": resize, "interpolation": interpolation}
    shape = (len(table), size, size, channels)
    store = paths.data() / "cache"
    path = store / f"{fingerprint}-{size}-{resize}-{interpolation}-{channels}.npy"
    with writing("the decoded images", store):
        store.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):
            if path.exists() and not _sound(path, shape):
                set_aside(
                    path,
                    what=f"the decoded images in {path.name}",
                    reason="they do not match their checksum",
                    then="the images are decoded again",
                )
            if not path.exists():
                _build(path, list(table["image"]), folder, shape, policy)
            return np.load(path, mmap_mode="r")
