"""Rows whose entries cannot all be true of one confusion table."""

from collections.abc import Iterator, Mapping, Sequence

from lightbox.auditing.fitting import FORMULAS, Fit, fit
from lightbox.auditing.headings import Column
from lightbox.auditing.naming import renamed
from lightbox.auditing.remark import AVERAGES, INCONSISTENT, Remark
from lightbox.auditing.single import possible
from lightbox.auditing.table import PrintedTable, Row
from lightbox.auditing.values import Printed

Group = tuple[Column, ...]


def groups(table: PrintedTable) -> list[Group]:
    """Collect the columns that speak of the same predictions.

    Args:
        table: The printed table.

    Returns:
        Columns of one split and stage that have a formula; means are left out.
    """
    found: dict[tuple[str, str], list[Column]] = {}
    for column in table.columns:
        if column.quantity in FORMULAS and not column.averaged:
            found.setdefault((column.split, column.stage), []).append(column)
    return [tuple(columns) for columns in found.values()]


def entries(group: Group, row: Row) -> dict[str, Printed]:
    """Give a row's values of a group, by metric; means over seeds are left out."""
    return {
        column.quantity: row.values[column]
        for column in group
        if column in row.values and not row.values[column].averaged
    }


def fitting(row: Row, split: str, values: Mapping[str, Printed]) -> Fit | None:
    """Fit a row; None where its classes are not known."""
    counts = row.count(split)
    if counts.positives is None or counts.negatives is None:
        return None
    return fit(values, counts.positives, counts.negatives, tp=counts.tp, tn=counts.tn)


def inconsistent(table: PrintedTable) -> Iterator[Remark]:
    """Find rows that no confusion table gives.

    Args:
        table: The printed table.

    Yields:
        One finding where another name explains a column in every row; else one for
        each row.
    """
    for group in groups(table):
        split = group[0].split
        rows, fits, unknown = [], [], []
        for row in table.rows:
            answer = fitting(row, split, entries(group, row))
            if answer is None:
                unknown.append(row)
            else:
                rows.append(row)
                fits.append(answer)
        bad = [row for row, answer in zip(rows, fits, strict=True) if not answer]
        if bad and (found := renamed(group, rows, fits)):
            yield found
            bad = []
        for row in bad:
            # What is impossible alone was said already.
            alone = {c.quantity for c in group if possible(c, row) is False}
            kept = {k: v for k, v in entries(group, row).items() if k not in alone}
            if not alone or not fitting(row, split, kept):
                yield _row(row, group, kept)
        for row in unknown:
            yield from _identities(row, group)


def _row(row: Row, group: Group, values: dict[str, Printed]) -> Remark:
    """Say which entries a row's table would fit without."""
    counts, split = row.count(group[0].split), group[0].split
    headings = {c.quantity: c.heading for c in group if c.quantity in values}
    blamed = [
        quantity
        for quantity in values
        if len(values) > 1
        and fitting(row, split, {k: v for k, v in values.items() if k != quantity})
    ]
    shown = ", ".join(f"{headings[k]} {v.text}" for k, v in values.items())
    shown_zh = shown.replace(", ", "、")
    p, n = counts.positives, counts.negatives
    answers_en = f"{p:,} positives and {n:,} negatives"
    answers_zh = f"{p:,} 張陽性與 {n:,} 張陰性影像"
    if counts.tp is not None and counts.tn is not None:
        answers_en += f", of which {counts.tp:,} and {counts.tn:,} are right"
        answers_zh += f"（答對 {counts.tp:,} 與 {counts.tn:,} 張）"
    en = f"{row.name}: no confusion table of {answers_en} gives {shown}"
    zh = f"{row.name}：{answers_zh}的任何混淆矩陣都得不到 {shown_zh}"
    if len(blamed) == 1:
        fits = fitting(row, split, {k: v for k, v in values.items() if k != blamed[0]})
        least, most = fits.ends(blamed[0])
        low, high = f"{least.min():.4f}", f"{most.max():.4f}"
        range_en = low if low == high else f"{low} to {high}"
        range_zh = low if low == high else f"{low} 至 {high}"
        en += f"; the others agree and give {headings[blamed[0]]} {range_en}"
        zh += f"；其餘彼此相符，{headings[blamed[0]]}應為 {range_zh}"
    elif blamed:
        named = [headings[quantity] for quantity in blamed]
        en += f"; it would do without any one of {', '.join(named)}"
        zh += f"；去掉{'、'.join(named)}其中之一即相符"
    chosen = [headings[k] for k in (blamed if len(blamed) == 1 else values)]
    return Remark(
        INCONSISTENT,
        en + ".",
        zh + "。",
        {"positives": p, "negatives": n, "blamed": blamed},
        tuple((row.name, heading) for heading in chosen),
    )


def _identities(row: Row, group: Group) -> Iterator[Remark]:
    """Test what holds for any number of images of two classes.

    Means over several classes need not obey it: where the classes are not known, it
    is a question, and no error.
    """
    counts, values = row.count(group[0].split), entries(group, row)
    if len(counts.classes) > 2:
        return
    headings = {c.quantity: c.heading for c in group}
    sure = counts.positives is not None
    for whole, parts, bounds in _IDENTITIES:
        if whole not in values or not all(part in values for part in parts):
            continue
        low, high = bounds(*(values[part] for part in parts))
        if low <= values[whole].high and values[whole].low <= high:
            continue
        given = ", ".join(f"{headings[k]} {values[k].text}" for k in parts)
        en = (
            f"{row.name}: {given} give {headings[whole]} from {low:.4f} to {high:.4f}, "
            f"not {values[whole].text}"
        )
        zh = (
            f"{row.name}：由 {given.replace(', ', '、')} 可知 {headings[whole]} 介於 "
            f"{low:.4f} 至 {high:.4f}，而非 {values[whole].text}"
        )
        if not sure:
            en += "; means over classes may differ so, numbers of one class cannot"
            zh += "；若為各類別的平均則有可能，若屬單一類別則不可能"
        yield Remark(
            INCONSISTENT if sure else AVERAGES,
            en + ".",
            zh + "。",
            {"low": low, "high": high},
            ((row.name, headings[whole]),),
        )


def _harmonic(one: Printed, other: Printed) -> tuple[float, float]:
    """Bound F1, which grows with precision and with recall."""
    pairs = ((max(one.low, 0), max(other.low, 0)), (one.high, other.high))
    low, high = (2 * p * r / (p + r) if p + r else 0.0 for p, r in pairs)
    return low, high


def _between(one: Printed, other: Printed) -> tuple[float, float]:
    """Bound accuracy, a weighted mean of recall and specificity."""
    return min(one.low, other.low), max(one.high, other.high)


def _middle(one: Printed, other: Printed) -> tuple[float, float]:
    return (one.low + other.low) / 2, (one.high + other.high) / 2


_IDENTITIES: Sequence = (
    ("f1", ("precision", "recall"), _harmonic),
    ("accuracy", ("recall", "specificity"), _between),
    ("balanced_accuracy", ("recall", "specificity"), _middle),
)
