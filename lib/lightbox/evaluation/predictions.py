"""Predictions as arrays: checked once, scored image by image, patient by patient."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from lightbox.base.errors import DataError

# A float32 softmax can underflow to 0, whose logarithm is infinite: one image
# then costs 36.04 nats at most.
EPSILON = float(np.finfo(np.float64).eps)
# Probabilities are read from text and come from bf16 or fp16 models.
SUM_TOLERANCE = 1e-3


def checked_arrays(
    predictions: pd.DataFrame, classes: Sequence[str], positive: str | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Check predictions and turn them into positions and probabilities.

    Args:
        predictions: Columns `label`, `predicted` and `prob_<class>` for each
            class; a row an image.
        classes: The class names, in order, K of them.
        positive: The positive class, or None.

    Returns:
        Labels and answers as positions of classes, both (N,) of int, and the
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
    labels, answers = places
    probabilities = predictions[columns[2:]].to_numpy(dtype=float)
    # The comparison is also false for NaN, which must not pass either.
    wrong = ~(np.abs(probabilities.sum(axis=1) - 1) <= SUM_TOLERANCE)
    wrong |= (probabilities < 0).any(axis=1)
    if wrong.any():
        raise DataError(
            f"the probabilities of {int(wrong.sum())} image(s) are negative or do not "
            f"sum to 1, first in row {int(np.argmax(wrong))} of the split"
        )
    return labels, answers, probabilities


def split_arrays(run: Any, split: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Check a run's predictions on a split and turn them into arrays.

    Args:
        run: A finished run.
        split: `"train"`, `"val"` or `"test"`.

    Returns:
        As `checked_arrays`, in the order of the file.

    Raises:
        DataError: As `checked_arrays`.
    """
    data = run.data
    rows = run.predictions[run.predictions["split"] == split]
    return checked_arrays(rows, data.classes, data.positive)


def image_nll(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Compute the negative log-likelihood of each image.

    Args:
        labels: Positions of the true classes, (N,) of int.
        probabilities: Of each class, (N, K).

    Returns:
        Nats, (N,), of probabilities clipped at 2.2e-16.
    """
    likely = probabilities[np.arange(len(labels)), labels]
    return -np.log(np.clip(likely, EPSILON, 1))


def image_brier(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Compute the squared error of each image's probabilities.

    Args:
        labels: Positions of the true classes, (N,) of int.
        probabilities: Of each class, (N, K).

    Returns:
        `(p - y)^2` of one class with two classes, summed over classes with more;
        (N,), in [0, 1] or [0, 2].
    """
    num_classes = probabilities.shape[1]
    squared = (probabilities - np.eye(num_classes)[labels]) ** 2
    return squared.sum(axis=1) / (2 if num_classes == 2 else 1)


def group_codes(groups: Sequence[str], images: Sequence[str]) -> np.ndarray:
    """Number the patients behind images.

    Args:
        groups: The patient of each image, (N,); empty where none is known.
        images: The name of each image, (N,).

    Returns:
        A number a patient for each image, (N,) of int from 0 on, in the order of
        their first image. An image without a patient is a patient of its own.

    Raises:
        DataError: If the two differ in length.
    """
    if len(groups) != len(images):
        raise DataError(
            f"{len(groups)} patients for {len(images)} images: give one each, an empty "
            "text where none is known"
        )
    numbers: dict[tuple[str, str], int] = {}
    # A pair, so that an image never shares a number with a patient of its name.
    pairs = [
        (str(group), "") if str(group) else ("", str(image))
        for group, image in zip(groups, images, strict=True)
    ]
    return np.array([numbers.setdefault(p, len(numbers)) for p in pairs], dtype=int)


def run_arrays(run: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, int | None]:
    """Read a run's test images as arrays, sorted by name.

    Args:
        run: A finished run.

    Returns:
        Labels and answers as positions of classes, (N,) of int, probabilities,
        (N, K), and the position of the positive class of two, else None.
    """
    data = run.data
    classes = [str(name) for name in data.classes]
    arrays = checked_arrays(sorted_test(run), classes, data.positive)
    binary = len(classes) == 2 and data.positive is not None
    return *arrays, classes.index(data.positive) if binary else None


def sorted_test(run: Any) -> pd.DataFrame:
    """Give the test images of a run in the order that all runs share.

    Args:
        run: A finished run.

    Returns:
        Its predictions on test, sorted by image name.
    """
    test = run.predictions[run.predictions["split"] == "test"]
    return test.sort_values("image", kind="stable", ignore_index=True)


def right(run: Any, answers: pd.Series | str | None = None) -> pd.Series:
    """Say for each test image whether it was classified correctly.

    Args:
        run: A finished run.
        answers: One class to answer always, in place of the run's predictions.

    Returns:
        Bool by image name, sorted by it.

    Raises:
        DataError: If an image occurs twice.
    """
    test = run.predictions[run.predictions["split"] == "test"].set_index("image")
    if test.index.has_duplicates:
        raise DataError(f"run {run.id} has predicted a test image twice")
    given = test["predicted"] if answers is None else answers
    return (test["label"] == given).sort_index()


def patients(run: Any) -> np.ndarray:
    """Number the patients behind a run's test images.

    Args:
        run: A finished run.

    Returns:
        A number for each image in the order of `right`; an image whose patient is
        not known has one of its own.
    """
    test = sorted_test(run)
    return group_codes(list(test["group"]), list(test["image"]))
