"""Section 03: losses on one yardstick, and whether the classes are imbalanced."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Drawing

from lightbox.base.words import language, said_in, words
from lightbox.comparison.conclusions import limits
from lightbox.comparison.runs import check_same_data, finished_only
from lightbox.display.cells import ABSENT, accuracies, spread
from lightbox.display.names import (
    model_name,
    run_names,
    seed_groups,
    setting,
    strategy_name,
)
from lightbox.display.outputs import Callout, Figure, Prose, Table, escape_markdown
from lightbox.display.sentences import Finding, p_text, percent, plural
from lightbox.display.style import PALETTE, WIDTH, theme
from lightbox.evaluation.calibration import BINS
from lightbox.evaluation.metrics import score_run
from lightbox.evaluation.pairs import nll_difference
from lightbox.evaluation.predictions import patients, right
from lightbox.evaluation.significance import ALPHA, Paired, holm, mcnemar
from lightbox.evaluation.thresholds import (
    USUAL,
    moved,
    positive_class,
    recalls,
    threshold_of,
)

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


def imbalance(dataset: Any) -> Prose:
    """Say how imbalanced the training images are, and what that does to accuracy.

    Args:
        dataset: The data set, with `table` (columns `split`, `label`), `classes`
            and `positive`.

    Returns:
        Markdown.
    """
    words()
    return Prose(_verdict(dataset).say())


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


def loss_heads(runs: Sequence[Any]) -> list[dict[str, str]]:
    """Name each run by its loss, with model and strategy where they differ.

    Args:
        runs: One run a row.

    Returns:
        The first columns of a row, for each run.
    """
    terms = words()
    configs = [run.config for run in runs]
    several = {
        k: len({getattr(c, k) for c in configs}) > 1 for k in ("model", "strategy")
    }
    rows = []
    for run, config in zip(runs, configs, strict=True):
        row = {}
        if several["model"]:
            row[terms["model"]] = model_name(config.model)
        if several["strategy"]:
            row[terms["strategy"]] = strategy_name(config.strategy)
        row[terms["loss_kind"]] = setting(run, "loss")
        rows.append(row)
    return rows


@finished_only
def yardstick(runs: Sequence[Any], *, label: str = "tbl-yardstick") -> Table:
    """Score runs of different losses by measures that depend on no loss.

    Args:
        runs: Finished runs on the same data, at least one; those that differ in
            their seed alone share a row.
        label: The table's label.

    Returns:
        The table, with a row a run in `yardstick.csv`.

    Raises:
        DataError: If there is no run, or runs differ in their data.
    """
    check_same_data(runs)
    terms, groups = words(), seed_groups(runs)
    several = any(len(group) > 1 for group in groups)
    accuracy = terms["accuracy_percent" if several else "accuracy_interval"]
    rows, full = [], []
    named = loss_heads([group[0] for group in groups])
    for head, group in zip(named, groups, strict=True):
        scores = [score_run(run) for run in group]
        row = head | {accuracy: accuracies(scores)}
        for name in ("auroc", "nll", "brier", "ece"):
            row[terms[name]] = spread([each[name] for each in scores], 3)
        rows.append(row)
        for run, each in zip(group, scores, strict=True):
            config = run.config
            line = {"run_id": run.id} | {
                key: getattr(config, key)
                for key in ("model", "strategy", "loss", "gamma", "seed")
            }
            names = ("accuracy", "balanced_accuracy", "auroc", "nll", "brier", "ece")
            full.append(line | {f"test_{name}": each[name] for name in names})
    images = score_run(runs[0]).num_images
    caption = terms["caption_yardstick"].format(images=images, bins=BINS)
    return Table(
        pd.DataFrame(rows).fillna(ABSENT),
        label,
        caption + (terms["caption_seeds"] if several else ""),
        csv=pd.DataFrame(full),
        file="yardstick.csv",
    )


@finished_only
def threshold_table(runs: Sequence[Any], *, label: str = "tbl-thresholds") -> Table:
    """Show the recall of each class at 0.5 and at the threshold chosen on val.

    Args:
        runs: Finished runs on the same data, at least one; those that differ in
            their seed alone share a row.
        label: The table's label.

    Returns:
        The table, with a row a run in `thresholds.csv`. With more than two classes
        it has the recalls of the likeliest class alone.

    Raises:
        DataError: If there is no run, runs differ in their data, or val has images
            of one class only.
    """
    check_same_data(runs)
    terms, groups = words(), seed_groups(runs)
    classes = runs[0].data.classes
    name = positive_class(runs[0])
    usual = f"{USUAL:g}"
    rows, full = [], []
    named = loss_heads([group[0] for group in groups])
    for head, group in zip(named, groups, strict=True):
        lines = [_at_thresholds(run, classes) for run in group]
        full += [{"run_id": run.id} | x for run, x in zip(group, lines, strict=True)]
        row = dict(head)
        cells = {
            kind: {
                key: spread([100 * line[f"{key}_{kind}"] for line in lines], 1)
                for key in [*(f"recall_{c}" for c in classes), "accuracy"]
            }
            for kind in ("usual", *(["moved"] if name else []))
        }
        for kind, values in cells.items():
            if kind == "moved":
                chosen = [line["threshold"] for line in lines]
                row[terms["threshold"]] = spread(chosen, 2)
            for each in classes:
                title = terms[f"recall_{kind}"].format(name=each, usual=usual)
                row[title if name else each] = values[f"recall_{each}"]
            title = terms[f"accuracy_{kind}"].format(usual=usual)
            row[title if name else terms["accuracy_percent"]] = values["accuracy"]
        rows.append(row)
    caption = terms["caption_thresholds" if name else "caption_recalls"].format(
        images=score_run(runs[0]).num_images, positive=name
    )
    several = any(len(group) > 1 for group in groups)
    return Table(
        pd.DataFrame(rows),
        label,
        caption + (terms["caption_seeds"] if several else ""),
        csv=pd.DataFrame(full),
        file="thresholds.csv",
    )


def _at_thresholds(run: Any, classes: list[str]) -> dict[str, float]:
    """Score one run at the usual threshold, and at its own where there is one."""
    test = run.predictions[run.predictions["split"] == "test"].set_index("image")
    answers = {"usual": test["predicted"]}
    line: dict[str, float] = {}
    chosen = threshold_of(run)
    if chosen is not None:
        line["threshold"] = chosen.value
        line["val_youden"] = chosen.youden
        answers["moved"] = moved(run, chosen.value)
    for kind, given in answers.items():
        for name, value in zip(
            classes, recalls(test["label"], given, classes), strict=True
        ):
            line[f"recall_{name}_{kind}"] = value
        line[f"accuracy_{kind}"] = float((test["label"] == given).mean())
    return line


def focal_curves(gammas: Sequence[float], *, label: str = "fig-focal") -> Figure:
    """Draw the loss of one image against the probability of its true class.

    Args:
        gammas: Besides 0, which is cross-entropy.
        label: The figure's label.

    Returns:
        The figure.

    Source:
        Lin et al. 2017, arXiv 1708.02002, figure 1, without the class weights.
    """
    terms = words()
    p = np.linspace(0.01, 1, 200)
    with theme(*terms.values()):
        figure = Drawing(figsize=(WIDTH, 2.8), layout="constrained")
        axis = figure.subplots()
        for gamma, color in zip(
            sorted({0.0, *gammas}), PALETTE * len(gammas), strict=False
        ):
            name = f"γ = {gamma:g}"
            if gamma == 0:
                name += f" ({terms['cross_entropy']})"
            loss = -((1 - p) ** gamma) * np.log(p)
            axis.plot(p, loss, color=color, linewidth=1.3, label=name)
        axis.set(
            xlabel=terms["probability_axis"],
            ylabel=terms["loss_axis"],
            xlim=(0, 1),
            ylim=(0, 4.7),
        )
        axis.legend()
        return Figure(figure, label, terms["caption_focal"])


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
    bases = {_rest(r): r for r in runs if r.config.loss == BASE}
    found = []
    for run in runs:
        base = bases.get(_rest(run))
        if base is not None and base is not run:
            found.append((base, run, mcnemar(right(base), right(run), patients(run))))
    adjusted = holm([test.pvalue for *_, test in found])
    return [Pair(*each, p) for each, p in zip(found, adjusted, strict=True)]


def _rest(run: Any) -> str:
    """Everything but the loss, as a key."""
    rest = run.config.model_dump(exclude=set(_LOSS_KEYS))
    return repr(sorted((k, str(v)) for k, v in rest.items()))


@finished_only
def losses_warning(runs: Sequence[Any]) -> Callout:
    """Warn, with the runs' own numbers, that values of two losses do not compare.

    Args:
        runs: Finished runs, at least one.

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
            if language() == "zh"
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
    if pair.other.config.loss == "focal":
        en += (
            " Class weights aside, whose mean over the training images is 1, a focal "
            "loss multiplies each image's cross-entropy by a factor of at most 1, and "
            "so is smaller by construction."
        )
        zh += (
            "類別權重在訓練影像上的平均為 1，除此之外，focal 損失將每張影像的交叉熵"
            "乘上不大於 1 的係數，數值必然較小。"
        )
    return Callout(zh if language() == "zh" else en, "warning")


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
    classes = base.data.classes
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
    names = said_in("en", run_names, runs), said_in("zh", run_names, runs)
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
def focal_conclusion(runs: Sequence[Any]) -> Prose:
    """Write the conclusion on losses.

    Args:
        runs: Finished runs on the same data, at least one.

    Returns:
        Markdown; the same runs give the same text.

    Raises:
        DataError: If there is no run, or runs differ in data or test images.
    """
    check_same_data(runs)
    pairs, chinese = compare_losses(runs), language() == "zh"
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
        named = run_names([pair.other for pair in pairs])
        mark = "：" if chinese else ": "
        parts.append(
            "\n".join(
                f"- {name}{mark}{_said(pair, len(pairs) == 1).say()}"
                for name, pair in zip(named, pairs, strict=True)
            )
        )
        moving = control(pairs)
        parts += [moving.say()] if moving else []
    parts += [lowest_scores(runs).say(), limits(runs).say()]
    return Prose("\n\n".join(parts))
