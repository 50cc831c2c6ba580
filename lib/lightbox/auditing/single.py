"""Entries that are impossible by themselves: no count over its number of images."""

from collections.abc import Iterator

from lightbox.auditing.headings import Column, name
from lightbox.auditing.remark import IMPOSSIBLE, Remark, listed
from lightbox.auditing.table import PrintedTable, Row
from lightbox.auditing.values import SLACK, Printed
from lightbox.findings.base import plural

USUAL_BATCH = 32  # where it divides the images, no last batch is short


def denominator(column: Column, row: Row) -> int | None:
    """Say what a count was divided by.

    Args:
        column: The metric.
        row: For its counts.

    Returns:
        Images for accuracy, those of one class for recall and specificity, twice
        the pairs for AUROC (a tie counts half); None where that is not known, or
        the metric has no fixed one.
    """
    counts = row.count(column.split)
    if column.quantity == "accuracy":
        return counts.images
    if column.quantity == "recall":
        return counts.positives
    if column.quantity == "specificity":
        return counts.negatives
    if column.quantity == "auroc" and counts.negatives is not None:
        return 2 * counts.positives * counts.negatives
    return None


def possible(column: Column, row: Row) -> bool | None:
    """Test one entry.

    Args:
        column: The metric.
        row: The row.

    Returns:
        Whether some whole number of images gives it; None where nothing is
        printed, or no number of images is known.
    """
    printed, total = row.values.get(column), denominator(column, row)
    if printed is None or total is None or column.averaged or printed.averaged:
        return None
    return total > 0 and len(printed.counts(total)) > 0


def impossible(table: PrintedTable) -> Iterator[Remark]:
    """Find entries outside a metric's range, and those that are no k/n.

    Args:
        table: The printed table.

    Yields:
        A finding for each column and number of images.

    Source:
        Brown and Heathers 2017, doi 10.1177/1948550616673876 (GRIM).
    """
    for column in table.columns:
        outside = [row for row in table.rows if _outside(column, row)]
        if outside:
            yield _range(column, outside)
        totals: dict[int, list[Row]] = {}
        tested: dict[int, int] = {}
        for row in table.rows:
            answer = possible(column, row)
            if answer is None or row in outside:
                continue
            total = denominator(column, row)
            tested[total] = tested.get(total, 0) + 1
            if not answer:
                totals.setdefault(total, []).append(row)
        for total, rows in totals.items():
            yield _no_fraction(column, rows, total, tested[total])


def _outside(column: Column, row: Row) -> bool:
    printed = row.values.get(column)
    if printed is None:
        return False
    too_large = column.quantity != "loss" and printed.low > 1 + SLACK
    return too_large or printed.high < -SLACK


def _range(column: Column, rows: list[Row]) -> Remark:
    shown = [f"{row.name} {row.values[column].text}" for row in rows]
    top_en = "0 or more" if column.quantity == "loss" else "0 to 1"
    top_zh = "小於 0" if column.quantity == "loss" else "不在 0 與 1 之間"
    return Remark(
        IMPOSSIBLE,
        f"{column.heading}: {plural(len(rows), 'value')} outside {top_en}: "
        f"{listed(shown)}.",
        f"{column.heading}：{len(rows)} 個數值{top_zh}：{listed(shown, 'zh')}。",
        {"rows": len(rows)},
        tuple((row.name, column.heading) for row in rows),
    )


def _no_fraction(column: Column, rows: list[Row], total: int, tested: int) -> Remark:
    """Say between which two fractions an entry lies."""
    shown = [f"{r.name} {_between(r.values[column], total)}" for r in rows]
    metric = column.quantity
    what = {
        "accuracy": (f"{total:,} images", f"{total:,} 張影像"),
        "recall": (f"{total:,} positives", f"{total:,} 張陽性影像"),
        "specificity": (f"{total:,} negatives", f"{total:,} 張陰性影像"),
        "auroc": (f"{total // 2:,} pairs of images", f"{total // 2:,} 對影像"),
    }[metric]
    en = (
        f"{column.heading}: {len(rows)} of {plural(tested, 'value')} "
        f"{'is' if len(rows) == 1 else 'are'} no k/{total}, so no {name(metric)} over "
        f"{what[0]}: {listed(shown)}."
    )
    zh = (
        f"{column.heading}：{tested} 個數值中有 {len(rows)} 個不是 k/{total}，"
        f"因此不是 {what[1]}的{name(metric, 'zh')}：{listed(shown, 'zh')}。"
    )
    if metric == "accuracy" and total % USUAL_BATCH:
        en += " A mean of batch means with a short last batch would look like this."
        zh += "若將各批次的平均再取平均，而最後一批較小，便會出現這樣的數值。"
    return Remark(
        IMPOSSIBLE,
        en,
        zh,
        {"tested": tested, "impossible": len(rows), "total": total},
        tuple((row.name, column.heading) for row in rows),
    )


def _between(printed: Printed, total: int) -> str:
    """Name the printed value and the fractions beside it."""
    if total == 0:
        return printed.text
    below = min(int(printed.value * total), total - 1)
    # As many digits as tell the neighbours from what is printed.
    places = 4 if printed.half > 1e-5 else 6
    sides = [f"{k} = {k / total:.{places}f}" for k in (below, below + 1)]
    return f"{printed.text} ({sides[0]}, {sides[1]})"
