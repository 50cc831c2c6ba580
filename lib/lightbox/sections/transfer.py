"""Section 01: strategies against each other, and what a leaking split promises."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import pandas as pd

from lightbox.base.errors import DataError
from lightbox.base.words import language, look_up, said_in
from lightbox.comparison.conclusions import (
    against_majority,
    agreement,
    heading,
    limits,
    random_features,
)
from lightbox.comparison.runs import as_runs, finished, finished_only
from lightbox.data.dataset import Dataset, open_dataset
from lightbox.display.cells import accuracies
from lightbox.display.names import SETTINGS, model_name, run_names, strategy_name
from lightbox.display.outputs import Prose, Table
from lightbox.display.sentences import Finding, interval, p_text, percent
from lightbox.evaluation.metrics import Scores, best_run, score_run
from lightbox.evaluation.predictions import patients, right
from lightbox.evaluation.significance import ALPHA, Paired, holm, mcnemar
from lightbox.runs import config as store
from lightbox.runs.plan import configurations, run_one
from lightbox.sections.section import Section
from lightbox.settings.parameters import TransferParameters

# Two runs differ in their strategy alone: all else is equal, the model included.
_SAME = ("model", *SETTINGS)


@dataclass(frozen=True)
class Pair:
    """Two strategies of one model on the same test images.

    Attributes:
        cheap: The run that trains fewer parameters.
        costly: The other run.
        test: McNemar's counts and p-value; `only_first` is `cheap` alone right.
        adjusted: The p-value after Holm over all pairs of the section.
    """

    cheap: Any
    costly: Any
    test: Paired
    adjusted: float

    @property
    def gain(self) -> float:
        """Accuracy of `costly` minus that of `cheap`, a fraction."""
        return score_run(self.costly)["accuracy"] - score_run(self.cheap)["accuracy"]

    @property
    def tied(self) -> bool:
        """Whether the adjusted p-value leaves the difference to chance."""
        return not self.adjusted < ALPHA


def compare_strategies(runs: Sequence[Any]) -> list[Pair]:
    """Pair the strategies of each model and test each pair.

    Args:
        runs: Finished runs on the same data.

    Returns:
        A pair for every two strategies of runs that are otherwise alike, with
        p-values adjusted over all of them.

    Raises:
        DataError: If two runs of a pair did not predict the same test images.
    """
    found = []
    for one, two in combinations(runs, 2):
        configs = one.config, two.config
        if any(getattr(configs[0], key) != getattr(configs[1], key) for key in _SAME):
            continue
        if configs[0].strategy == configs[1].strategy:
            continue
        cheap, costly = sorted(
            (one, two), key=lambda run: run.result.trainable_parameters
        )
        first, second = right(cheap), right(costly)
        if not first.index.equals(second.index):
            raise DataError(
                f"runs {one.id} and {two.id} predicted different test images; train "
                "them again on the same data"
            )
        found.append((cheap, costly, mcnemar(first, second, patients(cheap))))
    adjusted = holm([test.pvalue for _, _, test in found])
    return [Pair(*pair, p) for pair, p in zip(found, adjusted, strict=True)]


def difference(pair: Pair, num_pairs: int) -> Finding:
    """State both accuracies and whether their difference is more than chance."""
    cheap, costly = score_run(pair.cheap), score_run(pair.costly)
    model = model_name(pair.cheap.config.model)
    names = {
        language: [
            said_in(language, strategy_name, run.config.strategy)
            for run in (pair.costly, pair.cheap)
        ]
        for language in ("en", "zh")
    }
    figures = [
        (
            scores.num_correct,
            scores.num_images,
            percent(scores["accuracy"]),
            interval(scores.low, scores.high),
        )
        for scores in (costly, cheap)
    ]
    (a, n, a_percent, a_range), (b, _, b_percent, b_range) = figures
    test = pair.test
    alone_en = (
        f"{names['en'][0]} alone was right on {test.only_second} of the test images, "
        f"{names['en'][1]} alone on {test.only_first} (exact McNemar p "
        f"{p_text(test.pvalue)}"
    )
    alone_zh = (
        f"僅{names['zh'][0]}答對 {test.only_second} 張，僅{names['zh'][1]}答對 "
        f"{test.only_first} 張（精確 McNemar 檢定 p {p_text(test.pvalue)}"
    )
    if num_pairs > 1:
        alone_en += f", {p_text(pair.adjusted)} after Holm over {num_pairs} pairs"
        alone_zh += f"，{num_pairs} 組經 Holm 校正後 p {p_text(pair.adjusted)}"
    points = f"{100 * abs(pair.gain):.1f}"
    if pair.tied:
        verdict_en, verdict_zh = _tie(test, points, n)
    else:
        winner = 0 if pair.gain > 0 else 1
        verdict_en = (
            f"{names['en'][winner].capitalize()} is better on this test set, by "
            f"{points} points of accuracy."
        )
        verdict_zh = (
            f"{names['zh'][winner]}在此測試集上較佳，準確率高 {points} 個百分點。"
        )
    return Finding(
        "difference",
        f"**{model}.** {names['en'][0].capitalize()} classified {a} of {n} test images "
        f"correctly ({a_percent} %, 95 % interval {a_range}), {names['en'][1]} {b} "
        f"({b_percent} %, {b_range}). {alone_en[0].upper()}{alone_en[1:]}). "
        f"{verdict_en}",
        f"**{model}**：{names['zh'][0]}答對 {n} 張測試影像中的 {a} 張（{a_percent} %，"
        f"95 % 信賴區間 {a_range}），{names['zh'][1]}答對 {b} 張（{b_percent} %，"
        f"{b_range}）。{alone_zh}）。{verdict_zh}",
        {
            "only_cheap": test.only_first,
            "only_costly": test.only_second,
            "p": test.pvalue,
            "p_holm": pair.adjusted,
            "tied": pair.tied,
            "gain": pair.gain,
        },
    )


def _tie(test: Paired, points: str, images: int) -> tuple[str, str]:
    """Word a tie, with the smallest lead that this test set could have shown."""
    needed = test.needed
    if needed is None:
        return (
            f"The two are tied: with {test.discordant} images on which they differ, "
            f"no lead could reach p < {ALPHA}.",
            f"兩者平手：僅 {test.discordant} 張影像的對錯不同，無論差距如何都達不到 "
            f"p < {ALPHA}。",
        )
    return (
        f"The two are tied: the gap of {points} points may be chance, and with "
        f"{test.discordant} images on which they differ, a single test needs a lead "
        f"of {needed} images ({100 * needed / images:.1f} points) for p < {ALPHA}.",
        f"兩者平手：{points} 個百分點的差距可能出於偶然；在 {test.discordant} "
        f"張對錯不同的影像上，單次檢定須領先 {needed} 張"
        f"（{100 * needed / images:.1f} 個百分點）才有 p < {ALPHA}。",
    )


def cost(pair: Pair) -> Finding:
    """Set what the costlier strategy cost against what it gained."""
    cheap, costly = pair.cheap, pair.costly
    en, zh = (
        [said_in(lang, strategy_name, r.config.strategy) for r in (costly, cheap)]
        for lang in ("en", "zh")
    )
    seconds = [r.result.train_seconds for r in (costly, cheap)]
    trained = [r.result.trainable_parameters for r in (costly, cheap)]
    times_en = times_zh = ""
    if seconds[1] > 0:
        times_en = f", {seconds[0] / seconds[1]:.1f} times as long"
        times_zh = f"，為其 {seconds[0] / seconds[1]:.1f} 倍"
    gain = f"{100 * pair.gain:+.1f}".replace("-", "−")
    model = model_name(cheap.config.model)
    chance_en = " that may be chance" if pair.tied else ""
    chance_zh = "（可能出於偶然）" if pair.tied else ""
    return Finding(
        "cost",
        f"{model} took {seconds[0]:,.1f} s under {en[0]} and {seconds[1]:,.1f} s under "
        f"{en[1]}{times_en}; {trained[0]:,} against {trained[1]:,} trainable "
        f"parameters bought {gain} points{chance_en}.",
        f"{model} {zh[0]}耗時 {seconds[0]:,.1f} 秒，{zh[1]} {seconds[1]:,.1f} 秒"
        f"{times_zh}；可訓練參數 {trained[0]:,} 對 {trained[1]:,} 個，"
        f"準確率變化 {gain} 個百分點{chance_zh}。",
        {"seconds": seconds, "trainable": trained, "gain": pair.gain},
    )


_HEADINGS = {
    "against_majority": ("Against the majority answer", "與多數類別相比"),
    "cost": ("Cost against gain", "代價與收穫"),
    "agreement": ("Val against test", "驗證與測試"),
    "random_features": ("Random features", "隨機特徵"),
    "limits": ("Limits", "限制"),
}


def conclude(runs: Sequence[Any]) -> list[Finding]:
    """Compute every finding on strategies from finished runs.

    Args:
        runs: Finished runs on the same data, at least one.

    Returns:
        The findings, those of one rule beside each other.

    Raises:
        DataError: If there is no run, or runs differ in data or test images.
    """
    runs = as_runs(runs)
    pairs = compare_strategies(runs)
    found: list[Finding | None] = [difference(pair, len(pairs)) for pair in pairs]
    found.append(against_majority(runs, runs.names))
    found += [cost(pair) for pair in pairs]
    found += [agreement(runs, *each) for each in zip(runs, runs.names, strict=True)]
    found += [random_features(runs), limits(runs)]
    return [finding for finding in found if finding is not None]


@finished_only
def conclusion(runs: Sequence[Any]) -> Prose:
    """Write the conclusion on feature extraction and fine-tuning.

    Args:
        runs: Finished runs on the same data, at least one.

    Returns:
        Markdown; the same runs give the same text, and every sentence has its
        number.

    Raises:
        DataError: If there is no run, or runs differ in data or test images.
    """
    groups: dict[str, list[str]] = {}
    for finding in conclude(runs):
        groups.setdefault(finding.rule, []).append(finding.say())
    parts = []
    for rule, texts in groups.items():
        if rule == "difference":  # a paragraph a model, opened by its name
            parts += texts
            continue
        opening = heading(_HEADINGS[rule][language() == "zh"])
        if len(texts) == 1:
            parts.append(opening + texts[0])
        else:
            parts.append(opening.rstrip())
            parts.append("\n".join(f"- {text}" for text in texts))
    return Prose("\n\n".join(parts))


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
        label: The table's label.

    Returns:
        The table, whose CSV has a row a split; a sentence where it was not asked
        for or the images name no patient or slide.
    """
    settings = section.settings
    assert isinstance(settings, TransferParameters)
    table = section.data.table
    words = look_up(_WORDS)
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
    caption = words["caption"].format(run=run_names([best])[0])
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
