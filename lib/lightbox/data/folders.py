"""Walking a data folder: which files are images by name, and what else lies there."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lightbox.base.errors import DataError

SUFFIXES = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".gif", ".webp"}
# What file managers leave behind, and the manifest of a generated set.
JUNK = re.compile(r"^(\..*|__MACOSX|Thumbs\.db|desktop\.ini|phantom\.json)$")


@dataclass
class Listing:
    """Files below a folder.

    Args:
        images: Posix paths, relative to the folder, of what is named as an image
            (a folder called `x.png` among them: the audit says what it is).
        others: Posix paths of all other files.
    """

    images: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


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


def is_folder(entry: os.DirEntry[str]) -> bool:
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
        if is_folder(entry) and Path(entry.name).suffix.lower() not in SUFFIXES
    ]


def _walk(folder: Path, above: str, seen: frozenset[str]) -> Iterator[tuple[str, bool]]:
    for entry in children(folder):
        path = f"{above}{entry.name}"
        if Path(entry.name).suffix.lower() in SUFFIXES:
            yield path, True
        elif not is_folder(entry):
            yield path, False
        else:
            # A link to a folder above would otherwise be walked for ever.
            real = os.path.realpath(entry.path)
            if real not in seen:
                yield from _walk(Path(entry.path), f"{path}/", seen | {real})


def list_files(folder: Path, under: str = "") -> Listing:
    """List all files below `folder/under`, sorted by path.

    Args:
        folder: The data folder.
        under: A folder inside it, posix, or "" for all of it.

    Returns:
        Paths relative to `folder`.

    Raises:
        DataError: A folder cannot be listed.
    """
    start = folder / under
    found = Listing()
    prefix = f"{under}/" if under else ""
    for path, is_image in _walk(start, prefix, frozenset({os.path.realpath(start)})):
        (found.images if is_image else found.others).append(path)
    found.images.sort()
    found.others.sort()
    return found


def descend(folder: Path, wanted: set[str], depth: int = 2) -> Path:
    """Step into the folder that an archive wraps around its content.

    Args:
        folder: Where the search starts.
        wanted: Folder names, one of which shows that the place is right.
        depth: How many wrappings may be opened.

    Returns:
        The first folder, breadth first, that holds one of `wanted`; `folder`
        itself where there is none.
    """
    level = [folder]
    for _ in range(depth + 1):
        for place in level:
            if wanted & set(subfolders(place)):
                return place
        level = [place / name for place in level for name in subfolders(place)]
    return folder
