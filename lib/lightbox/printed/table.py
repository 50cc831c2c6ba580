"""A printed table read: which column is which metric, of how many images."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import pandas as pd

from lightbox.base.errors import DataError
from lightbox.base.words import _
from lightbox.printed.numbers import (
    COUNTS,
    HEADINGS,
    METRICS,
    Column,
    Printed,
    parse,
    read_heading,
    whole,
)

SPLITS = ("train", "val", "test")
BESIDE = "counts.csv"
COLUMNS = ("split", "class", "images")
OPTIONAL = ("subtype", "positive")
YES = ("yes", "true", "1", "x", "positive")
NO = ("", "no", "false", "0", "negative")


@dataclass(frozen=True)
class Counts:
    """What is known of one split; classes and subtypes are numbers of images."""

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
    """Put together what the table and what stands beside it say of a split.

    Raises:
        DataError: They contradict each other, or a part is larger than the whole.
    """
    found = {}
    for each in fields(Counts):
        first, second = getattr(one, each.name), getattr(other, each.name)
        empty = (None, {}, "")
        if first not in empty and second not in (*empty, first):
            raise DataError(
                f"{where}: the table says {first} {each.name}, the counts given with "
                f"it say {second}; correct one of them"
            )
        found[each.name] = second if first in empty else first
    return checked(Counts(**found), where)


def checked(counts: Counts, where: str) -> Counts:
    """Refuse counts that no split can have: more positives than images, or no image."""
    if counts.images is not None and counts.images < 1:
        raise DataError(f"{where}: {counts.images} images; at least 1 is needed")
    if counts.negatives is not None and min(counts.positives, counts.negatives) < 0:
        raise DataError(
            f"{where}: {counts.positives} positives among {counts.images} images; "
            "there cannot be more positives than images"
        )
    return counts


def beside(table: Path) -> Path | None:
    """Find `<stem>.counts.csv` or `counts.csv` beside a table."""
    for path in (table.with_suffix(".counts.csv"), table.with_name(BESIDE)):
        if path.is_file() and path != table:
            return path
    return None


def read_counts(path: Path) -> dict[str, Counts]:
    """Read class counts.

    Args:
        path: A CSV with the columns split, class, images, and, if wanted, subtype
            and positive (`yes` on the rows of the positive class).

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


# Rows of scikit-learn's classification_report that are means over classes.
SPLIT_BY = "split_by"
AVERAGES = ("accuracy", "macro avg", "weighted avg", "micro avg", "samples avg")


@dataclass(frozen=True)
class Row:
    """A row of a printed table; `by_image`: val was cut from train image by image."""

    name: str
    values: Mapping[Column, Printed]
    counts: Mapping[str, Counts]
    loss: str = ""
    by_image: bool = False
    model: str = ""
    strategy: str = ""

    def count(self, split: str) -> Counts:
        """Give what is known of a split."""
        return self.counts.get(split, Counts())


@dataclass(frozen=True)
class Published:
    """What others reached on the same test images; accuracy in [0, 1]."""

    model: str
    strategy: str
    accuracy: float
    source: str


@dataclass(frozen=True)
class PrintedTable:
    """A table that was understood."""

    source: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    published: tuple[Published, ...] = ()


def understand(
    frame: pd.DataFrame, given: Mapping[str, Counts], source: str
) -> PrintedTable:
    """Make sense of a table's headings and cells.

    Raises:
        DataError: No heading is a metric, there is no row, or a cell is no number.
    """
    cells = frame.astype(object).where(frame.notna(), "").astype(str)
    if not _understood(cells.columns, source) and len(cells.columns) > 1:
        first = cells.iloc[:, 0]
        if _understood(first, source):
            cells = cells.set_index(first.name).T.rename_axis("run").reset_index()
    # A second column of the same meaning would be read over the first.
    headings: dict[Column, str] = {}
    known: dict[str, Column] = {}
    lossy = None  # the column that names loss functions
    for heading in cells.columns:
        column = read_heading(heading)
        if column is None:
            continue
        if column.quantity == "loss" and not cells[heading].str.contains(r"\d").any():
            lossy = lossy or heading
            continue
        key = Column("", column.quantity, column.split, column.stage, column.averaged)
        if key in headings:
            raise DataError(
                f"{source}: {headings[key]!r} and {heading!r} are the same metric of "
                "the same split; keep one of them"
            )
        headings[key], known[heading] = heading, column
    metrics = [c for c in known.values() if c.quantity in METRICS]
    if not metrics:
        shown = ", ".join(map(str, cells.columns)) or "nothing"
        raise DataError(
            f"{source}: no column is a metric; it has {shown}; known are "
            f"{', '.join(METRICS)}, and their names in Chinese"
        )
    if cells.empty:
        raise DataError(f"{source}: there are headings but no rows")
    title = _title(cells, [*known, lossy])
    given_names = cells[title].str.strip() if title else [""] * len(cells)
    names = [name or f"row {k}" for k, name in enumerate(given_names, start=1)]
    scales = {c: _scale(c, cells[c.heading], names, source) for c in metrics}
    rows = []
    for name, line in zip(names, cells.to_dict("records"), strict=True):
        values = {}
        for column in metrics:
            text, where = line[column.heading], f"{source}, {name}, {column.heading}"
            value = parse(text, where=where, scale=scales[column])
            if value is not None:
                mean = value.averaged or name.lower() in AVERAGES
                values[column] = replace(value, averaged=mean)
        counts = _counts(line, known, given, f"{source}, {name}")
        loss = str(line[lossy]) if lossy else ""
        said = {key: line.get(key, "").strip() for key in ("model", "strategy")}
        by_image = line.get(SPLIT_BY) == "image"
        rows.append(Row(name, values, counts, loss, by_image, **said))
    return PrintedTable(source, tuple(metrics), tuple(rows))


def _understood(headings: pd.Index | pd.Series, source: str) -> bool:
    """Say whether any heading is a metric."""
    try:
        found = [read_heading(str(heading)) for heading in headings]
    except DataError as error:
        raise DataError(f"{source}: {error}") from None
    return any(c is not None and c.quantity in METRICS for c in found)


def _title(cells: pd.DataFrame, taken: list[str | None]) -> str | None:
    """Find the column that says what a row is about."""
    free = [heading for heading in cells.columns if heading not in taken]
    for wanted in HEADINGS["labels"]:
        for heading in free:
            if heading.lower() == wanted and cells[heading].str.strip().any():
                return heading
    return free[0] if free else None


def _scale(column: Column, cells: pd.Series, names: list[str], source: str) -> int:
    """Tell per cents from fractions by the heading, or by the largest value."""
    if column.quantity == "loss" or column.percent:
        return 100 if column.percent and column.quantity != "loss" else 1
    large, small = [], []
    for name, cell in zip(names, cells, strict=True):
        value = parse(cell, where=f"{source}, {name}, {column.heading}")
        if value is not None and "%" not in cell and value.value not in (0, 1):
            side = large if value.value > 1 else small
            side.append(f"{value.text} ({name})")
    if large and small:
        raise DataError(
            f"{source}, {column.heading}: {small[0]} and {large[0]} in one column; "
            "write all of them as fractions or all in per cent"
        )
    return 100 if large else 1


def _counts(
    line: dict[str, str],
    known: dict[str, Column],
    given: Mapping[str, Counts],
    where: str,
) -> dict[str, Counts]:
    """Collect how many images a row is about."""
    stated: dict[str, dict[str, int]] = {}
    for heading, column in known.items():
        if column.quantity in COUNTS:
            cell = parse(line[heading], where=f"{where}, {heading}", count=True)
            if cell is not None:
                stated.setdefault(column.split, {})[column.quantity] = whole(cell)
    found = {}
    for split in SPLITS:
        own, place = stated.get(split, {}), f"{where}, {split}"
        sides = (("positives", "tp", "fn"), ("negatives", "tn", "fp"))
        for side, right, wrong in sides:
            if right in own and wrong in own:
                own.setdefault(side, own[right] + own[wrong])
        if "positives" in own and "negatives" in own:
            own.setdefault("images", own["positives"] + own["negatives"])
        if "images" in own and "negatives" in own:
            own.setdefault("positives", own["images"] - own["negatives"])
            if own["positives"] + own["negatives"] != own["images"]:
                raise DataError(
                    f"{place}: {own['positives']} positives and {own['negatives']} "
                    f"negatives are not {own['images']} images; correct one of them"
                )
        kept = ("images", "positives", "tp", "tn")
        counts = checked(Counts(**{k: own[k] for k in kept if k in own}), place)
        counts = join(counts, given.get(split, Counts()), place)
        if counts != Counts():
            found[split] = counts
    return found


IMPOSSIBLE, INCONSISTENT, RENAMED = "impossible", "inconsistent", "renamed"
MIXED = "averages"  # of several classes, or inconsistent: it cannot be told
# These are wrong whatever was meant; the others are claims that go too far.
WRONG = (IMPOSSIBLE, INCONSISTENT, RENAMED)
MOST_NAMED = 8  # rows in a sentence; the CSV has them all


@dataclass(frozen=True)
class Remark:
    """One finding of the audit.

    Attributes:
        entries: Row name and heading of each entry that it is about.
    """

    rule: str
    text: str
    evidence: Mapping[str, Any]
    entries: tuple[tuple[str, str], ...] = ()

    @property
    def wrong(self) -> bool:
        """Whether no data could have given these entries."""
        return self.rule in WRONG


def clauses(texts: list[str]) -> str:
    """Join clauses, `a; b; c`, with the number of those left out of many."""
    shown = _("; ").join(texts[:MOST_NAMED])
    more = len(texts) - MOST_NAMED
    return shown + (_("; and {more} more").format(more=more) if more > 0 else "")
