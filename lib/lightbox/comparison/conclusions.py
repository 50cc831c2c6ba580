"""What conclusions share: the majority, agreement, and the limits of one test set."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lightbox.base.words import language
from lightbox.display.outputs import escape_markdown
from lightbox.display.sentences import Finding, interval, percent, plural
from lightbox.evaluation.metrics import majority_answer, score_majority, score_run
from lightbox.evaluation.predictions import patients, right
from lightbox.evaluation.significance import ALPHA, holm, mcnemar

NO_WEIGHTS = "none"
SEEDS_FOR_A_METHOD = 3  # Bouthillier et al. 2021, arXiv 2103.03098


def against_majority(
    runs: Sequence[Any], names_en: list[str], names_zh: list[str]
) -> Finding:
    """Compare every run with the answer that looks at no image."""
    answer, base = majority_answer(runs[0]), score_majority(runs[0])
    shown = escape_markdown(answer)
    tests = [mcnemar(right(run), right(run, answer), patients(run)) for run in runs]
    adjusted = holm([test.pvalue for test in tests])
    groups: dict[str, list[int]] = {"above": [], "like": [], "below": []}
    for position, (test, p) in enumerate(zip(tests, adjusted, strict=True)):
        lead = test.only_first - test.only_second
        kind = "like" if not p < ALPHA else "above" if lead > 0 else "below"
        groups[kind].append(position)
    sentences_en, sentences_zh = [], []
    for kind, verb_en, verb_zh in (
        ("above", "above it", "高於此值"),
        ("like", "not distinguishable from it", "與此值無法區分"),
        ("below", "below it", "低於此值"),
    ):
        if not groups[kind]:
            continue
        # The value nearest to the threshold bounds the group.
        group = [adjusted[k] for k in groups[kind]]
        bound, sign = (min(group), "≥") if kind == "like" else (max(group), "≤")
        value = f"{max(bound, 0.001):.3f}"
        listed_en = ", ".join(names_en[k] for k in groups[kind])
        listed_zh = "、".join(names_zh[k] for k in groups[kind])
        count = len(groups[kind])
        sentences_en.append(
            f"{count} of {plural(len(runs), 'run')} "
            f"{'is' if count == 1 else 'are'} {verb_en} (exact McNemar, Holm-adjusted "
            f"p {sign} {value}): {listed_en}."
        )
        sentences_zh.append(
            f"{len(runs)} 次訓練中有 {count} 次{verb_zh}（精確 McNemar 檢定，"
            f"Holm 校正後 p {sign} {value}）：{listed_zh}。"
        )
    return Finding(
        "against_majority",
        f"Always answering {shown}, the most frequent class of train, is right on "
        f"{base.num_correct} of {base.num_images} test images "
        f"({percent(base['accuracy'])} %). " + " ".join(sentences_en),
        f"一律答訓練集中最多的類別 {shown}，即答對 {base.num_images} 張測試影像"
        f"中的 {base.num_correct} 張（{percent(base['accuracy'])} %）。"
        + "".join(sentences_zh),
        {"accuracy": base["accuracy"], "p_holm": adjusted, **groups},
    )


def agreement(run: Any, name_en: str, name_zh: str) -> Finding | None:
    """Compare val and test accuracy of the weights that were kept."""
    val, test = score_run(run, "val"), score_run(run, "test")
    if not (val.num_images and test.num_images):
        return None
    gap = np.round(100 * (test["accuracy"] - val["accuracy"]), 1) + 0.0
    apart = val.low > test.high or test.low > val.high
    gap_text = f"{gap:+.1f}".replace("-", "−")
    val_text = f"{percent(val['accuracy'])} % ({interval(val.low, val.high)})"
    test_text = f"{percent(test['accuracy'])} % ({interval(test.low, test.high)})"
    # Chinese text takes full-width brackets.
    val_zh, test_zh = (
        text.replace(" (", "（").replace(")", "）") for text in (val_text, test_text)
    )
    return Finding(
        "agreement",
        f"{name_en}: val {val_text}, test {test_text}, {gap_text} points; the two "
        f"95 % intervals {'do not overlap' if apart else 'overlap'}.",
        f"{name_zh}：驗證 {val_zh}，測試 {test_zh}，相差 {gap_text} 個百分點；"
        f"兩個 95 % 信賴區間{'不重疊' if apart else '重疊'}。",
        {"gap": float(gap), "apart": apart},
    )


def _heading(text: str) -> str:
    """Open a paragraph. CommonMark ends no bold between a full-width mark and text."""
    return f"**{text}**：" if language() == "zh" else f"**{text}.** "


def random_features(runs: Sequence[Any]) -> Finding | None:
    """Warn that a frozen network without pretrained weights is a random one."""
    blind = [
        run
        for run in runs
        if run.config.weights == NO_WEIGHTS
        and run.config.strategy == "feature_extraction"
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
    seeds = sorted({run.config.seed for run in runs})
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
