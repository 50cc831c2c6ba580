"""Why a transformer may lose on few images: hypotheses, each with its test."""

from typing import Any

import pandas as pd

from lightbox.findings.base import Finding, p_text
from lightbox.findings.versus import patients, right
from lightbox.intervals import mcnemar


def transformers(
    runs: list[Any], table: pd.DataFrame, names_en: list[str], names_zh: list[str]
) -> Finding | None:
    """Give the reasons why a transformer may lose, as hypotheses with their test."""
    configs = [run.record["config"] for run in runs]
    vits = [k for k, config in enumerate(configs) if "vit" in config["model"]]
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
    fresh = configs[vit]["weights"] == "none"
    plain = [k for k in others if fresh and configs[k]["weights"] == "none"]
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
