"""Leakage on purpose: what a split by image promises, beside one by patient."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from lightbox import store
from lightbox.cells import accuracies
from lightbox.data import Dataset, open_dataset
from lightbox.display import Prose, Table
from lightbox.divergence import finished
from lightbox.metrics import Scores, score_run
from lightbox.params import TransferParameters
from lightbox.plan import configurations
from lightbox.runs import run_one
from lightbox.section import Section
from lightbox.seeing import best_run
from lightbox.words import look_up, run_names

_WORDS = {
    "off": (
        "No leaking split was asked for; `leakage: true` trains the best run again on "
        "one. In the split used here {shared} of {images} val images share a patient "
        "or slide with train.",
        "未要求洩漏的切分；`leakage: true` 會以該切分重新訓練最佳的模型。"
        "此處的切分中，{images} 張驗證影像有 {shared} 張與訓練集共用病人或切片。",
    ),
    "nothing": (
        "The files name no patient or slide, so a split by image and one by patient "
        "cannot be told apart here: 0 of {images} images have a group.",
        "檔名沒有病人或切片的資訊，無法區分逐影像與逐病人的切分："
        "{images} 張影像中 0 張有分組。",
    ),
    "diverged": (
        "Every run diverged, so there is none to train again on a leaking split.",
        "所有訓練皆發散，沒有可用洩漏切分重新訓練的模型。",
    ),
    "split": ("Split by", "切分單位"),
    "group": ("patient or slide", "病人或切片"),
    "image": ("image", "影像"),
    "shared_val": ("Val shared, %", "驗證共用，%"),
    "shared_test": ("Test shared, %", "測試共用，%"),
    "val": ("Val accuracy, % (95 % interval)", "驗證準確率，%（95 % 區間）"),
    "test": ("Test accuracy, % (95 % interval)", "測試準確率，%（95 % 區間）"),
    "gap": ("Val − test, points", "驗證 − 測試，百分點"),
    "caption": (
        "Leakage on purpose: {run}, trained again with the same settings after a "
        "split by image. Shared: images whose patient or slide is in train too. Wilson "
        "intervals.",
        "刻意洩漏：{run} 以逐影像切分、相同設定重新訓練。共用指其病人或切片也出現在"
        "訓練集的影像；區間為 Wilson 區間。",
    ),
}


def shared_images(table: pd.DataFrame, split: str) -> int:
    """Count the images of a split whose patient or slide is in train too.

    Args:
        table: A data set's `split` and `group`; an empty group is nobody's.
        split: `"val"` or `"test"`.

    Returns:
        How many.
    """
    train = set(table.loc[table["split"] == "train", "group"]) - {""}
    return int(table.loc[table["split"] == split, "group"].isin(train).sum())


def leakage_table(
    section: Section,
    runs: Sequence[Any],
    language: str = "en",
    *,
    label: str = "tbl-leakage",
) -> Table | Prose:
    """Train the best run again after a split by image, and show both.

    Where train and test are published, only val leaks: then val promises what test
    does not keep (course report S4). Where no test split is published, test leaks
    as well and shows nothing amiss.

    Args:
        section: The section, whose parameter `leakage` asks for this.
        runs: Its finished runs; the one of the lowest val loss is trained again.
        language: `"en"` or `"zh"`.
        label: The table's label.

    Returns:
        The table, whose CSV has a row a split; a sentence where it was not asked
        for or the images name no patient or slide.
    """
    settings = section.settings
    assert isinstance(settings, TransferParameters)
    table = section.data.table
    words = look_up(_WORDS, language)
    if not (table["group"] != "").any():
        return Prose(words["nothing"].format(images=f"{len(table):,}"))
    if not settings.leakage:
        images = int((table["split"] == "val").sum())
        shared = shared_images(table, "val")
        return Prose(words["off"].format(shared=shared, images=f"{images:,}"))
    naive = open_dataset(
        settings.dataset,
        settings.data_dir,
        seed=settings.seed,
        on_bad_image=settings.on_bad_image,
        split_by="image",
        classes=settings.classes,
    )
    kept = finished(runs)
    if not kept:
        return Prose(words["diverged"])
    best = kept[best_run(kept)]
    plan = {
        store.run_id(config, section.data.fingerprint): (config, weights)
        for config, weights in configurations(settings)
    }
    config, weights = plan[best.id]
    again = run_one(config, naive, weights=weights)
    by = "group" if settings.split_by == "group" else "image"
    rows = [
        _row(best, section.data, by),
        _row(again, naive, "image"),
    ]
    frame = pd.DataFrame(rows)
    shown = pd.DataFrame(
        {
            words["split"]: [words[name] for name in frame["split_by"]],
            words["shared_val"]: [f"{100 * v:.1f}" for v in frame["val_shared"]],
            words["shared_test"]: [f"{100 * v:.1f}" for v in frame["test_shared"]],
            words["val"]: [_interval(run, "val") for run in (best, again)],
            words["test"]: [_interval(run, "test") for run in (best, again)],
            words["gap"]: [
                f"{100 * g:+.1f}".replace("-", "−")
                for g in frame["val_accuracy"] - frame["test_accuracy"]
            ],
        }
    )
    caption = words["caption"].format(run=run_names([best], language)[0])
    return Table(shown, label, caption, csv=frame, file="leakage.csv")


def _row(run: Any, data: Dataset, by: str) -> dict[str, Any]:
    """Measure one split."""
    row: dict[str, Any] = {"run_id": run.id, "split_by": by}
    for split in ("val", "test"):
        scores: Scores = score_run(run, split)
        shared = shared_images(data.table, split)
        row |= {
            f"{split}_images": scores.num_images,
            f"{split}_shared": shared / scores.num_images,
            f"{split}_accuracy": scores["accuracy"],
            f"{split}_accuracy_low": scores.low,
            f"{split}_accuracy_high": scores.high,
        }
    return row


def _interval(run: Any, split: str) -> str:
    return accuracies([score_run(run, split)])
