"""Getting a published set: a checked download, or a recipe for doing it by hand."""

import shutil
import stat
import tempfile
import zipfile
from pathlib import Path, PurePosixPath, PureWindowsPath

import pooch
import requests

from lightbox.base.errors import DataError
from lightbox.base.progress import is_live
from lightbox.data.cards import Card

RETRIES = 2  # after the first attempt; each starts from nothing
TIMEOUT = 30  # seconds without an answer
MAX_EXTRACTED = 20 << 30  # bytes; the largest known set has 8 GB
MAX_RATIO = 200  # extracted to packed; images are packed already and stay near 1


def _missing(card: Card, folder: Path, reason: str = "") -> DataError:
    """Say, step by step, how a set is got by hand."""
    recipe = card.recipe
    if recipe is None:
        return DataError(f"no images of {card.name!r} in {str(folder)!r}")
    because = f" ({reason})" if reason else ""
    return DataError(
        f"the images of {card.name!r} are not in {str(folder)!r}{because}. To get them:"
        f"\n  1. Open {recipe.address} (licence: {card.licence}; cite doi {card.doi})."
        f"\n  2. Download {', '.join(recipe.files)}."
        f"\n  3. Extract into {folder}, so that it holds {recipe.inside}."
        "\n  4. Run again; or set data_dir to the folder where the images already are."
    )


def fetch(url: str, checksum: str, target: Path) -> None:
    """Download one file; what arrives damaged or half is thrown away and retried.

    Raises:
        DataError: The address cannot be reached or gives another content.
    """
    name = target.name
    keeper = pooch.Pooch(target.parent, "", {name: checksum}, {name: url}, RETRIES)
    downloader = pooch.HTTPDownloader(progressbar=is_live(), timeout=TIMEOUT)
    try:
        keeper.fetch(name, downloader=downloader)
    except (requests.RequestException, OSError, ValueError) as error:
        kind = "its checksum is wrong" if isinstance(error, ValueError) else "no answer"
        raise DataError(f"download of {url} failed: {kind}") from error


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
    return "encrypted" if member.flag_bits & 1 else ""


def _check(archive: Path, max_bytes: int) -> None:
    """Refuse an archive by what it declares; zipfile holds it to the sizes and CRCs."""
    with zipfile.ZipFile(archive) as packed:
        members = packed.infolist()
    for member in members:
        if why := _refusal(member):
            raise DataError(f"{archive.name} is refused: {member.filename!r} is {why}")
    allowed = min(max_bytes, MAX_RATIO * archive.stat().st_size + 2**20)
    size = sum(member.file_size for member in members)
    if size > allowed:
        raise DataError(
            f"{archive.name} is refused: it would grow to {size:,} bytes, "
            f"allowed are {allowed:,}"
        )


def extract(archive: Path, folder: Path, *, max_bytes: int = MAX_EXTRACTED) -> None:
    """Extract a zip that is not trusted into a new or empty folder: all or nothing.

    Raises:
        DataError: Not a zip, damaged, larger than allowed, or with a member that
            is a link, encrypted, absolute or leaves the folder.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        _check(archive, max_bytes)
        pooch.Unzip(extract_dir=str(staging.absolute()))(str(archive), "download", None)
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
    """Download and extract a real set, where its address and checksum are certain.

    Raises:
        DataError: It cannot be downloaded: the recipe.
    """
    recipe = card.recipe
    if recipe is None or recipe.url is None or recipe.checksum is None:
        raise _missing(card, folder)
    archive = folder.parent / "downloads" / recipe.files[0]
    pooch.get_logger().setLevel("ERROR")  # the progress bar says it all
    try:
        fetch(recipe.url, recipe.checksum, archive)
        extract(archive, folder)
    except DataError as error:
        raise _missing(card, folder, str(error)) from error
    return folder
