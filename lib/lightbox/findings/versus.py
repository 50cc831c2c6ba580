"""Strategies against each other: what the paired test predictions can show."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from lightbox.errors import DataError
from lightbox.findings.base import Finding, interval, p_text, percent
from lightbox.intervals import ALPHA, Paired, holm, mcnemar
from lightbox.metrics import score_run
from lightbox.model_names import model_name
from lightbox.replicates import sorted_test
from lightbox.resampling import group_codes
from lightbox.words import SETTINGS, strategy_name

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


def right(run: Any, answers: pd.Series | str | None = None) -> pd.Series:
    """Say for each test image whether it was classified correctly.

    Args:
        run: A finished run.
        answers: One class to answer always, in place of the run's predictions.

    Returns:
        Bool by image name, sorted by it.

    Raises:
        DataError: If an image occurs twice.
    """
    test = run.predictions[run.predictions["split"] == "test"].set_index("image")
    if test.index.has_duplicates:
        raise DataError(f"run {run.id} has predicted a test image twice")
    given = test["predicted"] if answers is None else answers
    return (test["label"] == given).sort_index()


def patients(run: Any) -> np.ndarray:
    """Number the patients behind a run's test images.

    Args:
        run: A finished run.

    Returns:
        A number for each image in the order of `right`; an image whose patient is
        not known has one of its own.
    """
    test = sorted_test(run)
    return group_codes(list(test["group"]), list(test["image"]))


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
        configs = one.record["config"], two.record["config"]
        if any(configs[0].get(key) != configs[1].get(key) for key in _SAME):
            continue
        if configs[0]["strategy"] == configs[1]["strategy"]:
            continue
        cheap, costly = sorted(
            (one, two), key=lambda run: run.record["result"]["trainable_parameters"]
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
    model = model_name(pair.cheap.record["config"]["model"])
    names = {
        language: [
            strategy_name(run.record["config"]["strategy"], language)
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
    cheap, costly = pair.cheap.record, pair.costly.record
    en, zh = (
        [strategy_name(r["config"]["strategy"], lang) for r in (costly, cheap)]
        for lang in ("en", "zh")
    )
    seconds = [r["result"]["train_seconds"] for r in (costly, cheap)]
    trained = [r["result"]["trainable_parameters"] for r in (costly, cheap)]
    times_en = times_zh = ""
    if seconds[1] > 0:
        times_en = f", {seconds[0] / seconds[1]:.1f} times as long"
        times_zh = f"，為其 {seconds[0] / seconds[1]:.1f} 倍"
    gain = f"{100 * pair.gain:+.1f}".replace("-", "−")
    model = model_name(cheap["config"]["model"])
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
