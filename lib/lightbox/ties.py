"""Which runs the test images cannot tell apart: every pair, tested and adjusted."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import pandas as pd

from lightbox.errors import DataError
from lightbox.findings.versus import right
from lightbox.intervals import ALPHA, holm, mcnemar


def pairwise(runs: Sequence[Any]) -> pd.DataFrame:
    """Test every two runs against each other on the test images.

    Args:
        runs: Finished runs on the same data.

    Returns:
        A row a pair: positions `first` and `second`, `lead` (images that only the
        first got right, less those that only the second did), `discordant`,
        `pvalue` (exact McNemar) and `adjusted` (Holm over all pairs).

    Raises:
        DataError: If two runs did not predict the same test images.
    """
    answers = [right(run) for run in runs]
    rows = []
    for one, two in combinations(range(len(runs)), 2):
        if not answers[one].index.equals(answers[two].index):
            raise DataError(
                f"runs {runs[one].id} and {runs[two].id} predicted different test "
                "images; train them again on the same data"
            )
        test = mcnemar(answers[one], answers[two])
        lead = test.only_first - test.only_second
        rows.append((one, two, lead, test.discordant, test.pvalue))
    columns = ["first", "second", "lead", "discordant", "pvalue"]
    frame = pd.DataFrame(rows, columns=columns)
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
