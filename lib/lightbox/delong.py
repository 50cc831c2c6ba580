"""DeLong's variance of areas under correlated ROC curves, and tests from it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit
from scipy.stats import norm, rankdata

from lightbox.errors import DataError
from lightbox.intervals import LEVEL


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
