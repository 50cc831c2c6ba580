"""Intervals of proportions, and exact paired tests on one test set."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from statsmodels.stats.proportion import proportion_confint

LEVEL = 0.95
ALPHA = 0.05


def wilson(successes: int, total: int, level: float = LEVEL) -> tuple[float, float]:
    """Compute the Wilson score interval of a proportion.

    Args:
        successes: How many of `total` succeeded.
        total: The number of independent trials; images of one patient are not
            independent, and the interval is then too narrow.
        level: The coverage, between 0 and 1.

    Returns:
        Lower and upper bound as fractions; both NaN where `total` is 0.

    Source:
        Wilson 1927, doi 10.1080/01621459.1927.10502953.
    """
    if total == 0:
        return float("nan"), float("nan")
    low, high = proportion_confint(successes, total, alpha=1 - level, method="wilson")
    return float(low), float(high)


@dataclass(frozen=True)
class Paired:
    """Two models on the same images: who was right where the other was wrong.

    Attributes:
        only_first: Images that only the first model got right.
        only_second: Images that only the second did.
        pvalue: Two-sided, exact.
        needed: The lead in images that p below 0.05 would have taken with the same
            images in dispute; None where no lead would do.
    """

    only_first: int
    only_second: int
    pvalue: float
    needed: int | None

    @property
    def discordant(self) -> int:
        """Images that exactly one of the two classified correctly."""
        return self.only_first + self.only_second


def mcnemar(
    first: ArrayLike, second: ArrayLike, groups: Sequence[int] | None = None
) -> Paired:
    """Compare two classifiers on the same images with the exact McNemar test.

    With groups the test is exact for patients: under the null hypothesis the two
    models may swap their answers on all images of a patient, so each patient's net
    count is as likely with the other sign. With one image a patient that is
    McNemar's test itself; with more, McNemar's takes the images of a patient as
    independent and finds too many differences.

    Args:
        first: Whether the first model was right, (N,) of bool.
        second: Whether the second model was right, (N,) of bool, same images.
        groups: The patient of each image as a number from 0 on, (N,); None takes
            images as independent.

    Returns:
        The discordant counts and the two-sided exact p-value (1 without any
        discordant image).

    Raises:
        ValueError: If the two do not have one entry per image each.

    Source:
        McNemar 1947, doi 10.1007/BF02295996; binomial form. Fisher's randomisation
        by sign, with patients as units.
    """
    one, two = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    if one.shape != two.shape:
        raise ValueError(f"{one.shape} and {two.shape}: not the same images")
    only_first, only_second = int(np.sum(one & ~two)), int(np.sum(~one & two))
    nets = net_counts(one, two, groups)
    chances = sign_flips(nets)
    pvalue = float(chances[abs(int(nets.sum()))])
    # Not every lead can occur: that of two patients of two images is 0 or 4.
    occurs = np.append(chances[:-1] > chances[1:], True)
    leads = np.flatnonzero(occurs & (chances < ALPHA))
    needed = int(leads[0]) if len(leads) else None
    return Paired(only_first, only_second, pvalue, needed)


def net_counts(
    first: ArrayLike, second: ArrayLike, groups: Sequence[int] | None = None
) -> np.ndarray:
    """Count, patient by patient, by how many images one model leads the other.

    Args:
        first: Whether the first model was right, (N,) of bool.
        second: Whether the second model was right, (N,) of bool, same images.
        groups: The patient of each image as a number from 0 on, (N,); None makes
            each image a patient.

    Returns:
        Images that only the first got right, less those that only the second did,
        a patient, (G,) of int.
    """
    gaps = np.asarray(first, dtype=int) - np.asarray(second, dtype=int)
    if groups is None:
        return gaps
    return np.bincount(np.asarray(groups), gaps).round().astype(int)


def sign_flips(nets: ArrayLike) -> np.ndarray:
    """Find how probable each net lead is when every patient's sign is a coin's.

    Args:
        nets: The net count of each patient, (G,) of int.

    Returns:
        At place t the probability of a lead of t or more images of either model,
        for t from 0 to the sum of absolute counts; exact, not drawn.
    """
    sizes = np.abs(np.asarray(nets, dtype=int))
    sizes = sizes[sizes > 0]
    total = int(sizes.sum())
    mass = np.zeros(2 * total + 1)
    mass[total] = 1.0
    for size in sizes:
        moved = np.zeros_like(mass)
        moved[size:] += mass[:-size] / 2
        moved[:-size] += mass[size:] / 2
        mass = moved
    leads = mass[total:] + np.append(0.0, mass[:total][::-1])
    return np.minimum(np.cumsum(leads[::-1])[::-1], 1.0)


def holm(pvalues: list[float]) -> list[float]:
    """Adjust p-values for testing several pairs at once.

    Args:
        pvalues: One a comparison.

    Returns:
        The adjusted values, in the same order.

    Source:
        Holm 1979, Scandinavian Journal of Statistics 6(2), 65-70.
    """
    # Not statsmodels': it runs the garbage collector at every call, 0.3 s each.
    given = np.asarray(pvalues, dtype=float)
    order = np.argsort(given, kind="stable")
    steps = given[order] * np.arange(len(given), 0, -1)
    adjusted = np.empty(len(given))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return [float(p) for p in adjusted]
