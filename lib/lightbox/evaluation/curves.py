"""ROC and precision-recall curves with pointwise bands from weighted resamples."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from lightbox.evaluation.bootstrap import (
    interval,
    precision,
    ranked_areas,
    ranked_counts,
)
from lightbox.evaluation.significance import TAILS

GRID = np.linspace(0, 1, 101)  # where bands are known, on the horizontal axis
CHUNK = 250_000  # image weights worked on at a time; bounds memory
Task = tuple[np.ndarray, np.ndarray]
Counts = tuple[np.ndarray, np.ndarray]  # from `ranked_counts`


@dataclass(frozen=True)
class Curves:
    """The two curves of one model, averaged over its tasks.

    Attributes:
        false_positive: (P,), increasing from 0 to 1; with `true_positive` the ROC.
        true_positive: (P,).
        recall: (Q,), increasing from 0 to 1; with `precision` the other curve.
        precision: (Q,); that of a recall holds down to the recall before it.
        roc_band: (2, 101), lower and upper bound of the true-positive rate on `GRID`;
            None where no bands were asked for.
        precision_band: (2, 101), those of the precision; likewise.
        auroc: Mean over tasks, as the next ones.
        auroc_interval: Lower and upper bound.
        average_precision: The sum of precision times the step of recall.
        average_precision_interval: Lower and upper bound.
    """

    false_positive: np.ndarray
    true_positive: np.ndarray
    recall: np.ndarray
    precision: np.ndarray
    roc_band: np.ndarray | None
    precision_band: np.ndarray | None
    auroc: float
    auroc_interval: tuple[float, float]
    average_precision: float
    average_precision_interval: tuple[float, float]


def curves(tasks: Sequence[Task], weights: np.ndarray, *, bands: bool = True) -> Curves:
    """Draw the curves of each task and average them at equal horizontal position.

    Args:
        tasks: One for a positive class, one a class for one against the rest, and
            so for each seed: whether each image is of the class, (N,) of bool with
            both values, and the class's probability, (N,).
        weights: How often each image occurs in each resample, (R, N).

    Returns:
        The curves, their areas and 95 % bands. The intervals of the areas are
        percentiles of the same resamples; a resample without one of the two classes
        is left out.

    Source:
        Fawcett 2006, doi 10.1016/j.patrec.2005.10.010 (vertical averaging); Davis
        and Goadrich 2006, doi 10.1145/1143844.1143874 (no straight lines between
        points of precision and recall).
    """
    once = np.ones((weights.shape[1], 1), dtype=np.int64)
    exact = [ranked_counts(*task, once) for task in tasks]
    areas, heights = [], []
    for chunk in np.array_split(weights, max(1, math.ceil(weights.size / CHUNK))):
        times = chunk.T.astype(np.int64)
        counts = [ranked_counts(*task, times) for task in tasks]
        areas.append(np.mean([ranked_areas(*each) for each in counts], axis=0))
        if bands:
            heights.append(np.mean([_heights(*each) for each in counts], axis=0))
    roc_areas, averages = np.concatenate(areas, axis=1)
    drawn = [None, None]
    if bands:
        drawn = [_band(values) for values in np.concatenate(heights, axis=1)]
    return Curves(
        *_mean_roc(exact),
        *_mean_steps(exact),
        *drawn,
        auroc=float(np.mean([roc_auc_score(*task) for task in tasks])),
        auroc_interval=interval(roc_areas),
        average_precision=float(
            np.mean([average_precision_score(*task) for task in tasks])
        ),
        average_precision_interval=interval(averages),
    )


def _band(values: np.ndarray) -> np.ndarray:
    """Take the pointwise percentile interval of curves (R, 101)."""
    known = values[~np.isnan(values).any(axis=1)]
    if len(known) == 0:
        return np.full((2, len(GRID)), np.nan)
    return np.quantile(known, TAILS, axis=0)


def _mean_roc(exact: list[Counts]) -> tuple[np.ndarray, np.ndarray]:
    """Average ROC curves, with the lower and the upper end of every vertical step."""
    rates = [(false[:, 0] / false[-1], true[:, 0] / true[-1]) for true, false in exact]
    at = np.unique(np.concatenate([x for x, _ in rates]))
    # At a vertical step np.interp gives its end; mirrored, its beginning.
    low = np.mean([-np.interp(-at, -x[::-1], -y[::-1]) for x, y in rates], axis=0)
    high = np.mean([np.interp(at, x, y) for x, y in rates], axis=0)
    return np.repeat(at, 2), np.column_stack([low, high]).ravel()


def _mean_steps(exact: list[Counts]) -> tuple[np.ndarray, np.ndarray]:
    """Average precision-recall curves, which are steps."""
    recalls = [true[:, 0] / true[-1] for true, _ in exact]
    at = np.unique(np.concatenate(recalls))
    held = []
    for counts, recall in zip(exact, recalls, strict=True):
        # The first threshold that reaches a recall; of recall 0, the next step's.
        first = np.searchsorted(recall, np.maximum(at, at[1]))
        held.append(precision(*counts)[first, 0])
    return at, np.mean(held, axis=0)


def _heights(true: np.ndarray, false: np.ndarray) -> np.ndarray:
    """Read true-positive rate and precision of every resample off at `GRID`.

    They are (2, R, 101), NaN where a resample lacks one of the two classes.
    """
    precisions = precision(true, false).T.ravel()
    true, false = true.T, false.T
    positives, negatives = true[:, -1:], false[:, -1:]
    # One search over all resamples at once: each has a stretch of numbers of its own.
    stretch = int((positives + negatives).max()) + 1
    offset = np.arange(len(true))[:, None] * stretch
    asked = (GRID * negatives + offset).ravel()
    height = np.interp(asked, (false + offset).ravel(), true.ravel())
    # The fewest positives that make the recall; a count is exact, a share is not.
    needed = np.maximum(np.ceil(GRID * positives - 1e-9), 1).astype(np.int64)
    places = np.searchsorted((true + offset).ravel(), (needed + offset).ravel())
    held = precisions[np.minimum(places, precisions.size - 1)]
    rates = height.reshape(-1, len(GRID)) / np.maximum(positives, 1)
    heights = np.stack([rates, held.reshape(-1, len(GRID))])
    heights[:, ((positives == 0) | (negatives == 0))[:, 0]] = np.nan
    return heights
