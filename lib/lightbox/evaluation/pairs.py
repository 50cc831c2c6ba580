"""Runs in pairs: DeLong's test of areas, bootstrapped NLL, every pair of a section."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import norm, rankdata

from lightbox.base.errors import DataError
from lightbox.evaluation.bootstrap import Patients, interval, resample_patients
from lightbox.evaluation.metrics import score_run
from lightbox.evaluation.predictions import Predicted, image_nll, run_arrays
from lightbox.evaluation.predictions import patients as patient_codes
from lightbox.evaluation.significance import Z, holm, pairwise


class Gap(NamedTuple):
    """A measure of one run minus that of another, with a 95 % interval and a test."""

    value: float
    low: float
    high: float
    pvalue: float


@dataclass(frozen=True)
class Areas:
    """Areas under ROC curves of models on the same images.

    Attributes:
        values: AUROC of each model, (M,), in [0, 1].
        covariance: Their covariance over test sets, (M, M).
    """

    values: np.ndarray
    covariance: np.ndarray

    def compare(self, one: int = 0, two: int = 1) -> Gap:
        """Test the areas of the models at two positions for a difference."""
        contrast = np.zeros(len(self.values))
        contrast[one] += 1
        contrast[two] -= 1
        gap = float(contrast @ self.values)
        error = math.sqrt(max(float(contrast @ self.covariance @ contrast), 0))
        return Gap(gap, gap - Z * error, gap + Z * error, _two_sided(gap, error))


def _two_sided(gap: float, error: float) -> float:
    """Compute the p-value of a difference and its standard error."""
    if error == 0:
        return float(gap == 0)
    return float(2 * norm.sf(abs(gap) / error))


def delong(positive: ArrayLike, scores: ArrayLike, groups: Sequence[int]) -> Areas:
    """Compute areas under ROC curves, ties counted half, and their covariance.

    Args:
        positive: Whether each image is of the positive class, (N,) of bool.
        scores: That class's probability by each model, (M, N).
        groups: The patient of each image as a number, (N,); with one image each it
            is DeLong's own form.

    Raises:
        DataError: Fewer than two images, or two patients, of either class.

    Source:
        DeLong et al. 1988, doi 10.2307/2531595; midranks after Sun and Xu 2014, doi
        10.1109/LSP.2014.2337313; patients after Obuchowski 1997, doi 10.2307/2533958.
    """
    truth = np.asarray(positive, dtype=bool)
    values = np.atleast_2d(np.asarray(scores, dtype=float))
    num_positive, num_negative = int(truth.sum()), int((~truth).sum())
    codes = np.unique(groups, return_inverse=True)[1]
    patients = [len(np.unique(codes[side])) for side in (truth, ~truth)]
    if min(patients) < 2:
        raise DataError(
            "an AUROC's variance needs two images of different patients of either "
            f"class; there are {num_positive} positive and {num_negative} negative"
        )
    # Placement of an image: the share of the other class that it beats. Their mean
    # is the AUROC, their variance makes its own.
    ranks = rankdata(values, axis=1)
    above = ranks[:, truth] - rankdata(values[:, truth], axis=1)
    below = ranks[:, ~truth] - rankdata(values[:, ~truth], axis=1)
    over_negatives = above / num_negative
    over_positives = 1 - below / num_positive
    areas = over_negatives.mean(axis=1)
    # Summed by patient, where the two classes of one patient may go together.
    both = np.zeros((len(values), int(codes.max()) + 1))
    sides = zip(
        (truth, ~truth), (over_negatives, over_positives), patients, strict=True
    )
    for side, placed, count in sides:
        for sums, line in zip(both, placed - areas[:, None], strict=True):
            found = np.bincount(codes[side], line, minlength=len(sums))
            sums += found / side.sum() * math.sqrt(count / (count - 1))
    return Areas(areas, both @ both.T)


def nll_difference(one: Predicted, two: Predicted) -> tuple[float, float, float]:
    """Give value and bounds of `nll_differences` of two runs on the same data."""
    (gap,) = nll_differences([one, two], [(0, 1)], resample_patients(one))
    return gap[:3]


def nll_differences(
    runs: Sequence[Predicted], pairs: Sequence[tuple[int, int]], resamples: Patients
) -> list[Gap]:
    """Compare the test NLL of pairs of runs by a paired bootstrap over patients.

    The differences are in nats, their intervals percentiles, the p-values those of
    bootstrap standard errors. Counting resamples beyond 0 would give no p below
    1 / R, too coarse for Holm over many pairs.

    Source:
        Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapters 6, 13.
    """
    weights = resamples.resampled.astype(float)
    totals = weights.sum(axis=1)
    arrays = [run_arrays(run) for run in runs]
    images = [image_nll(labels, chances) for labels, _, chances, _ in arrays]
    moved = [weights @ each / totals for each in images]
    found = []
    for one, two in pairs:
        gaps = moved[one] - moved[two]
        value = float(images[one].mean() - images[two].mean())
        # Equal predictions differ nowhere: they are as tied as runs can be.
        error = float(gaps.std(ddof=1))
        pvalue = _two_sided(value, error) if error > 0 else 1.0
        found.append(Gap(value, *interval(gaps), pvalue))
    return found


def all_pairs(runs: Sequence[Predicted], resamples: Patients) -> pd.DataFrame:
    """Test every two runs on the same data by all three tests.

    Returns:
        The columns of `pairwise`; `auroc_gap`, its 95 % bounds `auroc_low` and
        `auroc_high`, `delong_p` and `delong_adjusted` (two classes; else NaN);
        `nll_gap`, `nll_low`, `nll_high`, `nll_p` and `nll_adjusted`. Differences
        are the first run's less the second's.
    """
    frame = pairwise(runs)
    pairs = list(zip(frame["first"], frame["second"], strict=True))
    areas = _areas(runs)
    unknown = Gap(math.nan, math.nan, math.nan, math.nan)
    auroc = [areas.compare(*pair) if areas else unknown for pair in pairs]
    nll = nll_differences(runs, pairs, resamples)
    for measure, test, gaps in (("auroc", "delong", auroc), ("nll", "nll", nll)):
        ends = [f"{measure}_gap", f"{measure}_low", f"{measure}_high"]
        frame[[*ends, f"{test}_p"]] = gaps
        frame[f"{test}_adjusted"] = holm(frame[f"{test}_p"])
    return frame


def ranking_of(runs: Sequence[Predicted]) -> list[int]:
    """Order the positions of runs by test accuracy, of several with the same by NLL."""
    scores = [score_run(run) for run in runs]
    return sorted(
        range(len(runs)), key=lambda k: (-scores[k].num_correct, scores[k]["nll"])
    )


def _areas(runs: Sequence[Predicted]) -> Areas | None:
    """Compute DeLong's areas of all runs; None where AUROC has no one class."""
    arrays = [run_arrays(run) for run in runs]
    labels, _, chances, _ = arrays[0]
    if chances.shape[1] != 2:
        return None
    # The area is the same whichever of two classes is called positive.
    scores = np.array([chances[:, 1] for _, _, chances, _ in arrays])
    try:
        return delong(labels == 1, scores, patient_codes(runs[0]))
    except DataError:
        return None
