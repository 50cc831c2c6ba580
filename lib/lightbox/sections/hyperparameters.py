"""Section 02: what settings came to, which val chose, and the learning rates tried."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure as Drawing
from numpy.typing import ArrayLike

from lightbox.base.words import language, said_in, words
from lightbox.comparison.conclusions import against_majority, limits
from lightbox.comparison.runs import (
    as_runs,
    check_same_data,
    finished_only,
    unless_all_diverged,
)
from lightbox.display.cells import ABSENT, decimals, heads
from lightbox.display.names import (
    model_name,
    run_names,
    set_names,
    setting,
    setting_title,
    strategy_name,
    varying,
)
from lightbox.display.outputs import Figure, Prose, Table
from lightbox.display.sentences import Finding, interval, p_text, percent, plural
from lightbox.display.style import (
    MAX_HEIGHT,
    PALETTE,
    POINTS,
    WIDTH,
    letters,
    theme,
    wrapped,
)
from lightbox.evaluation.metrics import score_run
from lightbox.evaluation.predictions import patients, right
from lightbox.evaluation.significance import ALPHA, holm, mcnemar

EPOCH_COLUMNS = ("train_loss", "val_loss", "train_accuracy", "val_accuracy", "seconds")


def kept_val_accuracy(run: Any) -> float:
    """Look up the val accuracy of the epoch whose weights were kept.

    Args:
        run: A finished run.

    Returns:
        A fraction; NaN where no epoch was kept because training diverged.
    """
    history = run.history
    kept = history.loc[history["epoch"] == run.result.best_epoch]
    return float(kept["val_accuracy"].iloc[0]) if len(kept) else math.nan


def stop_reason(run: Any) -> str:
    """Say what ended the training.

    Args:
        run: A finished run.

    Returns:
        `"by_patience"`, `"by_epochs"` or `"by_divergence"`.
    """
    result = run.result
    return "by_divergence" if result.diverged else f"by_{result.stopped}"


@unless_all_diverged
def training_table(runs: Sequence[Any], *, label: str = "tbl-training") -> Table:
    """Show what each run's training came to, a row a run.

    Args:
        runs: Finished runs, at least one.
        label: The table's label.

    Returns:
        The table, written to `training.csv` at full precision: accuracies are
        fractions there.

    Raises:
        DataError: If there is no run, or runs differ in their data.
    """
    check_same_data(runs)
    terms = words()
    rows, full = [], []
    named = heads(runs)
    for head, run in zip(named, runs, strict=True):
        history, result = run.history, run.result
        numbers = {
            "best_epoch": result.best_epoch,
            "epochs_run": result.epochs_run,
            "stopped": stop_reason(run).removeprefix("by_"),
            "seconds_per_epoch": float(history["seconds"].mean()),
            "mean_train_accuracy": float(history["train_accuracy"].mean()),
            "mean_val_accuracy": float(history["val_accuracy"].mean()),
            "best_val_accuracy": kept_val_accuracy(run),
        }
        seed = run.config.seed
        row = dict(head)
        if "seed" in varying(runs):
            row[terms["seed"]] = str(seed)
        row[terms["best"]] = str(numbers["best_epoch"] or ABSENT)
        row[terms["epochs_run"]] = str(numbers["epochs_run"])
        row[terms["stopped_by"]] = terms[stop_reason(run)]
        row[terms["seconds_per_epoch"]] = decimals(numbers["seconds_per_epoch"], 1)
        for key in ("mean_train", "mean_val", "best_val"):
            row[terms[key]] = decimals(100 * numbers[f"{key}_accuracy"], 1)
        rows.append(row)
        full.append({"run_id": run.id, "seed": seed} | numbers)
    return Table(
        pd.DataFrame(rows).fillna(ABSENT),
        label,
        terms["caption_training"],
        csv=pd.DataFrame(full),
        file="training.csv",
    )


@unless_all_diverged
def epoch_table(runs: Sequence[Any], *, label: str = "tbl-epochs") -> Table:
    """Print the history of every run.

    Args:
        runs: Finished runs, at least one.
        label: The table's label.

    Returns:
        A row an epoch, the run named in its first row; written to `epochs.csv`
        with the run's id and accuracies as fractions.

    Raises:
        DataError: If there is no run, or runs differ in their data.
    """
    check_same_data(runs)
    terms = words()
    rows, bold, full = [], [], []
    for run, name in zip(runs, run_names(runs), strict=True):
        best = run.result.best_epoch
        for position, line in enumerate(run.history.to_dict("records")):
            row = {terms["run"]: "" if position else name}
            row[terms["epoch"]] = str(int(line["epoch"]))
            for key in EPOCH_COLUMNS:
                share = key.endswith("accuracy")
                places = 1 if share or key == "seconds" else 3
                row[terms[key]] = decimals((100 if share else 1) * line[key], places)
            rows.append(row)
            bold.append(int(line["epoch"]) == best)
        full.append(run.history.assign(run_id=run.id))
    shown = pd.DataFrame(rows)
    marks = pd.DataFrame(False, index=shown.index, columns=shown.columns)
    marks.iloc[:, 1:] = np.repeat(np.array(bold)[:, None], marks.shape[1] - 1, axis=1)
    csv = pd.concat(full, ignore_index=True)
    csv.insert(0, "run_id", csv.pop("run_id"))
    return Table(
        shown, label, terms["caption_epochs"], csv=csv, file="epochs.csv", bold=marks
    )


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
def mean_versus_best(runs: Sequence[Any]) -> Prose:
    """Say from the numbers why the best epoch's val accuracy is the better figure.

    Args:
        runs: Finished runs, at least one.

    Returns:
        Markdown.

    Raises:
        DataError: If there is no run, or runs differ in their data.
    """
    check_same_data(runs)
    return Prose(_mean_versus_best(runs).say())


def _mean_versus_best(runs: Sequence[Any]) -> Finding:
    """Set the mean over the epochs beside the epoch whose weights were kept."""
    means = np.array([run.history["val_accuracy"].mean() for run in runs])
    kept = np.array([kept_val_accuracy(run) for run in runs])
    en_names, zh_names = said_in("en", run_names, runs), said_in("zh", run_names, runs)
    gaps = np.abs(kept - means)
    if np.isnan(gaps).all():
        return Finding(
            "mean_versus_best", "No run kept an epoch.", "無保留的週期。", {}
        )
    widest = int(np.nanargmax(gaps))
    history = runs[widest].history["val_accuracy"]
    first, best = float(history.iloc[0]), runs[widest].result.best_epoch
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
    names = said_in("en", run_names, runs), said_in("zh", run_names, runs)
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
        if position != chosen and not run.result.diverged
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
def grid_conclusion(runs: Sequence[Any]) -> Prose:
    """Write the conclusion of a grid: the choice, the majority answer, the limits.

    Args:
        runs: Finished runs on the same data, at least one.

    Returns:
        Markdown; the same runs give the same text.

    Raises:
        DataError: If there is no run, or runs differ in data or test images.
    """
    check_same_data(runs)
    finished = [run for run in runs if not run.result.diverged]
    parts = [choice(runs).say()]
    if finished:
        tested = as_runs(finished)
        parts.append(against_majority(tested, tested.names).say())
    parts.append(limits(runs).say())
    return Prose("\n\n".join(parts))


# Points of accuracy that the colours span at least: a gap of one looks like one.
SHADES = 20.0


@dataclass(frozen=True)
class Axis:
    """A setting, or several that vary together, with its value for each run."""

    title: str
    values: tuple[str, ...]

    @property
    def levels(self) -> list[str]:
        """The different values, in the order of the runs."""
        return list(dict.fromkeys(self.values))


def axes_of(runs: Sequence[Any]) -> list[Axis]:
    """Find what varies; settings that only vary together are one axis.

    Args:
        runs: Finished runs.

    Returns:
        The axes, without the seed. The label of sets stands for what it names.
    """
    terms = words()
    configs = [run.config for run in runs]
    strategies = [strategy_name(c.strategy) for c in configs]
    candidates = {
        terms["model"]: [model_name(config.model) for config in configs],
        terms["strategy"]: strategies,
        terms["set"]: set_names(runs) or [""] * len(runs),
    }
    for key in varying(runs):
        if key != "seed":
            values = [setting(run, key) or ABSENT for run in runs]
            candidates[setting_title(key)] = values
    merged: dict[tuple[int, ...], Axis] = {}
    for title, values in candidates.items():
        if len(set(values)) < 2:
            continue
        partition = tuple(values.index(value) for value in values)
        known = merged.get(partition)
        if known is None:
            merged[partition] = Axis(title, tuple(values))
        elif known.title not in (terms["set"], terms["model"]):
            pairs = zip(known.values, values, strict=True)
            joined = tuple(f"{one}, {two}" for one, two in pairs)
            merged[partition] = Axis(f"{known.title}, {title}", joined)
    return list(merged.values())


def grid_axes(runs: Sequence[Any]) -> tuple[Axis, Axis] | None:
    """Choose the two axes of the map: those that vary most.

    Args:
        runs: Finished runs.

    Returns:
        Rows and columns, or None where no two settings vary independently. One
        that another already determines (a set, by the optimizer) is no second axis.
    """
    best, most = None, 0
    for one, two in combinations(axes_of(runs), 2):
        sizes = len(one.levels), len(two.levels)
        cells = len(set(zip(one.values, two.values, strict=True)))
        if cells > max(sizes) and sum(sizes) > most:
            best, most = (one, two), sum(sizes)
    return best


@unless_all_diverged
def grid_map(runs: Sequence[Any], *, label: str = "fig-grid") -> Figure | Prose:
    """Draw the val accuracy of the best epoch over the two settings that vary most.

    Args:
        runs: Finished runs, at least one.
        label: The figure's label.

    Returns:
        The heat map, or a sentence where no two settings vary independently.

    Raises:
        DataError: If there is no run, or runs differ in their data.
    """
    check_same_data(runs)
    terms, chosen = words(), grid_axes(runs)
    if chosen is None:
        titles = [axis.title for axis in axes_of(runs)] or [terms["nothing"]]
        joined = ("、" if language() == "zh" else "; ").join(titles)
        return Prose(terms["no_grid"].format(runs=len(runs), axes=joined))
    rows, columns = chosen
    frame = pd.DataFrame(
        {
            "row": rows.values,
            "column": columns.values,
            "value": [100 * kept_val_accuracy(run) for run in runs],
        }
    )
    table = frame.pivot_table(
        index="row", columns="column", values="value", aggfunc="mean"
    ).reindex(index=rows.levels, columns=columns.levels)
    count = int(frame.groupby(["row", "column"]).size().max())
    averaged = terms["grid_averaged"].format(count=count) if count > 1 else ""
    across = [wrapped(name, 84 // len(columns.levels)) for name in columns.levels]
    down = [wrapped(name, 24) for name in rows.levels]
    lines = max(name.count("\n") for name in across)
    with theme(*across, *down, rows.title, columns.title):
        side = max(letters(line) for name in down for line in name.split("\n"))
        width = min(WIDTH, 0.8 + 0.07 * side + 1.25 * len(across))
        height = min(MAX_HEIGHT, 0.8 + 0.15 * lines + 0.38 * len(down))
        figure = Drawing(figsize=(width, height), layout="constrained")
        axis = figure.subplots()
        sns.heatmap(
            table,
            annot=True,
            fmt=".1f",
            cmap=plt.get_cmap("Blues"),
            cbar=False,
            vmin=min(frame["value"].min(), frame["value"].max() - SHADES),
            vmax=frame["value"].max(),
            linewidths=0.5,
            linecolor="white",
            xticklabels=across,
            yticklabels=down,
            annot_kws={"fontsize": POINTS},
            ax=axis,
        )
        axis.tick_params(length=0)
        axis.tick_params(axis="y", labelrotation=0)
        axis.set(xlabel=columns.title, ylabel=rows.title)
        return Figure(figure, label, terms["caption_grid"].format(averaged=averaged))


SMOOTHING = 5  # points of the moving average; batches are noisy
CEILING = 3  # times the first loss: above it the divergence hides the descent


def steepest(rates: ArrayLike, losses: ArrayLike) -> float:
    """Find the learning rate at which the smoothed loss falls fastest.

    Args:
        rates: Learning rates, (N,), rising.
        losses: The loss at each, (N,); the first that is not finite ends the test.

    Returns:
        The rate; NaN where the loss never falls or fewer than three points remain.

    Source:
        Smith 2017, arXiv 1506.01186; the slope is taken over the logarithm of the
        rate, and only up to the lowest loss.
    """
    x, y = np.log10(np.asarray(rates, float)), np.asarray(losses, float)
    finite = np.isfinite(y)
    length = len(y) if finite.all() else int(np.argmin(finite))
    if length < 3:
        return math.nan
    smooth = pd.Series(y[:length]).rolling(SMOOTHING, center=True, min_periods=1).mean()
    slope = np.gradient(smooth.to_numpy(), x[:length])[: int(smooth.argmin()) + 1]
    place = int(np.argmin(slope))
    return float(10 ** x[place]) if slope[place] < 0 else math.nan


def range_figure(
    frame: pd.DataFrame | None, *, label: str = "fig-range"
) -> Figure | Prose:
    """Draw a learning-rate range test with its steepest descent marked.

    Args:
        frame: Columns `learning_rate` and `loss`, and `model` where there are
            several; or None where no test was asked for.
        label: The figure's label.

    Returns:
        The figure, a line a model; or a sentence where there is no test.
    """
    terms = words()
    if frame is None:
        return Prose(terms["no_range"])
    models = frame["model"] if "model" in frame else pd.Series("", index=frame.index)
    with theme(*terms.values()):
        figure = Drawing(figsize=(WIDTH, 2.8), layout="constrained")
        axis = figure.subplots()
        highest = 0.0
        for color, (name, part) in zip(
            PALETTE * len(models), frame.groupby(models, sort=False), strict=False
        ):
            rate = steepest(part["learning_rate"], part["loss"])
            parts = [model_name(str(name))] if name else []
            if not math.isnan(rate):
                parts.append(terms["steepest"].format(rate=f"{rate:.1e}"))
                axis.axvline(rate, color=color, linewidth=0.8, linestyle=":")
            axis.plot(
                part["learning_rate"],
                part["loss"],
                color=color,
                linewidth=1.3,
                label=", ".join(parts) or terms["loss"],
            )
            finite = part["loss"][np.isfinite(part["loss"])]
            if len(finite):
                bound = CEILING * finite.iloc[0]
                highest = max(highest, min(float(finite.max()), bound))
        axis.set_xscale("log")
        if highest > 0:
            axis.set_ylim(0, 1.05 * highest)
        axis.set(xlabel=terms["rate_axis"], ylabel=terms["loss"])
        axis.legend()
        return Figure(figure, label, terms["caption_range"])
