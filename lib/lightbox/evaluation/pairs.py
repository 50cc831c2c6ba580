"""Runs in pairs: DeLong's test of areas, bootstrapped NLL, every pair of a section."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import expit, logit
from scipy.stats import norm, rankdata

from lightbox.base.errors import DataError
from lightbox.evaluation.bootstrap import Patients, interval, resample_patients
from lightbox.evaluation.metrics import score_run
from lightbox.evaluation.predictions import image_nll, run_arrays
from lightbox.evaluation.predictions import patients as patient_codes
from lightbox.evaluation.significance import LEVEL, holm, pairwise


@dataclass(frozen=True)
class Areas:
    """Areas under ROC curves of models on the same images.

    Attributes:
        values: AUROC of each model, (M,), in [0, 1].
        covariance: Their covariance over test sets, (M, M).
    """

    values: np.ndarray
    covariance: np.ndarray

    def interval(self, model: int = 0, level: float = LEVEL) -> tuple[float, float]:
        """Compute an interval of one area.

        It is symmetric on the logit scale, so that it stays within 0 and 1 and
        covers near 1 as it should.

        Args:
            model: Position of the model.
            level: The coverage, between 0 and 1.

        Returns:
            Lower and upper bound; the area itself twice where it is 0 or 1, whose
            variance is 0.
        """
        area = float(self.values[model])
        if not 0 < area < 1:
            return area, area
        error = math.sqrt(max(float(self.covariance[model, model]), 0))
        half = norm.ppf((1 + level) / 2) * error / (area * (1 - area))
        return float(expit(logit(area) - half)), float(expit(logit(area) + half))

    def compare(self, one: int = 0, two: int = 1, level: float = LEVEL) -> "Gap":
        """Test two areas for a difference.

        Args:
            one: Position of a model.
            two: Position of another.
            level: The coverage of the interval of the difference.

        Returns:
            The difference `one` minus `two` and its test.
        """
        contrast = np.zeros(len(self.values))
        contrast[one] += 1
        contrast[two] -= 1
        gap = float(contrast @ self.values)
        error = math.sqrt(max(float(contrast @ self.covariance @ contrast), 0))
        half = float(norm.ppf((1 + level) / 2)) * error
        if error == 0:
            z = math.copysign(math.inf, gap) if gap else 0.0
        else:
            z = gap / error
        return Gap(gap, gap - half, gap + half, z, float(2 * norm.sf(abs(z))))


@dataclass(frozen=True)
class Gap:
    """The difference between two areas.

    Attributes:
        value: First area minus second.
        low: Lower bound of its 95 % interval.
        high: Its upper bound.
        z: The difference in standard errors.
        pvalue: Two-sided.
    """

    value: float
    low: float
    high: float
    z: float
    pvalue: float


def delong(
    positive: ArrayLike, scores: ArrayLike, groups: Sequence[int] | None = None
) -> Areas:
    """Compute areas under ROC curves and their covariance.

    Args:
        positive: Whether each image is of the positive class, (N,) of bool.
        scores: That class's probability by each model, (M, N).
        groups: The patient of each image as a number, (N,); None takes images as
            independent, which is DeLong's own form.

    Returns:
        The areas, with ties counted half, and their covariance. With groups that
        hold one image each it is DeLong's but for a factor near 1.

    Raises:
        DataError: Fewer than two images, or two patients, of either class.

    Source:
        DeLong et al. 1988, doi 10.2307/2531595; midranks after Sun and Xu 2014, doi
        10.1109/LSP.2014.2337313; patients after Obuchowski 1997, doi 10.2307/2533958.
    """
    truth = np.asarray(positive, dtype=bool)
    values = np.atleast_2d(np.asarray(scores, dtype=float))
    num_positive, num_negative = int(truth.sum()), int((~truth).sum())
    units = np.arange(len(truth)) if groups is None else np.asarray(groups)
    if any(len(np.unique(units[side])) < 2 for side in (truth, ~truth)):
        raise DataError(
            "an AUROC's variance needs two images of different patients of either "
            f"class; there are {num_positive} positive and {num_negative} negative"
        )
    # Placement of an image: the share of the other class that it beats.
    ranks = rankdata(values, axis=1)
    above = ranks[:, truth] - rankdata(values[:, truth], axis=1)
    below = ranks[:, ~truth] - rankdata(values[:, ~truth], axis=1)
    over_negatives = above / num_negative
    over_positives = 1 - below / num_positive
    areas = over_negatives.mean(axis=1)
    if groups is None:
        covariance = np.atleast_2d(np.cov(over_negatives)) / num_positive
        covariance = covariance + np.atleast_2d(np.cov(over_positives)) / num_negative
        return Areas(areas, covariance)
    # Summed by patient, where the two classes of one patient may go together.
    codes = np.unique(units, return_inverse=True)[1]
    size = int(codes.max()) + 1
    sums = []
    for side, placed in ((truth, over_negatives), (~truth, over_positives)):
        total = np.zeros((len(values), size))
        for model, line in enumerate(placed - areas[:, None]):
            total[model] = np.bincount(codes[side], line, minlength=size)
        patients = len(np.unique(codes[side]))
        sums.append(total / side.sum() * math.sqrt(patients / (patients - 1)))
    both = sums[0] + sums[1]
    return Areas(areas, both @ both.T)


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


def all_pairs(runs: Sequence[Any], patients: Patients) -> pd.DataFrame:
    """Test every two runs by all three tests.

    Args:
        runs: Finished runs on the same data.
        patients: From `resample_patients`.

    Returns:
        The columns of `ties.pairwise`; `auroc_gap`, its 95 % bounds `auroc_low` and
        `auroc_high`, `delong_p` and `delong_adjusted` (two classes; else NaN);
        `nll_gap`, `nll_low`, `nll_high`, `nll_p` and `nll_adjusted`. Differences
        are the first run's less the second's.
    """
    frame = pairwise(runs)
    pairs = list(zip(frame["first"], frame["second"], strict=True))
    areas = _areas(runs)
    gaps = [areas.compare(*pair) for pair in pairs] if areas else []
    unknown = [math.nan] * len(pairs)
    frame["auroc_gap"] = [gap.value for gap in gaps] or unknown
    frame["auroc_low"] = [gap.low for gap in gaps] or unknown
    frame["auroc_high"] = [gap.high for gap in gaps] or unknown
    frame["delong_p"] = [gap.pvalue for gap in gaps] or unknown
    frame["delong_adjusted"] = holm([gap.pvalue for gap in gaps]) or unknown
    columns = ["nll_gap", "nll_low", "nll_high", "nll_p"]
    frame[columns] = nll_differences(runs, pairs, patients)
    return frame.assign(nll_adjusted=holm(list(frame["nll_p"])))


def ranking_of(runs: Sequence[Any]) -> list[int]:
    """Order runs by test accuracy, of several with the same by NLL.

    Args:
        runs: Finished runs on the same data.

    Returns:
        Their positions, best first.
    """
    scores = [score_run(run) for run in runs]
    return sorted(
        range(len(runs)), key=lambda k: (-scores[k].num_correct, scores[k]["nll"])
    )


def _areas(runs: Sequence[Any]) -> Any:
    """Compute DeLong's areas of all runs; None where AUROC has no one class."""
    arrays = [run_arrays(run) for run in runs]
    labels = arrays[0][0]
    if arrays[0][2].shape[1] != 2:
        return None
    # The area is the same whichever of two classes is called positive.
    scores = np.array([probabilities[:, 1] for _, _, probabilities, _ in arrays])
    try:
        return delong(labels == 1, scores, patient_codes(runs[0]))
    except DataError:
        return None
