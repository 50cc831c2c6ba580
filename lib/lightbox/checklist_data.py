"""What the data say to a reporting checklist."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lightbox.findings.base import plural

Said = tuple[str, str] | None  # English, Chinese; None where it is not known
SPLITS = {"train": "訓練", "val": "驗證", "test": "測試"}


@dataclass(frozen=True)
class Facts:
    """What the checklist is filled from.

    Attributes:
        settings: The section's parameters.
        data: Its data set.
        runs: The finished runs of the report, perhaps none.
        sections: Stems of the sections that were read.
        labels: Labels of the figures and tables that these show.
        command: What makes the report again.
    """

    settings: Any
    data: Any
    runs: list[Any]
    sections: tuple[str, ...]
    labels: frozenset[str]
    command: str


def _title(facts: Facts) -> Said:
    title = facts.settings.title
    return (
        f'"{title}"; supervised deep learning on images',
        f"「{title}」；影像的監督式深度學習",
    )


def _design(facts: Facts) -> Said:
    card = facts.data.card
    if card.synthetic:
        return "synthetic images, drawn by a program", "由程式繪製的合成影像"
    if card.doi or card.source:
        return (
            "retrospective: images that had been published before",
            "回溯性：使用先前已公開的影像",
        )
    return None


def _source(facts: Facts) -> Said:
    card = facts.data.card
    if not (card.citation or card.synthetic):
        return None
    parts = [card.title, card.citation, card.doi and f"doi:{card.doi}"]
    known = "; ".join(str(part).rstrip(".") for part in parts if part)
    licence = str(card.licence) or "–"
    return f"{known}. Licence: {licence}", f"{known}。授權：{licence}"


def _excluded(facts: Facts) -> int:
    return len(facts.data.audit.bad())


def _eligibility(facts: Facts) -> Said:
    count = _excluded(facts)
    return (
        "of the source: not known; here every usable image"
        + (f", {plural(count, 'file')} left out" if count else ""),
        "來源之條件：未知；本報告使用所有可用影像"
        + (f"，排除 {count} 個檔案" if count else ""),
    )


def _subsets(facts: Facts) -> Said:
    classes, names = facts.settings.classes, facts.data.classes
    joined = ", ".join(names)
    if classes:
        return f"chosen classes only: {joined}", f"僅選取以下類別：{joined}"
    return (
        f"none; all {len(names)} classes: {joined}",
        f"無；全部 {len(names)} 類：{joined}",
    )


def _missing(facts: Facts) -> Said:
    count, table = _excluded(facts), facts.data.table
    nameless = int((table["group"] == "").sum())
    en = f"{plural(count, 'unusable file')} left out"
    zh = f"排除 {count} 個無法使用的檔案"
    if nameless:
        en += f"; no patient or slide known for {nameless:,} of {len(table):,} images"
        zh += f"；{len(table):,} 張影像中有 {nameless:,} 張不知病人或切片"
    return en, zh


def _acquisition(facts: Facts) -> Said:
    sizes = len(facts.data.audit.sizes())
    channels = facts.data.channels
    return (
        f"{plural(sizes, 'size')} in pixels, {plural(channels, 'channel')}; scanner "
        "and protocol: not known",
        f"{sizes} 種像素尺寸，{channels} 個通道；設備與取像條件：未知",
    )


def _reference(facts: Facts) -> Said:
    if facts.data.card.synthetic:
        return "the class that each image was drawn as", "繪製影像時的類別"
    return (
        "labels as published with the images; how they were obtained: not known",
        "沿用與影像一同公開的標籤；取得方式：未知",
    )


def _assignment(facts: Facts) -> Said:
    table, by = facts.data.table, facts.settings.split_by
    sizes = {split: int((table["split"] == split).sum()) for split in SPLITS}
    en = ", ".join(f"{split} {count:,}" for split, count in sizes.items())
    zh = "、".join(f"{SPLITS[split]} {count:,}" for split, count in sizes.items())
    how = {
        "group": ("as published where a split is, else stratified and grouped", "群組"),
        "image": ("stratified, at random by image", "影像"),
    }[by]
    seed = facts.settings.seed
    return (
        f"{en} images; {how[0]}, seed {seed}",
        f"{zh} 張影像；依{how[1]}分層切分（已公開之切分則沿用），亂數種子 {seed}",
    )


def _disjoint(facts: Facts) -> Said:
    table, kind = facts.data.table, facts.data.card.group or "group"
    known = table[table["group"] != ""]
    if known.empty:
        return (
            "image: no patient is known, so a patient may be in two splits",
            "影像：病人未知，同一病人可能分屬兩個子集",
        )
    spread = known.groupby("group")["split"].nunique()
    shared, count = int((spread > 1).sum()), len(spread)
    return (
        f"{kind if not shared else 'image'}: {shared:,} of {count:,} {kind}s are in "
        "more than one split",
        f"{count:,} 個群組（{kind}）中有 {shared:,} 個出現於一個以上的子集",
    )


def _size(facts: Facts) -> Said:
    count = int((facts.data.table["split"] == "test").sum())
    return (
        f"not planned: the {count:,} test images that there are",
        f"未事先規劃：現有的 {count:,} 張測試影像",
    )


def _imbalance(facts: Facts) -> Said:
    table = facts.data.table
    labels = table.loc[table["split"] == "train", "label"].value_counts()
    if labels.empty:
        return None
    most, share = labels.index[0], 100 * labels.iloc[0] / labels.sum()
    ways = {run.record["config"]["loss"] for run in facts.runs}
    ways |= {f"{run.record['config']['sampling']} sampling" for run in facts.runs}
    used = ", ".join(sorted(ways)) or "–"
    return (
        f"{share:.1f} % of train is {most}; losses and sampling: {used}",
        f"訓練影像的 {share:.1f} % 為 {most}；損失與取樣：{used}",
    )


def _internal(facts: Facts) -> Said:
    return (
        "the test split of the same source, scored once a run",
        "同一來源的測試集，每次訓練只評估一次",
    )


def _external(facts: Facts) -> Said:
    return "none was tested", "未測試外部資料"


def _flow(facts: Facts) -> Said:
    table, kind = facts.data.table, facts.data.card.group or "group"
    groups = int(table.loc[table["group"] != "", "group"].nunique())
    en = f"{len(table):,} images included, {_excluded(facts):,} left out"
    zh = f"納入 {len(table):,} 張影像，排除 {_excluded(facts):,} 張"
    if groups:
        return f"{en}; {groups:,} {kind}s", f"{zh}；{groups:,} 個群組（{kind}）"
    return f"{en}; patients: not known", f"{zh}；病人數：未知"


def _availability(facts: Facts) -> Said:
    card = facts.data.card
    where = f"doi:{card.doi}" if card.doi else str(card.source) or "–"
    return (
        f"data: {where}; code: Lightbox; made again by: {facts.command}",
        f"資料：{where}；程式：Lightbox；重製指令：{facts.command}",
    )


ANSWERS: dict[str, Callable[[Facts], Said]] = {
    "title": _title,
    "design": _design,
    "source": _source,
    "eligibility": _eligibility,
    "subsets": _subsets,
    "missing": _missing,
    "acquisition": _acquisition,
    "reference": _reference,
    "assignment": _assignment,
    "disjoint": _disjoint,
    "size": _size,
    "imbalance": _imbalance,
    "internal": _internal,
    "external": _external,
    "flow": _flow,
    "availability": _availability,
}
