"""What a grid of runs shows: which run val chose, and why not by a mean of epochs."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from lightbox.display import Prose
from lightbox.divergence import finished_only
from lightbox.findings import limits
from lightbox.findings.base import Finding, interval, p_text, percent, plural
from lightbox.findings.versus import patients, right
from lightbox.findings.yardsticks import against_majority
from lightbox.grids import kept_val_accuracy
from lightbox.intervals import ALPHA, holm, mcnemar
from lightbox.metrics import score_run
from lightbox.results import check_same_data
from lightbox.words import run_names

SAME = 0.001  # of accuracy: two values that a table with one decimal may not part


def chosen_by_val(runs: Sequence[Any]) -> int:
    """Choose a run as a user of the grid may: by val, without a look at test.

    Args:
        runs: Finished runs.

    Returns:
        The position of the run whose kept epoch has the highest val accuracy; of
        several, the one that gives the val images the highest probability (NLL).
    """
    keys = []
    for run in runs:
        accuracy = kept_val_accuracy(run)
        nll = score_run(run, "val")["nll"]
        keys.append(
            (
                -math.inf if math.isnan(accuracy) else accuracy,
                -math.inf if math.isnan(nll) else -nll,
            )
        )
    return max(range(len(runs)), key=lambda position: keys[position])


@finished_only
def mean_versus_best(runs: Sequence[Any], language: str = "en") -> Prose:
    """Say from the numbers why the best epoch's val accuracy is the better figure.

    Args:
        runs: Finished runs, at least one.
        language: `"en"` or `"zh"`.

    Returns:
        Markdown.

    Raises:
        DataError: If there is no run, or runs differ in their data.
    """
    check_same_data(runs)
    return Prose(_mean_versus_best(runs).say(language))


def _mean_versus_best(runs: Sequence[Any]) -> Finding:
    """Set the mean over the epochs beside the epoch whose weights were kept."""
    means = np.array([run.history["val_accuracy"].mean() for run in runs])
    kept = np.array([kept_val_accuracy(run) for run in runs])
    en_names, zh_names = run_names(runs, "en"), run_names(runs, "zh")
    gaps = np.abs(kept - means)
    if np.isnan(gaps).all():
        return Finding(
            "mean_versus_best", "No run kept an epoch.", "無保留的週期。", {}
        )
    widest = int(np.nanargmax(gaps))
    history = runs[widest].history["val_accuracy"]
    first, best = float(history.iloc[0]), runs[widest].record["result"]["best_epoch"]
    gap = f"{100 * (kept[widest] - means[widest]):+.1f}".replace("-", "−")
    epochs = len(history)
    en = (
        "The figure to quote is the val accuracy of the kept epoch, because those "
        "weights are the ones tested. A mean over the epochs belongs to no network"
    )
    zh = (
        "應引用保留週期的驗證準確率，因為接受測試的正是該週期的權重。"
        "各週期的平均不屬於任何一個網路"
    )
    if gaps[widest] < SAME:
        en += f"; here the two differ by less than {100 * SAME:g} points in every run."
        zh += f"；此處每次訓練兩者相差皆不到 {100 * SAME:g} 個百分點。"
    else:
        en += (
            f": for {en_names[widest]} it is {percent(means[widest])} %, the kept "
            f"epoch {best} has {percent(kept[widest])} % ({gap} points), since the "
            f"mean counts all {plural(epochs, 'epoch')} alike, the first with "
            f"{percent(first)} % included, and changes with the number of epochs."
        )
        zh += (
            f"：{zh_names[widest]} 的平均為 {percent(means[widest])} %，保留的第 "
            f"{best} 個週期為 {percent(kept[widest])} %（{gap} 個百分點）；"
            f"平均值把全部 {epochs} 個週期一視同仁，包含第 1 個週期的 "
            f"{percent(first)} %，並隨週期數而變。"
        )
    by_mean, by_kept = int(np.nanargmax(means)), int(np.nanargmax(kept))
    # Equal values rank neither run above the other.
    if len(runs) > 1 and kept[by_kept] > kept[by_mean]:
        en += (
            f" It also ranks otherwise: the highest mean is that of "
            f"{en_names[by_mean]} ({percent(means[by_mean])} %), the highest kept "
            f"epoch that of {en_names[by_kept]} ({percent(kept[by_kept])} %)."
        )
        zh += (
            f"排名也不同：平均最高的是 {zh_names[by_mean]}（{percent(means[by_mean])} "
            f"%），保留週期最高的是 {zh_names[by_kept]}（{percent(kept[by_kept])} %）。"
        )
    return Finding(
        "mean_versus_best",
        en,
        zh,
        {"means": means.tolist(), "kept": kept.tolist(), "widest": widest},
    )


def choice(runs: Sequence[Any]) -> Finding:
    """State the run that val chose, and which others test cannot tell from it."""
    names = run_names(runs, "en"), run_names(runs, "zh")
    chosen = chosen_by_val(runs)
    scores = score_run(runs[chosen], "test")
    val = percent(kept_val_accuracy(runs[chosen]))
    en = (
        f"**Choice.** Of {plural(len(runs), 'run')}, val accuracy chose "
        f"{names[0][chosen]} ({val} % on val at its kept epoch). On test it is right "
        f"on {scores.num_correct} of {scores.num_images} images "
        f"({percent(scores['accuracy'])} %, 95 % interval "
        f"{interval(scores.low, scores.high)})."
    )
    zh = (
        f"**選擇**：{len(runs)} 次訓練中，驗證準確率選出 {names[1][chosen]}"
        f"（保留週期的驗證準確率 {val} %）。測試集 {scores.num_images} 張影像中答對 "
        f"{scores.num_correct} 張（{percent(scores['accuracy'])} %，95 % 信賴區間 "
        f"{interval(scores.low, scores.high)}）。"
    )
    others = [
        position
        for position, run in enumerate(runs)
        if position != chosen and not run.record["result"].get("diverged")
    ]
    mine = right(runs[chosen])
    same = patients(runs[chosen])
    tests = [mcnemar(mine, right(runs[position]), same) for position in others]
    adjusted = holm([test.pvalue for test in tests])
    groups: dict[str, list[int]] = {"better": [], "tied": [], "worse": []}
    for position, test, p in zip(others, tests, adjusted, strict=True):
        ahead = test.only_first > test.only_second
        groups["tied" if not p < ALPHA else "better" if ahead else "worse"].append(
            position
        )
    said = (
        ("better", "It is better than", "優於 "),
        ("tied", "It is tied with", "與下列平手："),
        ("worse", "It is worse than", "劣於 "),
    )
    by_place = dict(zip(others, adjusted, strict=True))
    for kind, verb_en, verb_zh in said:
        if not groups[kind]:
            continue
        values = [by_place[k] for k in groups[kind]]
        sign, bound = ("≥", min(values)) if kind == "tied" else ("≤", max(values))
        text = p_text(bound) if len(values) == 1 else f"{sign} {max(bound, 0.001):.3f}"
        if len(others) > 1:
            note_en = f"exact McNemar, p {text} after Holm over {len(others)} pairs"
            note_zh = f"精確 McNemar 檢定，{len(others)} 組經 Holm 校正後 p {text}"
        else:
            note_en, note_zh = f"exact McNemar p {text}", f"精確 McNemar 檢定 p {text}"
        listed_en = "; ".join(names[0][k] for k in groups[kind])
        listed_zh = "、".join(names[1][k] for k in groups[kind])
        en += f" {verb_en} {listed_en} ({note_en})."
        zh += f"{verb_zh}{listed_zh}（{note_zh}）。"
    evidence = {"chosen": chosen, "p_holm": by_place, **groups}
    return Finding("choice", en, zh, evidence)


@finished_only
def grid_conclusion(runs: Sequence[Any], language: str = "en") -> Prose:
    """Write the conclusion of a grid: the choice, the majority answer, the limits.

    Args:
        runs: Finished runs on the same data, at least one.
        language: `"en"` or `"zh"`.

    Returns:
        Markdown; the same runs give the same text.

    Raises:
        DataError: If there is no run, or runs differ in data or test images.
    """
    check_same_data(runs)
    finished = [run for run in runs if not run.record["result"].get("diverged")]
    parts = [choice(runs).say(language)]
    if finished:
        names = run_names(finished, "en"), run_names(finished, "zh")
        parts.append(against_majority(finished, *names).say(language))
    parts.append(limits(runs).say(language))
    return Prose("\n\n".join(parts))
