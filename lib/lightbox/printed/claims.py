"""Claims beyond the numbers: ties, small splits, majorities, what others reached."""

import math
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pandas as pd

from lightbox.base.errors import DataError
from lightbox.base.words import said_in
from lightbox.display.names import strategy_name
from lightbox.display.sentences import interval, percent, plural
from lightbox.evaluation.significance import ALPHA, wilson
from lightbox.printed.numbers import Column
from lightbox.printed.table import SPLITS, PrintedTable, Published, Remark, Row, listed

# A 95 % interval wider than this to one side tells no two models apart.
WIDE = 0.1
NORMAL = 1.96  # standard errors


def ties(table: PrintedTable) -> Iterator[Remark]:
    """Find leads in accuracy that no test on these images could confirm.

    With b images that only the first got right and c that only the second did, the
    exact McNemar p is smallest for c = 0, whatever the pairs: 2 ** (1 - b).

    Args:
        table: The printed table.

    Yields:
        A finding for each accuracy column whose best row is tied.
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
            f"{r.name} ({_right(r, column, total)}, p >= {p:g})" for r, _, p in tied
        ]
        yield Remark(
            "tie",
            f"{column.heading}: {best.name} is highest with {count} of {total} right, "
            f"but whatever the pairs, exact McNemar cannot tell it from "
            f"{listed(against)}: a tie.",
            f"{column.heading}：{best.name} 最高（{total} 張答對 {count} 張），"
            f"但無論如何配對，精確 McNemar 檢定都無法區分它與 "
            f"{said_in('zh', listed, against)}：平手。",
            {"total": total, "leads": [b for _, b, _ in tied]},
            tuple((r.name, column.heading) for r in [best, *(r for r, _, _ in tied)]),
        )


def accuracies_of(table: PrintedTable) -> Iterator[tuple[Column, list[Row], int]]:
    """Give accuracy columns with the rows that count the same images.

    Args:
        table: The printed table.

    Yields:
        The column, its rows, the number of images.
    """
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
    return f"about {printed.value * total:.0f}"


def small(table: PrintedTable) -> Iterator[Remark]:
    """Find validation splits that are too small to choose a model or an epoch on.

    Args:
        table: The printed table.

    Yields:
        A finding for each size of val whose 95 % interval reaches more than 10
        points below what the table's accuracies would score there.
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
        rest_en, rest_zh = _subtypes(table, total)
        yield Remark(
            "small",
            f"The val split has {total} images, too few to select on: {right} of "
            f"{total} right has a 95 % Wilson interval of {low:.2f} to {high:.2f}, and "
            f"one image moves its accuracy by {100 / total:.1f} points{rest_en}.",
            f"驗證集只有 {total} 張影像，不足以用來選擇模型："
            f"{total} 張答對 {right} 張時，"
            f"95 % Wilson 信賴區間為 {low:.2f} 至 {high:.2f}，"
            f"一張影像即使準確率變動 {100 / total:.1f} 個百分點{rest_zh}。",
            {"images": total, "right": right, "low": low, "high": high},
            (),
        )


def _subtypes(table: PrintedTable, total: int) -> tuple[str, str]:
    """Name the subtypes that train has and a small val has not."""
    counts = next(r for r in table.rows if r.count("val").images == total)
    val, train = counts.count("val").subtypes, counts.count("train").subtypes
    parts: list[tuple[str, str]] = []
    for label in dict.fromkeys(label for label, _ in val):
        held = {kind: k for (name, kind), k in val.items() if name == label and k}
        lacks = {
            kind: k for (name, kind), k in train.items() if name == label and k
        }.keys() - held.keys()
        if lacks and len(held) == 1:
            kind, number = next(iter(held.items()))
            missing = ", ".join(f"{train[label, k]:,} {k}" for k in sorted(lacks))
            parts.append(
                (
                    f"; its {number} {label} images are all {kind}, while train has "
                    f"{missing}",
                    f"；其中 {number} 張 {label} 全為 {kind}，而訓練集有 {missing}",
                )
            )
    return "".join(en for en, _ in parts), "".join(zh for _, zh in parts)


def gaps(table: PrintedTable) -> Iterator[Remark]:
    """Find val accuracies above test by more than sampling explains.

    Args:
        table: The printed table.

    Yields:
        A finding for each val column, if rows of it exceed their test accuracy by
        1.96 standard errors of the difference or more.
    """
    tests = [c for c in table.columns if _is_accuracy(c, "test") and not c.averaged]
    for column in (c for c in table.columns if _is_accuracy(c, "val")):
        above = []
        for row in table.rows:
            seen, sizes = (
                row.values,
                (row.count("val").images, row.count("test").images),
            )
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
        leaks = all(row.by_image for row, *_ in above)
        why = (
            "val was split off by image, so it can share patients with train, and "
            "then promises what test does not keep"
            if leaks
            else "val may share patients with train, or test differs"
        )
        why_zh = (
            "驗證集是逐影像切分的，可能與訓練集有相同病人，其準確率便無法在測試集兌現"
            if leaks
            else "驗證集可能與訓練集有相同病人，或測試集性質不同"
        )
        yield Remark(
            "gap",
            f"{column.heading}: {len(above)} of {plural(len(table.rows), 'row')} lie "
            "above their test accuracy by more points than chance explains: "
            f"{listed(shown)}; {why}.",
            f"{column.heading}：{len(table.rows)} 列中有 {len(above)} 列高於其測試"
            f"準確率，差距大於機率所能解釋：{said_in('zh', listed, shown)}；{why_zh}。",
            {"rows": len(above), "gaps": [d for *_, d in above], "by_image": leaks},
            tuple((row.name, column.heading) for row, *_ in above),
        )


def _is_accuracy(column: Column, split: str) -> bool:
    return column.quantity == "accuracy" and column.split == split


def losses(table: PrintedTable) -> Iterator[Remark]:
    """Find loss columns whose rows were trained with different loss functions.

    Args:
        table: The printed table.

    Yields:
        A finding for each loss column.
    """
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
        yield Remark(
            "losses",
            f"{column.heading}: {listed(shown)} are values of {len(kinds)} loss "
            "functions, each on a scale of its own, and cannot be compared (a focal "
            "loss is smaller by construction); give NLL, Brier score or ECE for all.",
            f"{column.heading}：{said_in('zh', listed, shown)} "
            f"是 {len(kinds)} 種損失函數的值，"
            "尺度各異，不可比較（focal 損失依定義就較小）；"
            "請一律改用 NLL、Brier 分數或 ECE。",
            {kind: len(rows) for kind, rows in kinds.items()},
            tuple((r.name, column.heading) for rows in kinds.values() for r in rows),
        )


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
        f"多數類別：{said_in('zh', listed, parts_zh)}；一律如此作答即有此準確率。",
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
        f"即有 {100 * share:.1f} %；與之相差在誤差之內："
        f"{said_in('zh', listed, shown_zh)}。",
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
                f"({said_in(language, strategy_name, other.strategy)})"
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
            f"準確率：{said_in('zh', listed, shown_zh)}（{sources}）。因此應先檢查訓練"
            "（訓練不足，或凍結層的 BatchNorm 仍在變動）；這不是預訓練特徵無用的證據。",
            {row.name: other.accuracy for row, *_, other in found},
            tuple((row.name, column.heading) for row, *_ in found),
        )
