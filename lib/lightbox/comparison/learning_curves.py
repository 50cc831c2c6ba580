"""The figures of runs: learning curves, and the other figures by their names."""

import math
from collections.abc import Sequence
from typing import Any

import matplotlib.ticker as ticker
import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from lightbox.base.words import words
from lightbox.comparison.readings import overfitting
from lightbox.comparison.runs import check_same_data, finished_only
from lightbox.display.names import run_names, seed_groups, setting
from lightbox.display.outputs import Figure
from lightbox.display.style import GREY, TRAIN, VAL, WIDTH, columns_of, theme, titles_of

CURVES_PER_ROW = 4
# Above this ratio of largest to smallest loss one curve would flatten all others.
LOG_RATIO = 8
BAND = 0.2  # opacity of the range over seeds
TINT = 0.12  # and of the epochs after the onset of overfitting


@finished_only
def learning_curves(runs: Sequence[Any], *, label: str = "fig-curves") -> Figure:
    """Draw loss and accuracy per epoch of each run, on axes that all share.

    Runs that differ in their seed alone share a panel: their mean, with a band
    from the lowest to the highest. Losses of different kinds share no axis.

    Args:
        runs: Finished runs, at least one.
        label: The figure's label.

    Returns:
        The figure: a column a run, at most four beside each other.

    Raises:
        DataError: If there is no run, or runs differ in their data.
    """
    check_same_data(runs)
    terms, groups = words(), seed_groups(runs)
    names = run_names([group[0] for group in groups], seeds=False)
    several = any(len(group) > 1 for group in groups)
    mixed = len({setting(run, "loss") for run in runs}) > 1
    columns = columns_of(len(groups), CURVES_PER_ROW)
    blocks = math.ceil(len(groups) / columns)
    titles = titles_of(names, 84 // columns)
    lines = max(title.count("\n") for title in titles)
    with theme(*names, *terms.values()):
        alone = len(groups) == 1  # then loss and accuracy stand beside each other
        height = 2.3 if alone else blocks * (3.3 + 0.13 * lines) + 0.3
        figure = Drawing(figsize=(WIDTH, height), layout="constrained")
        grid = (1, 2) if alone else (2 * blocks, columns)
        axes = figure.subplots(*grid, squeeze=False, sharex=True)
        axes = axes.reshape(2 * blocks, columns)
        for row in (axes[1::2],) if mixed else (axes[0::2], axes[1::2]):
            for axis in row.flat[1:]:
                axis.sharey(row.flat[0])
        for position in range(blocks * columns):
            block, column = divmod(position, columns)
            loss, accuracy = axes[2 * block, column], axes[2 * block + 1, column]
            if position >= len(groups):
                loss.set_axis_off()
                accuracy.set_axis_off()
                continue
            loss.set_title(titles[position])
            _curve(loss, groups[position], "loss", 1)
            _curve(accuracy, groups[position], "accuracy", 100)
            accuracy.set_xlabel(terms["epoch"])
            if alone:
                accuracy.set_title(titles[position])
                loss.set_xlabel(terms["epoch"])
            for axis, word in ((loss, "loss"), (accuracy, "accuracy")):
                own = mixed and axis is loss
                axis.tick_params(
                    labelleft=column == 0 or own,
                    labelbottom=alone or axis is accuracy,
                )
                unit = ", %" if word == "accuracy" else ""
                axis.set_ylabel(terms[word] + unit if column == 0 else "")
        if not mixed and _spread(runs) > LOG_RATIO:
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
        marked = any(overfitting(run) for run in runs)
        figure.legend(
            handles=_legend(terms, marked), loc="outside upper center", ncols=4
        )
        caption = terms["caption_curves"]
        caption += terms["caption_band"] if several else ""
        caption += terms["caption_losses_differ"] if mixed else ""
        return Figure(figure, label, caption)


def _legend(terms: Any, marked: bool) -> list[Any]:
    """Explain the colours, the mark of the kept epoch, and the tint where it is."""
    best = Line2D(
        [],
        [],
        color=GREY,
        linestyle=":",
        marker="o",
        markerfacecolor=VAL,
        markeredgecolor="black",
        markersize=5,
        label=terms["best_epoch"],
    )
    return [
        Line2D([], [], color=TRAIN, label=terms["train"]),
        Line2D([], [], color=VAL, label=terms["val"]),
        best,
        *([Patch(color=VAL, alpha=TINT, label=terms["overfitting"])] if marked else []),
    ]


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


def _curve(axis: Any, group: Sequence[Any], measure: str, scale: float) -> None:
    """Draw train and val of one measure, with the kept epoch of each seed marked."""
    histories = [run.history.set_index("epoch") for run in group]
    # A single epoch is a point, which a line would not show.
    marker = "o" if max(map(len, histories)) == 1 else ""
    for split, color in (("train", TRAIN), ("val", VAL)):
        values = scale * pd.concat([h[f"{split}_{measure}"] for h in histories], axis=1)
        values = values.sort_index()
        mean = values.mean(axis=1)
        axis.plot(
            mean.index, mean, color=color, linewidth=1.3, marker=marker, markersize=4
        )
        if len(group) > 1:
            low, high = values.min(axis=1), values.max(axis=1)
            axis.fill_between(
                mean.index, low, high, color=color, alpha=BAND, linewidth=0
            )
    for run, history in zip(group, histories, strict=True):
        best = run.result.best_epoch
        if measure == "loss" and overfitting(run):
            # What the sentence on the onset says, where the eye looks for it.
            axis.axvspan(
                best, history.index[-1], color=VAL, alpha=TINT, linewidth=0, zorder=0
            )
        axis.axvline(best, color=GREY, linewidth=0.8, linestyle=":", zorder=0)
        kept = history.loc[history.index == best, f"val_{measure}"]
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
