"""The figures of runs: learning curves and confusion matrices."""

import math
from collections.abc import Sequence
from typing import Any

import matplotlib.ticker as ticker
import numpy as np
import seaborn as sns
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D

from lightbox.display import Figure
from lightbox.metrics import score_run
from lightbox.pictures import sample_grid, split_counts
from lightbox.results import check_same_data
from lightbox.style import (
    GREY,
    POINTS,
    TRAIN,
    VAL,
    WIDTH,
    columns_of,
    letters,
    theme,
    titles_of,
    wrapped,
)
from lightbox.words import run_names, words

__all__ = [
    "WIDTH",
    "confusion_matrices",
    "learning_curves",
    "sample_grid",
    "split_counts",
    "theme",
]

CURVES_PER_ROW = 4
# Above this ratio of largest to smallest loss one curve would flatten all others.
LOG_RATIO = 8


def learning_curves(
    runs: Sequence[Any], language: str = "en", *, label: str = "fig-curves"
) -> Figure:
    """Draw loss and accuracy per epoch of each run, on axes that all share.

    Args:
        runs: Finished runs, at least one.
        language: `"en"` or `"zh"`.
        label: The figure's label.

    Returns:
        The figure: a column a run, at most four beside each other.

    Raises:
        DataError: If there is no run, or runs differ in their data.
    """
    check_same_data(runs)
    terms, names = words(language), run_names(list(runs), language)
    columns = columns_of(len(runs), CURVES_PER_ROW)
    blocks = math.ceil(len(runs) / columns)
    titles = titles_of(names, 84 // columns)
    lines = max(title.count("\n") for title in titles)
    with theme(*names, *terms.values()):
        alone = len(runs) == 1  # then loss and accuracy stand beside each other
        height = 2.3 if alone else blocks * (3.3 + 0.13 * lines) + 0.3
        figure = Drawing(figsize=(WIDTH, height), layout="constrained")
        grid = (1, 2) if alone else (2 * blocks, columns)
        axes = figure.subplots(*grid, squeeze=False, sharex=True)
        axes = axes.reshape(2 * blocks, columns)
        for row in (axes[0::2], axes[1::2]):
            for axis in row.flat[1:]:
                axis.sharey(row.flat[0])
        for position in range(blocks * columns):
            block, column = divmod(position, columns)
            loss, accuracy = axes[2 * block, column], axes[2 * block + 1, column]
            if position >= len(runs):
                loss.set_axis_off()
                accuracy.set_axis_off()
                continue
            loss.set_title(titles[position])
            _curve(loss, runs[position], "loss", 1)
            _curve(accuracy, runs[position], "accuracy", 100)
            accuracy.set_xlabel(terms["epoch"])
            if alone:
                accuracy.set_title(titles[position])
                loss.set_xlabel(terms["epoch"])
            for axis, word in ((loss, "loss"), (accuracy, "accuracy")):
                axis.tick_params(
                    labelleft=column == 0, labelbottom=alone or axis is accuracy
                )
                unit = ", %" if word == "accuracy" else ""
                axis.set_ylabel(terms[word] + unit if column == 0 else "")
        if _spread(runs) > LOG_RATIO:
            for row in axes[0::2]:
                for axis in row:
                    axis.set_yscale("log")
                    axis.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
                    axis.yaxis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
                    axis.yaxis.set_minor_locator(ticker.NullLocator())
                row[0].set_ylabel(f"{terms['loss']} ({terms['log']})")
        longest = max(len(run.history) for run in runs)
        for axis in axes.flat:
            axis.xaxis.set_major_locator(
                ticker.MaxNLocator(nbins=5, integer=True, min_n_ticks=1)
            )
            axis.set_xlim(0.5, longest + 0.5)
        handles = [
            Line2D([], [], color=TRAIN, label=terms["train"]),
            Line2D([], [], color=VAL, label=terms["val"]),
            Line2D(
                [],
                [],
                color=GREY,
                linestyle=":",
                marker="o",
                markerfacecolor=VAL,
                markeredgecolor="black",
                markersize=5,
                label=terms["best_epoch"],
            ),
        ]
        figure.legend(handles=handles, loc="outside upper center", ncols=3)
        return Figure(figure, label, terms["caption_curves"])


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
        return Figure(figure, label, terms["caption_confusion"])


def _spread(runs: Sequence[Any]) -> float:
    """Divide the largest loss by the smallest; 1 where a logarithm has no place."""
    losses = np.concatenate(
        [
            run.history[["train_loss", "val_loss"]].to_numpy(float).ravel()
            for run in runs
        ]
    )
    losses = losses[np.isfinite(losses)]
    if len(losses) == 0 or losses.min() <= 0:
        return 1.0
    return float(losses.max() / losses.min())


def _curve(axis: Any, run: Any, measure: str, scale: float) -> None:
    """Draw train and val of one measure, with the kept epoch marked."""
    history, best = run.history, run.record["result"]["best_epoch"]
    # A single epoch is a point, which a line would not show.
    marker = "o" if len(history) == 1 else ""
    for split, color in (("train", TRAIN), ("val", VAL)):
        values = scale * history[f"{split}_{measure}"]
        axis.plot(
            history["epoch"],
            values,
            color=color,
            linewidth=1.3,
            marker=marker,
            markersize=4,
        )
    axis.axvline(best, color=GREY, linewidth=0.8, linestyle=":", zorder=0)
    kept = history.loc[history["epoch"] == best, f"val_{measure}"]
    axis.plot(
        [best] * len(kept),
        scale * kept,
        linestyle="",
        marker="o",
        color=VAL,
        markeredgecolor="black",
        markeredgewidth=0.6,
        markersize=5,
    )


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
