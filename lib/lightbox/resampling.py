"""Bootstrap resamples of patients, drawn once and shared by every metric."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm

from lightbox.errors import DataError
from lightbox.intervals import LEVEL

RESAMPLES = 2000
# The acceleration is a skewness: beyond some hundred blocks it is as good.
BLOCKS = 400


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


def group_weights(
    groups: Sequence[str],
    images: Sequence[str],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> np.ndarray:
    """Draw resamples of patients with replacement, all images of one at once.

    Every resample has as many patients as the test set; how many images it has
    varies where patients have different numbers of them.

    Args:
        groups: The patient of each image, (N,); empty where none is known.
        images: The name of each image, (N,).
        resamples: How many resamples, R.
        seed: Of the drawing; the same seed draws the same patients.

    Returns:
        How often each image occurs in each resample, (R, N) of uint16.

    Raises:
        DataError: If groups and images differ in length.

    Source:
        Field and Welsh 2007, doi 10.1111/j.1467-9868.2007.00593.x: resampling whole
        clusters.
    """
    codes = group_codes(groups, images)
    if len(codes) == 0:
        return np.zeros((resamples, 0), dtype=np.uint16)
    patients = int(codes.max()) + 1
    draws = np.random.default_rng(seed).multinomial(
        patients, np.full(patients, 1 / patients), resamples
    )
    return draws.astype(np.uint16)[:, codes]


def interval(values: ArrayLike, level: float = LEVEL) -> tuple[float, float]:
    """Take the percentile interval of bootstrap replicates.

    Args:
        values: A metric in each resample, (R,); NaN where a resample leaves it
            undefined (one without the positive class has no AUROC).
        level: The coverage, between 0 and 1.

    Returns:
        Lower and upper bound; both NaN where no resample defines the metric.

    Source:
        Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 13.
    """
    known = np.asarray(values, dtype=float)
    known = known[~np.isnan(known)]
    if len(known) == 0:
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def left_out_weights(
    groups: Sequence[str], images: Sequence[str], *, blocks: int = BLOCKS
) -> np.ndarray:
    """Leave out one patient after the other, or one block of patients.

    Args:
        groups: The patient of each image, (N,); empty where none is known.
        images: The name of each image, (N,).
        blocks: How many sets to make at most; patients are dealt out to that many
            blocks where there are more.

    Returns:
        0 for images that are left out, 1 for the others, (B, N) of uint16.

    Raises:
        DataError: If groups and images differ in length.

    Source:
        Shao and Tu 1995, The Jackknife and Bootstrap, section 2.3.
    """
    codes = group_codes(groups, images)
    if len(codes) == 0:
        return np.ones((0, 0), dtype=np.uint16)
    places = codes % min(int(codes.max()) + 1, blocks)
    return (np.arange(places.max() + 1)[:, None] != places).astype(np.uint16)


def bca_interval(
    value: float, resampled: ArrayLike, left_out: ArrayLike, level: float = LEVEL
) -> tuple[float, float]:
    """Compute the bias-corrected and accelerated bootstrap interval.

    Args:
        value: The metric on the test set itself.
        resampled: In each resample, (R,); NaN where one leaves it undefined.
        left_out: With one patient or block left out, (B,).
        level: The coverage, between 0 and 1.

    Returns:
        Lower and upper bound; both NaN where the metric is undefined, or where all
        resamples score the same (nothing wrong): the bootstrap then knows no
        uncertainty, which is not the same as none.

    Source:
        Efron 1987, doi 10.2307/2289144. On simulated studies of 200 to 430
        patients it covers 94 to 95 % where percentiles cover 92.5 to 95 %.
    """
    known = np.asarray(resampled, dtype=float)
    known = known[~np.isnan(known)]
    without = np.asarray(left_out, dtype=float)
    without = without[~np.isnan(without)]
    if np.isnan(value) or len(known) == 0 or np.ptp(known) < 1e-12:
        return float("nan"), float("nan")
    below = np.mean(known < value) + np.mean(known == value) / 2
    bias = norm.ppf(np.clip(below, 0.5 / len(known), 1 - 0.5 / len(known)))
    influence = without.mean() - without if len(without) else np.zeros(1)
    spread = np.sum(influence**2) ** 1.5
    acceleration = np.sum(influence**3) / (6 * spread) if spread > 0 else 0.0
    ends = bias + norm.ppf([(1 - level) / 2, (1 + level) / 2])
    places = norm.cdf(bias + ends / (1 - acceleration * ends))
    low, high = np.quantile(known, places)
    return float(low), float(high)
