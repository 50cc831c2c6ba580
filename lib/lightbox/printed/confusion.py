"""What no confusion table of whole images could have given."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from lightbox.base.words import said_in
from lightbox.display.sentences import plural
from lightbox.printed.numbers import SLACK, Column, Printed, metric_name
from lightbox.printed.table import AVERAGES_SAID as AVERAGES
from lightbox.printed.table import (
    IMPOSSIBLE,
    INCONSISTENT,
    RENAMED,
    PrintedTable,
    Remark,
    Row,
    listed,
)

# Of true positives, true negatives, positives and negatives. A ratio without a
# denominator is 0, as scikit-learn prints it.
FORMULAS: dict[str, Callable[..., np.ndarray]] = {
    "accuracy": lambda tp, tn, p, n: _ratio(tp + tn, p + n),
    "recall": lambda tp, tn, p, n: _ratio(tp, p),
    "specificity": lambda tp, tn, p, n: _ratio(tn, n),
    "precision": lambda tp, tn, p, n: _ratio(tp, tp + n - tn),
    "npv": lambda tp, tn, p, n: _ratio(tn, tn + p - tp),
    "f1": lambda tp, tn, p, n: _ratio(2 * tp, tp + n - tn + p),
    "balanced_accuracy": lambda tp, tn, p, n: (_ratio(tp, p) + _ratio(tn, n)) / 2,
}


@dataclass(frozen=True)
class Fit:
    """Confusion tables that round to everything printed.

    For given true positives every metric grows with the true negatives, so that
    those which fit are a run of whole numbers.

    Attributes:
        tp: True positives, (M,).
        first: Fewest true negatives that fit each, (M,).
        last: Most of them, (M,).
        positives: Images of the positive class.
        negatives: The others.
    """

    tp: np.ndarray
    first: np.ndarray
    last: np.ndarray
    positives: int
    negatives: int

    def __bool__(self) -> bool:
        return len(self.tp) > 0

    @property
    def count(self) -> int:
        """How many tables fit."""
        return int((self.last - self.first + 1).sum())

    def ends(self, quantity: str) -> tuple[np.ndarray, np.ndarray]:
        """Compute the least and the greatest value for each true positives, (M,)."""
        formula, sides = FORMULAS[quantity], (self.positives, self.negatives)
        return formula(self.tp, self.first, *sides), formula(self.tp, self.last, *sides)

    def share(self, quantity: str, width: float) -> float:
        """Bound the share of all printable values of a metric that would fit.

        Args:
            quantity: The metric.
            width: The step between two printable values.

        Returns:
            A fraction of 1.
        """
        low, high = ((end / width).astype(np.int64) for end in self.ends(quantity))
        steps = np.zeros(int(1 / width) + 3, dtype=np.int64)
        np.add.at(steps, low, 1)
        np.add.at(steps, high + 1, -1)
        covered = int((np.cumsum(steps) > 0).sum())
        return min(1.0, min(covered, self.count) * width)


def fit(
    printed: Mapping[str, Printed],
    positives: int,
    negatives: int,
    *,
    tp: int | None = None,
    tn: int | None = None,
) -> Fit:
    """Find every confusion table that fits.

    Args:
        printed: Printed values by metric; those without a formula are passed over.
        positives: Images of the positive class.
        negatives: The others.
        tp: The true positives, where they are known.
        tn: The true negatives, where they are.

    Returns:
        The tables; none where nothing fits.

    Source:
        The idea of Brown and Heathers 2017, doi 10.1177/1948550616673876 (GRIM),
        for tables of two classes.
    """
    used = {name: value for name, value in printed.items() if name in FORMULAS}
    tps = np.arange(positives + 1) if tp is None else np.array([tp])
    if tn is None:
        first = np.zeros(len(tps), dtype=np.int64)
        after = np.full(len(tps), negatives + 1)
    else:
        first, after = np.full(len(tps), tn), np.full(len(tps), tn + 1)
    for name, value in used.items():
        low, high = value.low, np.nextafter(value.high, np.inf)
        first = np.maximum(first, _reach(name, tps, low, positives, negatives))
        after = np.minimum(after, _reach(name, tps, high, positives, negatives))
    kept = first < after
    return Fit(tps[kept], first[kept], after[kept] - 1, positives, negatives)


def _reach(
    name: str, tps: np.ndarray, bound: float, positives: int, negatives: int
) -> np.ndarray:
    """Find the fewest true negatives at which a metric reaches a bound, by halving.

    Returns:
        One a number of true positives, (M,); `negatives + 1` where it never does.
    """
    low, high = np.zeros(len(tps), dtype=np.int64), np.full(len(tps), negatives + 1)
    for _ in range(int(negatives + 1).bit_length()):
        middle = np.minimum((low + high) // 2, negatives)
        there = FORMULAS[name](tps, middle, positives, negatives) >= bound
        searching = low < high
        high = np.where(searching & there, middle, high)
        low = np.where(searching & ~there, middle + 1, low)
    return high


def _ratio(above: np.ndarray, below: np.ndarray | int) -> np.ndarray:
    above, below = np.broadcast_arrays(np.asarray(above, float), below)
    return np.divide(above, below, out=np.zeros(above.shape), where=below > 0)


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
        f"{column.heading}：{len(rows)} 個數值{top_zh}："
        f"{said_in('zh', listed, shown)}。",
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
        f"{'is' if len(rows) == 1 else 'are'} no k/{total}, so no "
        f"{metric_name(metric)} over {what[0]}: {listed(shown)}."
    )
    zh = (
        f"{column.heading}：{tested} 個數值中有 {len(rows)} 個不是 k/{total}，"
        f"因此不是 {what[1]}的{said_in('zh', metric_name, metric)}："
        f"{said_in('zh', listed, shown)}。"
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


NAMES = ("recall", "specificity", "precision", "npv")
# Another name is believed if values without a cause would fit it this rarely; some
# twenty namings are tried.
RARE = 0.001


@dataclass(frozen=True)
class Naming:
    """Other names for the columns of a table.

    Attributes:
        changed: Columns that get another name, and which.
        with_f1: Whether the printed F1 fits the new names too.
        fits: The confusion tables of each row under them.
    """

    changed: dict[Column, str]
    with_f1: bool
    fits: tuple[Fit, ...]


def renamed(
    columns: Sequence[Column], rows: Sequence[Row], fits: Sequence[Fit]
) -> Remark | None:
    """Look for names under which every row is consistent.

    Args:
        columns: The columns of one split and stage.
        rows: The rows whose classes are known.
        fits: What fits each row under the printed names, some of it nothing.

    Returns:
        The finding with the fewest changed names; None where no naming fits all
        rows, or the numbers are too coarse to tell.
    """
    split = columns[0].split
    for naming in _namings(columns, rows, split):
        if _chance(columns, rows, naming, split) < RARE:
            return _said(columns, rows, fits, naming)
    return None


def _namings(
    columns: Sequence[Column], rows: Sequence[Row], split: str
) -> Iterator[Naming]:
    """Try every assignment of names, those with the fewest changes first."""
    named = [column for column in columns if column.quantity in NAMES]
    tried = [
        {c: to for c, to in zip(named, order, strict=True) if c.quantity != to}
        for order in permutations(NAMES, len(named))
    ]
    has_f1 = any(column.quantity == "f1" for column in columns)
    for changed in sorted(filter(None, tried), key=len):
        for with_f1 in (True, False) if has_f1 else (False,):
            found = []
            for row in rows:
                answer = _fit(_values(columns, row, changed, with_f1), row, split)
                if not answer:
                    break
                found.append(answer)
            else:
                yield Naming(changed, with_f1, tuple(found))
                break


def _values(
    columns: Sequence[Column], row: Row, changed: dict[Column, str], with_f1: bool
) -> dict[str, Printed]:
    """Give a row's values under other names."""
    return {
        changed.get(column, column.quantity): row.values[column]
        for column in columns
        if column in row.values
        and not row.values[column].averaged
        and (with_f1 or column.quantity != "f1")
    }


def _fit(values: dict[str, Printed], row: Row, split: str) -> Fit:
    counts = row.count(split)
    return fit(values, counts.positives, counts.negatives, tp=counts.tp, tn=counts.tn)


def _chance(
    columns: Sequence[Column], rows: Sequence[Row], naming: Naming, split: str
) -> float:
    """Bound how often any numbers in the renamed columns would fit as well."""
    chance = 1.0
    for row in rows:
        kept = {c: to for c, to in naming.changed.items() if c in row.values}
        if not kept:
            continue
        others = [c for c in columns if c not in kept]
        free = _fit(_values(others, row, {}, naming.with_f1), row, split)
        if not free:
            continue
        shares = []
        for column, to in kept.items():
            width = max(2 * row.values[column].half, 1e-6)
            shares.append(free.share(to, width))
        chance *= min(shares)
    return chance


def _said(
    columns: Sequence[Column],
    rows: Sequence[Row],
    fits: Sequence[Fit],
    naming: Naming,
) -> Remark:
    """Say under which name what fits, with one row worked out."""
    wrong = sum(not each for each in fits)
    pairs_en = [
        f'"{c.heading}" is {metric_name(to)}' for c, to in naming.changed.items()
    ]
    pairs_zh = [
        f"「{c.heading}」其實是{said_in('zh', metric_name, to)}"
        for c, to in naming.changed.items()
    ]
    number = max(range(len(rows)), key=lambda k: not fits[k])
    row, found = rows[number], naming.fits[number]
    tp, tn = int(found.tp[0]), int(found.first[0])
    p, n = found.positives, found.negatives
    en = (
        f"{', '.join(pairs_en)}: under this name all {len(rows)} rows are consistent, "
        f"under the printed one {len(rows) - wrong}."
    )
    zh = (
        f"{'，'.join(pairs_zh)}：以此名稱 {len(rows)} 列全部相符，"
        f"以所印名稱則只有 {len(rows) - wrong} 列相符。"
    )
    named = {naming.changed.get(c, c.quantity): c for c in columns}
    if {"accuracy", "recall", "specificity"} <= set(named):
        sums = [
            f"{r.name} {f.tp[0]} + {f.first[0]} = {f.tp[0] + f.first[0]}"
            for r, f in zip(rows, naming.fits, strict=True)
            if f.count == 1
        ]
        product = (
            f'"{named["recall"].heading}" x {p} + "{named["specificity"].heading}" x '
            f'{n} = "{named["accuracy"].heading}" x {p + n}'
        )
        if sums:
            en += f" {product}: {listed(sums)}."
            zh += f"{product}：{said_in('zh', listed, sums)}。"
    truth = {k: float(found.ends(k)[0][0]) for k in ("precision", "f1")}
    table = f"TP {tp}, FN {p - tp}, FP {n - tn}, TN {tn}"
    exact = f"precision {truth['precision']:.3f}, F1 {truth['f1']:.3f}"
    exact_zh = f"精確率為 {truth['precision']:.3f}，F1 為 {truth['f1']:.3f}"
    en += f" {row.name} has {table}: its {exact}"
    zh += f"{row.name} 為 {table}：{exact_zh}"
    headings = [column.heading for column in naming.changed]
    f1 = next((c for c in columns if c.quantity == "f1"), None)
    if f1 is not None and not naming.with_f1:
        headings.append(f1.heading)
        if f1 in row.values:
            en += f", not {row.values[f1].text}"
            zh += f"，而非 {row.values[f1].text}"
    return Remark(
        RENAMED,
        en + ".",
        zh + "。",
        {"rows": len(rows), "wrong": wrong, "tp": tp, "tn": tn} | truth,
        tuple((each.name, heading) for each in rows for heading in headings),
    )


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


def _between_two(one: Printed, other: Printed) -> tuple[float, float]:
    """Bound accuracy, a weighted mean of recall and specificity."""
    return min(one.low, other.low), max(one.high, other.high)


def _middle(one: Printed, other: Printed) -> tuple[float, float]:
    return (one.low + other.low) / 2, (one.high + other.high) / 2


_IDENTITIES: Sequence = (
    ("f1", ("precision", "recall"), _harmonic),
    ("accuracy", ("recall", "specificity"), _between_two),
    ("balanced_accuracy", ("recall", "specificity"), _middle),
)
