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
MOST_PAIRS = 50_000_000  # seconds on one core
CHUNK = 2_000_000


@dataclass(frozen=True)
class Fit:
    """Confusion tables that round to everything printed.

    Attributes:
        tp: True positives of each, (M,).
        tn: True negatives of each, (M,).
        positives: Images of the positive class.
        negatives: The others.
    """

    tp: np.ndarray
    tn: np.ndarray
    positives: int
    negatives: int

    def __bool__(self) -> bool:
        return len(self.tp) > 0

    def values(self, quantity: str) -> np.ndarray:
        """Compute a metric of each table, (M,)."""
        return FORMULAS[quantity](self.tp, self.tn, self.positives, self.negatives)


def fit(
    printed: Mapping[str, Printed],
    positives: int,
    negatives: int,
    *,
    tp: int | None = None,
    tn: int | None = None,
) -> Fit | None:
    """Find every confusion table that fits.

    Args:
        printed: Printed values by metric; those without a formula are passed over.
        positives: Images of the positive class.
        negatives: The others.
        tp: The true positives, where they are known.
        tn: The true negatives, where they are.

    Returns:
        The tables, none where nothing fits; None where there are too many to try.

    Source:
        The idea of Brown and Heathers 2017, doi 10.1177/1948550616673876 (GRIM),
        for tables of two classes.
    """
    used = {name: each for name, each in printed.items() if name in FORMULAS}
    total = positives + negatives
    everything = range(positives + 1), range(negatives + 1)
    tps = used["recall"].counts(positives) if "recall" in used else everything[0]
    tns = used["specificity"].counts(negatives) if "specificity" in used else None
    tps = [k for k in tps if tp is None or k == tp]
    tns = [k for k in (everything[1] if tns is None else tns) if tn is None or k == tn]
    right = used["accuracy"].counts(total) if "accuracy" in used else None
    # Either the other side of the table is tried, or what the accuracy leaves of it.
    by_accuracy = right is not None and len(right) < len(tns)
    second = np.asarray(list(right) if by_accuracy else tns, dtype=np.int64)
    if len(tps) * len(second) > MOST_PAIRS:
        return None
    allowed = np.zeros(negatives + 1, dtype=bool)
    allowed[tns] = True
    found: list[tuple[np.ndarray, np.ndarray]] = []
    step = max(1, CHUNK // max(len(second), 1))
    for start in range(0, len(tps), step):
        ones = np.asarray(tps[start : start + step], dtype=np.int64)[:, None]
        first = np.broadcast_to(ones, (len(ones), len(second))).ravel()
        other = ((second - ones) if by_accuracy else second + 0 * ones).ravel()
        inside = (other >= 0) & (other <= negatives)
        first, other = first[inside], other[inside]
        keep = allowed[other]
        for name, value in used.items():
            exact = FORMULAS[name](first, other, positives, negatives)
            keep &= (exact >= value.low) & (exact <= value.high)
        found.append((first[keep], other[keep]))
    nothing = np.empty(0, dtype=np.int64)
    firsts = np.concatenate([one for one, _ in found]) if found else nothing
    others = np.concatenate([other for _, other in found]) if found else nothing
    return Fit(firsts, others, positives, negatives)


def _ratio(above: np.ndarray, below: np.ndarray | int) -> np.ndarray:
    above, below = np.broadcast_arrays(np.asarray(above, float), below)
    return np.divide(above, below, out=np.zeros(above.shape), where=below > 0)
