"""The confusion tables of whole images that fit what is printed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from lightbox.auditing.values import Printed

# Of true positives, true negatives, positives and negatives. A ratio without a
# denominator is 0, as scikit-learn prints it.
FORMULAS: dict[str, Callable[..., np.ndarray]] = {
    "accuracy": lambda tp, tn, p, n: _ratio(tp + tn, p + n),
    "recall": lambda tp, tn, p, n: _ratio(tp, p),
    "specificity": lambda tp, tn, p, n: _ratio(tn, n),
    "precision": lambda tp, tn, p, n: _ratio(tp, tp + n - tn),
    "npv": lambda tp, tn, p, n: _ratio(tn, tn + p - tp),
    "f1": lambda tp, tn, p, n: _ratio(2 * tp, tp + n - tn + p),
    "balanced_accuracy": lambda tp, tn, p, n: (_ratio(tp, p) + _ratio(tn, n)) / 2,
}


@dataclass(frozen=True)
class Fit:
    """Confusion tables that round to everything printed.

    For given true positives every metric grows with the true negatives, so that
    those which fit are a run of whole numbers.

    Attributes:
        tp: True positives, (M,).
        first: Fewest true negatives that fit each, (M,).
        last: Most of them, (M,).
        positives: Images of the positive class.
        negatives: The others.
    """

    tp: np.ndarray
    first: np.ndarray
    last: np.ndarray
    positives: int
    negatives: int

    def __bool__(self) -> bool:
        return len(self.tp) > 0

    @property
    def count(self) -> int:
        """How many tables fit."""
        return int((self.last - self.first + 1).sum())

    def ends(self, quantity: str) -> tuple[np.ndarray, np.ndarray]:
        """Compute the least and the greatest value for each true positives, (M,)."""
        formula, sides = FORMULAS[quantity], (self.positives, self.negatives)
        return formula(self.tp, self.first, *sides), formula(self.tp, self.last, *sides)

    def share(self, quantity: str, width: float) -> float:
        """Bound the share of all printable values of a metric that would fit.

        Args:
            quantity: The metric.
            width: The step between two printable values.

        Returns:
            A fraction of 1.
        """
        low, high = ((end / width).astype(np.int64) for end in self.ends(quantity))
        steps = np.zeros(int(1 / width) + 3, dtype=np.int64)
        np.add.at(steps, low, 1)
        np.add.at(steps, high + 1, -1)
        covered = int((np.cumsum(steps) > 0).sum())
        return min(1.0, min(covered, self.count) * width)


def fit(
    printed: Mapping[str, Printed],
    positives: int,
    negatives: int,
    *,
    tp: int | None = None,
    tn: int | None = None,
) -> Fit:
    """Find every confusion table that fits.

    Args:
        printed: Printed values by metric; those without a formula are passed over.
        positives: Images of the positive class.
        negatives: The others.
        tp: The true positives, where they are known.
        tn: The true negatives, where they are.

    Returns:
        The tables; none where nothing fits.

    Source:
        The idea of Brown and Heathers 2017, doi 10.1177/1948550616673876 (GRIM),
        for tables of two classes.
    """
    used = {name: value for name, value in printed.items() if name in FORMULAS}
    tps = np.arange(positives + 1) if tp is None else np.array([tp])
    if tn is None:
        first = np.zeros(len(tps), dtype=np.int64)
        after = np.full(len(tps), negatives + 1)
    else:
        first, after = np.full(len(tps), tn), np.full(len(tps), tn + 1)
    for name, value in used.items():
        low, high = value.low, np.nextafter(value.high, np.inf)
        first = np.maximum(first, _reach(name, tps, low, positives, negatives))
        after = np.minimum(after, _reach(name, tps, high, positives, negatives))
    kept = first < after
    return Fit(tps[kept], first[kept], after[kept] - 1, positives, negatives)


def _reach(
    name: str, tps: np.ndarray, bound: float, positives: int, negatives: int
) -> np.ndarray:
    """Find the fewest true negatives at which a metric reaches a bound, by halving.

    Returns:
        One a number of true positives, (M,); `negatives + 1` where it never does.
    """
    low, high = np.zeros(len(tps), dtype=np.int64), np.full(len(tps), negatives + 1)
    for _ in range(int(negatives + 1).bit_length()):
        middle = np.minimum((low + high) // 2, negatives)
        there = FORMULAS[name](tps, middle, positives, negatives) >= bound
        searching = low < high
        high = np.where(searching & there, middle, high)
        low = np.where(searching & ~there, middle + 1, low)
    return high


def _ratio(above: np.ndarray, below: np.ndarray | int) -> np.ndarray:
    above, below = np.broadcast_arrays(np.asarray(above, float), below)
    return np.divide(above, below, out=np.zeros(above.shape), where=below > 0)
