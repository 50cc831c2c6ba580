"""Accuracies below what others reached with the same network on the same images."""

import math
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from lightbox.auditing.claims import accuracies_of
from lightbox.auditing.remark import Remark, listed
from lightbox.auditing.table import PrintedTable, Published
from lightbox.errors import DataError
from lightbox.findings.base import interval, percent
from lightbox.intervals import wilson
from lightbox.words import strategy_name

FILE = "published.csv"
COLUMNS = ("model", "strategy", "test_accuracy", "source")


def read_published(table: Path) -> tuple[Published, ...]:
    """Read what others reached, where a file beside a table says so.

    Args:
        table: The table; `published.csv` in its folder has the columns model,
            strategy, test_accuracy (a fraction) and source.

    Returns:
        Its rows; none where there is no such file.

    Raises:
        DataError: The file cannot be read, or a cell in it.
    """
    path = table.with_name(FILE)
    if not path.is_file() or path == table:
        return ()
    try:
        frame = pd.read_csv(path, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: no readable table ({error})") from None
    if list(frame) != list(COLUMNS):
        raise DataError(f"{path}: its columns are {', '.join(COLUMNS)}")
    values = pd.to_numeric(frame["test_accuracy"], errors="coerce")
    wrong = ~values.between(0, 1)
    if wrong.any():
        number = int(wrong.idxmax())
        raise DataError(
            f"{path}, line {number + 2}: test_accuracy "
            f"{frame['test_accuracy'][number]!r} is no fraction"
        )
    frame["test_accuracy"] = values
    return tuple(Published(*row) for row in frame.itertuples(index=False))


def below(table: PrintedTable) -> Iterator[Remark]:
    """Find test accuracies whose interval lies below a published one.

    A run that others' runs of the same network beat on the same images says how it
    was trained, not what the network or its pretrained features can do.

    Args:
        table: The printed table.

    Yields:
        A finding for each accuracy column on test with such rows.
    """
    known = {(each.model, each.strategy): each for each in table.published}
    for column, rows, total in accuracies_of(table):
        found = []
        for row in rows:
            other = known.get((row.model, row.strategy))
            if other is None or column.split != "test":
                continue
            low, high = wilson(math.floor(row.values[column].value * total), total)
            if high < other.accuracy:
                found.append((row, low, high, other))
        if not found:
            continue
        shown, shown_zh = (
            [
                f"{row.name} {row.values[column].text} ({interval(low, high)} %) "
                f"{against} {percent(other.accuracy)} % "
                f"({strategy_name(other.strategy, language)})"
                for row, low, high, other in found
            ]
            for language, against in (("en", "against"), ("zh", "對"))
        )
        sources = "; ".join(dict.fromkeys(other.source for *_, other in found))
        yield Remark(
            "below",
            f"{column.heading}: with the same network on the same {total:,} images "
            f"others reached more: {listed(shown)} ({sources}). So look "
            "at the training first (too short, or BatchNorm that moved in frozen "
            "layers); this is no evidence against pretrained features.",
            f"{column.heading}：他人以相同網路在相同的 {total:,} 張影像上得到更高的"
            f"準確率：{listed(shown_zh, 'zh')}（{sources}）。因此應先檢查訓練"
            "（訓練不足，或凍結層的 BatchNorm 仍在變動）；這不是預訓練特徵無用的證據。",
            {row.name: other.accuracy for row, *_, other in found},
            tuple((row.name, column.heading) for row, *_ in found),
        )
