"""The comparison of runs on the test images, and the CSV behind it."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from lightbox.baseline import majority_answer, score_majority
from lightbox.cells import ABSENT, accuracies, heads, millions, spread
from lightbox.display import Table
from lightbox.divergence import finished, unless_all_diverged
from lightbox.metrics import score_run
from lightbox.results import COLUMNS, METRICS, check_same_data, results_frame
from lightbox.words import seed_groups, strategy_name, varying, words

# Lower is better in these columns.
LOW = ("nll", "time")


@unless_all_diverged
def comparison(
    runs: Sequence[Any],
    language: str = "en",
    *,
    label: str = "tbl-results",
    file: str = "results.csv",
) -> Table:
    """Compare runs on the test images, with the majority answer as last row.

    Runs that differ in their seed alone share a row: mean and standard deviation
    over the seeds. A strategy that all of several runs share is in the caption.

    Args:
        runs: Finished runs on the same data, at least one.
        language: `"en"` or `"zh"`.
        label: The table's label.
        file: The name of the CSV with the rows behind it.

    Returns:
        The table. Its CSV has a row a run: the columns of `results_frame`, then
        the settings in which runs differ, then the majority answer
        (`majority_class`, `majority_` and each test metric).

    Raises:
        DataError: If there is no run, or runs differ in their data.
    """
    check_same_data(runs)
    terms, groups = words(language), seed_groups(runs)
    first = [group[0] for group in groups]
    several = any(len(group) > 1 for group in groups)
    seeds = several or "seed" in varying(runs)
    accuracy = terms["accuracy_percent" if several else "accuracy_interval"]
    named = heads(first, language, brief=len(first) > 1)
    kept = terms["strategy"] in named[0]
    rows, numbers = [], []
    for head, group in zip(named, groups, strict=True):
        tested = finished(group)
        scores = [score_run(run, "test") for run in tested]
        results = [run.record["result"] for run in group]
        # What a run cost that came to nothing is no cost of a result.
        seconds = [run.record["result"]["train_seconds"] for run in tested]
        row = dict(head)
        if seeds:
            row[terms["seeds" if several else "seed"]] = _seeds(group, several)
        row[accuracy] = _accuracies(scores, len(group), terms)
        values = {n: [each[n] for each in scores] for n in METRICS}
        if tested:
            row |= {terms[name]: spread(values[name], 3) for name in METRICS}
            row[terms["time"]] = spread(seconds, 1)
        row[terms["parameters"]] = millions(results[0]["parameters"])
        row[terms["trainable"]] = millions(results[0]["trainable_parameters"])
        rows.append(row)
        means = {accuracy: [each["accuracy"] for each in scores]}
        means |= {terms[name]: values[name] for name in METRICS}
        means[terms["time"]] = seconds
        numbers.append({name: pd.Series(v).mean() for name, v in means.items()})
    known = (finished(runs) or runs)[0]
    answer, baseline = majority_answer(known), score_majority(known)
    always = terms["majority"].format(answer=answer)
    shown_as = {terms["model"]: terms["baseline"], terms["strategy"]: always}
    if not kept:
        shown_as = {terms["model"]: f"{terms['baseline']}\n({always})"}
    rows.append(
        shown_as
        | {accuracy: accuracies([baseline])}
        | {terms[name]: spread([baseline[name]], 3) for name in METRICS}
    )
    shown = pd.DataFrame(rows).fillna(ABSENT)
    data = runs[0].record["data"]
    caption = terms["caption_comparison"].format(
        images=baseline.num_images, positive=data["positive"] or terms["each_class"]
    )
    if several:
        caption += terms["caption_seeds"]
    if not kept:
        strategy = strategy_name(first[0].record["config"]["strategy"], language)
        caption += terms["caption_one_strategy"].format(strategy=strategy)
    low = [terms[key] for key in LOW]
    return Table(
        shown,
        label,
        caption,
        csv=_full(runs, answer, baseline),
        file=file,
        bold=_best(pd.DataFrame(numbers), shown, low),
    )


def _accuracies(scores: Sequence[Any], count: int, terms: Any) -> str:
    """Write the accuracy of a row's runs, and how many of them diverged."""
    if not scores:
        return terms["by_divergence"]
    lost = count - len(scores)
    note = f"\n({terms['by_divergence']}: {lost})" if lost else ""
    return accuracies(scores) + note


def _seeds(group: Sequence[Any], several: bool) -> str:
    """Count the seeds of a row, or name the one, where no row has more."""
    if several:
        return str(len(group))
    return str(group[0].record["config"]["seed"])


def _full(runs: Sequence[Any], answer: str, baseline: Any) -> pd.DataFrame:
    """Write a row a run at full precision."""
    frame = results_frame(runs)
    configs = [run.record["config"] for run in runs]
    # Every setting that is told by a word of its own; gamma is told with its loss.
    keys = [key for key in varying(runs) if key not in COLUMNS]
    keys += ["gamma"] if "loss" in keys else []
    if len({config.get("name", "") for config in configs}) > 1:
        keys.insert(0, "name")
    for key in keys:
        values = [config.get(key) for config in configs]
        frame[key] = [
            ";".join(map(str, value)) if isinstance(value, list | tuple) else value
            for value in values
        ]
    return frame.assign(
        majority_class=answer,
        majority_accuracy=baseline["accuracy"],
        majority_accuracy_low=baseline.low,
        majority_accuracy_high=baseline.high,
        **{f"majority_{name}": baseline[name] for name in METRICS},
    )


def _best(numbers: pd.DataFrame, shown: pd.DataFrame, low: list[str]) -> pd.DataFrame:
    """Mark the best value of each column, by its full precision.

    The majority row, which `numbers` does not have, cannot win: a constant
    answer has a sensitivity of 1 for nothing.
    """
    bold = pd.DataFrame(False, index=shown.index, columns=shown.columns)
    if len(numbers) > 1:
        for name in numbers.columns:
            values = numbers[name]
            best = values.min() if name in low else values.max()
            # Where all are alike, nothing stands out.
            if values.nunique() > 1:
                bold.loc[: len(values) - 1, name] = (values == best).to_numpy()
    return bold
