"""Conclusions that are computed from numbers, in English and in Chinese."""

from collections.abc import Sequence
from typing import Any

from lightbox.display import Prose
from lightbox.divergence import finished_only
from lightbox.findings.base import Finding, plural
from lightbox.findings.curves import RULES, read_curves
from lightbox.findings.versus import (
    Pair,
    compare_strategies,
    cost,
    difference,
    patients,
)
from lightbox.findings.yardsticks import against_majority, agreement
from lightbox.results import check_same_data
from lightbox.words import run_names

__all__ = [
    "RULES",
    "Finding",
    "Pair",
    "agreement",
    "compare_strategies",
    "conclude",
    "conclusion",
    "limits",
    "random_features",
    "read_curves",
    "readings",
]

NO_WEIGHTS = "none"
SEEDS_FOR_A_METHOD = 3  # Bouthillier et al. 2021, arXiv 2103.03098
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
    check_same_data(runs)
    runs = list(runs)
    names = run_names(runs, "en"), run_names(runs, "zh")
    pairs = compare_strategies(runs)
    found: list[Finding | None] = [difference(pair, len(pairs)) for pair in pairs]
    found.append(against_majority(runs, *names))
    found += [cost(pair) for pair in pairs]
    found += [agreement(*each) for each in zip(runs, *names, strict=True)]
    found += [random_features(runs), limits(runs)]
    return [finding for finding in found if finding is not None]


@finished_only
def conclusion(runs: Sequence[Any], language: str = "en") -> Prose:
    """Write the conclusion on feature extraction and fine-tuning.

    Args:
        runs: Finished runs on the same data, at least one.
        language: `"en"` or `"zh"`.

    Returns:
        Markdown; the same runs give the same text, and every sentence has its
        number.

    Raises:
        DataError: If there is no run, or runs differ in data or test images.
    """
    groups: dict[str, list[str]] = {}
    for finding in conclude(runs):
        groups.setdefault(finding.rule, []).append(finding.say(language))
    parts = []
    for rule, texts in groups.items():
        if rule == "difference":  # a paragraph a model, opened by its name
            parts += texts
            continue
        heading = _heading(_HEADINGS[rule][language == "zh"], language)
        if len(texts) == 1:
            parts.append(heading + texts[0])
        else:
            parts.append(heading.rstrip())
            parts.append("\n".join(f"- {text}" for text in texts))
    return Prose("\n\n".join(parts))


def readings(runs: Sequence[Any], language: str = "en") -> Prose:
    """Read the learning curves of each run.

    Args:
        runs: Finished runs, at least one.
        language: `"en"` or `"zh"`.

    Returns:
        Markdown, a bullet a run.

    Raises:
        DataError: If there is no run, or runs differ in their data.
    """
    check_same_data(runs)
    space = "" if language == "zh" else " "
    lines = []
    for run, name in zip(runs, run_names(list(runs), language), strict=True):
        said = space.join(found.say(language) for found in read_curves(run))
        lines.append(f"- {_heading(name, language)}{said}")
    return Prose("\n".join(lines))


def _heading(text: str, language: str) -> str:
    """Open a paragraph. CommonMark ends no bold between a full-width mark and text."""
    return f"**{text}**：" if language == "zh" else f"**{text}.** "


def random_features(runs: Sequence[Any]) -> Finding | None:
    """Warn that a frozen network without pretrained weights is a random one."""
    blind = [
        run
        for run in runs
        if run.record["config"]["weights"] == NO_WEIGHTS
        and run.record["config"]["strategy"] == "feature_extraction"
    ]
    if not blind:
        return None
    return Finding(
        "random_features",
        f"{plural(len(blind), 'run')} of feature extraction had 0 pretrained "
        "parameters (weights: none): the head reads the features of a randomly "
        "initialised, frozen network, which says nothing about ImageNet features.",
        f"有 {len(blind)} 次特徵擷取使用 0 個預訓練參數（weights: none）："
        "分類層讀取的是隨機初始化且凍結的網路之特徵，"
        "不能說明 ImageNet 特徵的效果。",
        {"runs": len(blind)},
    )


def limits(runs: Sequence[Any]) -> Finding:
    """Say what these seeds on this test set cannot show."""
    seeds = sorted({run.record["config"]["seed"] for run in runs})
    codes = patients(runs[0])
    images, groups = len(codes), len(set(codes))
    listed = ", ".join(map(str, seeds))
    be = "This is" if len(seeds) == 1 else "These are"
    en = f"{be} {plural(len(seeds), 'seed')} ({listed}) on 1 test set of "
    en += f"{images:,} images."
    zh = f"以上為 {len(seeds)} 個亂數種子（{listed}）在 1 個測試集（{images:,} 張影像）"
    zh += "上的結果。"
    if len(seeds) < SEEDS_FOR_A_METHOD:
        en += (
            " Another seed would move every number, so that a claim about a method "
            f"needs {SEEDS_FOR_A_METHOD} seeds or more."
        )
        zh += (
            f"換一個種子，每個數字都會變動；要對方法下結論，至少需要 "
            f"{SEEDS_FOR_A_METHOD} 個種子。"
        )
    if 0 < groups < images:
        en += (
            f" The images come from {groups:,} patients or slides: the tests between "
            "runs and the bootstrap intervals go by those, while Wilson intervals "
            f"count {images:,} independent images and are too narrow."
        )
        zh += (
            f"影像來自 {groups:,} 位病人（或切片）："
            "訓練間的檢定與自助法區間皆以其為單位，"
            f"Wilson 區間則視為 {images:,} 張獨立影像，因此偏窄。"
        )
    return Finding(
        "limits", en, zh, {"seeds": seeds, "images": images, "groups": groups}
    )
