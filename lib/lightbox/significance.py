"""Runs against each other: what the test images can tell apart, and what not."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from lightbox.cells import ABSENT, decimals
from lightbox.delong import delong
from lightbox.display import Prose, Table
from lightbox.divergence import finished_only
from lightbox.errors import DataError
from lightbox.evidence import short_names, whose
from lightbox.evidence_words import evidence_words
from lightbox.findings.base import p_text, plural
from lightbox.findings.versus import patients as patient_codes
from lightbox.intervals import holm
from lightbox.metrics import score_run
from lightbox.paired import nll_differences
from lightbox.replicates import Patients, resample_patients, run_arrays
from lightbox.resampling import RESAMPLES
from lightbox.results import check_same_data
from lightbox.ties import pairwise, tie_letters

# More runs than this have too many pairs for a page: the best one's are shown.
MOST_RUNS = 6
MINUS = "−"


@finished_only
def pairs_table(
    runs: Sequence[Any], language: str = "en", *, label: str = "tbl-pairs"
) -> Table | Prose:
    """Test every two runs against each other, by answers, ranking and likelihood.

    Args:
        runs: Finished runs on the same data.
        language: `"en"` or `"zh"`.
        label: The table's label.

    Returns:
        The table, of the pairs with the best run where there are more than six;
        `pairs.csv` has all pairs, with raw and adjusted p-values. An empty text
        where there is a single run.

    Raises:
        DataError: If there is no run, or runs differ in their data.
    """
    check_same_data(runs)
    if len(runs) < 2:
        return Prose("")
    # The better run of a pair comes first.
    runs = [runs[position] for position in ranking_of(runs)]
    terms, names = evidence_words(language), short_names(runs, language)
    patients = resample_patients(runs[0])
    frame = all_pairs(runs, patients)
    caption = terms["caption_pairs"].format(
        whose=whose(patients, language),
        resamples=RESAMPLES,
        pairs=_count(len(frame), language),
    )
    shown = frame
    if len(runs) > MOST_RUNS:
        shown = frame[frame["first"] == 0]
        caption += terms["caption_best_pairs"].format(name=names[0], pairs=len(frame))
    rows = [_row(line, names, terms) for _, line in shown.iterrows()]
    csv = frame.assign(
        first=[runs[k].id for k in frame["first"]],
        second=[runs[k].id for k in frame["second"]],
    )
    table = pd.DataFrame(rows).fillna(ABSENT)
    return Table(table, label, caption, csv=csv, file="pairs.csv")


@finished_only
def ties_table(
    runs: Sequence[Any], language: str = "en", *, label: str = "tbl-ties"
) -> Table | Prose:
    """Rank runs by test accuracy, with a letter for each group of ties.

    Args:
        runs: Finished runs on the same data.
        language: `"en"` or `"zh"`.
        label: The table's label.

    Returns:
        The table, with `ties.csv`; an empty text where there is a single run.

    Raises:
        DataError: If there is no run, or runs differ in their data.
    """
    check_same_data(runs)
    if len(runs) < 2:
        return Prose("")
    terms, names = evidence_words(language), short_names(runs, language)
    order, pairs = ranking_of(runs), pairwise(runs)
    letters = tie_letters(order, pairs)
    patients = resample_patients(runs[0], resamples=1)
    rows, full = [], []
    for place, position in enumerate(order, start=1):
        scores = score_run(runs[position])
        # Runs with the same number of right answers share a rank.
        if place == 1 or scores.num_correct < full[-1]["correct"]:
            rank = place
        rows.append(
            {
                terms["rank"]: rank,
                terms["run"]: names[position],
                terms["correct"]: f"{scores.num_correct:,}",
                terms["accuracy"]: decimals(100 * scores["accuracy"], 1),
                terms["ties"]: letters[position],
            }
        )
        full.append(
            {
                "rank": rank,
                "run_id": runs[position].id,
                "correct": scores.num_correct,
                "images": scores.num_images,
                "test_accuracy": scores["accuracy"],
                "letters": letters[position],
            }
        )
    caption = terms["caption_ties"].format(
        whose=whose(patients, language), pairs=_count(len(pairs), language)
    )
    caption += _smallest(pairs, patients.num_images, language)
    return Table(
        pd.DataFrame(rows), label, caption, csv=pd.DataFrame(full), file="ties.csv"
    )


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


def _row(line: pd.Series, names: list[str], terms: Any) -> dict[str, str]:
    """Write one pair."""
    needed = ABSENT if pd.isna(line["needed"]) else f"{line['needed']:.0f}"
    row = {
        terms["first"]: names[int(line["first"])],
        terms["second"]: names[int(line["second"])],
        terms["only"]: f"{line['only_first']:,.0f} / {line['only_second']:,.0f}",
        terms["lead"]: f"{line['lead']:+,.0f} ({needed})".replace("-", MINUS),
        terms["mcnemar"]: _p(line["adjusted"]),
    }
    if not math.isnan(line["auroc_gap"]):
        row[terms["auroc_gap"]] = f"{line['auroc_gap']:+.3f}".replace("-", MINUS)
        row[terms["delong"]] = _p(line["delong_adjusted"])
    low, high = (f"{line[k]:+.3f}".replace("-", MINUS) for k in ("nll_low", "nll_high"))
    gap = f"{line['nll_gap']:+.3f}".replace("-", MINUS)
    row[terms["nll_gap"]] = f"{gap}\n({low}, {high})"
    row[terms["bootstrap"]] = _p(line["nll_adjusted"])
    return row


def _count(pairs: int, language: str) -> str:
    """Count pairs; Chinese has the word in its sentence."""
    return str(pairs) if language == "zh" else plural(pairs, "pair")


def _p(value: float) -> str:
    """Write a p-value for a cell."""
    return p_text(value).removeprefix("= ")


def _smallest(pairs: pd.DataFrame, images: int, language: str) -> str:
    """Say which lead the pair of median dispute would have taken."""
    terms = evidence_words(language)
    middle = pairs.sort_values("discordant", kind="stable").iloc[len(pairs) // 2]
    if pd.isna(middle["needed"]):
        return terms["caption_blind"].format(discordant=int(middle["discordant"]))
    lead = int(middle["needed"])
    return terms["caption_smallest"].format(
        discordant=int(middle["discordant"]),
        lead=lead,
        points=f"{100 * lead / images:.1f}",
    )
