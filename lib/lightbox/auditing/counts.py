"""How many images of each class a printed table is about, by split."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import pandas as pd

from lightbox.errors import DataError

SPLITS = ("train", "val", "test")
BESIDE = "counts.csv"
COLUMNS = ("split", "class", "images")
OPTIONAL = ("subtype", "positive")
YES = ("yes", "true", "1", "x", "positive")
NO = ("", "no", "false", "0", "negative")


@dataclass(frozen=True)
class Counts:
    """What is known of one split.

    Attributes:
        images: How many images, or None.
        positives: How many of them are of the positive class, or None.
        tp: True positives, where the answers themselves are known.
        tn: True negatives, where they are.
        correct: Right answers, where they are.
        classes: Images by class name, empty where not known.
        subtypes: Images by (class, subtype), empty where there are none.
        positive: Name of the positive class, or "".
    """

    images: int | None = None
    positives: int | None = None
    tp: int | None = None
    tn: int | None = None
    correct: int | None = None
    classes: Mapping[str, int] = field(default_factory=dict)
    subtypes: Mapping[tuple[str, str], int] = field(default_factory=dict)
    positive: str = ""

    @property
    def negatives(self) -> int | None:
        """How many images are not of the positive class."""
        if self.images is None or self.positives is None:
            return None
        return self.images - self.positives


def join(one: Counts, other: Counts, where: str) -> Counts:
    """Put together what two sources say of a split.

    Args:
        one: What the table says.
        other: What stands beside it.
        where: Row and split, for the error.

    Returns:
        All that is known.

    Raises:
        DataError: They contradict each other, or a part is larger than the whole.
    """
    changes = {}
    for each in fields(Counts):
        first, second = getattr(one, each.name), getattr(other, each.name)
        empty = first is None or first in ({}, "")
        if not empty and second is not None and second not in ({}, "", first):
            raise DataError(
                f"{where}: the table says {first} {each.name}, the counts given with "
                f"it say {second}; correct one of them"
            )
        if empty:
            changes[each.name] = second
    return checked(replace(one, **changes), where)


def checked(counts: Counts, where: str) -> Counts:
    """Refuse counts that no split can have.

    Args:
        counts: Of one split.
        where: For the error.

    Returns:
        The same.

    Raises:
        DataError: More positives than images, or no image at all.
    """
    if counts.images is not None and counts.images < 1:
        raise DataError(f"{where}: {counts.images} images; at least 1 is needed")
    if counts.negatives is not None and min(counts.positives, counts.negatives) < 0:
        raise DataError(
            f"{where}: {counts.positives} positives among {counts.images} images; "
            "there cannot be more positives than images"
        )
    return counts


def beside(table: Path) -> Path | None:
    """Find the counts that lie beside a table.

    Args:
        table: The table's file.

    Returns:
        `<stem>.counts.csv` or `counts.csv` in its folder, or None.
    """
    for path in (table.with_suffix(".counts.csv"), table.with_name(BESIDE)):
        if path.is_file() and path != table:
            return path
    return None


def read_counts(path: Path) -> dict[str, Counts]:
    """Read class counts.

    Args:
        path: A CSV with the columns split, class, images, and, if wanted, subtype
            and positive (`yes` on the rows of the positive class).

    Returns:
        What is known, by split.

    Raises:
        DataError: The file cannot be read, or a cell in it.
    """
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: no readable table of counts ({error})") from None
    missing = [name for name in COLUMNS if name not in frame]
    unknown = [name for name in frame if name not in COLUMNS + OPTIONAL]
    if missing or unknown:
        what = f"lacks {', '.join(missing)}" if missing else f"has {unknown[0]!r}"
        raise DataError(
            f"{path} {what}; its columns are split, class, images, and if wanted "
            "subtype and positive"
        )
    found: dict[str, Counts] = {}
    for number, row in enumerate(frame.to_dict("records"), start=2):
        line = {name: str(row.get(name, "")).strip() for name in COLUMNS + OPTIONAL}
        where = f"{path}, line {number}"
        if line["split"] not in SPLITS:
            raise DataError(
                f"{where}: split {line['split']!r}; use {', '.join(SPLITS)}"
            )
        if not line["images"].isdigit():
            raise DataError(f"{where}: {line['images']!r} is no number of images")
        if line["positive"].lower() not in YES + NO:
            raise DataError(f"{where}: positive {line['positive']!r}; write yes or no")
        old = found.get(line["split"], Counts())
        classes, subtypes = dict(old.classes), dict(old.subtypes)
        count, label = int(line["images"]), line["class"]
        classes[label] = classes.get(label, 0) + count
        if line["subtype"]:
            subtypes[label, line["subtype"]] = count
        positive = label if line["positive"].lower() in YES else old.positive
        if old.positive not in ("", positive):
            raise DataError(f"{where}: {old.positive} is the positive class already")
        found[line["split"]] = Counts(
            images=sum(classes.values()),
            positives=classes.get(positive),
            classes=classes,
            subtypes=subtypes,
            positive=positive,
        )
    if not found:
        raise DataError(f"{path} has no rows")
    return found
