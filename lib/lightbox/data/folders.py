"""Walking a data folder: which files are images by name, and what else lies there."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from lightbox.base.errors import DataError

SUFFIXES = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".gif", ".webp"}
# What file managers leave behind, and the manifest of a generated set.
JUNK = re.compile(r"^(\..*|__MACOSX|Thumbs\.db|desktop\.ini|phantom\.json)$")


def named_as_image(name: str) -> bool:
    """Tell whether a file's (or a folder's) name is that of an image."""
    return Path(name).suffix.lower() in SUFFIXES


def children(folder: Path) -> list[os.DirEntry[str]]:
    """List a folder by name, without what is no part of the set.

    Raises:
        DataError: The folder cannot be listed.
    """
    try:
        with os.scandir(folder) as entries:
            kept = [entry for entry in entries if not JUNK.match(entry.name)]
    except OSError as error:
        raise DataError(
            f"folder {str(folder)!r} cannot be listed ({error.strerror}): "
            "check that it exists and may be read"
        ) from error
    return sorted(kept, key=lambda entry: entry.name)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Tell whether an entry is a folder, links followed; a link in a loop is not."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def subfolders(folder: Path) -> list[str]:
    """Names of the folders in `folder` that are not named like images."""
    return [
        entry.name
        for entry in children(folder)
        if _is_folder(entry) and not named_as_image(entry.name)
    ]


def _walk(folder: Path, above: str, seen: frozenset[str]) -> Iterator[str]:
    for entry in children(folder):
        path = f"{above}{entry.name}"
        if named_as_image(entry.name) or not _is_folder(entry):
            yield path
            continue
        # A link to a folder above would otherwise be walked for ever.
        real = os.path.realpath(entry.path)
        if real not in seen:
            yield from _walk(Path(entry.path), f"{path}/", seen | {real})


def list_files(folder: Path, under: str = "") -> tuple[list[str], list[str]]:
    """List all files below `folder/under` (posix), as paths relative to `folder`.

    Returns:
        What is named as an image (a folder called `x.png` among it: the audit says
        what it is), and all other files, each sorted.

    Raises:
        DataError: A folder cannot be listed.
    """
    start = folder / under
    above = f"{under}/" if under else ""
    found = sorted(_walk(start, above, frozenset({os.path.realpath(start)})))
    images = [path for path in found if named_as_image(path)]
    return images, [path for path in found if not named_as_image(path)]


def descend(folder: Path, wanted: set[str]) -> Path:
    """Find the first folder, at most two levels down, that holds one of `wanted`."""
    level = [folder]
    for _ in range(3):
        for place in level:
            if wanted & set(subfolders(place)):
                return place
        level = [place / name for place in level for name in subfolders(place)]
    return folder
