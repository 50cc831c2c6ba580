"""Whether the classes are imbalanced, by counting them."""

from typing import Any

from lightbox.display import Prose, escape_markdown
from lightbox.findings.base import Finding, percent
from lightbox.words import words

# Images of the largest class for each of the smallest one. With two classes these
# are minority shares of 40, 20 and 1 per cent.
GRADES = ((1.5, "balanced"), (4.0, "mild"), (99.0, "moderate"))
_GRADE_WORDS = {
    "balanced": ("balanced, or nearly so", "大致平衡"),
    "mild": ("mildly imbalanced", "輕度不平衡"),
    "moderate": ("moderately imbalanced", "中度不平衡"),
    "extreme": ("extremely imbalanced", "極度不平衡"),
}


def grade(largest: int, smallest: int) -> str:
    """Grade an imbalance.

    Args:
        largest: Images of the most frequent class.
        smallest: Images of the rarest.

    Returns:
        `"balanced"` up to 1.5 to 1, `"mild"` up to 4, `"moderate"` up to 99,
        `"extreme"` above; the last also where a class has no image.

    Source:
        The grades of Google's Machine Learning Crash Course, "Imbalanced data".
    """
    ratio = largest / smallest if smallest else float("inf")
    return next((name for bound, name in GRADES if ratio <= bound), "extreme")


def imbalance(dataset: Any, language: str = "en") -> Prose:
    """Say how imbalanced the training images are, and what that does to accuracy.

    Args:
        dataset: The data set, with `table` (columns `split`, `label`), `classes`
            and `positive`.
        language: `"en"` or `"zh"`.

    Returns:
        Markdown.
    """
    words(language)
    return Prose(_verdict(dataset).say(language))


def _verdict(dataset: Any) -> Finding:
    """Count the classes and grade them."""
    table, classes = dataset.table, list(dataset.classes)
    counts = {
        split: {
            name: int(((table["split"] == split) & (table["label"] == name)).sum())
            for name in classes
        }
        for split in ("train", "test")
    }
    train, test = counts["train"], counts["test"]
    most, least = max(classes, key=train.get), min(classes, key=train.get)
    total, tested = sum(train.values()), sum(test.values())
    name = grade(train[most], train[least])
    ratio = train[most] / train[least] if train[least] else float("inf")
    shown, rare = escape_markdown(most), escape_markdown(least)
    en = (
        f"The training images are {_GRADE_WORDS[name][0]}: {train[most]:,} of "
        f"{total:,} ({percent(train[most] / total)} %) are {shown}, the most frequent "
        f"class, {train[least]:,} are {rare}, {ratio:.1f} to 1."
    )
    if ratio == 1:
        en = (
            f"The training images are balanced: {train[most]:,} of {total:,} of each "
            f"of the {len(classes)} classes."
        )
    zh = (
        f"訓練影像{_GRADE_WORDS[name][1]}：{total:,} 張中有 {train[most]:,} 張"
        f"（{percent(train[most] / total)} %）為最多的類別 {shown}，"
        f"{rare} 有 {train[least]:,} 張，比例 {ratio:.1f} 比 1。"
    )
    if ratio == 1:
        zh = f"訓練影像平衡：{len(classes)} 個類別各有 {train[most]:,} 張。"
    if tested:
        share = percent(test[most] / tested)
        en += (
            f" Always answering {shown} is right on {test[most]:,} of {tested:,} test "
            f"images ({share} %), so an accuracy counts only by what it has above that."
        )
        zh += (
            f"一律答 {shown} 即答對 {tested:,} 張測試影像中的 {test[most]:,} 張"
            f"（{share} %），準確率應以高出此值的部分衡量。"
        )
    if train[least] and ratio > 1:
        weights = {c: total / (len(classes) * train[c]) for c in classes}
        listed = ", ".join(f"{escape_markdown(c)} {w:.2f}" for c, w in weights.items())
        en += f" Balanced weights, N over K times a class's images, would be: {listed}."
        zh += f"平衡權重（N 除以 K 乘該類別影像數）為：{listed}。"
    if dataset.positive == most and name != "balanced":
        en += (
            f" The positive class is the majority here, so weighting turns {shown} "
            "down, not up."
        )
        zh += f"此處陽性類別即為多數類別，因此加權會降低而非提高 {shown} 的影響。"
    return Finding("imbalance", en, zh, {"grade": name, "ratio": ratio} | counts)
