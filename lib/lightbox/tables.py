"""The tables of a report, in the reader's language, with their full-precision rows."""

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from lightbox.baseline import majority_answer, score_majority
from lightbox.display import Table
from lightbox.metrics import Scores, score_run
from lightbox.results import METRICS, check_same_data, results_frame
from lightbox.words import model_name, setting, strategy_name, varying, words

ABSENT = "–"
# Lower is better in these columns.
LOW = ("nll", "time")


def comparison(
    runs: Sequence[Any],
    language: str = "en",
    *,
    label: str = "tbl-results",
    file: str = "results.csv",
) -> Table:
    """Compare runs on the test images, with the majority answer as last row.

    Args:
        runs: Finished runs on the same data, at least one.
        language: `"en"` or `"zh"`.
        label: The table's label.
        file: The name of the CSV with the rows behind it.

    Returns:
        The table. Its CSV holds the columns of `results_frame`, then the majority
        answer (`majority_class`, `majority_` and each test metric).

    Raises:
        DataError: If there is no run, or runs differ in their data.
    """
    check_same_data(runs)
    terms, extra = words(language), varying(list(runs))
    rows, numbers = [], []
    for run in runs:
        config, result = run.record["config"], run.record["result"]
        scores = score_run(run, "test")
        row = {
            terms["model"]: model_name(config["model"]),
            terms["strategy"]: strategy_name(config["strategy"], language),
        }
        row |= {terms[key]: setting(run, key) for key in extra}
        row |= _score_cells(scores, terms)
        row[terms["time"]] = decimals(result["train_seconds"], 1)
        row[terms["parameters"]] = _millions(result["parameters"])
        row[terms["trainable"]] = _millions(result["trainable_parameters"])
        rows.append(row)
        numbers.append(
            {terms["accuracy_interval"]: scores["accuracy"]}
            | {terms[name]: scores[name] for name in METRICS}
            | {terms["time"]: result["train_seconds"]}
        )
    answer, baseline = majority_answer(runs[0]), score_majority(runs[0])
    rows.append(
        {terms["model"]: terms["baseline"]}
        | {terms["strategy"]: terms["majority"].format(answer=answer)}
        | _score_cells(baseline, terms)
    )
    shown = pd.DataFrame(rows).fillna(ABSENT)
    csv = results_frame(runs).assign(
        majority_class=answer,
        majority_accuracy=baseline["accuracy"],
        majority_accuracy_low=baseline.low,
        majority_accuracy_high=baseline.high,
        **{f"majority_{name}": baseline[name] for name in METRICS},
    )
    data = runs[0].record["data"]
    caption = terms["caption_comparison"].format(
        images=baseline.num_images, positive=data["positive"] or terms["each_class"]
    )
    low = [terms[key] for key in LOW]
    return Table(
        shown,
        label,
        caption,
        csv=csv,
        file=file,
        bold=_best(pd.DataFrame(numbers), shown, low),
    )


def per_class(
    runs: Sequence[Any],
    language: str = "en",
    *,
    label: str = "tbl-classes",
    split: str = "test",
) -> Table:
    """Show each class against the rest for each run.

    Args:
        runs: Finished runs on the same data, at least one.
        language: `"en"` or `"zh"`.
        label: The table's label.
        split: `"val"` or `"test"`.

    Returns:
        The table, with its CSV at full precision behind it.

    Raises:
        DataError: If there is no run, or runs differ in their data.
    """
    check_same_data(runs)
    terms, extra = words(language), varying(list(runs))
    names = ("sensitivity", "specificity", "precision", "f1", "auroc")
    rows, full = [], []
    for run in runs:
        config, scores = run.record["config"], score_run(run, split)
        for _, line in scores.per_class.iterrows():
            row = {
                terms["model"]: model_name(config["model"]),
                terms["strategy"]: strategy_name(config["strategy"], language),
            }
            row |= {terms[key]: setting(run, key) for key in extra}
            row |= {
                terms["class"]: line["class"],
                terms["images"]: f"{line['images']:,}",
            }
            rows.append(row | {terms[n]: decimals(line[n], 3) for n in names})
            full.append({"run_id": run.id, "split": split} | line.to_dict())
    caption = terms["caption_per_class"].format(images=scores.num_images)
    return Table(pd.DataFrame(rows), label, caption, csv=pd.DataFrame(full))


def split_table(
    dataset: Any, language: str = "en", *, label: str = "tbl-splits"
) -> Table:
    """Count images per class, and patients or slides, in each split.

    Args:
        dataset: The data set, with `table` (columns `split`, `label`, `group`),
            `classes` and `positive`.
        language: `"en"` or `"zh"`.
        label: The table's label.

    Returns:
        The table: a row a split, then the total. With a positive class, its
        share in per cent.
    """
    terms, table = words(language), dataset.table
    rows, full = [], []
    present = [name for name in ("train", "val", "test") if name in set(table["split"])]
    for split in [*present, None]:
        part = table if split is None else table[table["split"] == split]
        counts = {name: int((part["label"] == name).sum()) for name in dataset.classes}
        row = {terms["split"]: terms[split or "total"]}
        row |= {name: f"{count:,}" for name, count in counts.items()}
        row[terms["images"]] = f"{len(part):,}"
        if dataset.positive:
            share = counts[dataset.positive] / len(part) if len(part) else math.nan
            header = terms["share"].format(answer=dataset.positive)
            row[header] = decimals(100 * share, 1)
        groups = int(part["group"].nunique())
        if groups:
            row[terms["groups"]] = f"{groups:,}"
        rows.append(row)
        full.append(
            {"split": split or "all"} | counts | {"images": len(part), "groups": groups}
        )
    return Table(
        pd.DataFrame(rows).fillna(ABSENT),
        label,
        terms["caption_splits"],
        csv=pd.DataFrame(full),
    )


def from_frame(
    frame: pd.DataFrame,
    label: str,
    caption: str,
    *,
    file: str | None = None,
    places: int = 3,
) -> Table:
    """Show any frame, such as a finding of the data audit.

    Args:
        frame: The rows; its index is shown where it has a name.
        label: The table's label.
        caption: What the table says.
        file: The name of the CSV that the report writes of it, or None.
        places: Decimal places of floating-point columns.

    Returns:
        The table, with `frame` itself as its CSV.
    """
    shown = frame.copy()
    for name in shown.columns:
        if pd.api.types.is_float_dtype(shown[name]):
            shown[name] = [decimals(value, places) for value in shown[name]]
        elif pd.api.types.is_integer_dtype(shown[name]):
            shown[name] = [f"{value:,}" for value in shown[name]]
    index = frame.index.name is not None
    csv = frame.reset_index() if index else frame
    return Table(shown, label, caption, csv=csv, file=file)


def decimals(value: float, places: int) -> str:
    """Write a number with fixed decimals.

    Args:
        value: The number.
        places: How many decimals.

    Returns:
        The text; an en dash for NaN.
    """
    return ABSENT if math.isnan(value) else f"{value:,.{places}f}"


def _score_cells(scores: Scores, terms: Any) -> dict[str, str]:
    """Format the test metrics of one row."""
    accuracy = ABSENT
    if scores.num_images:
        accuracy = (
            f"{100 * scores['accuracy']:.1f} "
            f"({100 * scores.low:.1f}–{100 * scores.high:.1f})"
        )
    cells = {terms["accuracy_interval"]: accuracy}
    return cells | {terms[name]: decimals(scores[name], 3) for name in METRICS}


def _millions(count: int) -> str:
    """Write a number of parameters in millions, small heads included."""
    millions = count / 1e6
    return f"{millions:.4f}" if millions < 0.01 else f"{millions:,.2f}"


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
