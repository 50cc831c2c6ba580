"""Predictions as arrays: checked once, scored image by image, patient by patient."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import pandas as pd

from lightbox.base.errors import DataError

# A float32 softmax can underflow to 0, whose logarithm is infinite: one image
# then costs 36.04 nats at most.
EPSILON = float(np.finfo(np.float64).eps)
# Probabilities are read from text and come from bf16 or fp16 models.
SUM_TOLERANCE = 1e-3


class PredictedData(Protocol):
    """The data that a run saw, as far as its numbers need it."""

    @property
    def classes(self) -> Sequence[str]:
        """Their names, in the order of the outputs."""

    @property
    def positive(self) -> str | None:
        """The class that is looked for."""

    @property
    def counts(self) -> Mapping[str, Mapping[str, int]]:
        """Images by split, then by class."""


class Predicted(Protocol):
    """A finished run, as far as its numbers need it: `lightbox.runs.store.Run`."""

    @property
    def id(self) -> str:
        """Its hash."""

    @property
    def data(self) -> PredictedData:
        """The data that it saw."""

    @property
    def predictions(self) -> pd.DataFrame:
        """A row an image: `split, image, group, label, predicted, prob_<class>`."""


def split_rows(run: Predicted, split: str = "test") -> pd.DataFrame:
    """Give a run's predictions on a split, in the order of the file."""
    return run.predictions[run.predictions["split"] == split]


def sorted_test(run: Predicted) -> pd.DataFrame:
    """Give a run's predictions on test by image name, the order that runs share."""
    return split_rows(run).sort_values("image", kind="stable", ignore_index=True)


def checked_arrays(
    predictions: pd.DataFrame, classes: Sequence[str], positive: str | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Check predictions and turn them into positions and probabilities.

    Returns:
        Labels and predicted classes as positions of `classes`, (N,) of int, and the
        probabilities, (N, K).

    Raises:
        DataError: If a column is missing, a label is not a class, or the
            probabilities of an image do not sum to 1.
    """
    columns = ["label", "predicted", *(f"prob_{name}" for name in classes)]
    missing = [name for name in columns if name not in predictions.columns]
    if missing:
        raise DataError(f"the predictions lack the column(s) {', '.join(missing)}")
    if positive is not None and positive not in classes:
        raise DataError(
            f"positive class {positive!r} is not one of {', '.join(classes)}"
        )
    places = []
    for column in ("label", "predicted"):
        given = predictions[column].astype(str)
        codes = pd.Index(list(classes)).get_indexer(given)
        if (codes < 0).any():
            unknown = min(given[codes < 0])
            raise DataError(
                f"{column} {unknown!r} in the predictions is not a class; the "
                f"classes are {', '.join(classes)}"
            )
        places.append(codes)
    labels, predicted = places
    probabilities = predictions[columns[2:]].to_numpy(dtype=float)
    # The comparison is also false for NaN, which must not pass either.
    wrong = ~(np.abs(probabilities.sum(axis=1) - 1) <= SUM_TOLERANCE)
    wrong |= (probabilities < 0).any(axis=1)
    if wrong.any():
        raise DataError(
            f"the probabilities of {int(wrong.sum())} image(s) are negative or do not "
            f"sum to 1, first in row {int(np.argmax(wrong))} of the split"
        )
    return labels, predicted, probabilities


def run_arrays(run: Predicted) -> tuple[np.ndarray, np.ndarray, np.ndarray, int | None]:
    """Turn a run's predictions on test into `checked_arrays`, sorted by image name.

    The fourth is the position of the positive class of two, else None.
    """
    classes, positive = [str(name) for name in run.data.classes], run.data.positive
    arrays = checked_arrays(sorted_test(run), classes, positive)
    binary = len(classes) == 2 and positive is not None
    return *arrays, classes.index(positive) if binary else None


def image_nll(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Compute each image's negative log-likelihood in nats, clipped at 2.2e-16."""
    likely = probabilities[np.arange(len(labels)), labels]
    return -np.log(np.clip(likely, EPSILON, 1))


def image_brier(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Compute each image's `(p - y)^2`, summed over classes with more than two."""
    num_classes = probabilities.shape[1]
    squared = (probabilities - np.eye(num_classes)[labels]) ** 2
    return squared.sum(axis=1) / (2 if num_classes == 2 else 1)


def patients(run: Predicted) -> np.ndarray:
    """Number the patients of a run's test images from 0 on, in the order of `right`.

    An image whose patient is not known is a patient of its own.
    """
    test = sorted_test(run)
    # A pair, so that an image never shares a number with a patient of its name.
    pairs = [
        (group, "") if group else ("", image)
        for group, image in zip(test["group"], test["image"], strict=True)
    ]
    return pd.factorize(pd.Series(pairs, dtype=object))[0]


def right(run: Predicted, predicted: pd.Series | str | None = None) -> pd.Series:
    """Say by image name, sorted, whether each test image was classified correctly.

    Args:
        predicted: Other classes to take, as `thresholds.moved` has them, or one for
            all images; None takes the run's own.

    Raises:
        DataError: If an image occurs twice.
    """
    test = split_rows(run).set_index("image")
    if test.index.has_duplicates:
        raise DataError(f"run {run.id} has predicted a test image twice")
    given = test["predicted"] if predicted is None else predicted
    return (test["label"] == given).sort_index()
