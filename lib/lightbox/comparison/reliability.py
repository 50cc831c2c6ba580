"""Confidence against accuracy, and what one temperature mends."""

import math

import matplotlib.ticker as ticker
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D

from lightbox.base.words import N_, _, joined
from lightbox.comparison.runs import Runs, finished_only
from lightbox.display.cells import SPREAD, heads, spread
from lightbox.display.names import literal
from lightbox.display.outputs import Figure, Table
from lightbox.display.style import (
    GREY,
    MAX_HEIGHT,
    PALETTE,
    WIDTH,
    columns_of,
    theme,
    titles_of,
)
from lightbox.evaluation.calibration import (
    BINS,
    Calibrated,
    calibrate,
)
from lightbox.evaluation.metrics import val_losses

PANELS_PER_ROW = 4
MOST = 12  # panels that a page holds
WIDEST = 2.4  # inches of a panel
BESIDE = 4.6  # inches that the legend needs in one line
DIAGONAL = {"color": GREY, "linewidth": 0.8, "linestyle": (0, (4, 3))}
TRAINED = {"color": PALETTE[0], "marker": "o", "markersize": 3.5}
SCALED = {
    "color": PALETTE[3],
    "marker": "s",
    "markersize": 3.5,
    "markerfacecolor": "white",
}


@finished_only
def reliability_diagram(runs: Runs) -> Figure:
    """Draw confidence against accuracy of each run on the test images.

    A panel a run with a histogram of its confidences beneath, as trained and after a
    temperature that was fitted on val; of more than twelve runs, those with the lowest
    NLL on val.

    Source:
        Guo et al. 2017, arXiv 1706.04599, figure 1, with intervals added.
    """
    kept = np.sort(np.argsort(val_losses(runs), kind="stable")[:MOST])
    all_names = runs.names
    names = [literal(all_names[k]) for k in kept]
    found = [calibrate(runs[k]) for k in kept]
    columns = columns_of(len(kept), PANELS_PER_ROW)
    rows = math.ceil(len(kept) / columns)
    titles = [
        f"{title}\n{_errors(each, 84 // columns)}"
        for title, each in zip(titles_of(names, 84 // columns), found, strict=True)
    ]
    # No answer of K classes is less sure than 1 / K.
    start = math.floor(BINS / len(runs[0].data.classes)) / BINS
    lines = 1 + max(title.count("\n") for title in titles)
    with theme(*names):
        width = min(WIDTH, max(3.0, WIDEST * columns))
        side = width / columns - 0.35
        legend = 0.3 if width > BESIDE else 0.6
        height = min(rows * (1.33 * side + 0.55 + 0.14 * lines) + legend, MAX_HEIGHT)
        figure = Drawing(figsize=(width, height), layout="constrained")
        axes = figure.subplots(
            2 * rows, columns, squeeze=False, sharex=True, height_ratios=[3, 1] * rows
        )
        diagrams, histograms = axes[::2].ravel(), axes[1::2].ravel()
        for histogram in histograms[1:]:
            histogram.sharey(histograms[0])
        for unused in (*diagrams[len(kept) :], *histograms[len(kept) :]):
            unused.set_axis_off()
        for place, each in enumerate(found):
            diagram, histogram = diagrams[place], histograms[place]
            _diagram(diagram, each, start)
            _histogram(histogram, each)
            diagram.set_title(titles[place])
            first = place % columns == 0
            diagram.tick_params(labelleft=first, labelbottom=False)
            histogram.tick_params(labelleft=first, labelbottom=True)
            histogram.set_xlabel(_("Confidence"))
            if first:
                diagram.set_ylabel(_("Accuracy"))
                histogram.set_ylabel(_("Images"))
        figure.legend(
            handles=_legend(any(each.after is not None for each in found)),
            loc="outside upper center",
            ncols=3 if width > BESIDE else 1,
        )
        images = int(found[0].before["images"].sum())
        return Figure(figure, "fig-reliability", _caption(images, len(kept), len(runs)))


def _errors(found: Calibrated, wide: int) -> str:
    """Write the line of the title that has the errors, broken where it is too long."""
    before, after = found.errors
    if found.after is None:
        return f"ECE {before:.3f}"
    change = f"ECE {before:.3f} → {after:.3f}"
    fitted = f"T = {found.temperature:.2f}"
    text = _("{change}, {fitted}").format(change=change, fitted=fitted)
    return text if len(text) <= wide else f"{change}\n{fitted}"


def _diagram(axis: Axes, found: Calibrated, start: float) -> None:
    """Draw the points of each bin with their intervals, on the diagonal."""
    axis.plot([0, 1], [0, 1], **DIAGONAL)
    for table, style in ((found.before, TRAINED), (found.after, SCALED)):
        if table is None:
            continue
        filled = table[table["images"] > 0]
        accuracy = filled["accuracy"]
        bars = [accuracy - filled["accuracy_low"], filled["accuracy_high"] - accuracy]
        axis.errorbar(
            filled["confidence"],
            accuracy,
            # Beside 0 and 1, rounding may put a bound past the value it bounds.
            yerr=np.maximum(bars, 0),
            linewidth=1.0,
            elinewidth=0.7,
            **style,
        )
    axis.set(xlim=(start, 1.02), ylim=(-0.03, 1.04))
    axis.xaxis.set_major_locator(ticker.MaxNLocator(nbins=4, steps=[1, 2, 5]))
    axis.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
    axis.set_yticks([0, 0.5, 1])
    axis.yaxis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))


def _histogram(axis: Axes, found: Calibrated) -> None:
    """Draw how many images each bin has."""
    edges = np.append(found.before["low"], 1.0)
    before = {"fill": True, "color": TRAINED["color"], "alpha": 0.35}
    axis.stairs(found.before["images"], edges, **before)
    if found.after is not None:
        axis.stairs(found.after["images"], edges, color=SCALED["color"], linewidth=1.0)
    axis.yaxis.set_major_locator(ticker.MaxNLocator(nbins=2, integer=True))


def _legend(scaled_too: bool) -> list[Line2D]:
    """Explain the points and the diagonal."""
    styles = {_("as trained"): TRAINED}
    if scaled_too:
        styles[_("after temperature scaling")] = SCALED
    styles[_("perfect calibration")] = DIAGONAL
    return [Line2D([], [], label=label, **style) for label, style in styles.items()]


def _caption(images: int, shown: int, total: int) -> str:
    """Say what the diagram shows, and of how many runs."""
    said = _(
        "Confidence against accuracy on the {images:,} test images, in {bins} equal "
        "bins of the confidence, which is the probability of the answer given; beneath "
        "it, how many images each bin has. A point below the diagonal is "
        "overconfident. Bars are 95 % Wilson intervals, which count images as "
        "independent. The temperature T divides the logits and is fitted on val "
        "(not where val has no error); it changes no answer. ECE is the mean distance "
        "from the diagonal over the images."
    ).format(images=images, bins=BINS)
    left = _("Of {total} runs, the {shown} with the lowest NLL on val are drawn.")
    left = left.format(total=total, shown=shown) if shown < total else ""
    return joined([said, left])


# The columns of the table, by those of `Calibrated.scores`.
COLUMNS = {
    "temperature": N_("Temperature"),
    "ece": N_("ECE, as trained"),
    "ece_scaled": N_("ECE, scaled"),
    "nll": N_("NLL, nats, as trained"),
    "nll_scaled": N_("NLL, nats, scaled"),
    "brier": N_("Brier, as trained"),
    "brier_scaled": N_("Brier, scaled"),
}


@finished_only
def calibration_table(runs: Runs) -> Table:
    """Show ECE, NLL and Brier score on test before and after temperature scaling.

    Runs that differ in their seed alone share a row.

    """
    named = heads(runs.firsts, brief=True)
    rows, full, marked = [], [], False
    for row, group in zip(named, runs.groups, strict=True):
        lines = [calibrate(run).scores for run in group]
        for run, line in zip(group, lines, strict=True):
            full.append({"run_id": run.id, "seed": run.config.seed} | line)
        for name, title in COLUMNS.items():
            places = 2 if name == "temperature" else 3
            row[_(title)] = spread([line[name] for line in lines], places)
        if any(math.isnan(line["temperature"]) for line in lines):
            row[_("Temperature")] += "†"
            marked = True
        rows.append(row)
    said = _(
        "One temperature a run, fitted on its val images by NLL, and what it does to "
        "the {images:,} test images. Above 1 it softens a network that is too sure of "
        "itself. Answers, and with them accuracy, stay as they are. ECE: {bins} bins."
    ).format(images=runs.num_images, bins=BINS)
    bound = _(
        "†: no temperature, because val has no images, no errors, or an NLL that falls "
        "to the end of the range that is searched."
    )
    said = [said, _(SPREAD) if runs.several else "", bound if marked else ""]
    shown, csv, name = pd.DataFrame(rows), pd.DataFrame(full), "calibration.csv"
    return Table(shown, "tbl-calibration", joined(said), csv=csv, file=name)
