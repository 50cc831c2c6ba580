"""What the comparison of losses shows: warning, tests, control, yardstick."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lightbox.display import Callout, Prose
from lightbox.divergence import finished_only
from lightbox.findings import limits
from lightbox.findings.base import Finding, p_text, percent, plural
from lightbox.findings.versus import patients, right
from lightbox.intervals import ALPHA, Paired, holm, mcnemar
from lightbox.metrics import score_run
from lightbox.paired import nll_difference
from lightbox.results import check_same_data
from lightbox.thresholds import moved, recalls, threshold_of
from lightbox.words import run_names, setting

BASE = "cross_entropy"
_LOSS_KEYS = ("loss", "gamma", "name")


@dataclass(frozen=True)
class Pair:
    """A run, and the one that differs from it by cross-entropy alone."""

    base: Any
    other: Any
    test: Paired
    adjusted: float

    @property
    def verdict(self) -> str:
        """`tied`, `better` or `worse`, said of `other`."""
        if not self.adjusted < ALPHA:
            return "tied"
        better = self.test.only_second > self.test.only_first
        return "better" if better else "worse"


def compare_losses(runs: Sequence[Any]) -> list[Pair]:
    """Test each run against the cross-entropy run that is otherwise alike.

    Args:
        runs: Finished runs on the same data.

    Returns:
        A pair for each run of another loss that has its cross-entropy run, with
        exact McNemar p-values adjusted by Holm over all of them.
    """
    bases = {_rest(r): r for r in runs if r.record["config"].get("loss", BASE) == BASE}
    found = []
    for run in runs:
        base = bases.get(_rest(run))
        if base is not None and base is not run:
            found.append((base, run, mcnemar(right(base), right(run), patients(run))))
    adjusted = holm([test.pvalue for *_, test in found])
    return [Pair(*each, p) for each, p in zip(found, adjusted, strict=True)]


def _rest(run: Any) -> str:
    """Everything but the loss, as a key."""
    config = run.record["config"]
    return repr(sorted((k, str(v)) for k, v in config.items() if k not in _LOSS_KEYS))


@finished_only
def losses_warning(runs: Sequence[Any], language: str = "en") -> Callout:
    """Warn, with the runs' own numbers, that values of two losses do not compare.

    Args:
        runs: Finished runs, at least one.
        language: `"en"` or `"zh"`.

    Returns:
        A box; a note where all runs have the same loss.

    Raises:
        DataError: If there is no run, or runs differ in their data.
    """
    check_same_data(runs)
    pairs = compare_losses(runs)
    lowest = [float(pair.other.history["val_loss"].min()) for pair in pairs]
    if not pairs:
        return Callout(
            "這些訓練中沒有成對的交叉熵與其他損失，未作比較。"
            if language == "zh"
            else "No run here has a cross-entropy run beside it: nothing is compared."
        )
    pair = pairs[int(np.argmin(lowest))]
    ordinary, other = float(pair.base.history["val_loss"].min()), min(lowest)
    nll = [score_run(run)["nll"] for run in (pair.base, pair.other)]
    names = {k: setting(pair.other, "loss", k) for k in ("en", "zh")}
    en = (
        "The heights of these loss curves cannot be compared. The lowest val loss is "
        f"{ordinary:.3f} under cross-entropy and {other:.3f} under {names['en']}, yet "
        f"on the one yardstick, test NLL, the two have {nll[0]:.3f} and {nll[1]:.3f}."
    )
    zh = (
        f"這些損失曲線的高低不能互相比較。最低驗證損失在交叉熵下為 {ordinary:.3f}，"
        f"在 {names['zh']} 下為 {other:.3f}；但以同一尺度（測試 NLL）衡量，"
        f"兩者為 {nll[0]:.3f} 與 {nll[1]:.3f}。"
    )
    if pair.other.record["config"]["loss"] == "focal":
        en += (
            " Class weights aside, whose mean over the training images is 1, a focal "
            "loss multiplies each image's cross-entropy by a factor of at most 1, and "
            "so is smaller by construction."
        )
        zh += (
            "類別權重在訓練影像上的平均為 1，除此之外，focal 損失將每張影像的交叉熵"
            "乘上不大於 1 的係數，數值必然較小。"
        )
    return Callout(zh if language == "zh" else en, "warning")


def _said(pair: Pair, alone: bool) -> Finding:
    """State one loss against cross-entropy."""
    other, base = score_run(pair.other), score_run(pair.base)
    rules_en = {
        "tied": "tied with cross-entropy",
        "better": "better than cross-entropy",
        "worse": "worse than cross-entropy",
    }
    rules_zh = {"tied": "與交叉熵平手", "better": "優於交叉熵", "worse": "劣於交叉熵"}
    lost, won = pair.test.only_first, pair.test.only_second
    after_en = "" if alone else " after Holm"
    after_zh = "" if alone else "Holm 校正後 "
    gap, low, high = (
        f"{v:+.3f}".replace("-", "−") for v in nll_difference(pair.other, pair.base)
    )
    return Finding(
        "loss",
        f"{rules_en[pair.verdict]}: {other.num_correct} against {base.num_correct} of "
        f"{base.num_images} test images right, {won} it alone, {lost} cross-entropy "
        f"alone (exact McNemar p {p_text(pair.adjusted)}{after_en}); test NLL {gap} "
        f"({low} to {high}).",
        f"{rules_zh[pair.verdict]}：{base.num_images} 張測試影像答對 "
        f"{other.num_correct} 張，交叉熵 {base.num_correct} 張；僅前者答對 {won} 張，"
        f"僅後者 {lost} 張（精確 McNemar 檢定 {after_zh}p {p_text(pair.adjusted)}）；"
        f"測試 NLL 相差 {gap}（{low} 至 {high}）。",
        {"verdict": pair.verdict, "p_holm": pair.adjusted},
    )


def control(pairs: Sequence[Pair]) -> Finding | None:
    """Set a moved threshold of cross-entropy against the loss that val prefers."""
    base = pairs[0].base
    chosen = threshold_of(base)
    if chosen is None:
        return None
    mine = [pair for pair in pairs if pair.base is base]
    val = [score_run(pair.other, "val")["balanced_accuracy"] for pair in mine]
    other = mine[int(np.argmax(val))].other
    classes = base.record["data"]["classes"]
    test = base.predictions[base.predictions["split"] == "test"].set_index("image")
    answers = moved(base, chosen.value)
    balanced = float(np.mean(recalls(test["label"], answers, classes)))
    hits = (test["label"] == answers).sort_index()
    paired = mcnemar(hits, right(other), patients(other))
    usual, rival = (score_run(run)["balanced_accuracy"] for run in (base, other))
    tied = not paired.pvalue < ALPHA
    ahead = paired.only_first > paired.only_second
    names = {k: setting(other, "loss", k) for k in ("en", "zh")}
    verdict_en = (
        "the two are tied in accuracy"
        if tied
        else f"the {'moved threshold' if ahead else names['en']} is more accurate"
    )
    verdict_zh = (
        "兩者準確率平手"
        if tied
        else f"{'移動門檻' if ahead else names['zh']}的準確率較高"
    )
    return Finding(
        "control",
        f"**Without retraining.** Moving the threshold of cross-entropy from 0.5 to "
        f"{chosen.value:.2f}, chosen on val, takes its balanced accuracy on test from "
        f"{percent(usual)} % to {percent(balanced)} %. The other loss that val "
        f"prefers, {names['en']}, has {percent(rival)} % at 0.5; {verdict_en} (exact "
        f"McNemar p {p_text(paired.pvalue)}).",
        f"**不需重新訓練**：將交叉熵的門檻由 0.5 移到驗證集選出的 {chosen.value:.2f}，"
        f"測試集的平衡準確率由 {percent(usual)} % 變為 {percent(balanced)} %。"
        f"驗證集偏好的另一損失（{names['zh']}）在 0.5 時為 {percent(rival)} %；"
        f"{verdict_zh}（精確 McNemar 檢定 p {p_text(paired.pvalue)}）。",
        {"threshold": chosen.value, "balanced": balanced, "tied": tied},
    )


def lowest_scores(runs: Sequence[Any]) -> Finding:
    """Name the lowest NLL, Brier score and calibration error."""
    names = run_names(runs, "en"), run_names(runs, "zh")
    scores = [score_run(run) for run in runs]
    columns = {
        "NLL": [each["nll"] for each in scores],
        "Brier": [each["brier"] for each in scores],
        "ECE": [score_run(run)["ece"] for run in runs],
    }
    found = {k: int(np.nanargmin(v)) for k, v in columns.items()}
    en = [f"{k} {columns[k][n]:.3f}, {names[0][n]}" for k, n in found.items()]
    zh = [f"{k} {columns[k][n]:.3f}：{names[1][n]}" for k, n in found.items()]
    return Finding(
        "yardstick",
        f"**One yardstick.** The lowest on test: {'; '.join(en)}.",
        f"**同一尺度**：測試集上最低者，{'；'.join(zh)}。",
        found,
    )


@finished_only
def focal_conclusion(runs: Sequence[Any], language: str = "en") -> Prose:
    """Write the conclusion on losses.

    Args:
        runs: Finished runs on the same data, at least one.
        language: `"en"` or `"zh"`.

    Returns:
        Markdown; the same runs give the same text.

    Raises:
        DataError: If there is no run, or runs differ in data or test images.
    """
    check_same_data(runs)
    pairs, chinese = compare_losses(runs), language == "zh"
    parts = []
    if pairs:
        ties = sum(pair.verdict == "tied" for pair in pairs)
        parts.append(
            f"**與交叉熵相比**：{len(pairs)} 個比較中有 {ties} 個平手。"
            if chinese
            else f"**Against cross-entropy.** {ties} of "
            f"{plural(len(pairs), 'comparison')} "
            f"{'is a tie' if ties == 1 else 'are ties'}."
        )
        named = run_names([pair.other for pair in pairs], language)
        mark = "：" if chinese else ": "
        parts.append(
            "\n".join(
                f"- {name}{mark}{_said(pair, len(pairs) == 1).say(language)}"
                for name, pair in zip(named, pairs, strict=True)
            )
        )
        moving = control(pairs)
        parts += [moving.say(language)] if moving else []
    parts += [lowest_scores(runs).say(language), limits(runs).say(language)]
    return Prose("\n\n".join(parts))
