"""ROC and precision-recall curves, and scores at two operating points."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from lightbox.base.errors import DataError
from lightbox.base.words import _, joined, ngettext, pgettext
from lightbox.comparison.runs import Runs, finished_only
from lightbox.display.cells import METRICS, SPREAD, spread
from lightbox.display.names import literal, run_names, short_names
from lightbox.display.outputs import Figure, Prose, Table
from lightbox.display.style import GREY, PALETTE, WIDTH, letters, theme
from lightbox.evaluation.bootstrap import RESAMPLES
from lightbox.evaluation.curves import GRID, Curves, curves
from lightbox.evaluation.metrics import Scores
from lightbox.evaluation.predictions import sorted_test
from lightbox.evaluation.thresholds import (
    USUAL,
    positive_class,
    score_moved,
    threshold_of,
)
from lightbox.runs.store import Run

BANDS = 4  # as many can lie over each other and be told apart
# Yellow and pink of the palette are too pale for a line on white.
COLORS = [PALETTE[k] for k in (0, 1, 2, 3, 4, 5, 9, 7)]
DASHES = ("-", "--", ":", "-.")
LEGEND_LETTERS = 92


@finished_only
def roc_curves(runs: Runs) -> Figure | Prose:
    """Draw the ROC and the precision-recall curve of each run on the test images.

    With two classes they are those of the positive class; with more, means over
    the classes, each against the rest. Runs that differ in their seed alone share
    a line, the mean of theirs.

    Returns:
        The figure, with bands of every line (of more than four, of the one with
        the lowest NLL on val); a sentence where test has one class only.
    """
    test, positive = sorted_test(runs[0]), positive_class(runs[0])
    asked = [positive] if positive else list(runs[0].data.classes)
    shares = {name: float((test["label"] == name).mean()) for name in asked}
    kept = [name for name, share in shares.items() if 0 < share < 1]
    if not kept:
        said = _(
            "No ROC curve is drawn: the {images:,} test images are all of one class."
        )
        return Prose(said.format(images=len(test)))
    weights = runs.patients.resampled
    names = run_names(runs.firsts, seeds=False)
    best = [any(run is runs.best for run in group) for group in runs.groups].index(True)
    found = []
    for place, group in enumerate(runs.groups):
        frames = [sorted_test(run) for run in group]
        tasks = [
            ((frame["label"] == name).to_numpy(), frame[f"prob_{name}"].to_numpy(float))
            for frame in frames
            for name in kept
        ]
        banded = len(runs.groups) <= BANDS or place == best
        found.append(curves(tasks, weights, bands=banded))
    lines = [_areas(name, each) for name, each in zip(names, found, strict=True)]
    with theme(*names):
        rows = sum(line.count("\n") + 1 for line in lines) + 1
        figure = Drawing(figsize=(WIDTH, 3.1 + 0.155 * rows), layout="constrained")
        roc, recall = figure.subplots(1, 2)
        _frames(roc, recall, float(np.mean([shares[n] for n in kept])), bool(positive))
        for place, (each, line) in enumerate(zip(found, lines, strict=True)):
            _draw(roc, recall, each, place, line)
        figure.legend(
            *roc.get_legend_handles_labels(),
            loc="outside lower center",
            ncols=1,
            handlelength=2.2,
        )
        return Figure(figure, "fig-roc", _caption(runs, test, kept, names[best]))


def _areas(name: str, found: Curves) -> str:
    """Write a line of the legend, broken behind the name where it is too long."""
    auroc, ap = (
        _("{value:.3f} ({low:.3f}–{high:.3f})").format(value=value, low=low, high=high)
        for value, (low, high) in (
            (found.auroc, found.auroc_interval),
            (found.average_precision, found.average_precision_interval),
        )
    )
    name = literal(name)
    text = _("{name}: AUROC {auroc}, AP {ap}").format(name=name, auroc=auroc, ap=ap)
    if letters(text) <= LEGEND_LETTERS:
        return text
    place = len(name) + 1
    return f"{text[:place]}\n{text[place:].lstrip()}"


def _frames(roc: Axes, recall: Axes, share: float, one: bool) -> None:
    """Draw the axes and what an answer that looks at no image would score."""
    for axis in (roc, recall):
        axis.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02), aspect="equal")
        axis.set_xticks(np.linspace(0, 1, 6))
        axis.set_yticks(np.linspace(0, 1, 6))
    if one:
        chance = _(
            "an answer at random: diagonal, and precision {share:.2f}, the share of "
            "positives"
        )
    else:
        chance = _(
            "an answer at random: diagonal, and precision {share:.2f}, a class's mean "
            "share"
        )
    quiet = {"color": GREY, "linewidth": 0.8, "linestyle": (0, (4, 3)), "zorder": 1}
    roc.plot([0, 1], [0, 1], label=chance.format(share=share), **quiet)
    recall.axhline(share, **quiet)
    roc.set(
        xlabel=_("False-positive rate (1 − specificity)"),
        ylabel=_("True-positive rate (sensitivity)"),
    )
    recall.set(xlabel=_("Recall (sensitivity)"), ylabel=_("Precision"))


def _draw(roc: Axes, recall: Axes, found: Curves, place: int, line: str) -> None:
    """Draw one run's two lines, with their bands where it has any."""
    banded = found.roc_band is not None
    color = COLORS[place % len(COLORS)]
    style = {
        "color": color,
        "linestyle": DASHES[place // len(COLORS) % len(DASHES)],
        "linewidth": 1.4 if banded else 1.0,
        "zorder": 3 if banded else 2,
    }
    roc.plot(found.false_positive, found.true_positive, label=line, **style)
    recall.plot(found.recall, found.precision, drawstyle="steps-pre", **style)
    if banded:
        shade = {"color": color, "alpha": 0.15, "linewidth": 0, "zorder": 1.5}
        roc.fill_between(GRID, *found.roc_band, **shade)
        recall.fill_between(GRID, *found.precision_band, **shade)


def _caption(runs: Runs, test: pd.DataFrame, kept: list[str], best: str) -> str:
    """Say of which classes the curves are, and what the bands count."""
    positive = positive_class(runs[0])
    if positive:
        of = _("The positive class is {name}.").format(name=positive)
    else:
        of = _("They are means over {count} classes, each against the rest.")
        of = of.format(count=len(kept))
        absent = ", ".join(name for name in runs[0].data.classes if name not in kept)
        left_out = _("Without a test image, and left out: {names}.")
        of = joined([of, left_out.format(names=absent) if absent else ""])
    if len(runs.groups) <= BANDS:
        bands = _("shaded are")
    else:
        bands = _("shaded, for {name} (lowest NLL on val), are").format(name=best)
    known = test["group"][test["group"] != ""]
    count = known.nunique() + len(test) - len(known)
    said = _(
        "ROC (left) and precision-recall curves (right) on the {images:,} test images. "
        "{of} The legend gives the area under the ROC curve (AUROC) and the average "
        "precision (AP), each with its 95 % interval; {bands} pointwise 95 % bands. "
        "Intervals and bands come from {resamples:,} resamples of the {groups}."
    ).format(
        images=len(test),
        of=of,
        bands=bands,
        resamples=RESAMPLES,
        groups=ngettext(
            "{count:,} patient or slide", "{count:,} patients or slides", count
        ).format(count=count)
        if len(known)
        else _("images, as their names give no patient"),
    )
    mean = _(
        "Runs that differ in their seed alone share a line, the mean of their curves."
    )
    return joined([said, mean if runs.several else ""])


POINTS = (
    *("sensitivity", "specificity", "precision", "f1"),
    *("balanced_accuracy", "accuracy"),
)


@finished_only
def operating_points(runs: Runs) -> Table | Prose:
    """Show what each run scores at 0.5, and at the threshold frozen on val.

    Runs that differ in their seed alone share a row.

    Returns:
        The table, two rows a run, with `operating.csv`; an empty text with more
        than two classes, where no one threshold is. A row of dashes stands for a
        threshold that val, having images of one class only, cannot choose.
    """
    positive = positive_class(runs[0])
    if positive is None:
        return Prose("")
    names = short_names(runs.firsts, seeds=False)
    rows, full = [], []
    for name, group in zip(names, runs.groups, strict=True):
        points = [scores_at(run) for run in group]
        for shown, place in ((name, 0), ("", 1)):
            given = [each[place] for each in points if len(each) > place]
            chosen = spread([threshold for threshold, scores in given], 2)
            row = {
                pgettext("column", "Run"): shown,
                _("Threshold"): chosen if place else f"{USUAL:g}",
            }
            for key in POINTS:
                share, digits = (100, 1) if "accuracy" in key else (1, 3)
                values = [share * scores[key] for threshold, scores in given]
                row[_(METRICS[key])] = spread(values, digits)
            rows.append(row)
        full += [
            {"run_id": run.id, "threshold": threshold}
            | {f"test_{key}": scores[key] for key in POINTS}
            for run, each in zip(group, points, strict=True)
            for threshold, scores in each
        ]
    caption = _(
        "Scores on the {images:,} test images at the usual threshold of 0.5 and below "
        "it at the one with the highest Youden's J on val, frozen before test. "
        "Sensitivity, precision and F1 are those of {positive}, whose probability the "
        "threshold is on."
    ).format(images=runs.num_images, positive=positive)
    caption = joined([caption, _(SPREAD) if runs.several else ""])
    shown, csv = pd.DataFrame(rows), pd.DataFrame(full)
    return Table(shown, "tbl-operating", caption, csv=csv, file="operating.csv")


def scores_at(run: Run) -> Sequence[tuple[float, Scores]]:
    """Score a run of two classes on test at 0.5, then at its own threshold.

    Returns:
        Pairs of a threshold on the probability of `positive_class` and the scores;
        the first alone where val, of one class only, can choose no threshold.
    """
    points = [(USUAL, score_moved(run, USUAL))]
    try:
        chosen = threshold_of(run)
    except DataError:
        return points
    return [*points, (chosen.value, score_moved(run, chosen.value))]
