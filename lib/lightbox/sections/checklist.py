"""The reporting checklist, filled from what the report itself knows.

CLAIM is the 2024 update (Tejani et al., doi 10.1148/ryai.240300); TRIPOD+AI is
Collins et al. 2024, doi 10.1136/bmj-2023-078378. Topics are in our own words.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from lightbox.base.errors import ReportError
from lightbox.base.words import language, said_in, words
from lightbox.comparison.runs import finished
from lightbox.display.names import model_name, run_names
from lightbox.display.outputs import Table
from lightbox.display.provenance import report_context
from lightbox.display.sentences import interval, percent, plural
from lightbox.evaluation.metrics import score_run
from lightbox.report import blocks, book
from lightbox.sections.section import Section
from lightbox.sections.summary import Summary, collect

Words = tuple[str, str]  # English, then the Chinese of Taiwan


@dataclass(frozen=True)
class Item:
    """A topic that a checklist asks for.

    Attributes:
        key: By which it is answered.
        claim: Number in CLAIM 2024, or "".
        tripod: Number in TRIPOD+AI, or "".
        topic: In English and in Traditional Chinese.
    """

    key: str
    claim: str
    tripod: str
    topic: Words


ITEMS = (
    Item("title", "1", "1", ("Title names the method", "標題指明方法")),
    Item("abstract", "2", "2", ("Structured abstract", "結構式摘要")),
    Item("background", "3", "3a", ("Clinical background", "臨床背景")),
    Item("objectives", "4", "4", ("Objectives", "研究目的")),
    Item("design", "5", "", ("Prospective or retrospective", "前瞻或回溯")),
    Item("goal", "6", "", ("Goal of the study", "研究目標")),
    Item("source", "7", "5a", ("Data source, licence", "資料來源與授權")),
    Item("dates", "", "5b", ("Dates of collection", "收集日期")),
    Item("eligibility", "8", "6b", ("Inclusion and exclusion", "納入與排除條件")),
    Item("preprocessing", "9", "7", ("Preprocessing", "前處理")),
    Item("subsets", "10", "", ("Choice of subsets", "子集的選取")),
    Item("deidentification", "11", "", ("De-identification", "去識別化")),
    Item("missing", "12", "11", ("Missing or unusable data", "缺漏或無法使用的資料")),
    Item("acquisition", "13", "", ("Image acquisition", "影像取得方式")),
    Item("reference", "14, 15", "8a", ("Reference standard", "參考標準")),
    Item("annotators", "16, 17", "8b", ("Who labelled the images", "標註者")),
    Item("raters", "18", "", ("Agreement of raters", "標註者一致性")),
    Item("assignment", "19", "12a", ("Assignment to splits", "切分方式")),
    Item(
        "disjoint", "20", "", ("Level at which splits are disjoint", "切分互斥的層級")
    ),
    Item("size", "21", "10", ("Sample size", "樣本數")),
    Item("model", "22", "22", ("Model", "模型")),
    Item("software", "23", "", ("Software and versions", "軟體與版本")),
    Item("initialisation", "24", "", ("Initialisation", "參數初始化")),
    Item("training", "25", "12c", ("Training", "訓練細節")),
    Item("imbalance", "", "13", ("Class imbalance", "類別不平衡")),
    Item("selection", "26", "", ("Choice of the final model", "最終模型的選擇")),
    Item("ensembling", "27", "", ("Ensembling", "模型集成")),
    Item("output", "", "15", ("Output of the model", "模型輸出")),
    Item("metrics", "28", "12e", ("Metrics", "評估指標")),
    Item("uncertainty", "29", "", ("Uncertainty and tests", "不確定性與檢定")),
    Item("calibration", "", "12e", ("Calibration", "校準")),
    Item("robustness", "30", "", ("Robustness", "穩健性")),
    Item("explanation", "31", "", ("Explainability", "可解釋性")),
    Item("internal", "32", "16", ("Internal test data", "內部測試資料")),
    Item("external", "33", "", ("External test data", "外部測試資料")),
    Item("fairness", "", "14", ("Fairness", "公平性")),
    Item("ethics", "", "17", ("Ethical approval", "倫理審查")),
    Item("registration", "34", "18d", ("Registration", "試驗註冊")),
    Item("patients", "", "19", ("Patient and public involvement", "病人與公眾參與")),
    Item("flow", "35", "20a", ("Images and patients included", "納入的影像與病人")),
    Item("demographics", "36", "20b", ("Characteristics of patients", "病人特徵")),
    Item("performance", "37, 38", "23a", ("Performance", "表現")),
    Item("failures", "39", "", ("Analysis of errors", "錯誤分析")),
    Item("limitations", "40", "26", ("Limitations", "限制")),
    Item("implications", "41", "27", ("Use in practice", "實務應用")),
    Item("protocol", "42", "18c", ("Protocol", "研究計畫書")),
    Item(
        "availability", "43", "18e, 18f", ("Availability of data, code", "資料與程式碼")
    ),
    Item("funding", "44", "18a", ("Funding", "經費來源")),
    Item("interests", "", "18b", ("Conflicts of interest", "利益衝突")),
)
UNKNOWN = ("not known", "未知")

HEADS = {
    "topic": ("Topic", "主題"),
    "claim": ("CLAIM", "CLAIM"),
    "tripod": ("TRIPOD+AI", "TRIPOD+AI"),
    "answer": ("This report", "本報告"),
}

CAPTION = (
    "Reporting checklist: items of CLAIM (2024 update) and TRIPOD+AI that apply. "
    "{known} of {all} are filled from the data and {runs}; what they do not say is "
    '"not known", for the author to add.',
    "報告檢核表：CLAIM（2024 年版）與 TRIPOD+AI 中適用的項目。{all} 項中的 {known} 項由"
    "資料與 {runs}填入；其餘為「未知」，由作者補充。",
)
# What a figure or table answers, by the beginning of its label.
CALIBRATION = {
    "fig-reliability": ("reliability diagram", "可靠度圖"),
    "tbl-calibration": ("ECE, Brier", "ECE、Brier"),
}
ERRORS = {
    "fig-errors": ("images of errors", "錯誤影像"),
    "fig-confusion": ("confusion matrices", "混淆矩陣"),
}
MAPS = {"fig-gradcam": ("Grad-CAM", "Grad-CAM")}

LEAKAGE = {
    "tbl-leakage": (
        "a split by image beside the one by patient",
        "依影像與依病人切分之對照",
    )
}
COMMON = (
    "accuracy, sensitivity, specificity, precision, F1, AUROC, NLL",
    "準確率、敏感度、特異度、精確率、F1、AUROC、NLL",
)

METRICS = {
    "tbl-evidence": (
        "balanced accuracy, average precision, Brier, ECE",
        "平衡準確率、平均精確率、Brier、ECE",
    )
}

UNCERTAINTY = {
    "tbl-results": ("95 % Wilson intervals", "95 % Wilson 信賴區間"),
    "tbl-evidence": (
        "95 % BCa bootstrap intervals over patients",
        "以病人為單位的 95 % BCa 自助法信賴區間",
    ),
    "tbl-ties": (
        "exact McNemar tests, adjusted after Holm",
        "精確 McNemar 檢定，以 Holm 校正",
    ),
    "tbl-pairs": (
        "DeLong and paired bootstrap, adjusted after Holm",
        "DeLong 檢定與成對自助法，以 Holm 校正",
    ),
}
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
    ways = {run.config.loss for run in facts.runs}
    ways |= {f"{run.config.sampling} sampling" for run in facts.runs}
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


def _values(facts: Facts, key: str) -> str:
    """Name the values of a setting over all runs."""
    values = dict.fromkeys(str(getattr(run.config, key)) for run in facts.runs)
    return ", ".join(values)


def _joined(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))


def _shown(facts: Facts, wanted: Mapping[str, Words]) -> Said:
    """Name what the sections show of something; None where it is nothing."""
    found = _named(facts, wanted)
    if not found:
        return None
    return (
        f"shown: {', '.join(en for en, _ in found)}",
        f"已列出：{'、'.join(zh for _, zh in found)}",
    )


def _named(facts: Facts, wanted: Mapping[str, Words]) -> list[Words]:
    """Give the words of the figures and tables that the sections have."""
    return [
        word
        for label, word in wanted.items()
        if any(given.startswith(label) for given in facts.labels)
    ]


def _objectives(facts: Facts) -> Said:
    if not facts.sections or facts.sections == ("store",):
        return None
    stems = ", ".join(facts.sections)
    return f"the questions of the sections {stems}", f"各節標題所問：{stems}"


def _goal(facts: Facts) -> Said:
    return (
        f"comparison of {plural(len(facts.runs), 'trained model')} for teaching",
        f"教學用：比較 {len(facts.runs)} 個訓練所得的模型",
    )


def _preprocessing(facts: Facts) -> Said:
    sizes, resize = _values(facts, "image_size"), _values(facts, "resize")
    means = _joined(
        " ".join(f"{value:.3f}" for value in run.record["input"]["mean"])
        for run in facts.runs
        if "input" in run.record
    )
    return (
        f"{resize} to {sizes} px; normalised by mean {means or '–'}; augmentation: "
        f"{_values(facts, 'augmentation')}",
        f"以 {resize} 縮放至 {sizes} px；以平均值 {means or '–'} 正規化；"
        f"資料增強：{_values(facts, 'augmentation')}",
    )


def _model(facts: Facts) -> Said:
    sizes = {model_name(run.config.model): run.result.parameters for run in facts.runs}
    named = ", ".join(f"{name} ({count / 1e6:.1f} M)" for name, count in sizes.items())
    heads, outputs = _values(facts, "head"), _values(facts, "output")
    return (
        f"{named}, parameters in millions; head: {heads}; output: {outputs}",
        f"{named}，括號內為參數量（百萬）；分類頭：{heads}；輸出：{outputs}",
    )


def _software(facts: Facts) -> Said:
    made = next(
        (
            run.record["environment"]
            for run in facts.runs
            if "environment" in run.record
        ),
        None,
    )
    if made is None:
        return None
    packages = ", ".join(f"{name} {v}" for name, v in made["packages"].items())
    text = f"Python {made['python']}, {packages}"
    return text, text


def _initialisation(facts: Facts) -> Said:
    weights = _values(facts, "weights")
    return (
        weights.replace("none", "none (random)"),
        weights.replace("none", "none（隨機初始化）"),
    )


def _training(facts: Facts) -> Said:
    keys = (
        ("strategy", "strategies", "策略"),
        ("loss", "losses", "損失"),
        ("optimizer", "optimizers", "最佳化器"),
        ("learning_rate", "learning rates", "學習率"),
        ("schedule", "schedules", "排程"),
        ("batch_size", "batch sizes", "批次"),
        ("epochs", "epochs at most", "週期上限"),
        ("patience", "patience", "提前停止"),
    )
    return (
        "; ".join(f"{en} {_values(facts, key)}" for key, en, _ in keys),
        "；".join(f"{zh} {_values(facts, key)}" for key, _, zh in keys),
    )


def _selection(facts: Facts) -> Said:
    return (
        "of each run the epoch with the lowest val loss; test played no part",
        "每次訓練取驗證損失最低的週期；未使用測試集",
    )


def _ensembling(facts: Facts) -> Said:
    return "none", "無"


def _output(facts: Facts) -> Said:
    return (
        "a probability for each class; the answer is the likeliest class",
        "各類別的機率；以機率最高者為答案",
    )


def _metrics(facts: Facts) -> Said:
    more = _named(facts, METRICS)
    return (
        ", ".join([COMMON[0], *(en for en, _ in more)]),
        "、".join([COMMON[1], *(zh for _, zh in more)]),
    )


def _seeds(facts: Facts) -> list[int]:
    return sorted({run.config.seed for run in facts.runs})


def _uncertainty(facts: Facts) -> Said:
    seeds = _seeds(facts)
    ways = _named(facts, UNCERTAINTY)
    return (
        "; ".join([*(en for en, _ in ways), plural(len(seeds), "seed")]),
        "；".join([*(zh for _, zh in ways), f"{len(seeds)} 個亂數種子"]),
    )


def _robustness(facts: Facts) -> Said:
    seeds, leakage = _seeds(facts), _shown(facts, LEAKAGE)
    parts = [leakage] if leakage else []
    if len(seeds) > 1:
        parts.insert(0, (f"{len(seeds)} seeds", f"{len(seeds)} 個亂數種子"))
    if not parts:
        return "not tested: one seed, one split", "未測試：單一亂數種子與切分"
    return "; ".join(en for en, _ in parts), "；".join(zh for _, zh in parts)


def _performance(facts: Facts) -> Said:
    tested = finished(facts.runs)
    scored = [(score_run(run), k) for k, run in enumerate(tested)]
    scored = [(scores, k) for scores, k in scored if scores.num_images]
    if not scored:
        return None
    scores, best = max(scored, key=lambda pair: pair[0]["accuracy"])
    names = (
        said_in("en", run_names, tested)[best],
        said_in("zh", run_names, tested)[best],
    )
    value = f"{percent(scores['accuracy'])} % ({interval(scores.low, scores.high)})"
    return (
        f"highest accuracy of {plural(len(tested), 'run')}: {names[0]}, {value}",
        f"{len(tested)} 次訓練中最高的準確率：{names[1]}，{value}",
    )


def _limitations(facts: Facts) -> Said:
    return (
        'each section\'s "What this does not show"',
        "各節的「這些結果未能說明的事」",
    )


def _implications(facts: Facts) -> Said:
    return (
        "none: for teaching and research, not for clinical use",
        "無：僅供教學與研究，不得用於臨床",
    )


def _protocol(facts: Facts) -> Said:
    commits = _joined(
        run.record["environment"]["commit"]
        for run in facts.runs
        if "environment" in run.record
    )
    return (
        f"parameters in each section's provenance box; commit {commits or '–'}",
        f"參數見各節出處欄；commit {commits or '–'}",
    )


# What is true of any report; the others need a run.
ALWAYS: dict[str, Callable[[Facts], Said]] = {
    "objectives": _objectives,
    "limitations": _limitations,
    "implications": _implications,
}

RUN_ANSWERS: dict[str, Callable[[Facts], Said]] = {
    "goal": _goal,
    "preprocessing": _preprocessing,
    "model": _model,
    "software": _software,
    "initialisation": _initialisation,
    "training": _training,
    "selection": _selection,
    "ensembling": _ensembling,
    "output": _output,
    "metrics": _metrics,
    "uncertainty": _uncertainty,
    "calibration": lambda facts: _shown(facts, CALIBRATION),
    "robustness": _robustness,
    "explanation": lambda facts: _shown(facts, MAPS),
    "performance": _performance,
    "failures": lambda facts: _shown(facts, ERRORS),
    "protocol": _protocol,
}


def checklist(
    section: Section,
    *,
    found: Summary | None = None,
    label: str = "tbl-checklist",
) -> Table:
    """Fill the items of CLAIM 2024 and TRIPOD+AI that apply to such a report.

    Nothing is guessed: what neither the data nor the runs say is "not known".

    Args:
        section: The summary's section.
        found: The other sections, where they were collected already.
        label: The table's label.

    Returns:
        The table: topic, the items' numbers, and what the report says.

    Source:
        Tejani et al. 2024, doi 10.1148/ryai.240300 (CLAIM); Collins et al. 2024,
        doi 10.1136/bmj-2023-078378 (TRIPOD+AI).
    """
    words()
    zh = language() == "zh"
    others = collect(section) if found is None else found
    facts = Facts(
        settings=section.settings,
        data=section.data,
        runs=others.all_runs,
        sections=tuple(others.runs),
        labels=_labels(section.name),
        command=section.provenance().command,
    )
    answers = ANSWERS | ALWAYS
    if facts.runs:
        answers |= RUN_ANSWERS
    rows, known = [], 0
    for item in ITEMS:
        said = answers[item.key](facts) if item.key in answers else None
        known += said is not None
        row = (item.topic[zh], item.claim, item.tripod, (said or UNKNOWN)[zh])
        rows.append(row)
    runs = len(facts.runs)
    counted = f"{runs} 次訓練" if zh else f"{runs} run{'s' * (runs != 1)}"
    frame = pd.DataFrame(rows, columns=[head[zh] for head in HEADS.values()])
    return Table(
        frame,
        label,
        CAPTION[zh].format(known=known, all=len(ITEMS), runs=counted),
        csv=frame,
        file="checklist.csv",
    )


def _labels(own: str) -> frozenset[str]:
    """Collect the labels of what the report's other sections show."""
    folder, labels = report_context().folder, set()
    paths = sorted(Path(folder).glob("*/*.ipynb")) if folder else []
    for path in paths:
        if path.stem == own or path.parent.name != path.stem:
            continue
        try:
            shown = book.read(path).blocks
        except ReportError:  # the summary says which sections could not be read
            continue
        labels |= {
            each.label
            for each in shown
            if isinstance(each, blocks.Figure | blocks.Table)
        }
    return frozenset(labels)
