"""The figure of confusion matrices."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import seaborn as sns
from matplotlib.figure import Figure as Drawing

from lightbox.display import Figure
from lightbox.divergence import finished_only
from lightbox.metrics import score_run
from lightbox.results import check_same_data
from lightbox.style import (
    POINTS,
    WIDTH,
    columns_of,
    letters,
    theme,
    titles_of,
    wrapped,
)
from lightbox.words import run_names, words


@finished_only
def confusion_matrices(
    runs: Sequence[Any], language: str = "en", *, label: str = "fig-confusion"
) -> Figure:
    """Draw the confusion matrix of each run on the test images.

    Args:
        runs: Finished runs, at least one.
        language: `"en"` or `"zh"`.
        label: The figure's label.

    Returns:
        The figure: counts and row per cent, rows true, shaded by row per cent.

    Raises:
        DataError: If there is no run, or runs differ in their data.
    """
    check_same_data(runs)
    terms, names = words(language), run_names(list(runs), language)
    classes = runs[0].record["data"]["classes"]
    shown = [wrapped(name, 12) for name in classes]
    widest = max(letters(line) for name in shown for line in name.split("\n"))
    # A cell needs 8 mm for "1234" over "100%"; the names of few classes stand
    # below their columns and need theirs (1.7 mm a letter); of many, upright.
    upright = len(classes) > 3
    cell = 8.0 if upright else max(8.0, 1.7 * widest + 2)
    columns = columns_of(
        len(runs), max(1, min(4, int(148 / (cell * len(classes) + 4))))
    )
    rows = math.ceil(len(runs) / columns)
    side = min(148 / columns - 4, max(len(classes) * cell, 38.0) * 1.1) / 25.4
    titles = titles_of(names, 84 // columns)
    lines = 1 + max(title.count("\n") for title in titles)
    below = 0.075 * widest if upright else 0.14
    height = rows * (side + 0.25 + below + 0.14 * lines)
    with theme(*names, *classes, *terms.values()):
        figure = Drawing(figsize=(WIDTH, height), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for axis in axes[len(runs) :]:
            axis.set_axis_off()
        for position, run in enumerate(runs):
            axis, column = axes[position], position % columns
            _matrix(axis, score_run(run, "test").confusion, shown, upright)
            axis.set_title(titles[position])
            last = position + columns >= len(runs)
            axis.set_xlabel(terms["predicted"] if last else "")
            axis.set_ylabel(terms["true"] if column == 0 else "")
            if column:
                axis.set_yticklabels([])
        # The layout of square axes needs a second pass, which the SVG would lack.
        figure.draw_without_rendering()
        return Figure(figure, label, terms["caption_confusion"])


def _matrix(axis: Any, counts: np.ndarray, names: list[str], upright: bool) -> None:
    """Draw one confusion matrix with counts over row per cent."""
    totals = counts.sum(axis=1, keepdims=True)
    share = np.divide(
        100 * counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0
    )
    text = np.array(
        [
            [
                f"{n:,}" if math.isnan(p) else f"{n:,}\n{p:.0f}%"
                for n, p in zip(row, shares, strict=True)
            ]
            for row, shares in zip(counts, share, strict=True)
        ]
    )
    sns.heatmap(
        np.nan_to_num(share),
        annot=text,
        fmt="",
        cmap="Blues",
        vmin=0,
        vmax=100,
        cbar=False,
        square=True,
        linewidths=0.5,
        linecolor="white",
        xticklabels=names,
        yticklabels=names,
        annot_kws={"fontsize": POINTS},
        ax=axis,
    )
    axis.tick_params(length=0)
    axis.tick_params(axis="x", labelrotation=90 if upright else 0)
    axis.tick_params(axis="y", labelrotation=0 if upright else 90)
    for tick in axis.get_yticklabels():
        tick.set_verticalalignment("center")
