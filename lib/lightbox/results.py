"""The table of results behind every comparison: one row a run."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from lightbox.errors import DataError
from lightbox.metrics import score_run

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
        config, result = run.record["config"], run.record["result"]
        scores = score_run(run, "test")
        row = {"run_id": run.id}
        row |= {key: config[key] for key in ("model", "strategy", "weights")}
        row |= {key: config[key] for key in ("image_size", "seed")}
        row |= {key: result[key] for key in ("epochs_run", "best_epoch")}
        row |= {
            "test_accuracy": scores["accuracy"],
            "test_accuracy_low": scores.low,
            "test_accuracy_high": scores.high,
        }
        row |= {f"test_{name}": scores[name] for name in METRICS}
        row |= {
            key: result[key]
            for key in ("train_seconds", "parameters", "trainable_parameters")
        }
        rows.append(row)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def check_same_data(runs: Sequence[Any]) -> None:
    """Refuse runs that cannot stand in one table.

    Args:
        runs: Finished runs.

    Raises:
        DataError: If there is none, or their data differ.
    """
    if not runs:
        raise DataError("no run to compare; train at least one model and strategy")
    prints = {run.record["data"]["fingerprint"] for run in runs}
    if len(prints) > 1:
        raise DataError(
            f"runs on {len(prints)} different data sets cannot be compared; choose "
            "those of one dataset, data_dir and on_bad_image"
        )
