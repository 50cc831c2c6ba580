"""Columns that are right under another name: a precision that is specificity."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations

from lightbox.auditing.fitting import Fit, fit
from lightbox.auditing.headings import Column, name
from lightbox.auditing.remark import RENAMED, Remark, listed
from lightbox.auditing.table import Row
from lightbox.auditing.values import Printed

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
    pairs_en = [f'"{c.heading}" is {name(to)}' for c, to in naming.changed.items()]
    pairs_zh = [
        f"「{c.heading}」其實是{name(to, 'zh')}" for c, to in naming.changed.items()
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
            zh += f"{product}：{listed(sums, 'zh')}。"
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
