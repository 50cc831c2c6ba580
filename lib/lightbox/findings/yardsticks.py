"""Runs against what they must be measured by: the majority answer, and val."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lightbox.baseline import majority_answer, score_majority
from lightbox.display import escape_markdown
from lightbox.findings.base import Finding, interval, percent, plural
from lightbox.findings.versus import patients, right
from lightbox.intervals import ALPHA, holm, mcnemar
from lightbox.metrics import score_run


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
