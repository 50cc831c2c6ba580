"""The figure of calibration: confidence against accuracy, and a temperature."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib.ticker as ticker
import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D

from lightbox.calibration import (
    BINS,
    ece,
    fit_temperature,
    reliability_bins,
    scaled,
)
from lightbox.display import Figure
from lightbox.divergence import finished_only
from lightbox.predictions import split_arrays
from lightbox.results import check_same_data
from lightbox.seeing import literal, seeing_words, val_losses
from lightbox.style import (
    GREY,
    MAX_HEIGHT,
    PALETTE,
    WIDTH,
    columns_of,
    theme,
    titles_of,
)
from lightbox.words import run_names

PANELS_PER_ROW = 4
MOST = 12  # panels that a page holds
WIDEST = 2.4  # inches of a panel
BESIDE = 4.6  # inches that the legend needs in one line
BEFORE, AFTER = PALETTE[0], PALETTE[3]


@dataclass(frozen=True)
class Calibrated:
    """One run's bins on test, as trained and after its temperature.

    Attributes:
        before: From `reliability_bins`.
        after: The same of the softened or sharpened probabilities, or None where
            val gives no temperature.
        temperature: Fitted on val; NaN where it gives none.
        errors: The expected calibration errors, as trained and after.
    """

    before: pd.DataFrame
    after: pd.DataFrame | None
    temperature: float
    errors: tuple[float, float]


@finished_only
def reliability_diagram(
    runs: Sequence[Any], language: str = "en", *, label: str = "fig-reliability"
) -> Figure:
    """Draw confidence against accuracy of each run on the test images.

    Args:
        runs: Finished runs, at least one; of more than twelve, those with the
            lowest NLL on val are drawn.
        language: `"en"` or `"zh"`.
        label: The figure's label.

    Returns:
        The figure: a panel a run with a histogram of its confidences beneath, as
        trained and after a temperature that was fitted on val.

    Raises:
        DataError: If there is no run, or runs differ in their data.

    Source:
        Guo et al. 2017, arXiv 1706.04599, figure 1, with intervals added.
    """
    check_same_data(runs)
    terms, all_names = seeing_words(language), run_names(list(runs), language)
    kept = np.sort(np.argsort(val_losses(runs), kind="stable")[:MOST])
    names = [literal(all_names[k]) for k in kept]
    found = [calibrate(runs[k]) for k in kept]
    columns = columns_of(len(kept), PANELS_PER_ROW)
    rows = math.ceil(len(kept) / columns)
    wide = 84 // columns
    titles = [
        "\n".join([title, _errors(each, terms, wide)])
        for title, each in zip(titles_of(names, wide), found, strict=True)
    ]
    # No answer of K classes is less sure than 1 / K.
    start = math.floor(BINS / len(runs[0].record["data"]["classes"])) / BINS
    lines = 1 + max(title.count("\n") for title in titles)
    with theme(*names, *terms.values()):
        width = min(WIDTH, max(3.0, WIDEST * columns))
        side = width / columns - 0.35
        legend = 0.3 if width > BESIDE else 0.6
        height = min(rows * (1.33 * side + 0.55 + 0.14 * lines) + legend, MAX_HEIGHT)
        figure = Drawing(figsize=(width, height), layout="constrained")
        axes = figure.subplots(
            2 * rows, columns, squeeze=False, sharex=True, height_ratios=[3, 1] * rows
        )
        for histogram in axes[1::2].flat[1:]:
            histogram.sharey(axes[1, 0])
        for position in range(rows * columns):
            block, column = divmod(position, columns)
            diagram, histogram = axes[2 * block, column], axes[2 * block + 1, column]
            if position >= len(kept):
                diagram.set_axis_off()
                histogram.set_axis_off()
                continue
            _diagram(diagram, found[position], start)
            _histogram(histogram, found[position])
            diagram.set_title(titles[position])
            diagram.tick_params(labelleft=column == 0, labelbottom=False)
            histogram.tick_params(labelleft=column == 0, labelbottom=True)
            histogram.set_xlabel(terms["confidence"])
            if column == 0:
                diagram.set_ylabel(terms["accuracy_axis"])
                histogram.set_ylabel(terms["images_axis"])
        figure.legend(
            handles=_legend(terms, any(each.after is not None for each in found)),
            loc="outside upper center",
            ncols=3 if width > BESIDE else 1,
        )
        left = terms["left_runs"].format(total=len(runs), shown=len(kept))
        caption = terms["caption_reliability"].format(
            images=int(found[0].before["images"].sum()),
            bins=BINS,
            left=left if len(kept) < len(runs) else "",
        )
        return Figure(figure, label, caption)


def calibrate(run: Any) -> Calibrated:
    """Bin a run's test images, as trained and after a temperature fitted on val.

    Args:
        run: A finished run.

    Returns:
        The bins; those after the temperature are missing where val has no error,
        or no right answer, and any temperature could still be bettered.
    """
    val_labels, val_answers, val = split_arrays(run, "val")
    labels, answers, test = split_arrays(run, "test")
    before = reliability_bins(test, labels)
    right = answers == labels
    error = ece(test.max(axis=1, initial=0), right)
    val_right = val_answers == val_labels
    if val_right.all() or not val_right.any():
        return Calibrated(before, None, math.nan, (error, math.nan))
    temperature = fit_temperature(val, val_labels)
    mended = scaled(test, temperature)
    errors = error, ece(mended.max(axis=1, initial=0), right)
    return Calibrated(before, reliability_bins(mended, labels), temperature, errors)


def _errors(found: Calibrated, terms: Any, wide: int) -> str:
    """Write the line of the title that has the errors."""
    before, after = found.errors
    if found.after is None:
        return terms["ece_only"].format(before=before)
    text = terms["ece_change"].format(
        before=before, after=after, temperature=found.temperature
    )
    return text if len(text) <= wide else text.replace(terms["ece_break"], "\n", 1)


def _diagram(axis: Any, found: Calibrated, start: float) -> None:
    """Draw the points of each bin with their intervals, on the diagonal."""
    axis.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
    styles = [(found.before, BEFORE, "o", BEFORE), (found.after, AFTER, "s", "white")]
    for table, color, marker, face in styles:
        if table is None:
            continue
        filled = table[table["images"] > 0]
        # Beside 0 and 1, rounding may put a bound past the value it bounds.
        bars = np.maximum(
            [
                filled["accuracy"] - filled["accuracy_low"],
                filled["accuracy_high"] - filled["accuracy"],
            ],
            0,
        )
        axis.errorbar(
            filled["confidence"],
            filled["accuracy"],
            yerr=bars,
            color=color,
            marker=marker,
            markerfacecolor=face,
            markersize=3.5,
            linewidth=1.0,
            elinewidth=0.7,
        )
    axis.set(xlim=(start, 1.02), ylim=(-0.03, 1.04))
    axis.xaxis.set_major_locator(ticker.MaxNLocator(nbins=4, steps=[1, 2, 5]))
    axis.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
    axis.set_yticks([0, 0.5, 1])
    axis.yaxis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))


def _histogram(axis: Any, found: Calibrated) -> None:
    """Draw how many images each bin has."""
    edges = np.append(found.before["low"], 1.0)
    axis.stairs(found.before["images"], edges, fill=True, color=BEFORE, alpha=0.35)
    if found.after is not None:
        axis.stairs(found.after["images"], edges, color=AFTER, linewidth=1.0)
    axis.yaxis.set_major_locator(ticker.MaxNLocator(nbins=2, integer=True))


def _legend(terms: Any, scaled_too: bool) -> list[Line2D]:
    """Explain the points and the diagonal."""
    handles = [
        Line2D([], [], color=BEFORE, marker="o", markersize=3.5, label=terms["before"]),
        Line2D(
            [],
            [],
            color=AFTER,
            marker="s",
            markersize=3.5,
            markerfacecolor="white",
            label=terms["after"],
        ),
        Line2D(
            [],
            [],
            color=GREY,
            linewidth=0.8,
            linestyle=(0, (4, 3)),
            label=terms["perfect"],
        ),
    ]
    return handles if scaled_too else [handles[0], handles[2]]
