"""A threshold chosen on val, and what the test images score at it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from lightbox.base.errors import DataError
from lightbox.evaluation.metrics import Scores, score
from lightbox.evaluation.predictions import Predicted, split_rows

USUAL = 0.5


@dataclass(frozen=True)
class Threshold:
    """A threshold on the positive class's probability.

    Attributes:
        value: An image is called positive from this probability on.
        sensitivity: On the images that it was chosen on.
        specificity: The same.
    """

    value: float
    sensitivity: float
    specificity: float

    @property
    def youden(self) -> float:
        """Youden's J: sensitivity + specificity - 1."""
        return self.sensitivity + self.specificity - 1


def choose_threshold(positive: ArrayLike, probabilities: ArrayLike) -> Threshold:
    """Choose the threshold with the highest Youden's J.

    Candidates lie halfway between neighbouring probabilities of the positive class,
    and at 0.5. Of several with the same J, the one nearest to 0.5 is taken.

    Raises:
        DataError: Only one of the two classes is there.

    Source:
        Youden 1950, doi 10.1002/1097-0142(1950)3:1<32::AID-CNCR2820030106>3.0.CO;2-3.
    """
    truth = np.asarray(positive, dtype=bool)
    scores = np.asarray(probabilities, dtype=float)
    if truth.all() or not truth.any():
        raise DataError(
            "val has images of one class only: no threshold can be chosen on it; "
            "check the split table"
        )
    distinct = np.unique(scores)
    candidates = np.append((distinct[1:] + distinct[:-1]) / 2, USUAL)
    called = scores[None, :] >= candidates[:, None]
    sensitivity = (called & truth).sum(axis=1) / truth.sum()
    specificity = (~called & ~truth).sum(axis=1) / (~truth).sum()
    # Rounded: equal sums of fractions may differ in their last bit.
    youden = np.round(sensitivity + specificity - 1, 12)
    best = np.flatnonzero(youden == youden.max())
    chosen = best[np.argmin(np.abs(candidates[best] - USUAL))]
    measures = candidates, sensitivity, specificity
    return Threshold(*(float(values[chosen]) for values in measures))


def positive_class(run: Predicted) -> str | None:
    """Name the positive class, else the last of two; None with more than two."""
    data = run.data
    if len(data.classes) != 2:
        return None
    return str(data.positive or data.classes[-1])


def threshold_of(run: Predicted) -> Threshold | None:
    """Choose a run's threshold on its val images; None with more than two classes.

    Raises:
        DataError: Val has images of one class only.
    """
    name = positive_class(run)
    if name is None:
        return None
    val = split_rows(run, "val")
    return choose_threshold(val["label"] == name, val[f"prob_{name}"])


def moved(run: Predicted, threshold: float) -> pd.Series:
    """Predict a run's test images, of two classes, at another threshold, by name."""
    name = positive_class(run)
    other = next(c for c in run.data.classes if c != name)
    called = split_rows(run).set_index("image")[f"prob_{name}"] >= threshold
    return called.map({True: name, False: other})


def score_moved(run: Predicted, threshold: float) -> Scores:
    """Score `moved` predictions, of `positive_class`."""
    rows = split_rows(run).assign(predicted=moved(run, threshold).to_numpy())
    return score(rows, run.data.classes, positive_class(run))
