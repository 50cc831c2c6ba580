"""Scores at two operating points: 0.5, and a threshold that val chose."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from lightbox.cells import ABSENT, spread
from lightbox.display import Prose, Table
from lightbox.divergence import finished_only
from lightbox.errors import DataError
from lightbox.evidence import short_names
from lightbox.evidence_words import evidence_words
from lightbox.metrics import Scores, score, score_run
from lightbox.results import check_same_data
from lightbox.thresholds import USUAL, moved, positive_class, threshold_of
from lightbox.words import seed_groups

MEASURES = ("sensitivity", "specificity", "precision", "f1")
PERCENT = ("balanced_accuracy", "accuracy")


def score_moved(run: Any, threshold: float) -> Scores:
    """Score a run's test images at another threshold.

    Args:
        run: A finished run with two classes.
        threshold: On the probability of `thresholds.positive_class`.

    Returns:
        The scores, of that class where the run names no positive one.
    """
    test = run.predictions[run.predictions["split"] == "test"]
    answers = moved(run, threshold).loc[test["image"]].to_numpy()
    return score(
        test.assign(predicted=answers),
        run.record["data"]["classes"],
        positive_class(run),
    )


@finished_only
def operating_points(
    runs: Sequence[Any], language: str = "en", *, label: str = "tbl-operating"
) -> Table | Prose:
    """Show what each run scores at 0.5, and at the threshold frozen on val.

    Args:
        runs: Finished runs on the same data, at least one; those that differ in
            their seed alone share a row.
        language: `"en"` or `"zh"`.
        label: The table's label.

    Returns:
        The table, two rows a run, with `operating.csv`; an empty text with more
        than two classes, where no one threshold is. A row of dashes stands for a
        threshold that val, having images of one class only, cannot choose.

    Raises:
        DataError: If there is no run, or runs differ in their data.
    """
    check_same_data(runs)
    positive = positive_class(runs[0])
    if positive is None:
        return Prose("")
    terms, groups = evidence_words(language), seed_groups(runs)
    names = short_names([group[0] for group in groups], language, seeds=False)
    rows, full = [], []
    for name, group in zip(names, groups, strict=True):
        points = [_points(run) for run in group]
        for place, shown in enumerate((name, "")):
            row = {terms["run"]: shown, terms["threshold"]: ABSENT}
            given = [each[place] for each in points if len(each) > place]
            if given:
                values = [threshold for threshold, _ in given]
                row[terms["threshold"]] = (
                    f"{USUAL:g}" if place == 0 else spread(values, 2)
                )
                row |= _cells([scores for _, scores in given], terms)
            rows.append(row)
        full += [
            {"run_id": run.id, "threshold": threshold}
            | {f"test_{n}": scores[n] for n in (*MEASURES, *PERCENT)}
            for run, each in zip(group, points, strict=True)
            for threshold, scores in each
        ]
    images = score_run(runs[0]).num_images
    caption = terms["caption_operating"].format(positive=positive, images=images)
    if any(len(group) > 1 for group in groups):
        caption += terms["caption_seeds"]
    return Table(
        pd.DataFrame(rows).fillna(ABSENT),
        label,
        caption,
        csv=pd.DataFrame(full),
        file="operating.csv",
    )


def _points(run: Any) -> list[tuple[float, Scores]]:
    """Score a run at 0.5 and at its own threshold, where val can choose one."""
    points = [(USUAL, score_moved(run, USUAL))]
    try:
        chosen = threshold_of(run)
    except DataError:
        return points
    return [*points, (chosen.value, score_moved(run, chosen.value))]


def _cells(scores: list[Scores], terms: Any) -> dict[str, str]:
    """Write the measures of one row."""
    cells = {
        terms[name]: spread([each[name] for each in scores], 3) for name in MEASURES
    }
    return cells | {
        terms[name]: spread([100 * each[name] for each in scores], 1)
        for name in PERCENT
    }
