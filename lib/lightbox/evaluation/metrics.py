"""Every metric, computed from predictions and from nothing else."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, roc_auc_score

from lightbox.evaluation.calibration import MEASURES, probability_scores
from lightbox.evaluation.predictions import Predicted, checked_arrays, split_rows
from lightbox.evaluation.significance import wilson

# What each class has against the rest.
PER_CLASS = (
    "sensitivity",
    "specificity",
    "precision",
    "f1",
    "auroc",
    "average_precision",
)
NAMES = ("accuracy", "balanced_accuracy", *PER_CLASS, *MEASURES)


@dataclass(frozen=True)
class Scores:
    """The metrics of one set of predictions.

    Attributes:
        values: The metric for each of `NAMES`; NaN where the images do not define
            it, as where a class is absent, or never predicted.
        num_images: How many images were scored.
        num_correct: How many were classified correctly.
        low: Lower bound of the 95 % Wilson interval of the accuracy.
        high: Its upper bound.
        confusion: Counts (K, K), true by predicted class, in class order.
        per_class: A row a class: `class, images, predicted` and `PER_CLASS`.
    """

    values: dict[str, float]
    num_images: int
    num_correct: int
    low: float
    high: float
    confusion: np.ndarray
    per_class: pd.DataFrame

    def __getitem__(self, name: str) -> float:
        return self.values[name]


def score(
    predictions: pd.DataFrame, classes: Sequence[str], positive: str | None = None
) -> Scores:
    """Score predictions of one split.

    With two classes and a positive one, sensitivity, specificity, precision, F1,
    AUROC and average precision are those of the positive class. Otherwise they are
    unweighted means over classes, each against the rest. NLL, Brier score and ECE
    are those of `probability_scores`.

    Raises:
        DataError: As `checked_arrays`.
    """
    classes = [str(name) for name in classes]
    labels, predicted, probabilities = checked_arrays(predictions, classes, positive)
    shape = (len(classes), len(classes))
    cells = np.bincount(labels * len(classes) + predicted, minlength=math.prod(shape))
    confusion = cells.reshape(shape)
    table = _per_class(confusion, labels, probabilities, classes)
    correct, total = int(np.trace(confusion)), len(labels)
    binary = len(classes) == 2 and positive is not None
    asked = table[table["class"] == positive] if binary else table
    # One undefined class leaves the mean undefined.
    values = {name: asked[name].mean(skipna=False) for name in PER_CLASS}
    values["accuracy"] = correct / total if total else math.nan
    values["balanced_accuracy"] = table["sensitivity"].mean(skipna=False)
    values |= probability_scores(labels, predicted, probabilities)
    return Scores(
        {name: float(values[name]) for name in NAMES},
        total,
        correct,
        *wilson(correct, total),
        confusion,
        table,
    )


def _per_class(
    confusion: np.ndarray,
    labels: np.ndarray,
    probabilities: np.ndarray,
    classes: list[str],
) -> pd.DataFrame:
    """Score each class against the rest; NaN where a ratio has no denominator."""
    hits, images = np.diag(confusion), confusion.sum(axis=1)
    predicted = confusion.sum(axis=0)
    others = len(labels) - images
    areas = np.full((2, len(classes)), math.nan)
    for k in np.flatnonzero((images > 0) & (others > 0)):
        given = labels == k, probabilities[:, k]
        areas[:, k] = roc_auc_score(*given), average_precision_score(*given)
    return pd.DataFrame(
        {
            "class": classes,
            "images": images,
            "predicted": predicted,
            "sensitivity": ratio(hits, images),
            "specificity": ratio(others - (predicted - hits), others),
            "precision": ratio(hits, predicted),
            # A class that no image has can be neither found nor missed.
            "f1": ratio(2 * hits, np.where(images > 0, images + predicted, 0)),
            "auroc": areas[0],
            "average_precision": areas[1],
        }
    )


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Divide; NaN where the denominator is 0."""
    quotient = np.full(np.broadcast_shapes(above.shape, below.shape), np.nan)
    return np.divide(above, below, out=quotient, where=below > 0)


def score_run(run: Predicted, split: str = "test") -> Scores:
    """Score one split of a finished run from its stored predictions."""
    return score(split_rows(run, split), run.data.classes, run.data.positive)


def majority_answer(run: Predicted) -> str:
    """Name the most frequent class of the training images, of several the first."""
    counts = run.data.counts["train"]
    return max(run.data.classes, key=lambda name: counts.get(name, 0))


def score_majority(run: Predicted, split: str = "test") -> Scores:
    """Score the majority-class baseline; its probabilities are train's frequencies."""
    data = run.data
    counts = {name: data.counts["train"].get(name, 0) for name in data.classes}
    total = sum(counts.values())
    constant = {f"prob_{name}": count / total for name, count in counts.items()}
    rows = split_rows(run, split).assign(predicted=majority_answer(run), **constant)
    return score(rows, data.classes, data.positive)


def val_losses(runs: Sequence[Predicted]) -> np.ndarray:
    """Give each run's NLL on val, by which it may be chosen; infinite without val."""
    return np.nan_to_num([score_run(run, "val")["nll"] for run in runs], nan=np.inf)


def best_run(runs: Sequence[Predicted]) -> int:
    """Find the place of the run with the lowest NLL on val; of several the first."""
    return int(np.argmin(val_losses(runs)))
