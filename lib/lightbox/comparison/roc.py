"""ROC and precision-recall curves, and scores at two operating points."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Drawing

from lightbox.base.errors import DataError
from lightbox.base.words import evidence_words
from lightbox.comparison.reliability import seeing_words
from lightbox.comparison.runs import check_same_data, finished_only
from lightbox.display.cells import ABSENT, spread
from lightbox.display.names import literal, run_names, seed_groups, short_names
from lightbox.display.outputs import Figure, Prose, Table
from lightbox.display.style import GREY, PALETTE, WIDTH, letters, theme
from lightbox.evaluation.bootstrap import RESAMPLES, group_weights
from lightbox.evaluation.curves import GRID, Curves, Task, curves
from lightbox.evaluation.metrics import Scores, best_run, score_run
from lightbox.evaluation.predictions import patients
from lightbox.evaluation.thresholds import (
    USUAL,
    positive_class,
    score_moved,
    threshold_of,
)

BANDS = 4  # as many can lie over each other and be told apart
# Yellow and pink of the palette are too pale for a line on white.
COLORS = [PALETTE[k] for k in (0, 1, 2, 3, 4, 5, 9, 7)]
DASHES = ("-", "--", ":", "-.")
LEGEND_LETTERS = 92


@finished_only
def roc_curves(runs: Sequence[Any], *, label: str = "fig-roc") -> Figure | Prose:
    """Draw the ROC and the precision-recall curve of each run on the test images.

    With two classes they are those of the positive class; with more, means over
    the classes, each against the rest. Runs that differ in their seed alone share
    a line, the mean of theirs.

    Args:
        runs: Finished runs, at least one.
        label: The figure's label.

    Returns:
        The figure, with bands of every line (of more than four, of the one with
        the lowest NLL on val); a sentence where test has one class only.

    Raises:
        DataError: If there is no run, or runs differ in their data.
    """
    check_same_data(runs)
    terms, groups = seeing_words(), seed_groups(runs)
    test = _test(runs[0])
    positive, classes = positive_class(runs[0]), runs[0].data.classes
    asked = [positive] if positive else classes
    kept = [name for name in asked if 0 < (test["label"] == name).sum() < len(test)]
    if not kept:
        return Prose(terms["no_roc"].format(images=len(test)))
    weights = group_weights(patients(runs[0]))
    leads = [group[0] for group in groups]
    names = run_names(leads, seeds=False)
    best = runs[best_run(runs)]
    chosen = next(k for k, group in enumerate(groups) if any(r is best for r in group))
    found = [
        curves(
            [task for run in group for task in _tasks(run, kept)],
            weights,
            bands=len(groups) <= BANDS or k == chosen,
        )
        for k, group in enumerate(groups)
    ]
    share = float(np.mean([(test["label"] == name).mean() for name in kept]))
    lines = [_areas(*each, terms) for each in zip(names, found, strict=True)]
    with theme(*names, *classes, *terms.values()):
        rows = sum(line.count("\n") + 1 for line in lines) + 1
        figure = Drawing(figsize=(WIDTH, 3.1 + 0.155 * rows), layout="constrained")
        roc, recall = figure.subplots(1, 2)
        _frames(roc, recall, terms, share, positive is None)
        for k, (each, line) in enumerate(zip(found, lines, strict=True)):
            _draw(roc, recall, each, k, line)
        figure.legend(
            *roc.get_legend_handles_labels(),
            loc="outside lower center",
            ncols=1,
            handlelength=2.2,
        )
        caption = _caption(terms, test, positive, kept, asked)
        bands = terms["bands_all" if len(groups) <= BANDS else "bands_one"]
        seeds = len(groups) < len(runs)
        return Figure(
            figure,
            label,
            caption(
                bands=bands.format(name=names[chosen]),
                seeds=terms["seeds_averaged"] if seeds else "",
            ),
        )


def _test(run: Any) -> pd.DataFrame:
    """Give a run's test images in the order that all runs share."""
    test = run.predictions[run.predictions["split"] == "test"]
    return test.sort_values("image", kind="stable", ignore_index=True)


def _tasks(run: Any, names: list[str]) -> list[Task]:
    """Set the questions: is an image of this class, for each of them."""
    test = _test(run)
    return [
        ((test["label"] == name).to_numpy(), test[f"prob_{name}"].to_numpy(float))
        for name in names
    ]


def _areas(name: str, found: Curves, terms: Any) -> str:
    """Write a line of the legend, broken behind the name where it is too long."""
    text = terms["areas"].format(
        name=literal(name),
        auroc=found.auroc,
        auroc_low=found.auroc_interval[0],
        auroc_high=found.auroc_interval[1],
        ap=found.average_precision,
        ap_low=found.average_precision_interval[0],
        ap_high=found.average_precision_interval[1],
    )
    if letters(text) <= LEGEND_LETTERS:
        return text
    place = len(literal(name)) + 1
    return f"{text[:place]}\n{text[place:].lstrip()}"


def _frames(roc: Any, recall: Any, terms: Any, share: float, several: bool) -> None:
    """Draw the axes and what an answer that looks at no image would score."""
    for axis in (roc, recall):
        axis.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02), aspect="equal")
        axis.set_xticks(np.linspace(0, 1, 6))
        axis.set_yticks(np.linspace(0, 1, 6))
    quiet = {"color": GREY, "linewidth": 0.8, "linestyle": (0, (4, 3)), "zorder": 1}
    word = terms["chance_mean" if several else "chance"].format(share=share)
    roc.plot([0, 1], [0, 1], label=word, **quiet)
    recall.axhline(share, **quiet)
    roc.set(xlabel=terms["fpr"], ylabel=terms["tpr"])
    recall.set(xlabel=terms["recall_axis"], ylabel=terms["precision_axis"])


def _draw(roc: Any, recall: Any, found: Curves, place: int, line: str) -> None:
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


def _caption(
    terms: Any, test: pd.DataFrame, positive: str | None, kept: list, asked: list
) -> Any:
    """Prepare the caption but for its bands and seeds."""
    if positive:
        of = terms["of_positive"].format(name=positive)
    else:
        of = terms["of_classes"].format(count=len(kept))
        missing = ", ".join(name for name in asked if name not in kept)
        of += terms["left_out"].format(names=missing) if missing else ""
    known = test["group"][test["group"] != ""]
    patients = known.nunique() + len(test) - len(known)
    groups = terms["patients"].format(count=patients)
    if not len(known):
        groups = terms["single_images"]

    def fill(*, bands: str, seeds: str) -> str:
        return terms["caption_roc"].format(
            images=len(test),
            of=of,
            bands=bands,
            resamples=RESAMPLES,
            groups=groups,
            seeds=seeds,
        )

    return fill


MEASURES = ("sensitivity", "specificity", "precision", "f1")
PERCENT = ("balanced_accuracy", "accuracy")


@finished_only
def operating_points(
    runs: Sequence[Any], *, label: str = "tbl-operating"
) -> Table | Prose:
    """Show what each run scores at 0.5, and at the threshold frozen on val.

    Args:
        runs: Finished runs on the same data, at least one; those that differ in
            their seed alone share a row.
        label: The table's label.

    Returns:
        The table, two rows a run, with `operating.csv`; an empty text with more
        than two classes, where no one threshold is. A row of dashes stands for a
        threshold that val, having images of one class only, cannot choose.

    Raises:
        DataError: If there is no run, or runs differ in their data.
    """
    check_same_data(runs)
    positive = positive_class(runs[0])
    if positive is None:
        return Prose("")
    terms, groups = evidence_words(), seed_groups(runs)
    names = short_names([group[0] for group in groups], seeds=False)
    rows, full = [], []
    for name, group in zip(names, groups, strict=True):
        points = [_points(run) for run in group]
        for place, shown in enumerate((name, "")):
            row = {terms["run"]: shown, terms["threshold"]: ABSENT}
            given = [each[place] for each in points if len(each) > place]
            if given:
                values = [threshold for threshold, _ in given]
                row[terms["threshold"]] = (
                    f"{USUAL:g}" if place == 0 else spread(values, 2)
                )
                row |= _cells([scores for _, scores in given], terms)
            rows.append(row)
        full += [
            {"run_id": run.id, "threshold": threshold}
            | {f"test_{n}": scores[n] for n in (*MEASURES, *PERCENT)}
            for run, each in zip(group, points, strict=True)
            for threshold, scores in each
        ]
    images = score_run(runs[0]).num_images
    caption = terms["caption_operating"].format(positive=positive, images=images)
    if any(len(group) > 1 for group in groups):
        caption += terms["caption_seeds"]
    return Table(
        pd.DataFrame(rows).fillna(ABSENT),
        label,
        caption,
        csv=pd.DataFrame(full),
        file="operating.csv",
    )


def _points(run: Any) -> list[tuple[float, Scores]]:
    """Score a run at 0.5 and at its own threshold, where val can choose one."""
    points = [(USUAL, score_moved(run, USUAL))]
    try:
        chosen = threshold_of(run)
    except DataError:
        return points
    return [*points, (chosen.value, score_moved(run, chosen.value))]


def _cells(scores: list[Scores], terms: Any) -> dict[str, str]:
    """Write the measures of one row."""
    cells = {
        terms[name]: spread([each[name] for each in scores], 3) for name in MEASURES
    }
    return cells | {
        terms[name]: spread([100 * each[name] for each in scores], 1)
        for name in PERCENT
    }
