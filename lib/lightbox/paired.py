"""Differences between two runs, from resamples of patients that both share."""

from typing import Any

import numpy as np

from lightbox.predictions import checked_arrays, image_nll
from lightbox.replicates import patient_weights, sorted_test
from lightbox.resampling import interval


def nll_difference(
    one: Any, two: Any, seed: int = 0, *, weights: np.ndarray | None = None
) -> tuple[float, float, float]:
    """Compare the test NLL of two runs by a paired bootstrap over patients.

    Args:
        one: A finished run.
        two: Another on the same test images.
        seed: Of the resampling.
        weights: From `patient_weights`, where they are drawn already.

    Returns:
        NLL of `one` minus that of `two` in nats, and the bounds of its 95 %
        percentile interval from 2,000 resamples of patients (images, where a name
        gives no patient).
    """
    if weights is None:
        weights = patient_weights(one, seed=seed)
    first, second = (_nll(run) for run in (one, two))
    gaps = first - second
    low, high = interval(weights @ gaps / weights.sum(axis=1))
    return float(gaps.mean()), low, high


def _nll(run: Any) -> np.ndarray:
    """Score each test image, sorted by name."""
    classes = [str(name) for name in run.record["data"]["classes"]]
    labels, _, probabilities = checked_arrays(sorted_test(run), classes)
    return image_nll(labels, probabilities)
