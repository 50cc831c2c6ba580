"""Losses against each other on one yardstick: two tables and the loss's own figure."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Drawing

from lightbox.calibration import BINS
from lightbox.cells import ABSENT, accuracies, spread
from lightbox.display import Figure, Table
from lightbox.divergence import finished_only
from lightbox.metrics import score_run
from lightbox.model_names import model_name
from lightbox.results import check_same_data
from lightbox.style import PALETTE, WIDTH, theme
from lightbox.thresholds import (
    USUAL,
    moved,
    positive_class,
    recalls,
    threshold_of,
)
from lightbox.words import seed_groups, setting, strategy_name, words


def loss_heads(runs: Sequence[Any], language: str = "en") -> list[dict[str, str]]:
    """Name each run by its loss, with model and strategy where they differ.

    Args:
        runs: One run a row.
        language: `"en"` or `"zh"`.

    Returns:
        The first columns of a row, for each run.
    """
    terms = words(language)
    configs = [run.record["config"] for run in runs]
    several = {k: len({c[k] for c in configs}) > 1 for k in ("model", "strategy")}
    rows = []
    for run, config in zip(runs, configs, strict=True):
        row = {}
        if several["model"]:
            row[terms["model"]] = model_name(config["model"])
        if several["strategy"]:
            row[terms["strategy"]] = strategy_name(config["strategy"], language)
        row[terms["loss_kind"]] = setting(run, "loss", language)
        rows.append(row)
    return rows


@finished_only
def yardstick(
    runs: Sequence[Any], language: str = "en", *, label: str = "tbl-yardstick"
) -> Table:
    """Score runs of different losses by measures that depend on no loss.

    Args:
        runs: Finished runs on the same data, at least one; those that differ in
            their seed alone share a row.
        language: `"en"` or `"zh"`.
        label: The table's label.

    Returns:
        The table, with a row a run in `yardstick.csv`.

    Raises:
        DataError: If there is no run, or runs differ in their data.
    """
    check_same_data(runs)
    terms, groups = words(language), seed_groups(runs)
    several = any(len(group) > 1 for group in groups)
    accuracy = terms["accuracy_percent" if several else "accuracy_interval"]
    rows, full = [], []
    named = loss_heads([group[0] for group in groups], language)
    for head, group in zip(named, groups, strict=True):
        scores = [score_run(run) for run in group]
        row = head | {accuracy: accuracies(scores)}
        for name in ("auroc", "nll", "brier", "ece"):
            row[terms[name]] = spread([each[name] for each in scores], 3)
        rows.append(row)
        for run, each in zip(group, scores, strict=True):
            config = run.record["config"]
            line = {"run_id": run.id} | {
                key: config.get(key)
                for key in ("model", "strategy", "loss", "gamma", "seed")
            }
            names = ("accuracy", "balanced_accuracy", "auroc", "nll", "brier", "ece")
            full.append(line | {f"test_{name}": each[name] for name in names})
    images = score_run(runs[0]).num_images
    caption = terms["caption_yardstick"].format(images=images, bins=BINS)
    return Table(
        pd.DataFrame(rows).fillna(ABSENT),
        label,
        caption + (terms["caption_seeds"] if several else ""),
        csv=pd.DataFrame(full),
        file="yardstick.csv",
    )


@finished_only
def threshold_table(
    runs: Sequence[Any], language: str = "en", *, label: str = "tbl-thresholds"
) -> Table:
    """Show the recall of each class at 0.5 and at the threshold chosen on val.

    Args:
        runs: Finished runs on the same data, at least one; those that differ in
            their seed alone share a row.
        language: `"en"` or `"zh"`.
        label: The table's label.

    Returns:
        The table, with a row a run in `thresholds.csv`. With more than two classes
        it has the recalls of the likeliest class alone.

    Raises:
        DataError: If there is no run, runs differ in their data, or val has images
            of one class only.
    """
    check_same_data(runs)
    terms, groups = words(language), seed_groups(runs)
    classes = runs[0].record["data"]["classes"]
    name = positive_class(runs[0])
    usual = f"{USUAL:g}"
    rows, full = [], []
    named = loss_heads([group[0] for group in groups], language)
    for head, group in zip(named, groups, strict=True):
        lines = [_at_thresholds(run, classes) for run in group]
        full += [{"run_id": run.id} | x for run, x in zip(group, lines, strict=True)]
        row = dict(head)
        cells = {
            kind: {
                key: spread([100 * line[f"{key}_{kind}"] for line in lines], 1)
                for key in [*(f"recall_{c}" for c in classes), "accuracy"]
            }
            for kind in ("usual", *(["moved"] if name else []))
        }
        for kind, values in cells.items():
            if kind == "moved":
                chosen = [line["threshold"] for line in lines]
                row[terms["threshold"]] = spread(chosen, 2)
            for each in classes:
                title = terms[f"recall_{kind}"].format(name=each, usual=usual)
                row[title if name else each] = values[f"recall_{each}"]
            title = terms[f"accuracy_{kind}"].format(usual=usual)
            row[title if name else terms["accuracy_percent"]] = values["accuracy"]
        rows.append(row)
    caption = terms["caption_thresholds" if name else "caption_recalls"].format(
        images=score_run(runs[0]).num_images, positive=name
    )
    several = any(len(group) > 1 for group in groups)
    return Table(
        pd.DataFrame(rows),
        label,
        caption + (terms["caption_seeds"] if several else ""),
        csv=pd.DataFrame(full),
        file="thresholds.csv",
    )


def _at_thresholds(run: Any, classes: list[str]) -> dict[str, float]:
    """Score one run at the usual threshold, and at its own where there is one."""
    test = run.predictions[run.predictions["split"] == "test"].set_index("image")
    answers = {"usual": test["predicted"]}
    line: dict[str, float] = {}
    chosen = threshold_of(run)
    if chosen is not None:
        line["threshold"] = chosen.value
        line["val_youden"] = chosen.youden
        answers["moved"] = moved(run, chosen.value)
    for kind, given in answers.items():
        for name, value in zip(
            classes, recalls(test["label"], given, classes), strict=True
        ):
            line[f"recall_{name}_{kind}"] = value
        line[f"accuracy_{kind}"] = float((test["label"] == given).mean())
    return line


def focal_curves(
    gammas: Sequence[float], language: str = "en", *, label: str = "fig-focal"
) -> Figure:
    """Draw the loss of one image against the probability of its true class.

    Args:
        gammas: Besides 0, which is cross-entropy.
        language: `"en"` or `"zh"`.
        label: The figure's label.

    Returns:
        The figure.

    Source:
        Lin et al. 2017, arXiv 1708.02002, figure 1, without the class weights.
    """
    terms = words(language)
    p = np.linspace(0.01, 1, 200)
    with theme(*terms.values()):
        figure = Drawing(figsize=(WIDTH, 2.8), layout="constrained")
        axis = figure.subplots()
        for gamma, color in zip(
            sorted({0.0, *gammas}), PALETTE * len(gammas), strict=False
        ):
            name = f"γ = {gamma:g}"
            if gamma == 0:
                name += f" ({terms['cross_entropy']})"
            loss = -((1 - p) ** gamma) * np.log(p)
            axis.plot(p, loss, color=color, linewidth=1.3, label=name)
        axis.set(
            xlabel=terms["probability_axis"],
            ylabel=terms["loss_axis"],
            xlim=(0, 1),
            ylim=(0, 4.7),
        )
        axis.legend()
        return Figure(figure, label, terms["caption_focal"])
