"""Imbalanced classes, and accuracies that are no better than the majority answer."""

from collections.abc import Iterator

from lightbox.auditing.claims import accuracies_of
from lightbox.auditing.counts import SPLITS
from lightbox.auditing.headings import Column
from lightbox.auditing.remark import Remark, listed
from lightbox.auditing.table import PrintedTable, Row
from lightbox.intervals import wilson

IMBALANCED = 2.0  # images of the largest class for each of the smallest
_SPLIT_ZH = {"train": "訓練集", "val": "驗證集", "test": "測試集"}


def majority(table: PrintedTable) -> Iterator[Remark]:
    """Find imbalanced classes, and accuracies that are no more than the majority's.

    Args:
        table: The printed table.

    Yields:
        A finding on the classes where they are imbalanced, and one for each
        accuracy column with values whose interval holds the majority share.
    """
    shares = {}
    for split in SPLITS:
        sizes = _sizes(table, split)
        if sizes:
            most, least = max(sizes, key=sizes.get), min(sizes, key=sizes.get)
            if sizes[most] >= IMBALANCED * sizes[least]:
                shares[split] = (most, sizes[most], sum(sizes.values()))
    if shares:
        yield _imbalance(shares)
    for column, rows, total in accuracies_of(table):
        sizes = _sizes(table, column.split) or _of_row(rows[0], column.split)
        if not sizes or sum(sizes.values()) != total:
            continue
        most = max(sizes, key=sizes.get)
        share, near = sizes[most] / total, []
        for row in rows:
            value = row.values[column].value
            low, high = wilson(round(value * total), total)
            if low <= share and value >= share:
                near.append((row, value, low, high))
        if near:
            yield _near(column, near, most, share, total)


def _imbalance(shares: dict[str, tuple[str, int, int]]) -> Remark:
    """Say what each split's majority is."""
    parts_en = [
        f"{100 * count / total:.1f} % {name} in {split} ({count:,} of {total:,})"
        for split, (name, count, total) in shares.items()
    ]
    parts_zh = [
        f"{_SPLIT_ZH[split]} {name} 占 {100 * count / total:.1f} %"
        f"（{total:,} 張中 {count:,} 張）"
        for split, (name, count, total) in shares.items()
    ]
    return Remark(
        "imbalance",
        f"The majority: {listed(parts_en)}; always giving that answer is right "
        "as often.",
        f"多數類別：{listed(parts_zh, 'zh')}；一律如此作答即有此準確率。",
        {split: count / total for split, (_, count, total) in shares.items()},
        (),
    )


def _near(column: Column, near: list, most: str, share: float, total: int) -> Remark:
    """Name the accuracies within noise of the majority's."""
    shown = [
        f"{row.name} {100 * value:.1f} % (95 % interval {100 * low:.1f} to "
        f"{100 * high:.1f}), {100 * (value - share):.1f} points above"
        for row, value, low, high in near
    ]
    shown_zh = [
        f"{row.name} {100 * value:.1f} %（95 % 信賴區間 {100 * low:.1f} 至 "
        f"{100 * high:.1f}），僅高 {100 * (value - share):.1f} 個百分點"
        for row, value, low, high in near
    ]
    return Remark(
        "majority",
        f"{column.heading}: always answering {most} is right on {100 * share:.1f} % of "
        f"the {total:,} {column.split} images; within noise of it: {listed(shown)}.",
        f"{column.heading}：{_SPLIT_ZH[column.split]} {total:,} 張影像一律答 {most} "
        f"即有 {100 * share:.1f} %；與之相差在誤差之內：{listed(shown_zh, 'zh')}。",
        {"share": share, "rows": len(near)},
        tuple((row.name, column.heading) for row, *_ in near),
    )


def _sizes(table: PrintedTable, split: str) -> dict[str, int]:
    """Give the class sizes of a split that all rows share."""
    found = [_of_row(row, split) for row in table.rows if row.count(split).images]
    return found[0] if found and all(each == found[0] for each in found) else {}


def _of_row(row: Row, split: str) -> dict[str, int]:
    """Give the class sizes of a row's split, under plain names if need be."""
    counts = row.count(split)
    if counts.classes:
        return dict(counts.classes)
    if counts.negatives is None:
        return {}
    return {"positive": counts.positives, "negative": counts.negatives}
