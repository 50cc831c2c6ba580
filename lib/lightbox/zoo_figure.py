"""Time against accuracy: one point a network, and the front that none beats."""

from collections.abc import Sequence
from itertools import pairwise, product
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Drawing
from matplotlib.transforms import Bbox

from lightbox.baseline import score_majority
from lightbox.display import Figure
from lightbox.divergence import finished_only
from lightbox.style import GREY, PALETTE, WIDTH, theme
from lightbox.words import seed_groups, words
from lightbox.zoo import costs, names

HEIGHT = 3.6  # inches
# Where a name may stand, in points from its dot: beside it first.
OFFSETS = [
    (side * distance, rise)
    for distance, rise, side in product((7, 14, 24), (0, 8, -8, 17, -17, 27), (1, -1))
]


def front(costs: Sequence[float], gains: Sequence[float]) -> list[int]:
    """Find the Pareto front: what nothing else beats in both.

    Args:
        costs: Smaller is better, one a run.
        gains: Larger is better, one a run; NaN is never on the front.

    Returns:
        Positions by rising cost: those for which no other costs at most as much
        and gains at least as much, one of the two strictly.
    """
    known = [k for k, gain in enumerate(gains) if not np.isnan(gain)]
    kept: list[int] = []
    for k in sorted(known, key=lambda k: (costs[k], -gains[k])):
        better = not kept or gains[k] > gains[kept[-1]]
        alike = kept and (costs[k], gains[k]) == (costs[kept[-1]], gains[kept[-1]])
        if better or alike:
            kept.append(k)
    return kept


@finished_only
def zoo_scatter(
    runs: Sequence[Any], language: str = "en", *, label: str = "fig-zoo"
) -> Figure:
    """Draw training time against test accuracy, each network by its name.

    Args:
        runs: Finished runs on the same data, at least one.
        language: `"en"` or `"zh"`.
        label: The figure's label.

    Returns:
        The figure; diverged runs are left out.

    Raises:
        DataError: If there is no run, or runs differ in their data.
    """
    # Seeds are dots of one network: the first of them carries its name.
    firsts = [group[0] for group in seed_groups(runs)]
    named = {
        id(run): name for run, name in zip(firsts, names(firsts, language), strict=True)
    }
    numbers = costs(runs).assign(name=[named.get(id(run), "") for run in runs])
    numbers = numbers[numbers["accuracy"].notna()].reset_index(drop=True)
    terms = words(language)
    base = score_majority(runs[0])["accuracy"]
    said = {
        "en": ("Training time, s (log scale)", "Test accuracy, %", "majority answer"),
        "zh": ("訓練時間，秒（對數尺度）", "測試準確率，%", "多數類別"),
    }[language]
    with theme(*said, *numbers["name"], *terms.values()):
        figure = Drawing(figsize=(WIDTH, HEIGHT), layout="constrained")
        axis = figure.subplots()
        axis.set_xscale("log")
        _points(axis, numbers)
        taken = _majority(axis, 100 * base, said[2], numbers)
        axis.set_xlabel(said[0])
        axis.set_ylabel(said[1])
        _readable_ticks(axis, numbers["seconds"])
        figure.draw_without_rendering()  # the layout decides where texts fall
        boxes = [artist.get_window_extent().padded(1) for artist in taken]
        _names(axis, numbers, boxes)
        caption = {
            "en": "Training time against test accuracy, with 95 % Wilson intervals. "
            "The line is the Pareto front: no network is both quicker and at least as "
            "accurate as one on it. Points of overlapping intervals may stand in "
            "another order on other test images.",
            "zh": "訓練時間與測試準確率，附 95 % Wilson 信賴區間。折線為 Pareto 前緣："
            "線上的網路沒有其他網路既較快又至少同樣準確。區間重疊的點，"
            "換一批測試影像次序便可能不同。",
        }[language]
        return Figure(figure, label, caption)


def _points(axis: Any, numbers: pd.DataFrame) -> None:
    """Draw dots, intervals and the front as steps."""
    seconds, accuracy = numbers["seconds"], 100 * numbers["accuracy"]
    axis.errorbar(
        seconds,
        accuracy,
        yerr=[accuracy - 100 * numbers["low"], 100 * numbers["high"] - accuracy],
        linestyle="",
        marker="o",
        markersize=4.5,
        color=PALETTE[0],
        ecolor=PALETTE[0],
        elinewidth=0.8,
        capsize=2,
        zorder=3,
    )
    best = front(list(numbers["seconds"]), list(numbers["accuracy"]))
    axis.step(
        seconds.iloc[best],
        accuracy.iloc[best],
        where="post",
        color=PALETTE[1],
        linewidth=1.2,
        zorder=2,
    )
    axis.margins(x=0.18, y=0.08)


def _majority(axis: Any, base: float, name: str, numbers: pd.DataFrame) -> list[Any]:
    """Draw the majority answer where it does not squeeze the networks together.

    Returns what was drawn.
    """
    low, high = 100 * numbers["low"].min(), 100 * numbers["high"].max()
    if not low - base < high - low:
        return []
    line = axis.axhline(base, color=GREY, linewidth=0.8, linestyle=":")
    text = axis.annotate(
        name,
        (1, base),
        xycoords=axis.get_yaxis_transform(),
        xytext=(0, 2),
        textcoords="offset points",
        ha="right",
        color=GREY,
    )
    return [line, text]


def _readable_ticks(axis: Any, seconds: pd.Series) -> None:
    """Write seconds as numbers; a decade mark alone leaves short ranges bare."""
    low, high = axis.get_xlim()
    steps = [m * 10.0**e for e in range(-3, 7) for m in (1, 2, 5)]
    ticks = [step for step in steps if low <= step <= high]
    axis.set_xticks(ticks, [f"{step:,g}" for step in ticks])
    axis.set_xticks([], minor=True)
    axis.set_xlim(low, high)


def _names(axis: Any, numbers: pd.DataFrame, taken: list[Bbox]) -> None:
    """Put each name where it covers least; far ones get a line to their dot."""
    place = axis.transData.transform
    for row in numbers.itertuples():
        x, y = place((row.seconds, 100 * row.accuracy))
        _, low = place((row.seconds, 100 * row.low))
        _, high = place((row.seconds, 100 * row.high))
        taken += [
            Bbox.from_extents(x - 5, y - 5, x + 5, y + 5),
            Bbox.from_extents(x - 3, low, x + 3, high),
        ]
    best = front(list(numbers["seconds"]), list(numbers["accuracy"]))
    corners = place(numbers[["seconds", "accuracy"]].iloc[best].mul([1, 100]))
    for (x, y), (right, up) in pairwise(corners):
        taken += [
            Bbox.from_extents(x, y - 1, right, y + 1),
            Bbox.from_extents(right - 1, min(y, up), right + 1, max(y, up)),
        ]
    named = numbers[numbers["name"] != ""]
    for row in named.sort_values("accuracy", ascending=False).itertuples():
        point = (row.seconds, 100 * row.accuracy)
        covered = [_covered(axis, row.name, point, offset, taken) for offset in OFFSETS]
        offset = OFFSETS[int(np.argmin(covered))]
        text = _annotate(axis, row.name, point, offset)
        taken.append(text.get_window_extent())
        if abs(offset[0]) > OFFSETS[0][0] or abs(offset[1]) > 8:
            axis.annotate(
                "",
                point,
                xytext=offset,
                textcoords="offset points",
                arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.5},
            )


def _annotate(axis: Any, name: str, point: Any, offset: tuple[int, int]) -> Any:
    """Write a name beside its point."""
    return axis.annotate(
        name,
        point,
        xytext=offset,
        textcoords="offset points",
        ha="left" if offset[0] > 0 else "right",
        va="center",
        zorder=4,
    )


def _covered(
    axis: Any, name: str, point: Any, offset: tuple[int, int], taken: list[Bbox]
) -> float:
    """Measure what a name would cover there, in square pixels."""
    text = _annotate(axis, name, point, offset)
    box, frame = text.get_window_extent(), axis.get_window_extent()
    text.remove()
    within = Bbox.intersection(box, frame)
    hidden = box.width * box.height - (within.width * within.height if within else 0)
    for other in taken:
        overlap = Bbox.intersection(box, other)
        if overlap is not None:
            hidden += overlap.width * overlap.height
    return max(hidden, 0.0)
