"""Claims beyond the numbers: ties, small splits, majorities, what others reached."""

import math
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pandas as pd

from lightbox.base.errors import DataError
from lightbox.base.words import _, ngettext, pgettext
from lightbox.display.names import strategy_name
from lightbox.display.sentences import interval, percent
from lightbox.evaluation.significance import ALPHA, wilson
from lightbox.printed.numbers import Column
from lightbox.printed.table import SPLITS, PrintedTable, Published, Remark, Row, clauses

# A 95 % interval wider than this to one side tells no two models apart.
WIDE = 0.1
NORMAL = 1.96  # standard errors


def ties(table: PrintedTable) -> Iterator[Remark]:
    """Find leads in accuracy that no test on these images could confirm.

    With b images that only the first got right and c that only the second did, the
    exact McNemar p is smallest for c = 0, whatever the pairs: 2 ** (1 - b).

    """
    for column, rows, total in accuracies_of(table):
        best = max(rows, key=lambda row: row.values[column].value)
        top, tied = best.values[column], []
        for row in sorted(rows, key=lambda row: -row.values[column].value):
            printed = row.values[column]
            lead = math.floor((top.high - printed.low) * total)
            pvalue = min(1.0, 2.0 ** (1 - lead))
            if row is not best and pvalue >= ALPHA:
                tied.append((row, lead, pvalue))
        if not tied:
            continue
        count = _right(best, column, total)
        against = [
            f"{r.name} ({_right(r, column, total)}, p >= {p:g})" for r, _lead, p in tied
        ]
        said = _(
            "{heading}: {best} is highest with {count} of {total} right, but whatever "
            "the pairs, exact McNemar cannot tell it from {against}: a tie."
        ).format(
            heading=column.heading,
            best=best.name,
            count=count,
            total=total,
            against=clauses(against),
        )
        yield Remark(
            "tie",
            said,
            {"total": total, "leads": [lead for _row, lead, _p in tied]},
            tuple((r.name, column.heading) for r in [best, *(t[0] for t in tied)]),
        )


def accuracies_of(table: PrintedTable) -> Iterator[tuple[Column, list[Row], int]]:
    """Give accuracy columns with the rows that count the same images."""
    for column in table.columns:
        if column.quantity != "accuracy" or column.averaged:
            continue
        totals: dict[int, list[Row]] = {}
        for row in table.rows:
            total = row.count(column.split).images
            printed = row.values.get(column)
            if total and printed and not printed.averaged and printed.value <= 1:
                totals.setdefault(total, []).append(row)
        for total, rows in totals.items():
            yield column, rows, total


def _right(row: Row, column: Column, total: int) -> str:
    """Count the right answers, exactly where the printed digits do."""
    printed = row.values[column]
    fitting = printed.counts(total)
    if len(fitting) == 1:
        return str(fitting[0])
    return _("about {count:.0f}").format(count=printed.value * total)


def small(table: PrintedTable) -> Iterator[Remark]:
    """Find validation splits that are too small to choose a model or an epoch on.

    Its 95 % interval reaches more than 10 points below what the table would score.
    """
    accuracies = [
        row.values[column].value
        for column in table.columns
        for row in table.rows
        if column.quantity == "accuracy" and column in row.values
    ]
    typical = min(median(accuracies), 1.0) if accuracies else 0.9
    for total in dict.fromkeys(row.count("val").images for row in table.rows):
        if not total:
            continue
        right = round(max(typical, 0) * total)
        low, high = wilson(right, total)
        if right / total - low <= WIDE:
            continue
        said = _(
            "The val split has {total} images, too few to select on: {right} of "
            "{total} right has a 95 % Wilson interval of {low:.2f} to {high:.2f}, and "
            "one image moves its accuracy by {step:.1f} points{subtypes}."
        ).format(
            total=total,
            right=right,
            low=low,
            high=high,
            step=100 / total,
            subtypes=_subtypes(table, total),
        )
        known = {"images": total, "right": right, "low": low, "high": high}
        yield Remark("small", said, known)


def _subtypes(table: PrintedTable, total: int) -> str:
    """Name the subtypes that train has and a small val has not."""
    counts = next(r for r in table.rows if r.count("val").images == total)
    val, train = counts.count("val").subtypes, counts.count("train").subtypes
    parts = []
    for label in dict.fromkeys(label for label, _kind in val):
        held, known = (
            {kind: k for (name, kind), k in split.items() if name == label and k}
            for split in (val, train)
        )
        lacks = known.keys() - held.keys()
        if lacks and len(held) == 1:
            kind, number = next(iter(held.items()))
            said = _(
                "; its {number} {label} images are all {kind}, while train has "
                "{missing}"
            )
            missing = _(", ").join(f"{known[k]:,} {k}" for k in sorted(lacks))
            parts.append(
                said.format(number=number, label=label, kind=kind, missing=missing)
            )
    return "".join(parts)


def gaps(table: PrintedTable) -> Iterator[Remark]:
    """Find val accuracies above test by more than sampling explains.

    The bound is 1.96 standard errors of the difference.
    """
    accuracies = [c for c in table.columns if c.quantity == "accuracy"]
    tests = [c for c in accuracies if c.split == "test" and not c.averaged]
    for column in (c for c in accuracies if c.split == "val"):
        above = []
        for row in table.rows:
            sizes = [row.count(split).images for split in ("val", "test")]
            seen = row.values
            if not tests or not {column, tests[0]} <= set(seen) or None in sizes:
                continue
            val, test = seen[column].value, seen[tests[0]].value
            spread = sum(
                p * (1 - p) / n for p, n in zip((val, test), sizes, strict=True)
            )
            if val - test > NORMAL * math.sqrt(spread):
                above.append((row, seen[column], seen[tests[0]], 100 * (val - test)))
        if not above:
            continue
        shown = [f"{r.name} {v.text} / {t.text} ({d:+.1f})" for r, v, t, d in above]
        # Random images of a patient with several fall on both sides of the cut.
        leaks = all(row.by_image for row, *_rest in above)
        why = (
            _(
                "val was split off by image, so it can share patients with train, and "
                "then promises what test does not keep"
            )
            if leaks
            else _("val may share patients with train, or test differs")
        )
        said = ngettext(
            "{heading}: {count} of {rows:,} row lie above their test accuracy by more "
            "points than chance explains: {shown}; {why}.",
            "{heading}: {count} of {rows:,} rows lie above their test accuracy by more "
            "points than chance explains: {shown}; {why}.",
            len(table.rows),
        ).format(
            heading=column.heading,
            count=len(above),
            rows=len(table.rows),
            shown=clauses(shown),
            why=why,
        )
        yield Remark(
            "gap",
            said,
            {"rows": len(above), "gaps": [d for *_x, d in above], "by_image": leaks},
            tuple((row.name, column.heading) for row, *_rest in above),
        )


def losses(table: PrintedTable) -> Iterator[Remark]:
    """Find loss columns whose rows were trained with different loss functions."""
    for column in table.columns:
        if column.quantity != "loss":
            continue
        kinds: dict[str, list[Row]] = {}
        for row in table.rows:
            if row.loss.strip() and column in row.values:
                kinds.setdefault(row.loss.strip(), []).append(row)
        if len(kinds) < 2:
            continue
        shown = []
        for kind, rows in kinds.items():
            values = sorted((row.values[column] for row in rows), key=lambda v: v.value)
            ends = dict.fromkeys((values[0].text, values[-1].text))
            shown.append(f"{kind} {'–'.join(ends)}")
        said = _(
            "{heading}: {shown} are values of {count} loss functions, each on a scale "
            "of its own, and cannot be compared (a focal loss is smaller by "
            "construction); give NLL, Brier score or ECE for all."
        )
        yield Remark(
            "losses",
            said.format(heading=column.heading, shown=clauses(shown), count=len(kinds)),
            {kind: len(rows) for kind, rows in kinds.items()},
            tuple((r.name, column.heading) for rows in kinds.values() for r in rows),
        )


IMBALANCED = 2.0  # images of the largest class for each of the smallest


def majority(table: PrintedTable) -> Iterator[Remark]:
    """Find imbalanced classes, and accuracies that are no more than the majority's.

    An accuracy is no more where its interval holds the majority share.
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
        share = sizes[most] / total
        values = [(row, row.values[column].value) for row in rows]
        near = [(r, v, *wilson(round(v * total), total)) for r, v in values]
        near = [each for each in near if each[2] <= share <= each[1]]
        if near:
            yield _near(column, near, most, share, total)


def _split_name(split: str) -> str:
    """Name a split within a sentence."""
    return {
        "train": pgettext("sentence", "train"),
        "val": pgettext("sentence", "val"),
        "test": pgettext("sentence", "test"),
    }[split]


def _imbalance(shares: dict[str, tuple[str, int, int]]) -> Remark:
    """Say what each split's majority is."""
    said = _("{share:.1f} % {name} in {split} ({count:,} of {total:,})")
    parts = [
        said.format(
            share=100 * count / total,
            name=name,
            split=_split_name(split),
            count=count,
            total=total,
        )
        for split, (name, count, total) in shares.items()
    ]
    said = _("The majority: {parts}; always giving that answer is right as often.")
    return Remark(
        "imbalance",
        said.format(parts=clauses(parts)),
        {split: count / total for split, (_name, count, total) in shares.items()},
    )


def _near(column: Column, near: list, most: str, share: float, total: int) -> Remark:
    """Name the accuracies within noise of the majority's."""
    one = _(
        "{row} {value:.1f} % (95 % interval {low:.1f} to {high:.1f}), {above:.1f} "
        "points above"
    )
    shown = [
        one.format(
            row=row.name,
            value=100 * value,
            low=100 * low,
            high=100 * high,
            above=100 * (value - share),
        )
        for row, value, low, high in near
    ]
    said = _(
        "{heading}: always answering {most} is right on {share:.1f} % of the {total:,} "
        "{split} images; within noise of it: {shown}."
    ).format(
        heading=column.heading,
        most=most,
        share=100 * share,
        total=total,
        split=_split_name(column.split),
        shown=clauses(shown),
    )
    return Remark(
        "majority",
        said,
        {"share": share, "rows": len(near)},
        tuple((row.name, column.heading) for row, *_rest in near),
    )


def _sizes(table: PrintedTable, split: str) -> dict[str, int]:
    """Give the class sizes of a split that all rows share."""
    found = [_of_row(row, split) for row in table.rows if row.count(split).images]
    return found[0] if found and found.count(found[0]) == len(found) else {}


def _of_row(row: Row, split: str) -> dict[str, int]:
    """Give the class sizes of a row's split, under plain names if need be."""
    counts = row.count(split)
    if counts.classes:
        return dict(counts.classes)
    if counts.negatives is None:
        return {}
    return {"positive": counts.positives, "negative": counts.negatives}


FILE = "published.csv"
COLUMNS = ("model", "strategy", "test_accuracy", "source")


def read_published(table: Path) -> tuple[Published, ...]:
    """Read what others reached from a `published.csv` beside a table.

    Its columns are model, strategy, test_accuracy (a fraction) and source.

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

    """
    known = {(each.model, each.strategy): each for each in table.published}
    for column, rows, total in accuracies_of(table):
        found = []
        for row in rows if column.split == "test" else ():
            other = known.get((row.model, row.strategy))
            if other is None:
                continue
            low, high = wilson(math.floor(row.values[column].value * total), total)
            if high < other.accuracy:
                found.append((row, low, high, other))
        if not found:
            continue
        one = _("{row} {printed} ({interval} %) against {other} % ({strategy})")
        shown = [
            one.format(
                row=row.name,
                printed=row.values[column].text,
                interval=interval(low, high),
                other=percent(other.accuracy),
                strategy=strategy_name(other.strategy),
            )
            for row, low, high, other in found
        ]
        said = _(
            "{heading}: with the same network on the same {total:,} images others "
            "reached more: {shown} ({sources}). So look at the training first (too "
            "short, or BatchNorm that moved in frozen layers); this is no evidence "
            "against pretrained features."
        ).format(
            heading=column.heading,
            total=total,
            shown=clauses(shown),
            sources="; ".join(dict.fromkeys(other.source for *_x, other in found)),
        )
        yield Remark(
            "below",
            said,
            {row.name: other.accuracy for row, *_x, other in found},
            tuple((row.name, column.heading) for row, *_x in found),
        )
