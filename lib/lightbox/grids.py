"""Runs that differ in their settings: what training came to, and every epoch."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from lightbox.cells import ABSENT, decimals, heads
from lightbox.display import Table
from lightbox.divergence import unless_all_diverged
from lightbox.results import check_same_data
from lightbox.words import run_names, varying, words

EPOCH_COLUMNS = ("train_loss", "val_loss", "train_accuracy", "val_accuracy", "seconds")


def kept_val_accuracy(run: Any) -> float:
    """Look up the val accuracy of the epoch whose weights were kept.

    Args:
        run: A finished run.

    Returns:
        A fraction; NaN where no epoch was kept because training diverged.
    """
    history = run.history
    kept = history.loc[history["epoch"] == run.record["result"]["best_epoch"]]
    return float(kept["val_accuracy"].iloc[0]) if len(kept) else math.nan


def stop_reason(run: Any) -> str:
    """Say what ended the training.

    Args:
        run: A finished run.

    Returns:
        `"by_patience"`, `"by_epochs"` or `"by_divergence"`.
    """
    result = run.record["result"]
    return "by_divergence" if result.get("diverged") else f"by_{result['stopped']}"


@unless_all_diverged
def training_table(
    runs: Sequence[Any], language: str = "en", *, label: str = "tbl-training"
) -> Table:
    """Show what each run's training came to, a row a run.

    Args:
        runs: Finished runs, at least one.
        language: `"en"` or `"zh"`.
        label: The table's label.

    Returns:
        The table, written to `training.csv` at full precision: accuracies are
        fractions there.

    Raises:
        DataError: If there is no run, or runs differ in their data.
    """
    check_same_data(runs)
    terms = words(language)
    rows, full = [], []
    named = heads(runs, language)
    for head, run in zip(named, runs, strict=True):
        history, result = run.history, run.record["result"]
        numbers = {
            "best_epoch": result["best_epoch"],
            "epochs_run": result["epochs_run"],
            "stopped": stop_reason(run).removeprefix("by_"),
            "seconds_per_epoch": float(history["seconds"].mean()),
            "mean_train_accuracy": float(history["train_accuracy"].mean()),
            "mean_val_accuracy": float(history["val_accuracy"].mean()),
            "best_val_accuracy": kept_val_accuracy(run),
        }
        seed = run.record["config"]["seed"]
        row = dict(head)
        if "seed" in varying(runs):
            row[terms["seed"]] = str(seed)
        row[terms["best"]] = str(numbers["best_epoch"] or ABSENT)
        row[terms["epochs_run"]] = str(numbers["epochs_run"])
        row[terms["stopped_by"]] = terms[stop_reason(run)]
        row[terms["seconds_per_epoch"]] = decimals(numbers["seconds_per_epoch"], 1)
        for key in ("mean_train", "mean_val", "best_val"):
            row[terms[key]] = decimals(100 * numbers[f"{key}_accuracy"], 1)
        rows.append(row)
        full.append({"run_id": run.id, "seed": seed} | numbers)
    return Table(
        pd.DataFrame(rows).fillna(ABSENT),
        label,
        terms["caption_training"],
        csv=pd.DataFrame(full),
        file="training.csv",
    )


@unless_all_diverged
def epoch_table(
    runs: Sequence[Any], language: str = "en", *, label: str = "tbl-epochs"
) -> Table:
    """Print the history of every run.

    Args:
        runs: Finished runs, at least one.
        language: `"en"` or `"zh"`.
        label: The table's label.

    Returns:
        A row an epoch, the run named in its first row; written to `epochs.csv`
        with the run's id and accuracies as fractions.

    Raises:
        DataError: If there is no run, or runs differ in their data.
    """
    check_same_data(runs)
    terms = words(language)
    rows, bold, full = [], [], []
    for run, name in zip(runs, run_names(runs, language), strict=True):
        best = run.record["result"]["best_epoch"]
        for position, line in enumerate(run.history.to_dict("records")):
            row = {terms["run"]: "" if position else name}
            row[terms["epoch"]] = str(int(line["epoch"]))
            for key in EPOCH_COLUMNS:
                share = key.endswith("accuracy")
                places = 1 if share or key == "seconds" else 3
                row[terms[key]] = decimals((100 if share else 1) * line[key], places)
            rows.append(row)
            bold.append(int(line["epoch"]) == best)
        full.append(run.history.assign(run_id=run.id))
    shown = pd.DataFrame(rows)
    marks = pd.DataFrame(False, index=shown.index, columns=shown.columns)
    marks.iloc[:, 1:] = np.repeat(np.array(bold)[:, None], marks.shape[1] - 1, axis=1)
    csv = pd.concat(full, ignore_index=True)
    csv.insert(0, "run_id", csv.pop("run_id"))
    return Table(
        shown, label, terms["caption_epochs"], csv=csv, file="epochs.csv", bold=marks
    )
