"""The comparison of runs on the test images, class by class too, with its CSV."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure as Drawing

from lightbox.base.words import words
from lightbox.comparison.runs import (
    check_same_data,
    finished,
    finished_only,
    unless_all_diverged,
)
from lightbox.display.cells import ABSENT, accuracies, decimals, heads, millions, spread
from lightbox.display.names import (
    model_name,
    run_names,
    seed_groups,
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
from lightbox.evaluation.metrics import majority_answer, score_majority, score_run

COLUMNS = (
    "run_id",
    "model",
    "strategy",
    "weights",
    "image_size",
    "epochs_run",
    "best_epoch",
    "seed",
    "test_accuracy",
    "test_accuracy_low",
    "test_accuracy_high",
    "test_auroc",
    "test_sensitivity",
    "test_specificity",
    "test_precision",
    "test_f1",
    "test_nll",
    "train_seconds",
    "parameters",
    "trainable_parameters",
)
METRICS = ("auroc", "sensitivity", "specificity", "precision", "f1", "nll")


def results_frame(runs: Sequence[Any]) -> pd.DataFrame:
    """Collect configuration, test scores and cost of finished runs.

    Args:
        runs: Finished runs.

    Returns:
        A row a run, in the order given, with exactly `COLUMNS`. Metrics are
        fractions at full precision (NLL in nats), `train_seconds` in seconds,
        and a metric that the test images do not define is NaN. Sections may
        append columns.
    """
    rows = []
    for run in runs:
        config, result = run.config, run.result
        scores = score_run(run, "test")
        row = {"run_id": run.id}
        row |= {key: getattr(config, key) for key in ("model", "strategy", "weights")}
        row |= {key: getattr(config, key) for key in ("image_size", "seed")}
        row |= {key: getattr(result, key) for key in ("epochs_run", "best_epoch")}
        row |= {
            "test_accuracy": scores["accuracy"],
            "test_accuracy_low": scores.low,
            "test_accuracy_high": scores.high,
        }
        row |= {f"test_{name}": scores[name] for name in METRICS}
        row |= {
            key: getattr(result, key)
            for key in ("train_seconds", "parameters", "trainable_parameters")
        }
        rows.append(row)
    return pd.DataFrame(rows, columns=list(COLUMNS))


# Lower is better in these columns.
LOW = ("nll", "time")


@unless_all_diverged
def results_table(
    runs: Sequence[Any],
    *,
    label: str = "tbl-results",
    file: str = "results.csv",
) -> Table:
    """Compare runs on the test images, with the majority answer as last row.

    Runs that differ in their seed alone share a row: mean and standard deviation
    over the seeds. A strategy that all of several runs share is in the caption.

    Args:
        runs: Finished runs on the same data, at least one.
        label: The table's label.
        file: The name of the CSV with the rows behind it.

    Returns:
        The table. Its CSV has a row a run: the columns of `results_frame`, then
        the settings in which runs differ, then the majority answer
        (`majority_class`, `majority_` and each test metric).

    Raises:
        DataError: If there is no run, or runs differ in their data.
    """
    check_same_data(runs)
    terms, groups = words(), seed_groups(runs)
    first = [group[0] for group in groups]
    several = any(len(group) > 1 for group in groups)
    seeds = several or "seed" in varying(runs)
    accuracy = terms["accuracy_percent" if several else "accuracy_interval"]
    named = heads(first, brief=len(first) > 1)
    kept = terms["strategy"] in named[0]
    rows, numbers = [], []
    for head, group in zip(named, groups, strict=True):
        tested = finished(group)
        scores = [score_run(run, "test") for run in tested]
        results = [run.result for run in group]
        # What a run cost that came to nothing is no cost of a result.
        seconds = [run.result.train_seconds for run in tested]
        row = dict(head)
        if seeds:
            row[terms["seeds" if several else "seed"]] = _seeds(group, several)
        row[accuracy] = _accuracies(scores, len(group), terms)
        values = {n: [each[n] for each in scores] for n in METRICS}
        if tested:
            row |= {terms[name]: spread(values[name], 3) for name in METRICS}
            row[terms["time"]] = spread(seconds, 1)
        row[terms["parameters"]] = millions(results[0].parameters)
        row[terms["trainable"]] = millions(results[0].trainable_parameters)
        rows.append(row)
        means = {accuracy: [each["accuracy"] for each in scores]}
        means |= {terms[name]: values[name] for name in METRICS}
        means[terms["time"]] = seconds
        numbers.append({name: pd.Series(v).mean() for name, v in means.items()})
    known = (finished(runs) or runs)[0]
    answer, baseline = majority_answer(known), score_majority(known)
    always = terms["majority"].format(answer=answer)
    shown_as = {terms["model"]: terms["baseline"], terms["strategy"]: always}
    if not kept:
        shown_as = {terms["model"]: f"{terms['baseline']}\n({always})"}
    rows.append(
        shown_as
        | {accuracy: accuracies([baseline])}
        | {terms[name]: spread([baseline[name]], 3) for name in METRICS}
    )
    shown = pd.DataFrame(rows).fillna(ABSENT)
    data = runs[0].data
    caption = terms["caption_comparison"].format(
        images=baseline.num_images, positive=data.positive or terms["each_class"]
    )
    if several:
        caption += terms["caption_seeds"]
    if not kept:
        strategy = strategy_name(first[0].config.strategy)
        caption += terms["caption_one_strategy"].format(strategy=strategy)
    low = [terms[key] for key in LOW]
    return Table(
        shown,
        label,
        caption,
        csv=_full(runs, answer, baseline),
        file=file,
        bold=_best(pd.DataFrame(numbers), shown, low),
    )


def _accuracies(scores: Sequence[Any], count: int, terms: Any) -> str:
    """Write the accuracy of a row's runs, and how many of them diverged."""
    if not scores:
        return terms["by_divergence"]
    lost = count - len(scores)
    note = f"\n({terms['by_divergence']}: {lost})" if lost else ""
    return accuracies(scores) + note


def _seeds(group: Sequence[Any], several: bool) -> str:
    """Count the seeds of a row, or name the one, where no row has more."""
    if several:
        return str(len(group))
    return str(group[0].config.seed)


def _full(runs: Sequence[Any], answer: str, baseline: Any) -> pd.DataFrame:
    """Write a row a run at full precision."""
    frame = results_frame(runs)
    configs = [run.config for run in runs]
    # Every setting that is told by a word of its own; gamma is told with its loss.
    keys = [key for key in varying(runs) if key not in COLUMNS]
    keys += ["gamma"] if "loss" in keys else []
    if len({config.name for config in configs}) > 1:
        keys.insert(0, "name")
    for key in keys:
        values = [getattr(config, key) for config in configs]
        frame[key] = [
            ";".join(map(str, value)) if isinstance(value, list | tuple) else value
            for value in values
        ]
    return frame.assign(
        majority_class=answer,
        majority_accuracy=baseline["accuracy"],
        majority_accuracy_low=baseline.low,
        majority_accuracy_high=baseline.high,
        **{f"majority_{name}": baseline[name] for name in METRICS},
    )


def _best(numbers: pd.DataFrame, shown: pd.DataFrame, low: list[str]) -> pd.DataFrame:
    """Mark the best value of each column, by its full precision.

    The majority row, which `numbers` does not have, cannot win: a constant
    answer has a sensitivity of 1 for nothing.
    """
    bold = pd.DataFrame(False, index=shown.index, columns=shown.columns)
    if len(numbers) > 1:
        for name in numbers.columns:
            values = numbers[name]
            best = values.min() if name in low else values.max()
            # Where all are alike, nothing stands out.
            if values.nunique() > 1:
                bold.loc[: len(values) - 1, name] = (values == best).to_numpy()
    return bold


@finished_only
def per_class(
    runs: Sequence[Any],
    *,
    label: str = "tbl-classes",
    split: str = "test",
) -> Table:
    """Show each class against the rest for each run.

    Args:
        runs: Finished runs on the same data, at least one.
        label: The table's label.
        split: `"val"` or `"test"`.

    Returns:
        The table, with its CSV at full precision behind it.

    Raises:
        DataError: If there is no run, or runs differ in their data.
    """
    check_same_data(runs)
    terms, extra = words(), varying(list(runs))
    names = ("sensitivity", "specificity", "precision", "f1", "auroc")
    rows, full = [], []
    for run in runs:
        config, scores = run.config, score_run(run, split)
        for _, line in scores.per_class.iterrows():
            row = {
                terms["model"]: model_name(config.model),
                terms["strategy"]: strategy_name(config.strategy),
            }
            row |= {setting_title(key): setting(run, key) for key in extra}
            row |= {
                terms["class"]: line["class"],
                terms["images"]: f"{line['images']:,}",
            }
            rows.append(row | {terms[n]: decimals(line[n], 3) for n in names})
            full.append({"run_id": run.id, "split": split} | line.to_dict())
    caption = terms["caption_per_class"].format(images=scores.num_images)
    return Table(pd.DataFrame(rows), label, caption, csv=pd.DataFrame(full))


def from_frame(
    frame: pd.DataFrame,
    label: str,
    caption: str,
    *,
    file: str | None = None,
    places: int = 3,
) -> Table:
    """Show any frame, such as a finding of the data audit.

    Args:
        frame: The rows; its index is shown where it has a name.
        label: The table's label.
        caption: What the table says.
        file: The name of the CSV that the report writes of it, or None.
        places: Decimal places of floating-point columns.

    Returns:
        The table, with `frame` itself as its CSV.
    """
    shown = frame.copy()
    for name in shown.columns:
        if pd.api.types.is_float_dtype(shown[name]):
            shown[name] = [decimals(value, places) for value in shown[name]]
        elif pd.api.types.is_integer_dtype(shown[name]):
            shown[name] = [f"{value:,}" for value in shown[name]]
    index = frame.index.name is not None
    csv = frame.reset_index() if index else frame
    return Table(shown, label, caption, csv=csv, file=file)


@finished_only
def confusion_matrices(runs: Sequence[Any], *, label: str = "fig-confusion") -> Figure:
    """Draw the confusion matrix of each run on the test images.

    Args:
        runs: Finished runs, at least one.
        label: The figure's label.

    Returns:
        The figure: counts and row per cent, rows true, shaded by row per cent.

    Raises:
        DataError: If there is no run, or runs differ in their data.
    """
    check_same_data(runs)
    terms, names = words(), run_names(list(runs))
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
