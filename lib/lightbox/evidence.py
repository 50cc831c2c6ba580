"""Every metric of every run with its interval: the table that claims rest on."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lightbox.baseline import majority_answer, score_majority
from lightbox.calibration import BINS, bin_gaps, ece_interval
from lightbox.cells import ABSENT, decimals
from lightbox.display import Table
from lightbox.divergence import finished_only
from lightbox.evidence_words import evidence_words
from lightbox.metrics import score_run
from lightbox.replicates import (
    NAMES,
    Patients,
    resample_patients,
    run_arrays,
    weighted_scores,
)
from lightbox.resampling import RESAMPLES, bca_interval
from lightbox.results import check_same_data
from lightbox.words import run_names, seed_groups

PERCENT = ("accuracy", "balanced_accuracy")


@dataclass(frozen=True)
class Evidence:
    """The metrics of runs that differ in their seed alone, on the test images.

    Attributes:
        values: The mean over the runs of each metric of `replicates.NAMES`.
        bounds: Lower and upper bound of its 95 % interval over patients; both NaN
            where there is none.
        deviations: Sample standard deviation over seeds; NaN with one run.
    """

    values: dict[str, float]
    bounds: dict[str, tuple[float, float]]
    deviations: dict[str, float]


def weigh(runs: Sequence[Any], patients: Patients) -> Evidence:
    """Score runs that differ in their seed alone, and bound what chance can do.

    Args:
        runs: At least one finished run.
        patients: From `resample_patients`.

    Returns:
        Means, their BCa intervals (of the ECE that of `ece_interval`), and deviations.
    """
    scores = [score_run(run) for run in runs]
    resampled, left_out, gaps = [], [], []
    for run in runs:
        labels, answers, probabilities, positive = run_arrays(run)
        arrays = labels, answers, probabilities
        for found, weights in (
            (resampled, patients.resampled),
            (left_out, patients.left_out),
        ):
            found.append(weighted_scores(*arrays, weights, positive=positive))
        gaps.append(bin_gaps(probabilities.max(axis=1), labels == answers))
    values, bounds, deviations = {}, {}, {}
    for name in NAMES:
        each = np.array([score[name] for score in scores])
        values[name] = float(each.mean())
        deviations[name] = float(each.std(ddof=1)) if len(each) > 1 else math.nan
        bounds[name] = bca_interval(
            values[name],
            np.mean([found[name] for found in resampled], axis=0),
            np.mean([found[name] for found in left_out], axis=0),
        )
    bounds["ece"] = ece_interval(gaps, patients.resampled)
    return Evidence(values, bounds, deviations)


@finished_only
def evidence_table(
    runs: Sequence[Any], language: str = "en", *, label: str = "tbl-evidence"
) -> Table:
    """Show seven metrics of each run on test with 95 % intervals over patients.

    Args:
        runs: Finished runs on the same data, at least one; those that differ in
            their seed alone share a row.
        language: `"en"` or `"zh"`.
        label: The table's label.

    Returns:
        The table, the majority answer last. `evidence.csv` has a row a run, a row
        for the mean of several seeds (its `run_id` is empty), and the majority's.

    Raises:
        DataError: If there is no run, or runs differ in their data.
    """
    check_same_data(runs)
    terms, groups = evidence_words(language), seed_groups(runs)
    first = [group[0] for group in groups]
    patients = resample_patients(runs[0])
    named = short_names(first, language, seeds=False)
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
        whose=whose(patients, language),
        resamples=RESAMPLES,
        positive=_asked(runs[0], language),
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


def whose(patients: Patients, language: str) -> str:
    """Say how many patients stand behind the test images.

    Args:
        patients: From `resample_patients`.
        language: `"en"` or `"zh"`.

    Returns:
        A sentence.
    """
    known = patients.count < patients.num_images
    sentence = evidence_words(language)["of_patients" if known else "of_images"]
    return sentence.format(images=patients.num_images, patients=patients.count)


def short_names(
    runs: Sequence[Any], language: str = "en", *, seeds: bool = True
) -> list[str]:
    """Name runs without what all of them share.

    Args:
        runs: Finished runs.
        language: `"en"` or `"zh"`.
        seeds: Whether seeds are named where they differ.

    Returns:
        A name a run, as `words.run_names` gives them but for the shared parts.
    """
    names = run_names(list(runs), language, seeds=seeds)
    parts = [name.split(" · ") for name in names]
    shared = set.intersection(*map(set, parts)) if len(parts) > 1 else set()
    short = [" · ".join(p for p in each if p not in shared) for each in parts]
    return short if all(short) and len(set(short)) == len(set(names)) else names


def _asked(run: Any, language: str) -> str:
    """Say of which class average precision speaks."""
    terms, data = evidence_words(language), run.record["data"]
    if data["positive"] and len(data["classes"]) == 2:
        return terms["of_positive"].format(name=data["positive"])
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
    config = run.record["config"]
    keys = ("name", "model", "strategy", "weights", "loss", "seed")
    line = {"run_id": run.id} | {key: config.get(key) for key in keys}
    line |= {"images": patients.num_images, "patients": patients.count}
    for name in NAMES:
        low, high = found.bounds[name]
        line |= {f"test_{name}": found.values[name]}
        line |= {f"test_{name}_low": low, f"test_{name}_high": high}
        line |= {f"test_{name}_seed_sd": found.deviations[name]}
    return line
