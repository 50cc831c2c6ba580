"""Intervals and paired tests on one test set."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binomtest
from statsmodels.stats.contingency_tables import mcnemar as exact_mcnemar
from statsmodels.stats.multitest import multipletests
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
    """Two models on the same images: who was right where the other was wrong."""

    only_first: int
    only_second: int
    pvalue: float

    @property
    def discordant(self) -> int:
        """Images that exactly one of the two classified correctly."""
        return self.only_first + self.only_second


def mcnemar(first: ArrayLike, second: ArrayLike) -> Paired:
    """Compare two classifiers on the same images with the exact McNemar test.

    Args:
        first: Whether the first model was right, (N,) of bool.
        second: Whether the second model was right, (N,) of bool, same images.

    Returns:
        The discordant counts and the two-sided exact p-value (1 without any
        discordant image).

    Raises:
        ValueError: If the two do not have one entry per image each.

    Source:
        McNemar 1947, doi 10.1007/BF02295996; binomial form.
    """
    one, two = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    if one.shape != two.shape:
        raise ValueError(f"{one.shape} and {two.shape}: not the same images")
    table = [
        [int(np.sum(one & two)), int(np.sum(one & ~two))],
        [int(np.sum(~one & two)), int(np.sum(~one & ~two))],
    ]
    only_first, only_second = table[0][1], table[1][0]
    if only_first + only_second == 0:
        return Paired(0, 0, 1.0)
    pvalue = min(float(exact_mcnemar(table, exact=True).pvalue), 1.0)
    return Paired(only_first, only_second, pvalue)


def holm(pvalues: list[float]) -> list[float]:
    """Adjust p-values for testing several pairs at once.

    Args:
        pvalues: One a comparison.

    Returns:
        The adjusted values, in the same order.

    Source:
        Holm 1979, Scandinavian Journal of Statistics 6(2), 65-70.
    """
    if not pvalues:
        return []
    return [float(p) for p in multipletests(pvalues, alpha=ALPHA, method="holm")[1]]


def needed_net(discordant: int) -> int | None:
    """Find the smallest net difference that would have been significant.

    Args:
        discordant: How many images exactly one of two models got right.

    Returns:
        The net number of images by which one model would have had to lead for an
        unadjusted exact McNemar p below 0.05 at this many discordant images; None
        where no lead would do (fewer than six discordant images).
    """
    for fewer in range(discordant // 2, -1, -1):
        if discordant and binomtest(fewer, discordant, 0.5).pvalue < ALPHA:
            return discordant - 2 * fewer
    return None
