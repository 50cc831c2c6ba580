"""How far confidence agrees with accuracy, and one temperature that mends it."""

import math

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar

from lightbox.errors import DataError
from lightbox.intervals import wilson

BINS = 15
# exp(±4): a network 50 times too sure, or too shy, is broken in another way.
LOG_RANGE = (-4.0, 4.0)


def bin_places(confidence: ArrayLike, bins: int = BINS) -> np.ndarray:
    """Find the bin of each confidence.

    Args:
        confidence: Probabilities, (N,), in [0, 1].
        bins: Bins of equal width, closed above: [0, 1/bins], (1/bins, 2/bins], ...

    Returns:
        Positions of bins from 0 on, (N,) of int.
    """
    # A bound such as 3/15 is not exact in binary: what is on it belongs below.
    scaled = np.round(np.asarray(confidence, dtype=float) * bins, 9)
    return np.clip(np.ceil(scaled).astype(int) - 1, 0, bins - 1)


def ece(confidence: ArrayLike, correct: ArrayLike, bins: int = BINS) -> float:
    """Compute the expected calibration error.

    Args:
        confidence: Probability of the answer given, (N,), in [0, 1].
        correct: Whether the answer was right, (N,) of bool.
        bins: Bins of equal width, as in `bin_places`.

    Returns:
        The mean distance between accuracy and confidence over the bins, weighted
        by their images, in [0, 1]; NaN without images.

    Source:
        Guo et al. 2017, arXiv 1706.04599, equation 3.
    """
    sure, right = np.asarray(confidence, float), np.asarray(correct, float)
    if len(sure) == 0:
        return math.nan
    gaps = np.bincount(bin_places(sure, bins), right - sure, minlength=bins)
    return float(np.abs(gaps).sum() / len(sure))


def reliability_bins(
    probabilities: ArrayLike, labels: ArrayLike, bins: int = BINS
) -> pd.DataFrame:
    """Set accuracy against confidence, bin by bin.

    Args:
        probabilities: Of each class, (N, K), rows summing to 1.
        labels: Position of the true class, (N,) of int.
        bins: Bins of equal width of the likeliest class's probability.

    Returns:
        A row a bin, the empty ones included: `low, high` (bounds, closed above),
        `images, correct` (counts), `confidence` (mean), `accuracy`, and its 95 %
        Wilson interval `accuracy_low, accuracy_high`; fractions in [0, 1], NaN in
        an empty bin.

    Source:
        Guo et al. 2017, arXiv 1706.04599, figure 1.
    """
    chances = np.asarray(probabilities, dtype=float)
    truth = np.asarray(labels, dtype=int)
    sure = chances.max(axis=1, initial=0)
    right = chances.argmax(axis=1) == truth if len(truth) else np.zeros(0, bool)
    places = bin_places(sure, bins)
    images = np.bincount(places, minlength=bins)
    correct = np.bincount(places, right, minlength=bins).astype(int)
    total = np.bincount(places, sure, minlength=bins)
    filled = np.where(images > 0, images, np.nan)
    bounds = [wilson(int(k), int(n)) for k, n in zip(correct, images, strict=True)]
    return pd.DataFrame(
        {
            "low": np.arange(bins) / bins,
            "high": np.arange(1, bins + 1) / bins,
            "images": images,
            "correct": correct,
            "confidence": total / filled,
            "accuracy": correct / filled,
            "accuracy_low": [low for low, _ in bounds],
            "accuracy_high": [high for _, high in bounds],
        }
    )


def scaled(probabilities: ArrayLike, temperature: float) -> np.ndarray:
    """Soften or sharpen probabilities by a temperature.

    The logits are recovered as logarithms of the probabilities, which differ from
    them by a constant a row that the softmax cancels.

    Args:
        probabilities: Of each class, (N, K), rows summing to 1.
        temperature: Above 1 softens, below 1 sharpens, 1 changes nothing.

    Returns:
        The new probabilities, (N, K); the likeliest class of a row stays so.

    Source:
        Guo et al. 2017, arXiv 1706.04599, section 4.2.
    """
    logs = _logs(np.asarray(probabilities, dtype=float)) / temperature
    powers = np.exp(logs - logs.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def fit_temperature(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Find the temperature with the lowest NLL.

    Args:
        probabilities: Of each class on val, (N, K), rows summing to 1.
        labels: Position of the true class, (N,) of int.

    Returns:
        The temperature, between 0.018 and 55. It lies at the lower bound where
        every image is classified correctly: the NLL then falls without end.

    Raises:
        DataError: There is no image.

    Source:
        Guo et al. 2017, arXiv 1706.04599, section 4.2.
    """
    chances, truth = np.asarray(probabilities, float), np.asarray(labels, dtype=int)
    if len(truth) == 0:
        raise DataError("val has no images: no temperature can be fitted on it")
    logs = _logs(chances)
    rows = np.arange(len(truth))

    def nll(log_temperature: float) -> float:
        scores = logs * math.exp(-log_temperature)
        top = scores.max(axis=1)
        total = top + np.log(np.exp(scores - top[:, None]).sum(axis=1))
        return float(np.mean(total - scores[rows, truth]))

    # The NLL is convex in 1 / temperature: it has one minimum.
    found = minimize_scalar(
        nll, bounds=LOG_RANGE, method="bounded", options={"xatol": 1e-6}
    )
    return float(math.exp(found.x))


def _logs(probabilities: np.ndarray) -> np.ndarray:
    """Take logarithms, of zero as of the smallest normal number."""
    return np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))
