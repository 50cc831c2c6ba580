"""What the runs and their report say to a reporting checklist."""

from collections.abc import Callable, Iterable, Mapping

from lightbox.checklist_data import Facts, Said
from lightbox.checklist_words import (
    CALIBRATION,
    COMMON,
    ERRORS,
    LEAKAGE,
    MAPS,
    METRICS,
    UNCERTAINTY,
    Words,
)
from lightbox.divergence import finished
from lightbox.findings.base import interval, percent, plural
from lightbox.metrics import score_run
from lightbox.model_names import model_name
from lightbox.words import run_names


def _values(facts: Facts, key: str) -> str:
    """Name the values of a setting over all runs."""
    values = dict.fromkeys(str(run.record["config"].get(key)) for run in facts.runs)
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
    sizes = {
        model_name(run.record["config"]["model"]): run.record["result"]["parameters"]
        for run in facts.runs
    }
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
    return sorted({run.record["config"]["seed"] for run in facts.runs})


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
    names = run_names(tested, "en")[best], run_names(tested, "zh")[best]
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
ANSWERS: dict[str, Callable[[Facts], Said]] = {
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
