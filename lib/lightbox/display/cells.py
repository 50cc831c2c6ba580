"""How numbers are written in the cells of tables."""

import math
from collections.abc import Sequence

import numpy as np

from lightbox.base.words import N_, _
from lightbox.display.names import (
    Configured,
    model_name,
    set_names,
    setting,
    setting_title,
    strategy_name,
    varying,
)
from lightbox.evaluation.metrics import Scores

ABSENT = "–"
# The heads of metrics; accuracies are shown in per cent, all else as it is.
METRICS = {
    "accuracy": N_("Accuracy, %"),
    "balanced_accuracy": N_("Balanced acc., %"),
    "auroc": N_("AUROC"),
    "average_precision": N_("AP"),
    "sensitivity": N_("Sens."),
    "specificity": N_("Spec."),
    "precision": N_("Prec."),
    "f1": N_("F1"),
    "nll": N_("NLL, nats"),
    "brier": N_("Brier"),
    "ece": N_("ECE"),
}
# For the caption of a table whose cells are filled by `spread`.
SPREAD = N_(
    "Where a row has several seeds, it gives the mean ± the standard deviation over "
    "them."
)


def decimals(value: float, places: int) -> str:
    """Write a number with fixed decimals; an en dash for NaN."""
    return ABSENT if math.isnan(value) else f"{value:,.{places}f}"


def metric(value: float, name: str) -> str:
    """Write a metric of `METRICS`: per cent with one decimal, or three decimals."""
    return decimals(100 * value, 1) if "accuracy" in name else decimals(value, 3)


def millions(count: int) -> str:
    """Write a number of parameters in millions, small heads included."""
    millions = count / 1e6
    return f"{millions:.4f}" if millions < 0.01 else f"{millions:,.2f}"


def spread(values: Sequence[float], places: int) -> str:
    """Write the values of seeds: one as it is, an en dash for none.

    Of several, two lines: the mean, and `±` with the sample standard deviation
    (denominator n - 1).
    """
    numbers = np.asarray(values, dtype=float)
    if len(numbers) == 0:
        return ABSENT
    if len(numbers) == 1 or not np.isfinite(numbers).all():
        return decimals(float(numbers.mean()), places)
    mean, deviation = numbers.mean(), numbers.std(ddof=1)
    return f"{decimals(mean, places)}\n± {decimals(deviation, places)}"


def accuracies(scores: Sequence[Scores]) -> str:
    """Write test accuracy, %: `spread` over seeds, or one's Wilson interval."""
    if len(scores) > 1:
        return spread([100 * each["accuracy"] for each in scores], 1)
    only = scores[0]
    if not only.num_images:
        return ABSENT
    low, high = 100 * only.low, 100 * only.high
    return f"{100 * only['accuracy']:.1f} ({low:.1f}–{high:.1f})"


def heads(runs: Sequence[Configured], *, brief: bool = False) -> list[dict[str, str]]:
    """Fill the columns that say which run a row is about.

    Returns:
        A dictionary a row: model, strategy (unless several rows share it), set, the
        settings that vary but the seed.
    """
    extra = [key for key in varying(runs) if key != "seed"]
    labels = set_names(runs)
    if brief and labels:
        extra = [key for key in extra if not _follows(runs, key, labels)]
    strategies = {run.config.strategy for run in runs}
    rows = []
    for place, run in enumerate(runs):
        row = {_("Model"): model_name(run.config.model)}
        if len(strategies) > 1 or len(runs) == 1:
            row[_("Strategy")] = strategy_name(run.config.strategy)
        if labels:
            row[_("Set")] = labels[place]
        rows.append(row | {setting_title(k): setting(run, k) or ABSENT for k in extra})
    return rows


def _follows(runs: Sequence[Configured], key: str, labels: list[str]) -> bool:
    """Say whether a setting is the same in all runs of a set."""
    pairs = {(label, setting(r, key)) for label, r in zip(labels, runs, strict=True)}
    return len(pairs) == len(set(labels))
