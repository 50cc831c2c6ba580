"""Runs on the test images: their comparison with its CSV, by class, and confusions."""

import math
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from lightbox.base.words import _, joined
from lightbox.comparison.runs import Runs, as_runs, finished_only, unless_all_diverged
from lightbox.display.cells import (
    ABSENT,
    METRICS,
    SPREAD,
    accuracies,
    decimals,
    heads,
    metric,
    millions,
    spread,
)
from lightbox.display.names import (
    model_name,
    setting,
    setting_title,
    strategy_name,
    varying,
)
from lightbox.display.outputs import Figure, Table
from lightbox.display.style import (
    POINTS,
    WIDTH,
    columns_of,
    letters,
    theme,
    titles_of,
    wrapped,
)
from lightbox.evaluation.metrics import Scores, majority_answer
from lightbox.runs.store import Run

COLUMNS = (
    *("run_id", "model", "strategy", "weights", "image_size"),
    *("epochs_run", "best_epoch", "seed"),
    *("test_accuracy", "test_accuracy_low", "test_accuracy_high", "test_auroc"),
    *("test_sensitivity", "test_specificity", "test_precision", "test_f1", "test_nll"),
    *("train_seconds", "parameters", "trainable_parameters"),
)
SHOWN = ("auroc", "sensitivity", "specificity", "precision", "f1", "nll")


def results_frame(runs: Sequence[Run]) -> pd.DataFrame:
    """Collect configuration, test scores and cost of runs.

    Returns:
        A row a run, in the order given, with exactly `COLUMNS`. Metrics are
        fractions at full precision (NLL in nats), `train_seconds` in seconds,
        and a metric that the test images do not define is NaN. Sections may
        append columns.
    """
    runs = as_runs(runs)
    rows = []
    for run in runs:
        row = {"run_id": run.id} | run.config.model_dump() | asdict(run.result)
        rows.append(row | _scored("test", runs.scores(run)))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _scored(prefix: str, scores: Scores) -> dict[str, float]:
    """Give the columns of a CSV that hold scores."""
    row = {
        f"{prefix}_accuracy": scores["accuracy"],
        f"{prefix}_accuracy_low": scores.low,
        f"{prefix}_accuracy_high": scores.high,
    }
    return row | {f"{prefix}_{name}": scores[name] for name in SHOWN}


@unless_all_diverged
def results_table(runs: Runs) -> Table:
    """Compare runs on the test images, with the majority answer as last row.

    Runs that differ in their seed alone share a row: mean and standard deviation
    over the seeds. A strategy that all of several runs share is in the caption.

    Returns:
        The table. Its CSV has a row a run: the columns of `results_frame`, then
        the settings in which runs differ, then the majority answer
        (`majority_class`, `majority_` and each test metric).
    """
    titles = {name: _(METRICS[name]) for name in ("accuracy", *SHOWN)}
    if not runs.several:
        titles["accuracy"] = _("Accuracy, % (95 % interval)")
    named, time = heads(runs.firsts, brief=len(runs.groups) > 1), _("Time, s")
    rows, numbers = [], []
    for row, group in zip(named, runs.groups, strict=True):
        # What a run cost that came to nothing is no cost of a result.
        tested = [run for run in group if not run.diverged]
        scores = [runs.scores(run) for run in tested]
        values = {t: [each[name] for each in scores] for name, t in titles.items()}
        values[time] = [run.result.train_seconds for run in tested]
        numbers.append({t: pd.Series(v, dtype=float).mean() for t, v in values.items()})
        if runs.several:
            row[_("Seeds")] = str(len(group))
        elif "seed" in varying(runs):
            row[_("Seed")] = str(group[0].config.seed)
        row[titles["accuracy"]] = _accuracies(scores, len(group))
        row |= {titles[name]: spread(values[titles[name]], 3) for name in SHOWN}
        row[time] = spread(values[time], 1)
        row[_("Total, M")] = millions(group[0].result.parameters)
        row[_("Trainable, M")] = millions(group[0].result.trainable_parameters)
        rows.append(row)
    answer, baseline = majority_answer(runs.finished[0]), runs.finished.majority
    last = _majority(answer, beside=_("Strategy") in rows[0])
    last[titles["accuracy"]] = accuracies([baseline])
    rows.append(last | {titles[name]: metric(baseline[name], name) for name in SHOWN})
    shown = pd.DataFrame(rows).fillna(ABSENT)
    return Table(
        shown,
        "tbl-results",
        _caption(runs, baseline),
        csv=_full(runs, answer, baseline),
        file="results.csv",
        bold=_best(pd.DataFrame(numbers), shown, low=[titles["nll"], time]),
    )


def _accuracies(scores: Sequence[Scores], count: int) -> str:
    """Write the accuracy of a row's runs, and how many of them diverged."""
    if not scores:
        return _("diverged")
    lost = count - len(scores)
    note = f"\n({_('diverged')}: {lost})" if lost else ""
    return accuracies(scores) + note


def _majority(answer: str, *, beside: bool) -> dict[str, str]:
    """Name the last row, by the column of strategies where there is one."""
    name, always = _("Majority answer"), _("always {answer}").format(answer=answer)
    if beside:
        return {_("Model"): name, _("Strategy"): always}
    return {_("Model"): f"{name}\n({always})"}


def _caption(runs: Runs, baseline: Scores) -> str:
    """Say what the comparison shows, and what all runs share."""
    said = _(
        "Results on the {images} test images, with 95 % Wilson intervals. Sensitivity, "
        "precision and F1 are those of {positive}; total and trainable parameters are "
        "in millions (M). Bold marks the highest value of a column (the lowest for NLL "
        "and time) among the trained models and is no statement of significance. The "
        "last row answers with the class frequencies of train."
    ).format(
        images=baseline.num_images,
        positive=runs[0].data.positive or _("each class, averaged"),
    )
    said = joined([said, _(SPREAD) if runs.several else ""])
    strategies = {run.config.strategy for run in runs}
    if len(runs.groups) == 1 or len(strategies) > 1:
        return said
    alike = _("Every run: {strategy}.").format(strategy=strategy_name(*strategies))
    return joined([said, alike])


def _full(runs: Runs, answer: str, baseline: Scores) -> pd.DataFrame:
    """Write a row a run at full precision."""
    frame = results_frame(runs)
    # Every setting that is told by a word of its own; gamma is told with its loss.
    keys = [key for key in varying(runs) if key not in COLUMNS]
    keys += ["gamma"] if "loss" in keys else []
    if len({run.config.name for run in runs}) > 1:
        keys.insert(0, "name")
    for key in keys:
        values = [getattr(run.config, key) for run in runs]
        frame[key] = [";".join(v) if isinstance(v, tuple) else v for v in values]
    return frame.assign(majority_class=answer, **_scored("majority", baseline))


def _best(numbers: pd.DataFrame, shown: pd.DataFrame, low: list[str]) -> pd.DataFrame:
    """Mark the best value of each column, by its full precision.

    The majority row, which `numbers` does not have, cannot win: a constant
    answer has a sensitivity of 1 for nothing.
    """
    bold = pd.DataFrame(False, index=shown.index, columns=shown.columns)
    for name, values in numbers.items():
        best = values.min() if name in low else values.max()
        # Where all are alike, nothing stands out.
        if values.nunique() > 1:
            bold.loc[: len(values) - 1, name] = (values == best).to_numpy()
    return bold


@finished_only
def per_class(runs: Runs) -> Table:
    """Show each class against the rest for each run, with a CSV at full precision."""
    names = ("sensitivity", "specificity", "precision", "f1", "auroc")
    rows, full = [], []
    for run in runs:
        head = {
            _("Model"): model_name(run.config.model),
            _("Strategy"): strategy_name(run.config.strategy),
        }
        head |= {setting_title(key): setting(run, key) for key in varying(runs)}
        for line in runs.scores(run).per_class.to_dict("records"):
            row = head | {_("Class"): line["class"], _("Images"): f"{line['images']:,}"}
            rows.append(row | {_(METRICS[n]): metric(line[n], n) for n in names})
            full.append({"run_id": run.id, "split": "test"} | line)
    caption = _("Every class against the rest, on the {images} test images.").format(
        images=runs.num_images
    )
    return Table(pd.DataFrame(rows), "tbl-classes", caption, csv=pd.DataFrame(full))


def from_frame(frame: pd.DataFrame, label: str, caption: str) -> Table:
    """Show any frame, such as a finding of the data audit."""
    shown = frame.copy()
    for name in shown.columns:
        if pd.api.types.is_float_dtype(shown[name]):
            shown[name] = [decimals(value, 3) for value in shown[name]]
        elif pd.api.types.is_integer_dtype(shown[name]):
            shown[name] = [f"{value:,}" for value in shown[name]]
    csv = frame.reset_index() if frame.index.name is not None else frame
    return Table(shown, label, caption, csv=csv)


@finished_only
def confusion_matrices(runs: Runs) -> Figure:
    """Draw the confusion matrix of each run on the test images.

    Returns:
        The figure: counts and row per cent, rows true, shaded by row per cent.
    """
    classes = runs[0].data.classes
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
    titles = titles_of(runs.names, 84 // columns)
    lines = 1 + max(title.count("\n") for title in titles)
    below = 0.075 * widest if upright else 0.14
    height = rows * (side + 0.25 + below + 0.14 * lines)
    with theme(*titles, *classes):
        figure = Drawing(figsize=(WIDTH, height), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for axis in axes[len(runs) :]:
            axis.set_axis_off()
        for place, (axis, run) in enumerate(zip(axes, runs, strict=False)):
            _matrix(axis, runs.scores(run).confusion, shown, upright)
            axis.set_title(titles[place])
            last = place + columns >= len(runs)
            axis.set_xlabel(_("Predicted class") if last else "")
            axis.set_ylabel("" if place % columns else _("True class"))
            if place % columns:
                axis.set_yticklabels([])
        # The layout of square axes needs a second pass, which the SVG would lack.
        figure.draw_without_rendering()
        caption = _(
            "Confusion matrices on the test split: images, and per cent of the true "
            "class. Rows are true, columns predicted classes."
        )
        return Figure(figure, "fig-confusion", caption)


def _matrix(axis: Axes, counts: np.ndarray, names: list[str], upright: bool) -> None:
    """Draw one confusion matrix with counts over row per cent."""
    totals = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    share = 100 * counts / totals
    text = [
        [
            f"{n:,}\n{p:.0f}%" if row.sum() else f"{n:,}"
            for n, p in zip(row, line, strict=True)
        ]
        for row, line in zip(counts, share, strict=True)
    ]
    sns.heatmap(
        share,
        annot=np.array(text),
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
