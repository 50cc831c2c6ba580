"""The figure of learning curves: loss and accuracy of each run, epoch by epoch."""

import math
from typing import Any

import matplotlib.ticker as ticker
import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from lightbox.base.words import _, joined, pgettext
from lightbox.comparison.readings import overfitting
from lightbox.comparison.runs import Runs, finished_only
from lightbox.display.names import run_names, setting
from lightbox.display.outputs import Figure
from lightbox.display.style import GREY, TRAIN, VAL, WIDTH, columns_of, theme, titles_of
from lightbox.runs.store import Run

CURVES_PER_ROW = 4
# Above this ratio of largest to smallest loss one curve would flatten all others.
LOG_RATIO = 8
BAND = 0.2  # opacity of the range over seeds
TINT = 0.12  # and of the epochs after the onset of overfitting
DOT = {"marker": "o", "markeredgecolor": "black", "markersize": 5}


@finished_only
def learning_curves(runs: Runs) -> Figure:
    """Draw loss and accuracy per epoch of each run, on axes that all share.

    Runs that differ in their seed alone share a panel: their mean, with a band
    from the lowest to the highest. Losses of different kinds share no axis.

    Raises:
        DataError: There is no run, or runs differ in their data.
    """
    names = run_names([group[0] for group in runs.groups], seeds=False)
    columns = columns_of(len(names), CURVES_PER_ROW)
    mixed = len({setting(run, "loss") for run in runs}) > 1
    with theme(*names, pgettext("axis", "Loss")):
        titles = titles_of(names, 84 // columns)
        figure, losses, accuracies = _panels(titles, columns, mixed)
        for group, loss, accuracy in zip(runs.groups, losses, accuracies, strict=True):
            _curve(loss, group, "loss", 1)
            _curve(accuracy, group, "accuracy", 100)
        if not mixed and _spread(runs) > LOG_RATIO:
            _in_logarithms(losses)
            for loss in losses[::columns]:
                loss.set_ylabel(_("Loss (log scale)"))
        longest = max(len(run.history) for run in runs)
        for axis in figure.axes:
            whole = ticker.MaxNLocator(nbins=5, integer=True, min_n_ticks=1)
            axis.xaxis.set_major_locator(whole)
            axis.set_xlim(0.5, longest + 0.5)
        marked = any(overfitting(run) for run in runs)
        figure.legend(handles=_legend(marked), loc="outside upper center", ncols=4)
        several = len(runs.groups) < len(runs)
        return Figure(figure, "fig-curves", _caption(several, mixed))


def _panels(titles: list[str], columns: int, mixed: bool) -> tuple[Drawing, Any, Any]:
    """Lay out two panels a title: the figure, those of losses and of accuracies."""
    blocks = math.ceil(len(titles) / columns)
    alone = len(titles) == 1  # then loss and accuracy stand beside each other
    lines = max(title.count("\n") for title in titles)
    height = 2.3 if alone else blocks * (3.3 + 0.13 * lines) + 0.3
    figure = Drawing(figsize=(WIDTH, height), layout="constrained")
    grid = (1, 2) if alone else (2 * blocks, columns)
    axes = figure.subplots(*grid, squeeze=False, sharex=True)
    axes = axes.reshape(blocks, 2, columns).swapaxes(0, 1).reshape(2, -1)
    for row in axes[1:] if mixed else axes:
        for axis in row[1:]:
            axis.sharey(row[0])
    for axis in axes[:, len(titles) :].flat:
        axis.set_axis_off()
    losses, accuracies = axes[:, : len(titles)]
    for place, (title, loss, accuracy) in enumerate(
        zip(titles, losses, accuracies, strict=True)
    ):
        first = place % columns == 0
        loss.set_title(title)
        loss.tick_params(labelleft=first or mixed, labelbottom=alone)
        accuracy.set_xlabel(_("Epoch"))
        accuracy.tick_params(labelleft=first, labelbottom=True)
        if first:
            loss.set_ylabel(pgettext("axis", "Loss"))
            accuracy.set_ylabel(_("Accuracy, %"))
        if alone:
            accuracy.set_title(title)
            loss.set_xlabel(_("Epoch"))
    return figure, losses, accuracies


def _in_logarithms(axes: Any) -> None:
    """Draw losses on a logarithmic scale with plain numbers."""
    for axis in axes:
        axis.set_yscale("log")
        axis.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
        axis.yaxis.set_minor_locator(ticker.NullLocator())


def _caption(several: bool, mixed: bool) -> str:
    """Say what the curves are, with several seeds and with losses that differ."""
    whole = _(
        "Loss and accuracy per epoch on train and val. The vertical line and the dot "
        "mark the epoch whose weights were kept and tested."
    )
    band = _(
        "With several seeds the line is their mean, the band spans the lowest and the "
        "highest of those still training, and each dot is one seed."
    )
    differ = _("The losses are of different kinds: their heights cannot be compared.")
    return joined([whole, band if several else "", differ if mixed else ""])


def _legend(marked: bool) -> list[Any]:
    """Explain the colours, the mark of the kept epoch, and the tint where it is."""
    best = {"color": GREY, "linestyle": ":", "label": _("best epoch")}
    handles = [
        Line2D([], [], color=TRAIN, label=_("train")),
        Line2D([], [], color=VAL, label=_("val")),
        Line2D([], [], **best, **DOT, markerfacecolor=VAL),
        Patch(color=VAL, alpha=TINT, label=_("overfitting")),
    ]
    return handles if marked else handles[:-1]


def _spread(runs: Runs) -> float:
    """Divide the largest loss by the smallest; 1 where a logarithm has no place."""
    curves = pd.concat([run.history[["train_loss", "val_loss"]] for run in runs])
    losses = curves.to_numpy(float)
    losses = losses[np.isfinite(losses)]
    if len(losses) == 0 or losses.min() <= 0:
        return 1.0
    return float(losses.max() / losses.min())


def _curve(axis: Any, group: list[Run], measure: str, scale: float) -> None:
    """Draw train and val of one measure, with the kept epoch of each seed marked."""
    histories = [run.history.set_index("epoch") for run in group]
    # A single epoch is a point, which a line would not show.
    marker = "o" if max(map(len, histories)) == 1 else ""
    for split, color in (("train", TRAIN), ("val", VAL)):
        values = scale * pd.concat([h[f"{split}_{measure}"] for h in histories], axis=1)
        values = values.sort_index()
        mean = values.mean(axis=1)
        axis.plot(mean, color=color, linewidth=1.3, marker=marker, markersize=4)
        if len(group) > 1:
            ends = values.min(axis=1), values.max(axis=1)
            axis.fill_between(mean.index, *ends, color=color, alpha=BAND, linewidth=0)
    for run, history in zip(group, histories, strict=True):
        best = run.result.best_epoch
        if measure == "loss" and overfitting(run):
            # What the sentence on the onset says, where the eye looks for it.
            last, tint = history.index[-1], {"color": VAL, "alpha": TINT}
            axis.axvspan(best, last, linewidth=0, zorder=0, **tint)
        axis.axvline(best, color=GREY, linewidth=0.8, linestyle=":", zorder=0)
        kept = history.loc[history.index == best, f"val_{measure}"]
        dot = {"linestyle": "", "color": VAL, "markeredgewidth": 0.6}
        axis.plot([best] * len(kept), scale * kept, **DOT, **dot)
