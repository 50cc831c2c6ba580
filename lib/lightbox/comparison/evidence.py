"""Every metric with its interval, and runs against each other: what claims rest on."""

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from lightbox.base.words import evidence_words, language
from lightbox.comparison.runs import check_same_data, finished_only
from lightbox.display.cells import ABSENT, decimals
from lightbox.display.names import seed_groups, short_names
from lightbox.display.outputs import Prose, Table
from lightbox.display.sentences import p_text, plural
from lightbox.evaluation.bootstrap import (
    NAMES,
    RESAMPLES,
    Evidence,
    Patients,
    resample_patients,
    weigh,
)
from lightbox.evaluation.calibration import BINS
from lightbox.evaluation.metrics import majority_answer, score_majority, score_run
from lightbox.evaluation.pairs import all_pairs, ranking_of
from lightbox.evaluation.significance import pairwise, tie_letters

PERCENT = ("accuracy", "balanced_accuracy")


@finished_only
def evidence_table(runs: Sequence[Any], *, label: str = "tbl-evidence") -> Table:
    """Show seven metrics of each run on test with 95 % intervals over patients.

    Args:
        runs: Finished runs on the same data, at least one; those that differ in
            their seed alone share a row.
        label: The table's label.

    Returns:
        The table, the majority answer last. `evidence.csv` has a row a run, a row
        for the mean of several seeds (its `run_id` is empty), and the majority's.

    Raises:
        DataError: If there is no run, or runs differ in their data.
    """
    check_same_data(runs)
    terms, groups = evidence_words(), seed_groups(runs)
    first = [group[0] for group in groups]
    patients = resample_patients(runs[0])
    named = short_names(first, seeds=False)
    rows, full, missing = [], [], False
    for name, group in zip(named, groups, strict=True):
        found = weigh(group, patients)
        missing |= any(
            math.isnan(found.bounds[n][0]) and not math.isnan(found.values[n])
            for n in NAMES
        )
        cells = {terms[n]: _cell(found, n) for n in NAMES}
        rows.append({terms["run"]: name} | cells)
        several = len(group) > 1
        for run in group:
            one = weigh([run], patients) if several else found
            full.append(_line(run, one, patients) | {"seeds": 1})
        if several:
            mean = _line(group[0], found, patients)
            full.append(mean | {"run_id": "", "seed": None, "seeds": len(group)})
    base, answer = score_majority(runs[0]), majority_answer(runs[0])
    always = terms["majority"].format(answer=answer)
    last = {terms["run"]: f"{terms['baseline']}\n({always})"}
    rows.append(last | {terms[n]: _number(base[n], n) for n in NAMES})
    full.append(
        {"run_id": "majority", "images": base.num_images, "patients": patients.count}
        | {f"test_{n}": base[n] for n in NAMES}
    )
    caption = terms["caption_evidence"].format(
        whose=whose(patients),
        resamples=RESAMPLES,
        positive=_asked(runs[0]),
        bins=BINS,
    )
    if any(len(group) > 1 for group in groups):
        caption += terms["caption_spread"]
    if missing:
        caption += terms["caption_no_bounds"]
    return Table(
        pd.DataFrame(rows).fillna(ABSENT),
        label,
        caption,
        csv=pd.DataFrame(full),
        file="evidence.csv",
    )


def whose(patients: Patients) -> str:
    """Say how many patients stand behind the test images.

    Args:
        patients: From `resample_patients`.

    Returns:
        A sentence.
    """
    known = patients.count < patients.num_images
    sentence = evidence_words()["of_patients" if known else "of_images"]
    return sentence.format(images=patients.num_images, patients=patients.count)


def _asked(run: Any) -> str:
    """Say of which class average precision speaks."""
    terms, data = evidence_words(), run.data
    if data.positive and len(data.classes) == 2:
        return terms["of_positive"].format(name=data.positive)
    return terms["over_classes"]


def _number(value: float, name: str) -> str:
    """Write a metric: per cent with one decimal, or three decimals."""
    if name in PERCENT:
        return decimals(100 * value, 1)
    return decimals(value, 3)


def _cell(found: Evidence, name: str) -> str:
    """Write a metric over its interval over the spread of seeds."""
    text = _number(found.values[name], name)
    low, high = found.bounds[name]
    if not math.isnan(low):
        text += f"\n{_number(low, name)}–{_number(high, name)}"
    if not math.isnan(found.deviations[name]):
        text += f"\n± {_number(found.deviations[name], name)}"
    return text


def _line(run: Any, found: Evidence, patients: Patients) -> dict[str, Any]:
    """Write a row at full precision."""
    config = run.config
    keys = ("name", "model", "strategy", "weights", "loss", "seed")
    line = {"run_id": run.id} | {key: getattr(config, key) for key in keys}
    line |= {"images": patients.num_images, "patients": patients.count}
    for name in NAMES:
        low, high = found.bounds[name]
        line |= {f"test_{name}": found.values[name]}
        line |= {f"test_{name}_low": low, f"test_{name}_high": high}
        line |= {f"test_{name}_seed_sd": found.deviations[name]}
    return line


# More runs than this have too many pairs for a page: the best one's are shown.
MOST_RUNS = 6
MINUS = "−"


@finished_only
def pairs_table(runs: Sequence[Any], *, label: str = "tbl-pairs") -> Table | Prose:
    """Test every two runs against each other, by answers, ranking and likelihood.

    Args:
        runs: Finished runs on the same data.
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
    terms, names = evidence_words(), short_names(runs)
    patients = resample_patients(runs[0])
    frame = all_pairs(runs, patients)
    caption = terms["caption_pairs"].format(
        whose=whose(patients),
        resamples=RESAMPLES,
        pairs=_count(len(frame)),
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
def ties_table(runs: Sequence[Any], *, label: str = "tbl-ties") -> Table | Prose:
    """Rank runs by test accuracy, with a letter for each group of ties.

    Args:
        runs: Finished runs on the same data.
        label: The table's label.

    Returns:
        The table, with `ties.csv`; an empty text where there is a single run.

    Raises:
        DataError: If there is no run, or runs differ in their data.
    """
    check_same_data(runs)
    if len(runs) < 2:
        return Prose("")
    terms, names = evidence_words(), short_names(runs)
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
        whose=whose(patients), pairs=_count(len(pairs))
    )
    caption += _smallest(pairs, patients.num_images)
    return Table(
        pd.DataFrame(rows), label, caption, csv=pd.DataFrame(full), file="ties.csv"
    )


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


def _count(pairs: int) -> str:
    """Count pairs; Chinese has the word in its sentence."""
    return str(pairs) if language() == "zh" else plural(pairs, "pair")


def _p(value: float) -> str:
    """Write a p-value for a cell."""
    return p_text(value).removeprefix("= ")


def _smallest(pairs: pd.DataFrame, images: int) -> str:
    """Say which lead the pair of median dispute would have taken."""
    terms = evidence_words()
    middle = pairs.sort_values("discordant", kind="stable").iloc[len(pairs) // 2]
    if pd.isna(middle["needed"]):
        return terms["caption_blind"].format(discordant=int(middle["discordant"]))
    lead = int(middle["needed"])
    return terms["caption_smallest"].format(
        discordant=int(middle["discordant"]),
        lead=lead,
        points=f"{100 * lead / images:.1f}",
    )
