"""What one temperature, fitted on val, does to the probabilities on test."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from lightbox.calibration import BINS, LOG_RANGE, ece, fit_temperature, scaled
from lightbox.cells import ABSENT, heads, spread
from lightbox.display import Table
from lightbox.divergence import finished_only
from lightbox.evidence_words import evidence_words
from lightbox.metrics import score_run
from lightbox.predictions import image_brier, image_nll, split_arrays
from lightbox.results import check_same_data
from lightbox.words import seed_groups

MEASURES = ("ece", "nll", "brier")


def recalibrate(run: Any) -> dict[str, float]:
    """Fit a run's temperature on val and measure its effect on test.

    Args:
        run: A finished run.

    Returns:
        `temperature`; `ece`, `nll` and `brier` on test as trained, and the same
        with `_scaled` behind their names. All NaN where a split has no images.
    """
    val_labels, _, val = split_arrays(run, "val")
    labels, answers, test = split_arrays(run, "test")
    names = ["temperature", *MEASURES, *(f"{name}_scaled" for name in MEASURES)]
    if not (len(val_labels) and len(labels)):
        return dict.fromkeys(names, math.nan)
    temperature = fit_temperature(val, val_labels)
    line = {"temperature": temperature}
    for suffix, chances in (("", test), ("_scaled", scaled(test, temperature))):
        right = labels == answers
        line[f"ece{suffix}"] = ece(chances.max(axis=1), right)
        line[f"nll{suffix}"] = float(np.mean(image_nll(labels, chances)))
        line[f"brier{suffix}"] = float(np.mean(image_brier(labels, chances)))
    return line


@finished_only
def calibration_table(
    runs: Sequence[Any], language: str = "en", *, label: str = "tbl-calibration"
) -> Table:
    """Show ECE, NLL and Brier score on test before and after temperature scaling.

    Args:
        runs: Finished runs on the same data, at least one; those that differ in
            their seed alone share a row.
        language: `"en"` or `"zh"`.
        label: The table's label.

    Returns:
        The table, with a row a run in `calibration.csv`.

    Raises:
        DataError: If there is no run, or runs differ in their data.
    """
    check_same_data(runs)
    terms, groups = evidence_words(language), seed_groups(runs)
    first = [group[0] for group in groups]
    rows, full, marked = [], [], False
    for head, group in zip(heads(first, language, brief=True), groups, strict=True):
        lines = [recalibrate(run) for run in group]
        full += [
            {"run_id": run.id, "seed": run.record["config"]["seed"]} | line
            for run, line in zip(group, lines, strict=True)
        ]
        cells = {
            name: spread(
                [line[name] for line in lines], 2 if name == "temperature" else 3
            )
            for name in lines[0]
        }
        bound = any(_at_bound(line["temperature"]) for line in lines)
        marked |= bound
        row = head | {terms["temperature"]: cells["temperature"] + "†" * bound}
        for name in MEASURES:
            row[terms["before"].format(name=terms[name])] = cells[name]
            row[terms["after"].format(name=terms[name])] = cells[f"{name}_scaled"]
        rows.append(row)
    images = score_run(runs[0]).num_images
    caption = terms["caption_calibration"].format(images=images, bins=BINS)
    if any(len(group) > 1 for group in groups):
        caption += terms["caption_seeds"]
    if marked:
        caption += terms["caption_bound"]
    return Table(
        pd.DataFrame(rows).fillna(ABSENT),
        label,
        caption,
        csv=pd.DataFrame(full),
        file="calibration.csv",
    )


def _at_bound(temperature: float) -> bool:
    """Say whether the search for a temperature ended where its range does."""
    if math.isnan(temperature):
        return False
    return any(abs(math.log(temperature) - end) < 0.01 for end in LOG_RANGE)
