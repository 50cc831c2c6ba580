"""Every metric, computed from predictions and from nothing else."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import (
    average_precision_score,
    confusion_matrix,
    multilabel_confusion_matrix,
    precision_recall_fscore_support,
    roc_auc_score,
)

from lightbox.evaluation.calibration import ece
from lightbox.evaluation.predictions import checked_arrays, image_brier, image_nll
from lightbox.evaluation.significance import wilson

NAMES = (
    "accuracy",
    "balanced_accuracy",
    "auroc",
    "average_precision",
    "sensitivity",
    "specificity",
    "precision",
    "f1",
    "nll",
    "brier",
    "ece",
)

# What each class has against the rest.
PER_CLASS = (
    "sensitivity",
    "specificity",
    "precision",
    "f1",
    "auroc",
    "average_precision",
)


@dataclass(frozen=True)
class Scores:
    """The metrics of one set of predictions.

    Attributes:
        values: The metric for each of `NAMES`; NaN where it is undefined.
        reasons: Why, for each metric that is NaN.
        num_images: How many images were scored.
        num_correct: How many were classified correctly.
        low: Lower bound of the 95 % Wilson interval of the accuracy.
        high: Its upper bound.
        confusion: Counts (K, K), true by predicted class, in class order.
        per_class: A row a class: `class, images, predicted`, then `sensitivity,
            specificity, precision, f1, auroc, average_precision` of that class
            against the rest.
    """

    values: dict[str, float]
    reasons: dict[str, str]
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
    unweighted means over classes, each against the rest. The NLL uses the natural
    logarithm of probabilities clipped at 2.2e-16. The Brier score is the mean of
    `(p - y)^2` of the positive class with two classes, and of its sum over
    classes with more (range 0 to 2). The ECE has 15 bins of the likeliest class's
    probability.

    Args:
        predictions: Columns `label`, `predicted` and `prob_<class>` for each
            class; a row an image.
        classes: The class names, in order.
        positive: The class that sensitivity speaks of, or None.

    Returns:
        The scores. A metric that the images do not define (a class that is
        absent, or never predicted) is NaN with its reason.

    Raises:
        DataError: If a column is missing, a label is not a class, or the
            probabilities of an image do not sum to 1.
    """
    classes = [str(name) for name in classes]
    labels, answers, probabilities = checked_arrays(predictions, classes, positive)
    num_images = len(labels)
    indices = np.arange(len(classes))
    confusion = confusion_matrix(labels, answers, labels=indices) if num_images else 0
    confusion = np.zeros((len(classes),) * 2, dtype=int) + confusion
    table = _per_class(labels, answers, probabilities, classes)
    correct = int(np.trace(confusion))
    low, high = wilson(correct, num_images)

    values = dict.fromkeys(NAMES, math.nan)
    if num_images:
        values["accuracy"] = correct / num_images
        values["balanced_accuracy"] = _mean(table["sensitivity"])
        values["nll"] = float(np.mean(image_nll(labels, probabilities)))
        values["brier"] = float(np.mean(image_brier(labels, probabilities)))
        values["ece"] = ece(probabilities.max(axis=1), labels == answers)
    binary = len(classes) == 2 and positive is not None
    rows = table[table["class"] == positive] if binary else table
    for name in PER_CLASS:
        values[name] = _mean(rows[name])
    return Scores(
        values=values,
        reasons={
            name: _reason(name, table, positive if binary else None)
            for name in NAMES
            if math.isnan(values[name])
        },
        num_images=num_images,
        num_correct=correct,
        low=low,
        high=high,
        confusion=confusion,
        per_class=table,
    )


def score_run(run: Any, split: str = "test") -> Scores:
    """Score one split of a finished run from its stored predictions.

    Args:
        run: The run.
        split: `"val"` or `"test"`.

    Returns:
        The scores.
    """
    data = run.data
    rows = run.predictions[run.predictions["split"] == split]
    return score(rows, data.classes, data.positive)


def _per_class(
    labels: np.ndarray,
    answers: np.ndarray,
    probabilities: np.ndarray,
    classes: list[str],
) -> pd.DataFrame:
    """Score each class against the rest; NaN where a ratio has no denominator."""
    table = pd.DataFrame({"class": classes, "images": 0, "predicted": 0})
    for name in PER_CLASS:
        table[name] = math.nan
    if len(labels) == 0:
        return table
    indices = np.arange(len(classes))
    precision, sensitivity, f1, support = precision_recall_fscore_support(
        labels, answers, labels=indices, average=None, zero_division=np.nan
    )
    counts = multilabel_confusion_matrix(labels, answers, labels=indices)
    negatives = counts[:, 0].sum(axis=1)
    table["images"], table["predicted"] = support, counts[:, :, 1].sum(axis=1)
    table["sensitivity"], table["precision"] = sensitivity, precision
    table["specificity"] = np.divide(
        counts[:, 0, 0],
        negatives,
        out=np.full(len(classes), math.nan),
        where=negatives > 0,
    )
    # scikit-learn answers 0 for an absent class with false positives; a class that
    # no image has can be neither found nor missed.
    table["f1"] = np.where(support > 0, f1, math.nan)
    for k in indices:
        if 0 < support[k] < len(labels):
            given = (labels == k, probabilities[:, k])
            table.loc[k, "auroc"] = roc_auc_score(*given)
            table.loc[k, "average_precision"] = average_precision_score(*given)
    return table


def _mean(column: pd.Series) -> float:
    """Average over classes; one undefined class leaves the mean undefined."""
    return float(column.mean(skipna=False))


def _reason(name: str, table: pd.DataFrame, positive: str | None) -> str:
    """Say why a metric is undefined."""
    if table["images"].sum() == 0:
        return "no images"
    if name == "precision":
        rows = table if positive is None else table[table["class"] == positive]
        never = rows.loc[rows["predicted"] == 0, "class"]
        return f"no image was predicted as {', '.join(never)}"
    absent = table.loc[table["images"] == 0, "class"]
    return f"no image of {', '.join(absent)}"


def majority_answer(run: Any) -> str:
    """Name the most frequent class of the training images.

    Args:
        run: A finished run.

    Returns:
        The class; the first in class order where several are equally frequent.
    """
    counts = run.data.counts["train"]
    return max(run.data.classes, key=lambda name: counts.get(name, 0))


def score_majority(run: Any, split: str = "test") -> Scores:
    """Score the answer that looks at no image: the class frequencies of train.

    Its predicted class is always the most frequent one of train, its
    probabilities are the frequencies, so that its NLL is defined as well.

    Args:
        run: A finished run, for its images and training counts.
        split: `"val"` or `"test"`.

    Returns:
        The scores of the constant answer.
    """
    data = run.data
    counts = [data.counts["train"].get(name, 0) for name in data.classes]
    rows = run.predictions[run.predictions["split"] == split].copy()
    rows["predicted"] = majority_answer(run)
    for name, count in zip(data.classes, counts, strict=True):
        rows[f"prob_{name}"] = count / sum(counts)
    return score(rows, data.classes, data.positive)


def best_run(runs: Sequence[Any]) -> int:
    """Find the run whose val images had the lowest NLL, a measure of any loss.

    Args:
        runs: Finished runs on the same data, at least one.

    Returns:
        Its place; the first of several, and of runs without val images.
    """
    return int(np.argmin(val_losses(runs)))


def val_losses(runs: Sequence[Any]) -> np.ndarray:
    """Measure runs as one may choose them by: on val, never on test.

    Args:
        runs: Finished runs.

    Returns:
        The NLL of each on val, (N,); infinite without val images.
    """
    return np.nan_to_num([score_run(run, "val")["nll"] for run in runs], nan=np.inf)
