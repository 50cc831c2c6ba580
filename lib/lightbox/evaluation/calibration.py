"""How far confidence agrees with accuracy, and one temperature that mends it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar
from scipy.stats import foldnorm

from lightbox.evaluation.predictions import (
    Predicted,
    checked_arrays,
    image_brier,
    image_nll,
    split_rows,
)
from lightbox.evaluation.significance import LEVEL, TAILS, wilson

BINS = 15
MEASURES = ("ece", "nll", "brier")
# exp(±4): a network 50 times too sure, or too shy, is broken in another way.
LOG_RANGE = (-4.0, 4.0)


def bin_places(confidence: ArrayLike) -> np.ndarray:
    """Find the bin of each confidence, (N,) in [0, 1], from 0 on.

    Bins have equal width and are closed above: [0, 1/15], (1/15, 2/15], ...
    """
    # A bound such as 3/15 is not exact in binary: what is on it belongs below.
    scaled = np.round(np.asarray(confidence, dtype=float) * BINS, 9)
    return np.clip(np.ceil(scaled).astype(int) - 1, 0, BINS - 1)


def bin_gaps(confidence: ArrayLike, correct: ArrayLike) -> np.ndarray:
    """Put each image's accuracy less its confidence into its bin, (N, 15), beside 0.

    Args:
        confidence: Probability of the predicted class, (N,), in [0, 1].
        correct: Whether it was right, (N,) of bool.
    """
    sure, right = np.asarray(confidence, float), np.asarray(correct, float)
    return np.eye(BINS)[bin_places(sure)] * (right - sure)[:, None]


def ece(confidence: ArrayLike, correct: ArrayLike) -> float:
    """Compute the expected calibration error from what `bin_gaps` takes.

    It is the mean distance between accuracy and confidence over the bins, weighted by
    their images, in [0, 1]; NaN without images.

    Source:
        Guo et al. 2017, arXiv 1706.04599, equation 3.
    """
    gaps = bin_gaps(confidence, correct)
    return float(np.abs(gaps.mean(axis=0)).sum()) if len(gaps) else math.nan


def probability_scores(
    labels: np.ndarray, predicted: np.ndarray, probabilities: np.ndarray
) -> dict[str, float]:
    """Score `checked_arrays` by ECE, NLL and Brier score; NaN without images.

    The ECE has 15 bins of the likeliest class's probability. The NLL uses the
    natural logarithm of probabilities clipped at 2.2e-16. The Brier score is the mean
    of `(p - y)^2` of the positive class with two classes, and of its sum over classes
    with more (range 0 to 2).
    """
    if len(labels) == 0:
        return dict.fromkeys(MEASURES, math.nan)
    return {
        "ece": ece(probabilities.max(axis=1), labels == predicted),
        "nll": float(np.mean(image_nll(labels, probabilities))),
        "brier": float(np.mean(image_brier(labels, probabilities))),
    }


def ece_interval(
    gaps: Sequence[np.ndarray], weights: np.ndarray
) -> tuple[float, float]:
    """Bound the expected calibration error, or the mean of several runs' errors.

    A sample's ECE lies above the population's, since noise in a bin counts whichever
    way it points, and the ECE of its resamples lies higher still: their percentiles
    cover 0 to 82 % on simulated studies. Here each bin keeps its direction in all
    resamples, the bias of the absolute value is taken off, and where noise alone
    could have made the error, the interval reaches 0.

    Args:
        gaps: From `bin_gaps`, (N, 15), of each run.
        weights: How often each image occurs in each resample, (R, N).

    Returns:
        Lower and upper bound, in [0, 1]; both NaN where no resample moves a bin.
        A sample's own ECE can lie above the upper one.

    Source:
        The bias: mean of the folded normal distribution (Leone et al. 1961, doi
        10.1080/00401706.1961.10489974); that it matters: Kumar et al. 2019, arXiv
        1909.10155. On simulated studies with a true ECE of 0 to 0.06 the interval
        covers 93.8 to 95.5 %.
    """
    times = np.asarray(weights, dtype=float)
    times /= times.sum(axis=1, keepdims=True)
    error, bias, noise, signed = 0.0, 0.0, 0.0, 0.0
    for each in gaps:
        own, moved = each.mean(axis=0), times @ each
        away, spread = moved - moved.mean(axis=0), moved.std(axis=0)
        error += np.abs(own).sum() / len(gaps)
        moves = spread > 1e-12
        size, scale = np.abs(own[moves]), spread[moves]
        bias += (foldnorm.mean(size / scale, scale=scale) - size).sum() / len(gaps)
        noise += np.abs(away).sum(axis=1) / len(gaps)
        signed += (moved * np.sign(own)).sum(axis=1) / len(gaps)
    if np.max(noise) < 1e-12:
        return math.nan, math.nan
    low, high = np.quantile(signed, TAILS) - bias
    # An error of 0 can be missed on one side alone, which has the whole tail.
    if error <= np.quantile(noise, LEVEL):
        low = 0.0
    return float(np.clip(low, 0, 1)), float(np.clip(high, 0, 1))


def reliability_bins(probabilities: ArrayLike, labels: ArrayLike) -> pd.DataFrame:
    """Set accuracy against confidence, bin by bin of the likeliest class's probability.

    Returns:
        A row a bin, the empty ones included: `low, high` (bounds, closed above),
        `images, correct` (counts), `confidence` (mean), `accuracy`, and its 95 %
        Wilson interval `accuracy_low, accuracy_high`; fractions in [0, 1], NaN in
        an empty bin.

    Source:
        Guo et al. 2017, arXiv 1706.04599, figure 1.
    """
    chances = np.asarray(probabilities, dtype=float)
    sure = chances.max(axis=1)
    places = bin_places(sure)
    images = np.bincount(places, minlength=BINS)
    right = chances.argmax(axis=1) == np.asarray(labels, dtype=int)
    correct = np.bincount(places, right, minlength=BINS).astype(int)
    total = np.bincount(places, sure, minlength=BINS)
    filled = np.where(images > 0, images, np.nan)
    bounds = [wilson(int(k), int(n)) for k, n in zip(correct, images, strict=True)]
    low, high = zip(*bounds, strict=True)
    return pd.DataFrame(
        {
            "low": np.arange(BINS) / BINS,
            "high": np.arange(1, BINS + 1) / BINS,
            "images": images,
            "correct": correct,
            "confidence": total / filled,
            "accuracy": correct / filled,
            "accuracy_low": low,
            "accuracy_high": high,
        }
    )


def scaled(probabilities: ArrayLike, temperature: float) -> np.ndarray:
    """Soften probabilities, (N, K), by a temperature above 1, or sharpen them below.

    The logits are recovered as logarithms of the probabilities, which differ from
    them by a constant a row that the softmax cancels. The likeliest class stays so.

    Source:
        Guo et al. 2017, arXiv 1706.04599, section 4.2.
    """
    logs = _logs(probabilities) / temperature
    powers = np.exp(logs - logs.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def fit_temperature(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Find the temperature with the lowest NLL, between 0.018 and 55.

    It is NaN where none has the lowest: without an image, without an error (the NLL
    then falls as long as the temperature does), and where the search ends at the end
    of its range.

    Source:
        Guo et al. 2017, arXiv 1706.04599, section 4.2.
    """
    logs, truth = _logs(probabilities), np.asarray(labels, dtype=int)
    if (logs.argmax(axis=1) == truth).all():
        return math.nan
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
    at_end = min(abs(found.x - end) for end in LOG_RANGE) < 0.01
    return math.nan if at_end else float(math.exp(found.x))


def _logs(probabilities: ArrayLike) -> np.ndarray:
    """Take logarithms, of zero as of the smallest normal number."""
    chances = np.asarray(probabilities, dtype=float)
    return np.log(np.maximum(chances, np.finfo(np.float32).tiny))


@dataclass(frozen=True)
class Calibrated:
    """One run on test, as trained and after the temperature fitted on val.

    Attributes:
        before: From `reliability_bins`, as trained.
        after: The same after the temperature; None where val gives none.
        scores: `temperature` from `fit_temperature`, then `probability_scores` as
            trained, and with `_scaled` behind their names after the temperature;
            those are NaN where val gives none.
    """

    before: pd.DataFrame
    after: pd.DataFrame | None
    scores: dict[str, float]

    @property
    def temperature(self) -> float:
        """NaN where val gives none."""
        return self.scores["temperature"]

    @property
    def errors(self) -> tuple[float, float]:
        """The expected calibration errors, as trained and after."""
        return self.scores["ece"], self.scores["ece_scaled"]


def calibrate(run: Predicted) -> Calibrated:
    """Fit a run's temperature on val and measure what it does to test."""
    names = run.data.classes, run.data.positive
    val_labels, _, val = checked_arrays(split_rows(run, "val"), *names)
    labels, predicted, test = checked_arrays(split_rows(run), *names)
    temperature = fit_temperature(val, val_labels)
    scores = {"temperature": temperature}
    scores |= probability_scores(labels, predicted, test)
    after, mended = None, dict.fromkeys(MEASURES, math.nan)
    if not math.isnan(temperature):
        softened = scaled(test, temperature)
        after = reliability_bins(softened, labels)
        mended = probability_scores(labels, predicted, softened)
    scores |= {f"{name}_scaled": mended[name] for name in MEASURES}
    return Calibrated(reliability_bins(test, labels), after, scores)
