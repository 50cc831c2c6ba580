"""The quantities that course reports print, computed from a run."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from lightbox.metrics import score_run

Own = Callable[[Any], float]


def _score(name: str) -> Own:
    return lambda run: score_run(run)[name]


def _result(name: str) -> Own:
    return lambda run: run.record["result"][name]


def _history(column: str, what: Callable[[pd.Series], float]) -> Own:
    return lambda run: float(what(run.history[column]))


def _per_second(name: str, scale: float) -> Own:
    return lambda run: (
        scale * score_run(run)[name] / run.record["result"]["train_seconds"]
    )


def _above(share: float) -> Own:
    """Find the epoch, counted from 0, from which on val accuracy stays above."""

    def epoch(run: Any) -> float:
        below = run.history["val_accuracy"].to_numpy() <= share
        first = len(below) - below[::-1].argmax() if below.any() else 0
        return float("nan") if first == len(below) else float(first)

    return epoch


# Column of `reference.csv`: headers, factor, decimal places, and the run's own.
QUANTITIES: dict[str, tuple[tuple[str, str], float, int, Own]] = {
    "test_accuracy": (("Accuracy, %", "準確率，%"), 100, 2, _score("accuracy")),
    "test_loss": (("Loss", "損失"), 1, 3, _score("nll")),
    "test_sensitivity": (("Recall", "召回率"), 1, 3, _score("sensitivity")),
    "test_precision": (("Precision", "精確率"), 1, 3, _score("precision")),
    "test_f1": (("F1", "F1"), 1, 3, _score("f1")),
    "mean_train_accuracy": (
        ("Mean train acc., %", "平均訓練準確率，%"),
        100,
        2,
        _history("train_accuracy", pd.Series.mean),
    ),
    "mean_val_accuracy": (
        ("Mean val acc., %", "平均驗證準確率，%"),
        100,
        2,
        _history("val_accuracy", pd.Series.mean),
    ),
    "train_seconds": (("Time, s", "時間，秒"), 1, 1, _result("train_seconds")),
    "accuracy_per_second": (("%/s", "%/秒"), 1, 4, _per_second("accuracy", 100)),
    "loss_per_second": (("Loss/s", "損失/秒"), 1, 5, _per_second("nll", 1)),
    "layers": (("Layers", "層數"), 1, 0, _result("depth")),
    "first_val_loss": (
        ("First val loss", "首個驗證損失"),
        1,
        3,
        _history("val_loss", lambda values: values.iloc[0]),
    ),
    "highest_val_loss": (
        ("Highest val loss", "最高驗證損失"),
        1,
        3,
        _history("val_loss", pd.Series.max),
    ),
    "first_val_accuracy": (
        ("First val acc., %", "首個驗證準確率，%"),
        100,
        2,
        _history("val_accuracy", lambda values: values.iloc[0]),
    ),
    "lowest_val_accuracy": (
        ("Lowest val acc., %", "最低驗證準確率，%"),
        100,
        2,
        _history("val_accuracy", pd.Series.min),
    ),
    "highest_val_accuracy": (
        ("Highest val acc., %", "最高驗證準確率，%"),
        100,
        2,
        _history("val_accuracy", pd.Series.max),
    ),
    "above_80_from": (
        ("Above 80 % from epoch (from 0)", "自第幾週期起高於 80 %（從 0 起）"),
        1,
        0,
        _above(0.8),
    ),
    "best_epoch": (
        ("Best epoch (from 0)", "最佳週期（從 0 起）"),
        1,
        0,
        lambda run: run.record["result"]["best_epoch"] - 1,
    ),
    "epochs_run": (("Epochs run", "執行週期數"), 1, 0, _result("epochs_run")),
}


def cell(name: str, value: Any) -> str:
    """Write a quantity as it is shown.

    Args:
        name: A key of `QUANTITIES`.
        value: Its value, accuracies as fractions; NaN where there is none.

    Returns:
        The text, in the unit of the quantity's header.
    """
    if pd.isna(value):
        return "–"
    _, factor, places, _ = QUANTITIES[name]
    return f"{factor * float(value):,.{places}f}"
