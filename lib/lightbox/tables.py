"""The tables of a report, in the reader's language, with their full-precision rows."""

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from lightbox.cells import ABSENT, decimals
from lightbox.comparing import comparison
from lightbox.display import Table
from lightbox.divergence import finished_only
from lightbox.metrics import score_run
from lightbox.model_names import model_name
from lightbox.results import check_same_data
from lightbox.words import setting, setting_title, strategy_name, varying, words

__all__ = ["comparison", "decimals", "from_frame", "per_class", "split_table"]


@finished_only
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
            row |= {
                setting_title(key, language): setting(run, key, language)
                for key in extra
            }
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
