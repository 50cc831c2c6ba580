"""The file pass of the audit: every file hashed, opened and decoded once."""

import hashlib
import io
import os
import stat
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import PIL
from filelock import FileLock
from PIL import Image

from lightbox.base import paths
from lightbox.base.files import read_seal, set_aside, write_sealed, writing
from lightbox.base.progress import track
from lightbox.data.pixels import (
    DECODER_ERRORS,
    MAX_PIXELS,
    SIXTEEN_BIT,
    has_transparency,
    parallel,
)
from lightbox.evaluation.significance import wilson

FOLDS = 5
ASSUMED_ACCURACY = 0.9
WIDEST = 0.10  # of the interval at that accuracy, for a val set to select on
VERSION = 3  # of what is recorded per file; older caches are not read
ORIENTATION = 0x0112  # the EXIF tag
MAX_BYTES = 1 << 30  # larger files are not read into memory
SAME_FORMAT = {"MPO": "JPEG", "DIB": "BMP"}

COLUMNS = {
    "sha256": "", "bytes": 0, "format": "", "mode": "", "width": 0, "height": 0,
    "orientation": 1, "grey": False, "alpha": False, "frames": 1, "depth": 8,
    "highest": 0, "problem": "",
}  # fmt: skip
MODES = {
    "1": "black and white; read as 8-bit grey",
    **dict.fromkeys(("P", "PA"), "palette; read as RGB"),
    **{mode: f"{mode}; read as RGB" for mode in ("CMYK", "YCbCr", "LAB", "HSV")},
}


@dataclass(frozen=True)
class SizeOnly:
    """Whether the image size alone predicts the label.

    Args:
        auc: Cross-validated area under the ROC curve of a depth-3 tree on width,
            height and aspect (macro one-vs-rest for more than two classes);
            0.5 where all sizes are one, None where a class has too few groups.
        sizes: Number of different sizes.
        folds: Number of folds; 0 where nothing had to be fitted.
    """

    auc: float | None
    sizes: int
    folds: int


def treatment(row: Any, channels: int) -> str:
    """Say what is done about an unusual file; "" for an ordinary one."""
    said = []
    if row.depth == 16 and row.mode in {"RGB", "RGBA"}:
        said.append("16-bit colour; the upper 8 bits are read")
    elif row.depth == 16:
        said.append(f"16-bit; 65535 becomes 255 (its highest value is {row.highest})")
    elif row.mode in MODES:
        said.append(MODES[row.mode])
    if row.alpha:
        said.append("transparency; laid on black")
    if channels == 1 and not row.grey:
        said.append("colours; read as luminance")
    elif channels == 3 and row.grey and row.mode not in {"RGB", "RGBA"}:
        said.append("one channel; repeated to three")
    if row.frames > 1:
        said.append(f"{row.frames} frames; the first is read")
    if row.orientation not in {0, 1}:
        said.append(f"EXIF orientation {row.orientation}; turned upright")
    return ", ".join(said)


def size_only(files: pd.DataFrame) -> SizeOnly:
    """Test width, height and aspect of usable rows; known groups stay in one fold."""
    sizes = len(files[["width", "height"]].drop_duplicates())
    if sizes <= 1:
        return SizeOnly(auc=0.5, sizes=sizes, folds=0)
    labels = pd.factorize(files["label"], sort=True)[0]
    groups = files["group"].where(files["group"] != "", files["image"]).to_numpy()
    folds = min(FOLDS, int(pd.Series(groups).groupby(labels).nunique().min()))
    if folds < 2:
        return SizeOnly(auc=None, sizes=sizes, folds=0)
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.tree import DecisionTreeClassifier

    features = np.column_stack(
        [files["width"], files["height"], files["width"] / files["height"]]
    )
    tree = DecisionTreeClassifier(max_depth=3, min_samples_leaf=2, random_state=0)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=0)
    probabilities = cross_val_predict(
        tree, features, labels, groups=groups, cv=splitter, method="predict_proba"
    )
    two = probabilities.shape[1] == 2
    scores = probabilities[:, 1] if two else probabilities
    auc = float(roc_auc_score(labels, scores, multi_class="ovr"))
    return SizeOnly(auc=auc, sizes=sizes, folds=folds)


def interval_width(count: int) -> float:
    """Width (0 to 1) of the 95 % Wilson interval of 90 % accuracy on `count` images."""
    low, high = wilson(ASSUMED_ACCURACY * count, count) if count else (0.0, 1.0)
    return high - low


# What is not an image but lies under an image's name, and how it begins.
IMPOSTORS = {
    "an HTML or XML page, not an image: download it again": (
        *(b"<!doctype html", b"<html", b"<head", b"<?xml"),
    ),
    "a Git LFS pointer, not the image: run `git lfs pull`": (
        b"version https://git-lfs",
    ),
    "a zip archive, not an image: extract it": (b"pk\x03\x04",),
}


def _read(path: Path) -> tuple[bytes, str]:
    """Read a file, or say why not."""
    try:
        path.name.encode("utf-8")
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            return b"", "a folder with the name of an image"
        if not stat.S_ISREG(status.st_mode):
            return b"", "not a regular file"
        if status.st_size > MAX_BYTES:
            return b"", f"{status.st_size / 1e9:.1f} GB, more than any image here"
        content = path.read_bytes()
    except UnicodeEncodeError:
        return b"", "file name is not valid UTF-8: rename it"
    except FileNotFoundError:
        return b"", "no such file (a label without an image, or a broken link)"
    except OSError as error:
        return b"", f"cannot be read: {error.strerror}"
    start = content[:512].lstrip().lower()
    reasons = (why for why, marks in IMPOSTORS.items() if start.startswith(marks))
    return content, next(reasons, "") if content else "empty file (0 bytes)"


def _pixel_facts(image: Image.Image) -> dict[str, Any]:
    """Facts for which the pixels are needed: equal channels, range of 16 bits."""
    facts: dict[str, Any] = {"grey": False, "depth": 8, "highest": 0}
    if image.mode in SIXTEEN_BIT:
        low, high = image.getextrema()
        facts |= {"grey": True, "depth": 16, "highest": int(high)}
        if low < 0 or high > 65535:
            facts["problem"] = f"32-bit values ({low} to {high}) of unknown range"
    elif image.mode == "F":
        facts["problem"] = "floating-point values of unknown range"
    elif image.mode in {"L", "1", "LA", "La"}:
        facts["grey"] = True
    elif image.mode == "RGB":
        red, green, blue = (np.asarray(image.getchannel(band)) for band in range(3))
        facts["grey"] = bool((red == green).all() and (green == blue).all())
    return facts


def inspect_file(path: Path) -> dict[str, Any]:
    """Look at one file: never raises, whatever lies there.

    Returns:
        The facts named in `COLUMNS`; `problem` says why the file is unusable and
        is "" for a good one; `width` and `height` are as shown upright.
    """
    facts: dict[str, Any] = dict(COLUMNS)
    content, problem = _read(path)
    facts |= {"bytes": len(content), "problem": problem}
    if problem:
        return facts
    facts["sha256"] = hashlib.sha256(content).hexdigest()
    try:
        with Image.open(io.BytesIO(content)) as image:
            width, height = image.size
            kind = SAME_FORMAT.get(image.format or "", image.format or "")
            facts |= {"format": kind, "width": width, "height": height}
            if (count := width * height) > MAX_PIXELS:
                return facts | {"problem": f"{count / 1e6:.0f} megapixels: too large"}
            if count == 1:
                problem = "a single pixel: a placeholder, not an image"
                return facts | {"problem": problem}
            tile = str(image.tile[0][3]) if image.tile else ""
            facts |= {
                "mode": image.mode,
                "alpha": has_transparency(image),
                "frames": getattr(image, "n_frames", 1) if kind != "JPEG" else 1,
                "orientation": int(image.getexif().get(ORIENTATION, 1)),
            }
            image.load()
            facts |= _pixel_facts(image)
            if image.mode in {"RGB", "RGBA"} and ";16" in tile:
                facts["depth"] = 16
    except Image.DecompressionBombError:
        facts["problem"] = "more pixels than any image here (decompression bomb)"
    except Image.UnidentifiedImageError:
        facts["problem"] = "not an image that can be recognised"
    except DECODER_ERRORS as error:
        facts["problem"] = f"damaged or truncated: {error}"[:200]
    expected = Image.registered_extensions().get(path.suffix.lower(), "")
    if not facts["problem"] and expected and facts["format"] != expected:
        facts["problem"] = (
            f"{facts['format']} content under a {path.suffix} name: rename it to "
            f".{facts['format'].lower()} to keep it"
        )
    if facts["orientation"] in {5, 6, 7, 8}:  # a quarter turn
        facts |= {"width": facts["height"], "height": facts["width"]}
    return facts


def _key(folder: Path, images: list[str]) -> str:
    """Hash the listing: path, size and time of change of each file."""
    digest = hashlib.sha256(f"{VERSION} {PIL.__version__} {folder}".encode())
    for image in images:
        try:
            status = os.stat(os.path.join(folder, image))
            mark = f"{status.st_size} {status.st_mtime_ns}"
        except OSError:
            mark = "-"
        digest.update(os.fsencode(f"{image}\0{mark}\n"))
    return digest.hexdigest()[:24]


def inspect_files(folder: Path, images: list[str]) -> pd.DataFrame:
    """Look at all files once; an unchanged listing is answered from the cache."""
    folder = folder.resolve()
    cache = paths.data() / "audits" / f"{_key(folder, images)}.audit"
    if cache.exists():
        if (kept := read_seal(cache)) is not None:
            return pd.DataFrame(kept["rows"], columns=list(COLUMNS))
        set_aside(
            cache,
            what=f"the audit in {cache.name}",
            reason="it does not match its checksum",
            then="the files are looked at again",
        )
    found = parallel(inspect_file, ((folder / image,) for image in images))
    with warnings.catch_warnings():
        # Sizes are judged here; damaged metadata need no warning of their own.
        warnings.simplefilter("ignore")
        rows = list(track(found, "Auditing files", len(images), "file"))
    table = [[row[name] for name in COLUMNS] for row in rows]
    with writing("the audit of the files", cache.parent):
        cache.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{cache}.lock"):
            write_sealed(cache, lambda file: None, rows=table)
    return pd.DataFrame(rows, columns=list(COLUMNS))
