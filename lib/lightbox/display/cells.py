"""How numbers are written in the cells of tables."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from lightbox.base.words import words
from lightbox.display.names import (
    model_name,
    set_names,
    setting,
    setting_title,
    strategy_name,
    varying,
)
from lightbox.evaluation.metrics import Scores

ABSENT = "–"


def decimals(value: float, places: int) -> str:
    """Write a number with fixed decimals.

    Args:
        value: The number.
        places: How many decimals.

    Returns:
        The text; an en dash for NaN.
    """
    return ABSENT if math.isnan(value) else f"{value:,.{places}f}"


def millions(count: int) -> str:
    """Write a number of parameters in millions, small heads included.

    Args:
        count: How many.

    Returns:
        The text, without a unit.
    """
    millions = count / 1e6
    return f"{millions:.4f}" if millions < 0.01 else f"{millions:,.2f}"


def spread(values: Sequence[float], places: int) -> str:
    """Write one value, or the mean and standard deviation of several.

    Args:
        values: A value a seed, at least one.
        places: How many decimals.

    Returns:
        The value, or two lines: the mean, and `±` with the sample standard
        deviation (denominator n - 1).
    """
    numbers = np.asarray(values, dtype=float)
    if len(numbers) == 1 or not np.isfinite(numbers).all():
        return decimals(float(numbers.mean()), places)
    mean, deviation = numbers.mean(), numbers.std(ddof=1)
    return f"{decimals(mean, places)}\n± {decimals(deviation, places)}"


def accuracies(scores: Sequence[Scores]) -> str:
    """Write test accuracy in per cent.

    Args:
        scores: Of one run, or of several that differ in their seed alone.

    Returns:
        One run's value with its Wilson interval, several runs' mean and standard
        deviation.
    """
    if len(scores) > 1:
        return spread([100 * each["accuracy"] for each in scores], 1)
    only = scores[0]
    if not only.num_images:
        return ABSENT
    low, high = 100 * only.low, 100 * only.high
    return f"{100 * only['accuracy']:.1f} ({low:.1f}–{high:.1f})"


def heads(runs: Sequence[Any], *, brief: bool = False) -> list[dict[str, str]]:
    """Fill the columns that say which run a row is about.

    Args:
        runs: One run a row.
        brief: Whether to leave out the settings that the label of a set stands for.

    Returns:
        A dictionary a row: model, strategy (unless several rows share it), set, the
        settings that vary but the seed.
    """
    terms, extra = words(), [k for k in varying(runs) if k != "seed"]
    labels = set_names(runs) or [""] * len(runs)
    if brief and any(labels):
        extra = [key for key in extra if not _follows(runs, key, labels)]
    strategies = {run.config.strategy for run in runs}
    rows = []
    for run, label in zip(runs, labels, strict=True):
        config = run.config
        row = {terms["model"]: model_name(config.model)}
        if len(strategies) > 1 or len(runs) == 1:
            row[terms["strategy"]] = strategy_name(config.strategy)
        if label:
            row[terms["set"]] = label
        for key in extra:
            row[setting_title(key)] = setting(run, key) or ABSENT
        rows.append(row)
    return rows


def _follows(runs: Sequence[Any], key: str, labels: list[str]) -> bool:
    """Say whether a setting is the same in all runs of a set."""
    pairs = {(label, setting(r, key)) for label, r in zip(labels, runs, strict=True)}
    return len(pairs) == len(set(labels))
