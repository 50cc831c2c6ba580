"""Which runs the test images cannot tell apart: every pair, tested and adjusted."""

from collections.abc import Sequence
from itertools import combinations
from string import ascii_lowercase
from typing import Any

import pandas as pd

from lightbox.errors import DataError
from lightbox.findings.versus import patients, right
from lightbox.intervals import ALPHA, holm, mcnemar

COLUMNS = [
    "first",
    "second",
    "only_first",
    "only_second",
    "lead",
    "discordant",
    "needed",
    "pvalue",
    "adjusted",
]


def pairwise(runs: Sequence[Any]) -> pd.DataFrame:
    """Test every two runs against each other on the test images.

    Args:
        runs: Finished runs on the same data.

    Returns:
        A row a pair: positions `first` and `second`; `only_first`, `only_second`,
        `discordant` (images that only the first, only the second, or one of the
        two got right), `lead` (the first two's difference), `needed` (the lead that
        p below 0.05 would take), `pvalue` (exact McNemar, patients as units) and
        `adjusted` (Holm over all pairs).

    Raises:
        DataError: If two runs did not predict the same test images.
    """
    answers = [right(run) for run in runs]
    groups = patients(runs[0]) if runs else None
    rows = []
    for one, two in combinations(range(len(runs)), 2):
        if not answers[one].index.equals(answers[two].index):
            raise DataError(
                f"runs {runs[one].id} and {runs[two].id} predicted different test "
                "images; train them again on the same data"
            )
        test = mcnemar(answers[one], answers[two], groups)
        lead = test.only_first - test.only_second
        counts = (test.only_first, test.only_second, lead, test.discordant)
        rows.append((one, two, *counts, test.needed, test.pvalue))
    frame = pd.DataFrame(rows, columns=COLUMNS[:-1])
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


def tie_letters(order: Sequence[int], pairs: pd.DataFrame) -> dict[int, str]:
    """Give letters to runs so that two runs share one exactly where they are tied.

    Args:
        order: Positions of runs, best first: `a` goes to the best one's group.
        pairs: From `pairwise`, of all of them.

    Returns:
        For each position its letters, such as `"ab"`.

    Source:
        Piepho 2004, doi 10.1198/1061860043515, insert and absorb.
    """
    groups = [frozenset(order)]
    apart = pairs[pairs["adjusted"] < ALPHA]
    for one, two in zip(apart["first"], apart["second"], strict=True):
        split = []
        for group in groups:
            both = one in group and two in group
            split += [group - {one}, group - {two}] if both else [group]
        distinct = list(dict.fromkeys(split))
        groups = [g for g in distinct if not any(g < other for other in distinct)]
    rank = {position: place for place, position in enumerate(order)}
    groups = sorted(groups, key=lambda group: sorted(rank[k] for k in group))
    letters = [_letter(place) for place in range(len(groups))]
    return {
        position: "".join(
            letter
            for letter, group in zip(letters, groups, strict=True)
            if position in group
        )
        for position in order
    }


def _letter(place: int) -> str:
    """Name a group: a to z, then a' to z' and so on."""
    turns, letter = divmod(place, len(ascii_lowercase))
    return ascii_lowercase[letter] + "'" * turns
