"""Images from a folder to decoded arrays: read, audited, split and cached."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from lightbox.base import paths
from lightbox.base.errors import DataError, ParameterError, did_you_mean
from lightbox.base.words import N_, _
from lightbox.data import downloads, pixels
from lightbox.data.audit import Audit, audit
from lightbox.data.cards import Card, Sentence, card
from lightbox.data.readers import read
from lightbox.data.splits import assign_splits

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Dataset:
    """A set that is ready to train on.

    Args:
        table: `image`, `split` (train, val or test), `label`, `group`, `sha256`,
            `subtype`; index 0..n-1, sorted by image; usable images only.
        classes: Class names in the order of their indices.
        positive: The class that sensitivity is about, or None.
        fingerprint: Hash over path, content, label, split and group of all images.
        changes: What was passed over or changed, with numbers.
    """

    card: Card
    folder: Path
    table: pd.DataFrame
    classes: tuple[str, ...]
    positive: str | None
    channels: int
    fingerprint: str
    audit: Audit
    changes: list[Sentence]

    def notes(self) -> list[str]:
        """Say what must be said of the set, and what was changed in it."""
        return [*map(_, self.card.notes), *map(str, self.changes)]

    def pixels(
        self, size: int, resize: str, interpolation: str = "bilinear"
    ) -> np.memmap:
        """Decode all rows as `pixels.pixels` does; other splits share the cache."""
        return pixels.pixels(
            self.table,
            self.folder,
            size=size,
            resize=resize,
            channels=self.channels,
            interpolation=interpolation,
            fingerprint=fingerprint(self.table, ["image", "sha256"]),
        )

    def subset(self, split: str) -> np.ndarray:
        """Positions of the rows of train, val or test, increasing, int64."""
        if split not in SPLITS:
            raise ParameterError(f"split {split!r}: allowed are {', '.join(SPLITS)}")
        return np.flatnonzero((self.table["split"] == split).to_numpy())

    def labels(self) -> np.ndarray:
        """Class indices of all rows, (N,) int64."""
        order = {name: index for index, name in enumerate(self.classes)}
        return self.table["label"].map(order).to_numpy(dtype=np.int64)


def fingerprint(table: pd.DataFrame, columns: list[str]) -> str:
    """Hash some columns of a table that is sorted by image, 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for row in table[columns].itertuples(index=False):
        digest.update(os.fsencode("\0".join(map(str, row)) + "\n"))
    return digest.hexdigest()[:16]


def _locate(known: Card, data_dir: str | Path | None) -> Path:
    """Find, draw or download the images of a card."""
    if data_dir is not None and str(data_dir).strip():
        folder = Path(data_dir).expanduser()
        if not folder.is_dir():
            what = "is a file, not a folder" if folder.exists() else "does not exist"
            raise DataError(
                f"data_dir {str(data_dir)!r} {what} (looked for {folder.absolute()}; "
                "relative paths count from the current folder)"
            )
        return folder.resolve()
    if known.layout == "folder":
        raise ParameterError(
            f"dataset {known.name!r} needs data_dir: the folder that holds "
            "train|val|test/<class>/ or <class>/ folders of images"
        )
    folder = paths.data() / known.name
    if known.synthetic:
        # Imported where it is used: it doubles the time that this package takes.
        from lightbox.data.phantoms import generation

        generation.generate(known.name, folder)
    elif not (folder.is_dir() and any(folder.iterdir())):
        downloads.obtain(known, folder)
    return folder


def _select(
    rows: pd.DataFrame, filled: Card, classes: Sequence[str]
) -> tuple[pd.DataFrame, Card]:
    """Keep the rows of some classes; the second of two is the positive one."""
    if not classes:
        return rows, filled
    for name in classes:
        if name not in filled.classes:
            raise ParameterError(
                f"classes: {filled.name} has no class {name!r}, it has "
                f"{', '.join(filled.classes)}{did_you_mean(name, filled.classes)}"
            )
    if len(set(classes)) < 2:
        raise ParameterError("classes: at least two different ones are needed")
    positive = filled.positive if filled.positive in classes else None
    if len(classes) == 2 and positive is None:
        positive = classes[1]
    kept = rows[rows["label"].isin(classes)].reset_index(drop=True)
    return kept, replace(filled, classes=tuple(classes), positive=positive)


def open_dataset(
    dataset: str,
    data_dir: str | Path | None = None,
    *,
    seed: int = 0,
    on_bad_image: str = "skip",
    split_by: str = "group",
    classes: Sequence[str] = (),
) -> Dataset:
    """Read, audit and split a data set.

    Args:
        dataset: A registered name (see `cards.CARDS`), or `folder`.
        data_dir: Where the images lie, relative to the current folder; None for
            `$LIGHTBOX_HOME/data/<dataset>`, where phantoms are drawn on first use
            and the other sets are downloaded if that can be done with certainty.
        on_bad_image: `skip` leaves unusable files out and lists them, `stop`
            refuses the set.
        split_by: `group` keeps a patient or slide on one side of every split that
            is made here; `image` does not, and the notes say so.
        classes: Which classes, in which order; empty takes all.

    Raises:
        ParameterError: An unknown name or policy, or `folder` without data_dir.
        DataError: Images that are missing, of another layout or unusable.
    """
    known = card(dataset)
    if on_bad_image not in {"skip", "stop"}:
        raise ParameterError(f"on_bad_image {on_bad_image!r}: allowed are skip, stop")
    if split_by not in {"group", "image"}:
        raise ParameterError(f"split_by {split_by!r}: allowed are group, image")
    folder = _locate(known, data_dir)
    rows, filled, changes = read(known, folder)
    rows, filled = _select(rows, filled, classes)
    found = audit(rows, filled, folder, on_bad_image=on_bad_image)
    bad = found.bad()
    if len(bad):
        text = N_(
            "{count} unusable files were left out, the first: {image} ({reason})."
        )
        changes.append(Sentence(text, count=len(bad), **bad.iloc[0]))
    columns = ["image", "split", "label", "group", "sha256", "subtype"]
    table, made = assign_splits(
        found.usable[columns], seed=seed, classes=filled.classes, by=split_by
    )
    filled = replace(filled, channels=found.channels)
    return Dataset(
        card=filled,
        folder=folder,
        table=table,
        classes=filled.classes,
        positive=filled.positive,
        channels=found.channels,
        fingerprint=fingerprint(table, columns[:5]),
        audit=found,
        changes=[*changes, *made],
    )
