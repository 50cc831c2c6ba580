"""The metrics of every resample at once, from weights of images."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lightbox.calibration import BINS, bin_gaps
from lightbox.errors import DataError
from lightbox.predictions import checked_arrays, image_brier, image_nll
from lightbox.resampling import (
    RESAMPLES,
    group_codes,
    group_weights,
    left_out_weights,
)

NAMES = (
    "accuracy",
    "balanced_accuracy",
    "auroc",
    "average_precision",
    "nll",
    "brier",
    "ece",
)


def weighted_scores(
    labels: np.ndarray,
    answers: np.ndarray,
    probabilities: np.ndarray,
    weights: np.ndarray,
    *,
    positive: int | None = None,
) -> dict[str, np.ndarray]:
    """Score predictions once for each row of weights.

    A row of weights stands for a set in which each image occurs that often, so
    that weights of 1 give what `lightbox.metrics.score` gives.

    Args:
        labels: Positions of the true classes, (N,) of int.
        answers: Positions of the answered classes, (N,) of int.
        probabilities: Of each class, (N, K).
        weights: How often each image occurs, (R, N).
        positive: Position of the positive class of two: AUROC and average precision
            are then its own, else means over classes against the rest.

    Returns:
        The metric for each of `NAMES`, (R,); NaN where a resample leaves it
        undefined.
    """
    times = np.asarray(weights, dtype=float)
    right = (labels == answers).astype(float)
    members = np.eye(probabilities.shape[1])[labels]
    gaps = bin_gaps(probabilities.max(axis=1, initial=0), right)
    columns = [
        right,
        image_nll(labels, probabilities),
        image_brier(labels, probabilities),
    ]
    per_image = np.column_stack(
        [np.ones(len(labels)), *columns, members, members * right[:, None], gaps]
    )
    sums = times @ per_image
    classes = members.shape[1]
    present, hits = sums[:, 4 : 4 + classes], sums[:, 4 + classes : 4 + 2 * classes]
    total = sums[:, 0]
    scores = {
        name: _ratio(sums[:, place], total)
        for place, name in enumerate(("accuracy", "nll", "brier"), start=1)
    }
    scores["balanced_accuracy"] = _ratio(hits, present).mean(axis=1)
    scores["ece"] = _ratio(np.abs(sums[:, -BINS:]).sum(axis=1), total)
    # Counts are exact in float32, and half the memory is half the time.
    columnwise = np.ascontiguousarray(np.asarray(weights).T, dtype=np.float32)
    asked = range(classes) if positive is None else [positive]
    ranked = [ranking(labels == k, probabilities[:, k], columnwise) for k in asked]
    scores["auroc"] = np.mean([area for area, _ in ranked], axis=0)
    scores["average_precision"] = np.mean([ap for _, ap in ranked], axis=0)
    return {name: scores[name] for name in NAMES}


def ranking(
    positive: np.ndarray, scores: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Compute AUROC and average precision for each column of weights.

    Args:
        positive: Whether each image is of the class, (N,) of bool.
        scores: The class's probability, (N,).
        weights: How often each image occurs, (N, R): a column a resample.

    Returns:
        AUROC with ties counted half, and average precision (a step a distinct
        score), both (R,); NaN where one of the two classes is absent.
    """
    order = np.argsort(-scores, kind="stable")
    # Images of one score are called positive together: only the last one counts.
    last = np.append(np.diff(scores[order]) != 0, True)[: len(order)]
    ordered = weights[order]
    called = np.cumsum(ordered, axis=0)
    ordered[~positive[order]] = 0
    true = np.cumsum(ordered, axis=0)
    if not last.all():
        called, true = called[last], true[last]
    if len(true) == 0:
        empty = np.full(weights.shape[1], np.nan)
        return empty, empty
    positives, total = true[-1].astype(float), called[-1]
    found = np.diff(true, axis=0, prepend=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(called > 0, true / called, 0)
    average = _ratio(np.einsum("ir,ir->r", found, precision), positives)
    # Each positive beats the negatives below it, and half of those beside it.
    false = called - true
    beside = np.diff(false, axis=0, prepend=0)
    below = false[-1] - false + beside / 2
    negatives = (total - true[-1]).astype(float)
    wins = np.einsum("ir,ir->r", found.astype(float), below.astype(float))
    area = _ratio(wins, positives * negatives)
    return area, np.where(negatives > 0, average, np.nan)


@dataclass(frozen=True)
class Patients:
    """Resamples of the patients behind test images, which all runs share.

    Attributes:
        resampled: How often each image, sorted by name, occurs in each resample,
            (R, N).
        left_out: 0 for the images of one patient or block, else 1, (B, N).
        count: How many patients there are.
    """

    resampled: np.ndarray
    left_out: np.ndarray
    count: int

    @property
    def num_images(self) -> int:
        """How many images they have."""
        return self.resampled.shape[1]


def resample_patients(
    run: Any, *, resamples: int = RESAMPLES, seed: int = 0
) -> Patients:
    """Draw resamples of the patients behind a run's test images.

    Args:
        run: A finished run.
        resamples: How many resamples, R.
        seed: Of the drawing.

    Returns:
        The weights of images; runs on the same data share them.

    Raises:
        DataError: The run has no test images.
    """
    test = sorted_test(run)
    if test.empty:
        raise DataError(
            f"run {run.id} has no test images, and intervals and tests are of those; "
            "choose a split with some"
        )
    names = list(test["group"]), list(test["image"])
    return Patients(
        group_weights(*names, resamples=resamples, seed=seed),
        left_out_weights(*names),
        len(np.unique(group_codes(*names))),
    )


def run_arrays(run: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, int | None]:
    """Read a run's test images as arrays, sorted by name.

    Args:
        run: A finished run.

    Returns:
        Labels and answers as positions of classes, (N,) of int, probabilities,
        (N, K), and the position of the positive class of two, else None.
    """
    data = run.record["data"]
    classes = [str(name) for name in data["classes"]]
    arrays = checked_arrays(sorted_test(run), classes, data["positive"])
    binary = len(classes) == 2 and data["positive"] is not None
    return *arrays, classes.index(data["positive"]) if binary else None


def sorted_test(run: Any) -> pd.DataFrame:
    """Give the test images of a run in the order that all runs share.

    Args:
        run: A finished run.

    Returns:
        Its predictions on test, sorted by image name.
    """
    test = run.predictions[run.predictions["split"] == "test"]
    return test.sort_values("image", kind="stable", ignore_index=True)


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Divide; NaN where the denominator is 0."""
    quotient = np.full(np.broadcast_shapes(above.shape, below.shape), np.nan)
    return np.divide(above, below, out=quotient, where=below > 0)
