"""Intervals of proportions, exact paired tests, and what they leave tied."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from string import ascii_lowercase
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from statsmodels.stats.proportion import proportion_confint

from lightbox.base.errors import DataError
from lightbox.evaluation.predictions import patients, right

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


COLUMNS = [
    "first",
    "second",
    "only_first",
    "only_second",
    "lead",
    "discordant",
    "needed",
    "pvalue",
    "adjusted",
]


def pairwise(runs: Sequence[Any]) -> pd.DataFrame:
    """Test every two runs against each other on the test images.

    Args:
        runs: Finished runs on the same data.

    Returns:
        A row a pair: positions `first` and `second`; `only_first`, `only_second`,
        `discordant` (images that only the first, only the second, or one of the
        two got right), `lead` (the first two's difference), `needed` (the lead that
        p below 0.05 would take), `pvalue` (exact McNemar, patients as units) and
        `adjusted` (Holm over all pairs).

    Raises:
        DataError: If two runs did not predict the same test images.
    """
    answers = [right(run) for run in runs]
    groups = patients(runs[0]) if runs else None
    rows = []
    for one, two in combinations(range(len(runs)), 2):
        if not answers[one].index.equals(answers[two].index):
            raise DataError(
                f"runs {runs[one].id} and {runs[two].id} predicted different test "
                "images; train them again on the same data"
            )
        test = mcnemar(answers[one], answers[two], groups)
        lead = test.only_first - test.only_second
        counts = (test.only_first, test.only_second, lead, test.discordant)
        rows.append((one, two, *counts, test.needed, test.pvalue))
    frame = pd.DataFrame(rows, columns=COLUMNS[:-1])
    return frame.assign(adjusted=holm(list(frame["pvalue"])))


def tied_with(runs: Sequence[Any], chosen: int) -> list[int]:
    """Find the runs that the test images cannot tell from one of them.

    Args:
        runs: Finished runs on the same data.
        chosen: Position of the one.

    Returns:
        Positions of the others whose Holm-adjusted p-value is 0.05 or more.
    """
    pairs = pairwise(runs)
    pairs = pairs[(pairs["first"] == chosen) | (pairs["second"] == chosen)]
    tied = pairs[~(pairs["adjusted"] < ALPHA)]
    return sorted((set(tied["first"]) | set(tied["second"])) - {chosen})


def tie_letters(order: Sequence[int], pairs: pd.DataFrame) -> dict[int, str]:
    """Give letters to runs so that two runs share one exactly where they are tied.

    Args:
        order: Positions of runs, best first: `a` goes to the best one's group.
        pairs: From `pairwise`, of all of them.

    Returns:
        For each position its letters, such as `"ab"`.

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
    letters = [_letter(place) for place in range(len(groups))]
    return {
        position: "".join(
            letter
            for letter, group in zip(letters, groups, strict=True)
            if position in group
        )
        for position in order
    }


def _letter(place: int) -> str:
    """Name a group: a to z, then a' to z' and so on."""
    turns, letter = divmod(place, len(ascii_lowercase))
    return ascii_lowercase[letter] + "'" * turns
