"""Section 04: what a comparison of many networks supports, and what it leaves open."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from lightbox.base.words import language, said_in
from lightbox.comparison.conclusions import against_majority, limits
from lightbox.comparison.runs import as_runs, unless_all_diverged
from lightbox.display.outputs import Prose
from lightbox.display.sentences import Finding, interval, p_text, percent, plural
from lightbox.evaluation.predictions import patients, right
from lightbox.evaluation.significance import ALPHA, mcnemar, tied_with
from lightbox.sections.model_zoo import by_depth, costs, front, names


def transformers(
    runs: list[Any], table: pd.DataFrame, names_en: list[str], names_zh: list[str]
) -> Finding | None:
    """Give the reasons why a transformer may lose, as hypotheses with their test."""
    configs = [run.config for run in runs]
    # Not `maxvit_t`, which begins with convolutions.
    vits = [k for k, one in enumerate(configs) if one.model.startswith("vit_")]
    others = [k for k in range(len(runs)) if k not in vits]
    if not vits or not others:
        return None
    vit = max(vits, key=lambda k: table["accuracy"].iloc[k])
    rival = max(others, key=lambda k: table["accuracy"].iloc[k])
    en, zh = _against(vit, rival, runs, names_en, names_zh)
    if table["accuracy"].iloc[vit] >= table["accuracy"].iloc[rival]:
        return Finding("transformer", en, zh, {"vit": vit, "rival": rival})
    en += (
        " Three hypotheses, of which this comparison proves none. Patches: attention "
        "has no built-in notion of which pixels are neighbours and must learn it from "
        "few images; another patch size would tell."
    )
    zh += (
        "三個假說，本比較都未能證明。其一，區塊：注意力沒有相鄰像素的先驗，"
        "須從少量影像學起；換一種區塊大小即可檢驗。"
    )
    fresh = configs[vit].weights == "none"
    plain = [k for k in others if fresh and configs[k].weights == "none"]
    en += " Pretraining: the transformer " + (
        "began from random weights." if fresh else "was pretrained, so this is out."
    )
    zh += "其二，預訓練：此 Transformer" + (
        "由隨機權重開始。" if fresh else "已有預訓練，可排除。"
    )
    if plain:
        twin = max(plain, key=lambda k: table["accuracy"].iloc[k])
        said_en, said_zh = _against(vit, twin, runs, names_en, names_zh)
        en += f" Among networks that did so too: {said_en}"
        zh += f"與同樣由隨機權重開始的網路相比：{said_zh}"
    en += (
        " Framing: images that are already cropped to their subject leave little for "
        "attention to select; whole fields of view would tell."
    )
    zh += "其三，取景：影像已裁切至主體，注意力沒有可選之處；改用完整視野即可檢驗。"
    return Finding("transformer", en, zh, {"vit": vit, "rival": rival})


def _against(
    one: int, two: int, runs: list[Any], names_en: list[str], names_zh: list[str]
) -> tuple[str, str]:
    """Say how two runs differ on the test images, in both languages."""
    test = mcnemar(right(runs[one]), right(runs[two]), patients(runs[one]))
    alone_en = (
        f"{names_en[one]} alone is right on {test.only_first} test images, "
        f"{names_en[two]} alone on {test.only_second} (exact McNemar p "
        f"{p_text(test.pvalue)})."
    )
    alone_zh = (
        f"僅 {names_zh[one]} 答對 {test.only_first} 張，僅 {names_zh[two]} 答對 "
        f"{test.only_second} 張（精確 McNemar 檢定 p {p_text(test.pvalue)}）。"
    )
    return alone_en, alone_zh


_HEADINGS = {
    "best": ("Which is best", "何者最佳"),
    "value": ("Which is worth its time", "何者划算"),
    "depth": ("Shallow against deep", "淺層與深層"),
    "against_majority": ("Against the majority answer", "與多數類別相比"),
    "transformer": ("The transformers", "Transformer"),
    "diverged": ("Diverged", "發散"),
    "limits": ("Limits", "限制"),
}


@unless_all_diverged
def zoo_conclusion(runs: Sequence[Any], *, shallow_below: int = 30) -> Prose:
    """Write the conclusion on many networks, every number of it computed.

    Args:
        runs: Finished runs on the same data, at least one.
        shallow_below: Networks of fewer layers are shallow.

    Returns:
        Markdown, a paragraph a question.

    Raises:
        DataError: If there is no run, or runs differ in data or test images.
    """
    numbers = costs(runs)
    whole = [k for k in range(len(runs)) if not pd.isna(numbers["accuracy"].iloc[k])]
    found: list[Finding | None] = []
    if whole:
        kept = [runs[k] for k in whole]
        table = numbers.iloc[whole].reset_index(drop=True)
        labels = said_in("en", names, kept), said_in("zh", names, kept)
        top = int(table["accuracy"].argmax())
        tied = tied_with(kept, top) if len(kept) > 1 else []
        found = [
            best(kept, table, tied, *labels),
            value(table, tied, *labels),
            by_depth(table, shallow_below),
            against_majority(as_runs(kept), labels[language() == "zh"]),
            transformers(kept, table, *labels),
        ]
    found += [diverged(runs), limits(runs) if whole else None]
    texts = [
        heading(_HEADINGS[finding.rule][language() == "zh"]) + finding.say()
        for finding in found
        if finding is not None
    ]
    return Prose("\n\n".join(texts))


def heading(text: str) -> str:
    """Open a paragraph with a word in bold.

    Args:
        text: The word.

    Returns:
        Markdown that the paragraph's first sentence is put behind.
    """
    # CommonMark ends no bold between a full-width mark and text.
    return f"**{text}**：" if language() == "zh" else f"**{text}.** "


def best(
    runs: list[Any],
    table: pd.DataFrame,
    tied: list[int],
    names_en: list[str],
    names_zh: list[str],
) -> Finding:
    """Name the most accurate network, and those that are tied with it."""
    top = int(table["accuracy"].argmax())
    row, images = table.iloc[top], len(right(runs[top]))
    count = round(row["accuracy"] * images)
    en = (
        f"{names_en[top]} has the most test images right, {count} of {images} "
        f"({percent(row['accuracy'])} %, 95 % interval "
        f"{interval(row['low'], row['high'])})."
    )
    zh = (
        f"{names_zh[top]} 答對最多測試影像，{images} 張中的 {count} 張"
        f"（{percent(row['accuracy'])} %，95 % 信賴區間 "
        f"{interval(row['low'], row['high'])}）。"
    )
    pairs = len(runs) * (len(runs) - 1) // 2
    if tied:
        second = max(tied, key=lambda k: table["accuracy"].iloc[k])
        test = mcnemar(right(runs[top]), right(runs[second]), patients(runs[top]))
        need = test.needed
        lead = test.only_first - test.only_second
        en += (
            f" It is tied with {', '.join(names_en[k] for k in tied)}: their "
            f"differences may be chance (exact McNemar, Holm over "
            f"{plural(pairs, 'pair')}, p ≥ {ALPHA}). Over {names_en[second]} it leads "
            f"by {plural(lead, 'image')}, with {test.discordant} on which the two "
            f"differ (p {p_text(test.pvalue)} before Holm)"
        )
        zh += (
            f"它與 {'、'.join(names_zh[k] for k in tied)} 平手：差距可能出於偶然"
            f"（精確 McNemar 檢定，{pairs} 組經 Holm 校正後 p ≥ {ALPHA}）。"
            f"它領先 {names_zh[second]} {lead} 張，兩者對錯不同的有 "
            f"{test.discordant} 張（校正前 p {p_text(test.pvalue)}）"
        )
        if need is None:
            en += ", too few for any lead to count."
            zh += "，太少，無論領先多少都不算數。"
        else:
            en += f"; a single test needs a lead of {need}."
            zh += f"；單次檢定須領先 {need} 張。"
    elif len(runs) > 1:
        en += (
            f" It is better than every other on these images (exact McNemar, Holm "
            f"over {plural(pairs, 'pair')}, p < {ALPHA})."
        )
        zh += (
            f"在這些影像上，它優於其餘所有網路（精確 McNemar 檢定，{pairs} 組經 "
            f"Holm 校正後 p < {ALPHA}）。"
        )
    return Finding("best", en, zh, {"best": top, "tied": tied})


def value(
    table: pd.DataFrame, tied: list[int], names_en: list[str], names_zh: list[str]
) -> Finding:
    """Name the front, the quickest that is tied with the best, the best rate."""
    top = int(table["accuracy"].argmax())
    rows = front(list(table["seconds"]), list(table["accuracy"]))
    rate = int(table["gain_rate"].argmax())
    choice = min([top, *tied], key=lambda k: table["seconds"].iloc[k])
    seconds = table["seconds"]
    en = (
        f"On the Pareto front, from quick to slow: "
        f"{', '.join(names_en[k] for k in rows)}. The most gained over the majority "
        f"answer per second is by {names_en[rate]}, "
        f"{table['gain_rate'].iloc[rate]:.3f} points."
    )
    zh = (
        f"Pareto 前緣由快到慢：{'、'.join(names_zh[k] for k in rows)}。"
        f"每秒相對多數類別增益最高的是 {names_zh[rate]}，"
        f"{table['gain_rate'].iloc[rate]:.3f} 個百分點。"
    )
    if choice != top:
        ratio = seconds.iloc[top] / seconds.iloc[choice]
        en += (
            f" {names_en[choice]} is the quickest that is not shown to be worse than "
            f"the best: {seconds.iloc[choice]:.1f} s against {seconds.iloc[top]:.1f} s "
            f"for {names_en[top]}, {ratio:.1f} times as quick."
        )
        zh += (
            f"未被證明遜於最佳者之中，{names_zh[choice]} 最快："
            f"{seconds.iloc[choice]:.1f} 秒，{names_zh[top]} 為 "
            f"{seconds.iloc[top]:.1f} 秒，快 {ratio:.1f} 倍。"
        )
    elif len(table) > 1:
        en += f" Nothing quicker than {names_en[top]} is tied with it."
        zh += f"沒有比 {names_zh[top]} 更快又與其平手者。"
    return Finding("value", en, zh, {"front": rows, "rate": rate, "choice": choice})


def diverged(runs: Sequence[Any]) -> Finding | None:
    """Name the runs whose loss left the finite numbers."""
    lost = [k for k, run in enumerate(runs) if run.result.diverged]
    if not lost:
        return None
    en, zh = ([said_in(lang, names, runs)[k] for k in lost] for lang in ("en", "zh"))
    return Finding(
        "diverged",
        f"{plural(len(lost), 'run')} had a loss that is no finite number and has no "
        f"test result: {', '.join(en)}. A smaller learning rate is the first remedy.",
        f"{len(lost)} 次訓練的損失不再是有限數值，沒有測試結果：{'、'.join(zh)}。"
        "應先降低學習率。",
        {"diverged": lost},
    )
