"""Differences between two runs, from resamples of patients that both share."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import norm

from lightbox.predictions import image_nll
from lightbox.replicates import Patients, resample_patients, run_arrays
from lightbox.resampling import interval


def nll_difference(
    one: Any, two: Any, *, patients: Patients | None = None
) -> tuple[float, float, float]:
    """Compare the test NLL of two runs by a paired bootstrap over patients.

    Args:
        one: A finished run.
        two: Another on the same test images.
        patients: From `resample_patients`, where they are drawn already.

    Returns:
        NLL of `one` minus that of `two` in nats, and the bounds of its 95 %
        percentile interval from 2,000 resamples of patients (images, where a name
        gives no patient).
    """
    patients = patients or resample_patients(one)
    ((gap, low, high, _),) = nll_differences([one, two], [(0, 1)], patients)
    return gap, low, high


def nll_differences(
    runs: Sequence[Any], pairs: Sequence[tuple[int, int]], patients: Patients
) -> list[tuple[float, float, float, float]]:
    """Compare the test NLL of pairs of runs by a paired bootstrap over patients.

    Args:
        runs: Finished runs on the same test images.
        pairs: Positions of the two runs of each pair.
        patients: From `resample_patients`.

    Returns:
        For each pair the first run's NLL minus the second's in nats, the bounds of
        its 95 % percentile interval, and the two-sided p-value of the difference in
        bootstrap standard errors. Counting resamples beyond 0 would give no p below
        1 / R, too coarse for Holm over many pairs.

    Source:
        Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapters 6, 13.
    """
    weights = patients.resampled.astype(float)
    totals = weights.sum(axis=1)
    images = [_image_nll(run) for run in runs]
    moved = [weights @ each / totals for each in images]
    found = []
    for one, two in pairs:
        gaps = moved[one] - moved[two]
        low, high = interval(gaps)
        value = float(images[one].mean() - images[two].mean())
        error = float(gaps.std(ddof=1))
        # Equal predictions differ nowhere: they are as tied as runs can be.
        pvalue = float(2 * norm.sf(abs(value) / error)) if error > 0 else 1.0
        found.append((value, low, high, pvalue))
    return found


def _image_nll(run: Any) -> np.ndarray:
    """Score each test image, sorted by name."""
    labels, _, probabilities, _ = run_arrays(run)
    return image_nll(labels, probabilities)
