"""What no confusion table of whole images could have given."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations, takewhile
from typing import NamedTuple

import numpy as np

from lightbox.base.words import _, ngettext
from lightbox.printed.numbers import SLACK, Column, Printed, metric_name
from lightbox.printed.table import (
    IMPOSSIBLE,
    INCONSISTENT,
    MIXED,
    RENAMED,
    PrintedTable,
    Remark,
    Row,
    clauses,
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

    For given true positives every metric grows with the true negatives, so that those
    which fit are a run of whole numbers, from `first` to `last`; arrays are (M,).
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
        """Bound the share of values, printed `width` apart, that would fit: 0 to 1."""
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

    It is `negatives + 1` where it never does.
    """
    low, high = np.zeros(len(tps), dtype=np.int64), np.full(len(tps), negatives + 1)
    for _step in range(int(negatives + 1).bit_length()):
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
    """Say what a count was divided by, if that is known; a tie in AUROC is half."""
    counts = row.count(column.split)
    pairs = None
    if counts.negatives is not None:
        pairs = 2 * counts.positives * counts.negatives
    return {
        "accuracy": counts.images,
        "recall": counts.positives,
        "specificity": counts.negatives,
        "auroc": pairs,
    }.get(column.quantity)


def possible(column: Column, row: Row) -> bool | None:
    """Tell whether some whole number of images gives an entry; None: not known."""
    printed, total = row.values.get(column), denominator(column, row)
    if printed is None or total is None or column.averaged or printed.averaged:
        return None
    return total > 0 and len(printed.counts(total)) > 0


def impossible(table: PrintedTable) -> Iterator[Remark]:
    """Find entries outside a metric's range, and those that are no k/n.

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
    if column.quantity == "loss":
        said = ngettext(
            "{heading}: {count:,} value outside 0 or more: {shown}.",
            "{heading}: {count:,} values outside 0 or more: {shown}.",
            len(rows),
        )
    else:
        said = ngettext(
            "{heading}: {count:,} value outside 0 to 1: {shown}.",
            "{heading}: {count:,} values outside 0 to 1: {shown}.",
            len(rows),
        )
    return Remark(
        IMPOSSIBLE,
        said.format(heading=column.heading, count=len(rows), shown=clauses(shown)),
        {"rows": len(rows)},
        tuple((row.name, column.heading) for row in rows),
    )


def _no_fraction(column: Column, rows: list[Row], total: int, tested: int) -> Remark:
    """Say between which two fractions an entry lies."""
    shown = [f"{r.name} {_between(r.values[column], total)}" for r in rows]
    metric, verb = column.quantity, ngettext("is", "are", len(rows))
    what = {
        "accuracy": _("{total:,} images"),
        "recall": _("{total:,} positives"),
        "specificity": _("{total:,} negatives"),
        "auroc": _("{pairs:,} pairs of images"),
    }[metric].format(total=total, pairs=total // 2)
    said = ngettext(
        "{heading}: {count} of {tested:,} value {verb} no k/{total}, so no {metric} "
        "over {what}: {shown}.",
        "{heading}: {count} of {tested:,} values {verb} no k/{total}, so no {metric} "
        "over {what}: {shown}.",
        tested,
    ).format(
        heading=column.heading,
        count=len(rows),
        tested=tested,
        verb=verb,
        total=total,
        metric=metric_name(metric),
        what=what,
        shown=clauses(shown),
    )
    if metric == "accuracy" and total % USUAL_BATCH:
        said += _(
            " A mean of batch means with a short last batch would look like this."
        )
    return Remark(
        IMPOSSIBLE,
        said,
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


Group = Sequence[Column]  # of one split and stage
NAMES = ("recall", "specificity", "precision", "npv")
# Another name is believed if values without a cause would fit it this rarely; some
# twenty namings are tried.
RARE = 0.001


class Naming(NamedTuple):
    """Other names for columns, whether F1 fits them too, each row's tables."""

    changed: dict[Column, str]
    with_f1: bool
    fits: list[Fit]


def renamed(columns: Group, rows: list[Row], fits: list[Fit]) -> Remark | None:
    """Look for names under which every row is consistent."""
    for naming in _namings(columns, rows):
        if _chance(columns, rows, naming) < RARE:
            return _said(columns, rows, fits, naming)
    return None


def _namings(columns: Group, rows: Sequence[Row]) -> Iterator[Naming]:
    """Try every assignment of names, those with the fewest changes first."""
    split = columns[0].split
    named = [column for column in columns if column.quantity in NAMES]
    tried = [
        {c: to for c, to in zip(named, order, strict=True) if c.quantity != to}
        for order in permutations(NAMES, len(named))
    ]
    has_f1 = any(column.quantity == "f1" for column in columns)
    for changed in sorted(filter(None, tried), key=len):
        for with_f1 in (True, False) if has_f1 else (False,):
            known = (_fit(columns, row, changed, with_f1, split) for row in rows)
            found = list(takewhile(bool, known))
            if len(found) == len(rows):
                yield Naming(changed, with_f1, found)
                break


def _fit(
    group: Group, row: Row, changed: dict[Column, str], with_f1: bool, split: str
) -> Fit:
    """Fit a row's values under other names."""
    values = {
        changed.get(column, column.quantity): row.values[column]
        for column in group
        if column in row.values
        and not row.values[column].averaged
        and (with_f1 or column.quantity != "f1")
    }
    return fitting(row, split, values)


def _chance(columns: Group, rows: Sequence[Row], naming: Naming) -> float:
    """Bound how often any numbers in the renamed columns would fit as well."""
    chance = 1.0
    for row in rows:
        kept = {c: to for c, to in naming.changed.items() if c in row.values}
        if not kept:
            continue
        others = [c for c in columns if c not in kept]
        if free := _fit(others, row, {}, naming.with_f1, columns[0].split):
            chance *= min(
                free.share(to, max(2 * row.values[column].half, 1e-6))
                for column, to in kept.items()
            )
    return chance


def _said(columns: Group, rows: list[Row], fits: list[Fit], naming: Naming) -> Remark:
    """Say under which name what fits, with one row worked out."""
    wrong = sum(not each for each in fits)
    pairs = [
        _('"{heading}" is {metric}').format(heading=c.heading, metric=metric_name(to))
        for c, to in naming.changed.items()
    ]
    said = _(
        "{pairs}: under this name all {rows} rows are consistent, under the printed "
        "one {right}."
    ).format(pairs=_(", ").join(pairs), rows=len(rows), right=len(rows) - wrong)
    number = max(range(len(rows)), key=lambda k: not fits[k])
    row, found = rows[number], naming.fits[number]
    tp, tn = int(found.tp[0]), int(found.first[0])
    p, n = found.positives, found.negatives
    named = {naming.changed.get(c, c.quantity): c.heading for c in columns}
    sums = [
        f"{r.name} {f.tp[0]} + {f.first[0]} = {f.tp[0] + f.first[0]}"
        for r, f in zip(rows, naming.fits, strict=True)
        if f.count == 1
    ]
    if sums and {"accuracy", "recall", "specificity"} <= set(named):
        product = f'"{named["recall"]}" x {p} + "{named["specificity"]}" x {n}'
        product += f' = "{named["accuracy"]}" x {p + n}'
        said += _(" {product}: {sums}.").format(product=product, sums=clauses(sums))
    truth = {k: float(found.ends(k)[0][0]) for k in ("precision", "f1")}
    headings = [column.heading for column in naming.changed]
    f1 = next((c for c in columns if c.quantity == "f1"), None)
    printed = None
    if f1 is not None and not naming.with_f1:
        headings.append(f1.heading)
        printed = row.values.get(f1)
    last = (
        _(" {row} has {table}: its precision {precision:.3f}, F1 {f1:.3f}, not {not_}.")
        if printed
        else _(" {row} has {table}: its precision {precision:.3f}, F1 {f1:.3f}.")
    )
    table = f"TP {tp}, FN {p - tp}, FP {n - tn}, TN {tn}"
    said += last.format(
        row=row.name, table=table, not_=printed and printed.text, **truth
    )
    return Remark(
        RENAMED,
        said,
        {"rows": len(rows), "wrong": wrong, "tp": tp, "tn": tn} | truth,
        tuple((each.name, heading) for each in rows for heading in headings),
    )


def groups(table: PrintedTable) -> list[Group]:
    """Collect the columns of one split and stage that have a formula; no means."""
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
    """Find rows that no confusion table gives."""
    for group in groups(table):
        split = group[0].split
        found = [(r, fitting(r, split, entries(group, r))) for r in table.rows]
        unknown = [row for row, answer in found if answer is None]
        rows = [row for row, answer in found if answer is not None]
        fits = [answer for row, answer in found if answer is not None]
        bad = [row for row, answer in found if answer is not None and not answer]
        if bad and (named := renamed(group, rows, fits)):
            yield named
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
    without = {
        left: fitting(row, split, {k: v for k, v in values.items() if k != left})
        for left in values
        if len(values) > 1
    }
    blamed = [quantity for quantity, fits in without.items() if fits]
    p, n = counts.positives, counts.negatives
    answers = _("{p:,} positives and {n:,} negatives").format(p=p, n=n)
    if counts.tp is not None and counts.tn is not None:
        known = _(", of which {tp:,} and {tn:,} are right")
        answers += known.format(tp=counts.tp, tn=counts.tn)
    more = ""
    if len(blamed) == 1:
        least, most = without[blamed[0]].ends(blamed[0])
        low, high = f"{least.min():.4f}", f"{most.max():.4f}"
        values_are = low if low == high else _("{low} to {high}")
        more = _("; the others agree and give {heading} {range}").format(
            heading=headings[blamed[0]], range=values_are.format(low=low, high=high)
        )
    elif blamed:
        named = _(", ").join(headings[quantity] for quantity in blamed)
        more = _("; it would do without any one of {named}").format(named=named)
    said = _("{row}: no confusion table of {answers} gives {shown}{more}.").format(
        row=row.name,
        answers=answers,
        shown=_(", ").join(f"{headings[k]} {v.text}" for k, v in values.items()),
        more=more,
    )
    chosen = [headings[k] for k in (blamed if len(blamed) == 1 else values)]
    return Remark(
        INCONSISTENT,
        said,
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
        doubt = _("; means over classes may differ so, numbers of one class cannot")
        said = _(
            "{row}: {given} give {heading} from {low:.4f} to {high:.4f}, not "
            "{printed}{doubt}."
        ).format(
            row=row.name,
            given=_(", ").join(f"{headings[k]} {values[k].text}" for k in parts),
            heading=headings[whole],
            low=low,
            high=high,
            printed=values[whole].text,
            doubt="" if sure else doubt,
        )
        yield Remark(
            INCONSISTENT if sure else MIXED,
            said,
            {"low": low, "high": high},
            ((row.name, headings[whole]),),
        )


def _harmonic(one: Printed, other: Printed) -> tuple[float, float]:
    """Bound F1, which grows with precision and with recall."""
    pairs = ((max(one.low, 0), max(other.low, 0)), (one.high, other.high))
    low, high = (2 * p * r / (p + r) if p + r else 0.0 for p, r in pairs)
    return low, high


def _mean_of(one: Printed, other: Printed) -> tuple[float, float]:
    """Bound accuracy, a weighted mean of recall and specificity."""
    return min(one.low, other.low), max(one.high, other.high)


def _middle(one: Printed, other: Printed) -> tuple[float, float]:
    return (one.low + other.low) / 2, (one.high + other.high) / 2


_IDENTITIES: Sequence = (
    ("f1", ("precision", "recall"), _harmonic),
    ("accuracy", ("recall", "specificity"), _mean_of),
    ("balanced_accuracy", ("recall", "specificity"), _middle),
)
