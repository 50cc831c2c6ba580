"""Intervals of proportions, exact paired tests, and what they leave tied."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from string import ascii_lowercase

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import norm

from lightbox.base.errors import DataError
from lightbox.evaluation.predictions import Predicted, patients, right

LEVEL = 0.95  # the coverage of every interval
TAILS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
Z = float(norm.ppf(TAILS[1]))
ALPHA = 0.05


def wilson(successes: float, total: int) -> tuple[float, float]:
    """Compute the 95 % Wilson score interval of a proportion; NaN where there is none.

    Args:
        successes: How many of `total` succeeded; need not be whole, as it must be for
            SciPy's `binomtest`: 90 % of 16 images are 14.4.
        total: The number of independent trials; images of one patient are not
            independent, and the interval is then too narrow.

    Source:
        Wilson 1927, doi 10.1080/01621459.1927.10502953.
    """
    if total == 0 or not 0 <= successes <= total:
        return math.nan, math.nan
    share, whole = successes / total, 1 + Z**2 / total
    middle = (share + Z**2 / (2 * total)) / whole
    variance = share * (1 - share) / total + Z**2 / (4 * total**2)
    half = Z * math.sqrt(variance) / whole
    return max(middle - half, 0.0), min(middle + half, 1.0)


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


def mcnemar(first: ArrayLike, second: ArrayLike, groups: Sequence[int]) -> Paired:
    """Compare two classifiers on the same images with the exact McNemar test.

    It is exact for patients: under the null hypothesis the two models may swap their
    answers on all images of a patient, so each patient's net count is as likely with
    the other sign. With one image a patient that is McNemar's test itself; with more,
    McNemar's takes the images of a patient as independent and finds too many
    differences.

    Args:
        first: Whether the first model was right, (N,) of bool.
        second: The same of the second.
        groups: The patient of each image as a number from 0 on, (N,).

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
    leads = one.astype(int) - two.astype(int)
    nets = np.bincount(np.asarray(groups), leads).round().astype(int)
    chances = sign_flips(nets)
    pvalue = float(chances[abs(int(nets.sum()))])
    # Not every lead can occur: that of two patients of two images is 0 or 4.
    occurs = np.append(chances[:-1] > chances[1:], True)
    enough = np.flatnonzero(occurs & (chances < ALPHA))
    needed = int(enough[0]) if len(enough) else None
    return Paired(only_first, only_second, pvalue, needed)


def sign_flips(nets: ArrayLike) -> np.ndarray:
    """Find how probable each net lead is when every patient's sign is a coin's.

    Args:
        nets: By how many images the first model leads on each patient, (G,) of int.

    Returns:
        At place t the exact probability of a lead of t or more images of either
        model, for t from 0 to the sum of absolute counts.
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


def holm(pvalues: Sequence[float]) -> list[float]:
    """Adjust p-values for testing several pairs at once, in the order given.

    Source:
        Holm 1979, Scandinavian Journal of Statistics 6(2), 65-70.
    """
    given = np.asarray(pvalues, dtype=float)
    order = np.argsort(given, kind="stable")
    steps = given[order] * np.arange(len(given), 0, -1)
    adjusted = np.empty(len(given))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted.tolist()


COLUMNS = [
    "first",
    "second",
    "only_first",
    "only_second",
    "lead",
    "discordant",
    "needed",
    "pvalue",
]


def pairwise(runs: Sequence[Predicted]) -> pd.DataFrame:
    """Test every two runs on the same data against each other on the test images.

    Returns:
        A row a pair: positions `first` and `second`; `only_first`, `only_second`,
        `discordant` (images that only the first, only the second, or one of the
        two got right), `lead` (the first two's difference), `needed` (the lead that
        p below 0.05 would take), `pvalue` (exact McNemar, patients as units) and
        `adjusted` (Holm over all pairs).

    Raises:
        DataError: If two runs did not predict the same test images.
    """
    hits = [right(run) for run in runs]
    groups = patients(runs[0]) if runs else None
    rows = []
    for one, two in combinations(range(len(runs)), 2):
        if not hits[one].index.equals(hits[two].index):
            raise DataError(
                f"runs {runs[one].id} and {runs[two].id} predicted different test "
                "images; train them again on the same data"
            )
        test = mcnemar(hits[one], hits[two], groups)
        lead = test.only_first - test.only_second
        counts = (test.only_first, test.only_second, lead, test.discordant)
        rows.append((one, two, *counts, test.needed, test.pvalue))
    frame = pd.DataFrame(rows, columns=COLUMNS)
    return frame.assign(adjusted=holm(frame["pvalue"]))


def tied_with(runs: Sequence[Predicted], chosen: int) -> list[int]:
    """Find the places of the runs whose adjusted p-value against one is not < 0.05."""
    pairs = pairwise(runs)
    pairs = pairs[(pairs["first"] == chosen) | (pairs["second"] == chosen)]
    tied = pairs[~(pairs["adjusted"] < ALPHA)]
    return sorted((set(tied["first"]) | set(tied["second"])) - {chosen})


def tie_letters(order: Sequence[int], pairs: pd.DataFrame) -> dict[int, str]:
    """Give letters to runs so that two runs share one exactly where they are tied.

    Args:
        order: Positions of runs, best first: `a` goes to the best one's group.

    Source:
        Piepho 2004, doi 10.1198/1061860043515, insert and absorb.
    """
    groups = [frozenset(order)]
    apart = pairs[pairs["adjusted"] < ALPHA]
    for one, two in zip(apart["first"], apart["second"], strict=True):
        split = []
        for group in groups:
            both = one in group and two in group
            split += [group - {one}, group - {two}] if both else [group]
        distinct = list(dict.fromkeys(split))
        groups = [g for g in distinct if not any(g < other for other in distinct)]
    rank = {position: place for place, position in enumerate(order)}
    groups = sorted(groups, key=lambda group: sorted(rank[k] for k in group))
    letters = dict.fromkeys(order, "")
    for place, group in enumerate(groups):
        # a to z, then a' to z' and so on.
        turns, letter = divmod(place, len(ascii_lowercase))
        for position in group:
            letters[position] += ascii_lowercase[letter] + "'" * turns
    return letters
