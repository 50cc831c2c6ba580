"""Getting a published set: a checked download, or a recipe for doing it by hand."""

import shutil
import stat
import tempfile
import zipfile
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import pooch
import requests

from lightbox.base.errors import DataError
from lightbox.base.progress import Progress
from lightbox.data.cards import Card, Recipe

RETRIES = 2  # after the first attempt; each starts from nothing
TIMEOUT = 30  # seconds without an answer
MAX_EXTRACTED = 20 << 30  # bytes; the largest known set has 8 GB
MAX_RATIO = 200  # extracted to packed; images are packed already and stay near 1
BLOCK = 1 << 20


class _Bar:
    """Pooch's progress interface on the project's progress line."""

    total = 0

    def __init__(self, label: str):
        self._label = label
        self._progress: Progress | None = None

    def update(self, count: int) -> None:
        if self._progress is None:
            self._progress = Progress(self._label, max(self.total, 1), "B")
        room = self._progress.total - self._progress.done
        self._progress.advance(min(count, room))

    def reset(self) -> None:
        """Pooch rewinds at the end, to fill the bar; ours is full already."""

    def close(self) -> None:
        if self._progress is not None:
            self._progress.__exit__()
            self._progress = None


def missing_data_error(card: Card, folder: Path, reason: str = "") -> DataError:
    """Say, step by step, how a set is got by hand.

    Args:
        card: A card with a recipe.
        folder: Where Lightbox looks for it.
        reason: Why it was not downloaded, or "".

    Returns:
        The error to raise: a numbered recipe with address, file, target folder and
        licence.
    """
    recipe = card.recipe
    if recipe is None:
        return DataError(f"no images of {card.name!r} in {str(folder)!r}")
    head = f"the images of {card.name!r} are not in {str(folder)!r}"
    files = ", ".join(recipe.files)
    lines = [
        f"{head}{f' ({reason})' if reason else ''}. To get them:",
        f"  1. Open {recipe.address} (licence: {card.licence}; cite doi {card.doi}).",
        f"  2. Download {files}.",
        f"  3. Extract into {folder}, so that it holds {recipe.inside}.",
        "  4. Run again; or set data_dir to the folder where the images already are.",
    ]
    return DataError("\n".join(lines))


def fetch(url: str, checksum: str, target: Path, *, label: str) -> Path:
    """Download one file; what arrives damaged or half is thrown away and retried.

    Args:
        url: Direct address.
        checksum: `"<algorithm>:<hex>"`.
        target: Where the file goes; an intact one there is not fetched again.
        label: Shown before the progress bar.

    Returns:
        `target`, its checksum verified.

    Raises:
        DataError: The address cannot be reached or gives another content.
    """
    pooch.get_logger().setLevel("ERROR")  # the progress line says it all
    keeper = pooch.create(
        path=target.parent,
        base_url="",
        registry={target.name: checksum},
        urls={target.name: url},
        retry_if_failed=RETRIES,
    )
    bar: Any = _Bar(label)
    downloader = pooch.HTTPDownloader(progressbar=bar, timeout=TIMEOUT)
    try:
        keeper.fetch(target.name, downloader=downloader)
    except (requests.RequestException, OSError, ValueError) as error:
        kind = "its checksum is wrong" if isinstance(error, ValueError) else "no answer"
        raise DataError(f"download of {url} failed: {kind}") from error
    finally:
        bar.close()
    return target


def _refusal(member: zipfile.ZipInfo) -> str:
    """Say why an archive's member must not be extracted, or "" if it may."""
    name = member.filename
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    if posix.is_absolute() or windows.drive or windows.root:
        return "an absolute path"
    if ".." in posix.parts or ".." in windows.parts:
        return "a path that leaves the folder"
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        return "a link or a device"
    if member.flag_bits & 1:
        return "encrypted"
    return ""


def extract(archive: Path, folder: Path, *, max_bytes: int = MAX_EXTRACTED) -> None:
    """Extract a zip whose content is not trusted; all of it or nothing.

    Args:
        archive: The zip file.
        folder: Where its content goes; made by this call, or empty before it.
        max_bytes: Largest size of all files together, bytes.

    Raises:
        DataError: Not a zip, damaged, larger than allowed, or with a member that
            is a link, encrypted, absolute or leaves the folder.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        with zipfile.ZipFile(archive) as packed:
            members = packed.infolist()
            for member in members:
                if why := _refusal(member):
                    raise DataError(
                        f"{archive.name} is refused: {member.filename!r} is {why}"
                    )
            allowed = min(max_bytes, MAX_RATIO * archive.stat().st_size + BLOCK)
            size = sum(member.file_size for member in members)
            if size > allowed:
                raise DataError(
                    f"{archive.name} is refused: it would grow to {size:,} bytes, "
                    f"allowed are {allowed:,}"
                )
            with Progress("Extracting", len(members), "file") as progress:
                for member in members:
                    # zipfile stops at the declared size and checks the CRC.
                    packed.extract(member, staging)
                    progress.advance()
        if folder.is_dir():
            folder.rmdir()
        staging.replace(folder)
    except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
        raise DataError(
            f"{archive.name} is not a whole zip file ({error}): delete it and run again"
        ) from error
    except OSError as error:
        raise DataError(f"{archive.name} cannot be extracted: {error}") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def obtain(card: Card, folder: Path) -> Path:
    """Download and extract a set, where its address and checksum are certain.

    Args:
        card: The card of a real set.
        folder: Where it belongs.

    Returns:
        `folder`, with the images in it.

    Raises:
        DataError: It cannot be downloaded: the recipe.
    """
    recipe: Recipe | None = card.recipe
    if recipe is None or recipe.url is None or recipe.checksum is None:
        raise missing_data_error(card, folder)
    archive = folder.parent / "downloads" / recipe.files[0]
    try:
        fetch(recipe.url, recipe.checksum, archive, label=f"Downloading {card.name}")
        extract(archive, folder)
    except DataError as error:
        raise missing_data_error(card, folder, str(error)) from error
    return folder
