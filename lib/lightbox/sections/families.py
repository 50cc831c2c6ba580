"""A family of comparisons: the pairs that one conclusion tests, adjusted together."""

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from lightbox.comparison.runs import Runs
from lightbox.evaluation.significance import ALPHA, Paired, holm
from lightbox.runs.store import Run


@dataclass(frozen=True)
class Pair:
    """Two runs on the same test images.

    Attributes:
        base: What the other run is set against.
        other: The run of which something is said.
        test: McNemar's counts and p-value; `only_first` is `base` alone right.
        adjusted: The p-value after Holm over the family.
    """

    base: Run
    other: Run
    test: Paired
    adjusted: float

    @property
    def tied(self) -> bool:
        """Whether the adjusted p-value leaves the difference to chance."""
        return not self.adjusted < ALPHA

    @property
    def verdict(self) -> str:
        """`tied`, `better` or `worse`, said of `other`."""
        if self.tied:
            return "tied"
        better = self.test.only_second > self.test.only_first
        return "better" if better else "worse"


def family(runs: Runs, places: Iterable[tuple[int, int]]) -> list[Pair]:
    """Take some of the pairs that were tested, adjusted over these alone."""
    rows, found = runs.pairs.set_index(["first", "second"]), []
    for base, other in places:
        row = rows.loc[(min(base, other), max(base, other))]
        alone = [int(row["only_first"]), int(row["only_second"])]
        if base > other:
            alone.reverse()
        needed = None if pd.isna(row["needed"]) else int(row["needed"])
        test = Paired(*alone, float(row["pvalue"]), needed)
        found.append((runs[base], runs[other], test))
    adjusted = holm([test.pvalue for *_, test in found])
    return [Pair(*each, p) for each, p in zip(found, adjusted, strict=True)]
