"""Section 04: what many networks reached and cost; shallow against deep."""

import math
from collections.abc import Sequence
from itertools import pairwise, product
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Drawing
from matplotlib.transforms import Bbox

from lightbox.base.words import language, look_up, words
from lightbox.comparison.results import results_frame
from lightbox.comparison.runs import (
    check_same_data,
    finished,
    finished_only,
    unless_all_diverged,
)
from lightbox.display.cells import ABSENT, accuracies, decimals, spread
from lightbox.display.names import model_name, run_names, seed_groups
from lightbox.display.outputs import Figure, Table
from lightbox.display.sentences import Finding, interval, percent, plural
from lightbox.display.style import GREY, PALETTE, WIDTH, theme
from lightbox.evaluation.metrics import majority_answer, score_majority, score_run

MEGA, GIGA = 1e6, 1e9

# Columns that a network is described by, beside its results: English, Chinese.
_HEADERS = {
    "depth": ("Layers", "層數"),
    "parameters": ("Param., M", "參數，百萬"),
    "flops": ("GFLOP", "GFLOP"),
    "training": ("Training, images/s", "訓練，影像/秒"),
    "inference": ("Inference, images/s", "推論，影像/秒"),
    "memory": ("Peak memory, MB", "記憶體峰值，MB"),
    "accuracy_rate": ("Accuracy, %/s", "準確率，%/秒"),
    "loss_rate": ("NLL/s", "NLL/秒"),
    "gain_rate": ("Gain, points/s", "增益，百分點/秒"),
}


def names(runs: Sequence[Any]) -> list[str]:
    """Name runs by their network alone, where that tells them apart.

    Args:
        runs: Finished runs.

    Returns:
        One name a run; with strategy and settings where networks repeat.
    """
    short = [model_name(run.config.model) for run in runs]
    return short if len(set(short)) == len(short) else run_names(list(runs))


def costs(runs: Sequence[Any]) -> pd.DataFrame:
    """Set what each run reached against what it cost.

    Args:
        runs: Finished runs on the same data, at least one.

    Returns:
        A row a run: `accuracy`, `low`, `high` (fractions), `nll` (nats per test
        image), `seconds` (of training), `depth`, `parameters`, `flops` (of one
        image), `training` and `inference` (images per second), `memory` (bytes),
        `accuracy_rate` (per cent of accuracy per second), `loss_rate` (nats per
        second), both as course report S2 prints them, and `gain_rate`
        (percentage points above the majority answer per second). Scores of a
        diverged run are NaN.

    Raises:
        DataError: If there is no run, or runs differ in their data.
    """
    check_same_data(runs)
    tested = (finished(runs) or runs)[0]
    base, rows = score_majority(tested)["accuracy"], []
    for run in runs:
        result, scores = run.result, score_run(run)
        seconds = result.train_seconds or math.nan
        kept = math.nan if result.diverged else 1.0
        accuracy, nll = kept * scores["accuracy"], kept * scores["nll"]
        rows.append(
            {
                "accuracy": accuracy,
                "low": kept * scores.low,
                "high": kept * scores.high,
                "nll": nll,
                "seconds": seconds,
                "depth": result.depth,
                "parameters": result.parameters,
                "flops": result.flops,
                "training": result.train_images_per_second,
                "inference": result.inference_images_per_second,
                "memory": result.peak_memory_bytes,
                "accuracy_rate": 100 * accuracy / seconds,
                "loss_rate": nll / seconds,
                "gain_rate": 100 * (accuracy - base) / seconds,
            }
        )
    return pd.DataFrame(rows)


@unless_all_diverged
def zoo_table(runs: Sequence[Any], *, label: str = "tbl-results") -> Table:
    """Show size, test result and time of each network, and the majority answer.

    Args:
        runs: Finished runs on the same data, at least one.
        label: The table's label.

    Returns:
        The table; its CSV holds the columns of `results_frame`, those of `costs`
        that it lacks, and the majority answer's accuracy.

    Raises:
        DataError: If there is no run, or runs differ in their data.
    """
    numbers, terms, heads = costs(runs), words(), look_up(_HEADERS)
    rows = _rows(runs)
    several = any(len(row) > 1 for row in rows)
    firsts = numbers.iloc[[row[0] for row in rows]]
    accuracy = terms["accuracy_percent" if several else "accuracy_interval"]
    shown = pd.DataFrame(
        {
            terms["model"]: names([runs[row[0]] for row in rows]),
            heads["depth"]: [f"{n:,}" for n in firsts["depth"]],
            heads["parameters"]: [_scaled([n], MEGA, 2) for n in firsts["parameters"]],
            heads["flops"]: [_scaled([n], GIGA, 2) for n in firsts["flops"]],
            accuracy: [_accuracy(numbers.iloc[row]) for row in rows],
            terms["nll"]: _column(numbers["nll"], rows, 1, 3),
            terms["time"]: _column(numbers["seconds"], rows, 1, 1),
        }
    )
    if several:
        shown.insert(1, terms["seeds"], [str(len(row)) for row in rows])
    tested = (finished(runs) or runs)[0]
    base = score_majority(tested)
    last = dict.fromkeys(shown.columns, ABSENT) | {
        terms["model"]: terms["majority"].format(answer=majority_answer(tested)),
        accuracy: accuracies([base]),
        terms["nll"]: decimals(base["nll"], 3),
    }
    frame = pd.concat([shown, pd.DataFrame([last])], ignore_index=True)
    csv = results_frame(runs)
    extra = [name for name in numbers if name not in {"accuracy", "low", "high", "nll"}]
    csv = csv.assign(
        **{n: numbers[n] for n in extra if n not in csv and n != "seconds"},
        majority_accuracy=base["accuracy"],
    )
    caption = {
        "en": "Size and test result of each network. Layers: convolutions and linear "
        "layers on the longest path. GFLOP: 10⁹ operations for one image, a "
        "multiply-add counted as 2. Accuracy on {n} test images with 95 % Wilson "
        "intervals. Time is that of training.",
        "zh": "各網路的規模與測試結果。層數為最長路徑上的卷積層與線性層；"
        "GFLOP 為單張影像的運算量（10⁹，乘加計為 2）；準確率為 {n} 張測試影像上的"
        "結果與 95 % Wilson 信賴區間；時間為訓練時間。",
    }[language()]
    caption = caption.format(n=base.num_images)
    caption += terms["caption_seeds"] if several else ""
    return Table(frame, label, caption, csv=csv, file="results.csv")


@unless_all_diverged
def zoo_costs(runs: Sequence[Any], *, label: str = "tbl-costs") -> Table:
    """Show speed, memory, and what a second of training bought.

    Args:
        runs: Finished runs on the same data, at least one.
        label: The table's label.

    Returns:
        The table, with `costs` as its CSV.

    Raises:
        DataError: If there is no run, or runs differ in their data.
    """
    numbers, terms, heads = costs(runs), words(), look_up(_HEADERS)
    rows = _rows(runs)
    shown = pd.DataFrame(
        {
            terms["model"]: names([runs[row[0]] for row in rows]),
            terms["time"]: _column(numbers["seconds"], rows, 1, 1),
            heads["training"]: _column(numbers["training"], rows, 1, 0),
            heads["inference"]: _column(numbers["inference"], rows, 1, 0),
            heads["memory"]: _column(numbers["memory"], rows, MEGA, 0),
            heads["accuracy_rate"]: _column(numbers["accuracy_rate"], rows, 1, 3),
            heads["loss_rate"]: _column(numbers["loss_rate"], rows, 1, 5),
            heads["gain_rate"]: _column(numbers["gain_rate"], rows, 1, 3),
        }
    )
    caption = {
        "en": "What each network cost. Per second of training: accuracy, NLL, and "
        "the percentage points gained over the majority answer. The first two reward "
        "a network that learns nothing quickly, only the third does not.",
        "zh": "各網路的代價。每秒訓練時間所得的準確率、NLL，以及相對於多數類別的"
        "增益。前兩者會獎勵什麼都沒學到但很快的網路，第三者則不會。",
    }[language()]
    machines = {run.record["environment"]["hardware"] for run in runs}
    if len(machines) > 1:
        listed = "; ".join(sorted(machines))
        caption += {
            "en": f" The runs were timed on {len(machines)} machines, whose times "
            f"cannot be compared: {listed}.",
            "zh": f"訓練在 {len(machines)} 台機器上計時，時間不可相比：{listed}。",
        }[language()]
    csv = numbers.assign(run_id=[run.id for run in runs])
    return Table(shown, label, caption, csv=csv, file="costs.csv")


def _rows(runs: Sequence[Any]) -> list[list[int]]:
    """Give the positions of the runs of each row: seeds of one network share it."""
    place = {id(run): position for position, run in enumerate(runs)}
    return [[place[id(run)] for run in group] for group in seed_groups(runs)]


def _column(
    values: pd.Series, rows: list[list[int]], unit: float, places: int
) -> list[str]:
    """Write a column, a value or mean and spread a row."""
    return [_scaled(values.iloc[row].tolist(), unit, places) for row in rows]


def _scaled(values: list[float], unit: float, places: int) -> str:
    """Write numbers in a unit; small ones keep two digits that say something."""
    numbers = [float(value) / unit for value in values]
    mean = abs(sum(numbers) / len(numbers))
    small = 0 < mean < 10.0**-places
    return spread(numbers, -math.floor(math.log10(mean)) + 1 if small else places)


def _accuracy(rows: pd.DataFrame) -> str:
    """Write one accuracy with its interval, or seeds' mean and spread, per cent."""
    if len(rows) > 1:
        return spread((100 * rows["accuracy"]).tolist(), 1)
    accuracy, low, high = (100 * rows.iloc[0][["accuracy", "low", "high"]]).tolist()
    if math.isnan(accuracy):
        return ABSENT
    return f"{accuracy:.1f} ({low:.1f}–{high:.1f})"


# English, Chinese.
_DEPTH_HEADERS = {
    "group": ("Group", "組別"),
    "networks": ("Networks", "網路"),
    "count": ("Runs", "次數"),
    "mean_accuracy": ("Mean accuracy, %", "平均準確率，%"),
    "mean_nll": ("Mean NLL, nats", "平均 NLL，nat"),
    "mean_time": ("Mean time, s", "平均時間，秒"),
}


@finished_only
def depth_groups(
    runs: Sequence[Any],
    *,
    shallow_below: int = 30,
    label: str = "tbl-depth",
) -> Table:
    """Average the shallow networks and the deep ones.

    Args:
        runs: Finished runs on the same data, at least one.
        shallow_below: Networks of fewer layers are shallow.
        label: The table's label.

    Returns:
        The table: a row a group that has networks; diverged runs are left out.

    Raises:
        DataError: If there is no run, or runs differ in their data.
    """
    heads = look_up(_DEPTH_HEADERS)
    numbers = costs(runs).assign(name=names(runs))
    numbers = numbers[numbers["accuracy"].notna()]
    titles = {
        "en": (f"shallow (< {shallow_below})", f"deep (≥ {shallow_below})"),
        "zh": (f"淺層（< {shallow_below}）", f"深層（≥ {shallow_below}）"),
    }[language()]
    comma = "、" if language() == "zh" else ", "
    rows, full = [], []
    for title, deep in zip(titles, (False, True), strict=True):
        part = numbers[(numbers["depth"] >= shallow_below) == deep]
        if part.empty:
            continue
        means = part[["accuracy", "nll", "seconds"]].mean()
        full.append({"group": title, "runs": len(part)} | means.to_dict())
        rows.append(
            {
                heads["group"]: title,
                heads["networks"]: comma.join(part["name"]),
                heads["count"]: str(len(part)),
                heads["mean_accuracy"]: decimals(100 * means["accuracy"], 1),
                heads["mean_nll"]: decimals(means["nll"], 3),
                heads["mean_time"]: decimals(means["seconds"], 1),
            }
        )
    caption = {
        "en": f"Networks of fewer than {shallow_below} layers against the others; "
        "unweighted means over runs.",
        "zh": f"少於 {shallow_below} 層的網路與其餘網路；各次訓練的未加權平均。",
    }[language()]
    return Table(pd.DataFrame(rows), label, caption, csv=pd.DataFrame(full))


def by_depth(table: pd.DataFrame, shallow_below: int) -> Finding | None:
    """Compare the groups' ranges: means of few networks prove nothing on depth."""
    deep = table["depth"] >= shallow_below
    if deep.all() or not deep.any():
        return None
    parts = [table[~deep], table[deep]]
    means = [part["accuracy"].mean() for part in parts]
    spans = [(part["accuracy"].min(), part["accuracy"].max()) for part in parts]
    apart = spans[0][1] < spans[1][0] or spans[1][1] < spans[0][0]
    (a, b), (one, two) = (len(p) for p in parts), (interval(*s) for s in spans)
    times = [part["seconds"].mean() for part in parts]
    return Finding(
        "depth",
        f"The {plural(a, 'run')} below {shallow_below} layers reach "
        f"{percent(means[0])} % on average ({one}) in {times[0]:.1f} s, the {b} from "
        f"{shallow_below} on {percent(means[1])} % ({two}) in {times[1]:.1f} s. Their "
        f"ranges {'do not overlap' if apart else 'overlap'}; the networks differ in "
        "much besides their depth, so the means say nothing on depth as a cause.",
        f"少於 {shallow_below} 層的 {a} 次訓練平均 {percent(means[0])} %（{one}），"
        f"平均 {times[0]:.1f} 秒；{shallow_below} 層以上的 {b} 次平均 "
        f"{percent(means[1])} %（{two}），平均 {times[1]:.1f} 秒。兩者範圍"
        f"{'不重疊' if apart else '重疊'}；網路間的差異不只深度，"
        "平均值不能說明深度是原因。",
        {"means": means, "apart": apart},
    )


HEIGHT = 3.6  # inches
# Where a name may stand, in points from its dot: beside it first.
OFFSETS = [
    (side * distance, rise)
    for distance, rise, side in product((7, 14, 24), (0, 8, -8, 17, -17, 27), (1, -1))
]


def front(costs: Sequence[float], gains: Sequence[float]) -> list[int]:
    """Find the Pareto front: what nothing else beats in both.

    Args:
        costs: Smaller is better, one a run.
        gains: Larger is better, one a run; NaN is never on the front.

    Returns:
        Positions by rising cost: those for which no other costs at most as much
        and gains at least as much, one of the two strictly.
    """
    known = [k for k, gain in enumerate(gains) if not np.isnan(gain)]
    kept: list[int] = []
    for k in sorted(known, key=lambda k: (costs[k], -gains[k])):
        better = not kept or gains[k] > gains[kept[-1]]
        alike = kept and (costs[k], gains[k]) == (costs[kept[-1]], gains[kept[-1]])
        if better or alike:
            kept.append(k)
    return kept


@finished_only
def zoo_scatter(runs: Sequence[Any], *, label: str = "fig-zoo") -> Figure:
    """Draw training time against test accuracy, each network by its name.

    Args:
        runs: Finished runs on the same data, at least one.
        label: The figure's label.

    Returns:
        The figure; diverged runs are left out.

    Raises:
        DataError: If there is no run, or runs differ in their data.
    """
    # Seeds are dots of one network: the first of them carries its name.
    firsts = [group[0] for group in seed_groups(runs)]
    named = {id(run): name for run, name in zip(firsts, names(firsts), strict=True)}
    numbers = costs(runs).assign(name=[named.get(id(run), "") for run in runs])
    numbers = numbers[numbers["accuracy"].notna()].reset_index(drop=True)
    terms = words()
    base = score_majority(runs[0])["accuracy"]
    said = {
        "en": ("Training time, s (log scale)", "Test accuracy, %", "majority answer"),
        "zh": ("訓練時間，秒（對數尺度）", "測試準確率，%", "多數類別"),
    }[language()]
    with theme(*said, *numbers["name"], *terms.values()):
        figure = Drawing(figsize=(WIDTH, HEIGHT), layout="constrained")
        axis = figure.subplots()
        axis.set_xscale("log")
        _points(axis, numbers)
        taken = _majority(axis, 100 * base, said[2], numbers)
        axis.set_xlabel(said[0])
        axis.set_ylabel(said[1])
        _readable_ticks(axis, numbers["seconds"])
        figure.draw_without_rendering()  # the layout decides where texts fall
        boxes = [artist.get_window_extent().padded(1) for artist in taken]
        _names(axis, numbers, boxes)
        caption = {
            "en": "Training time against test accuracy, with 95 % Wilson intervals. "
            "The line is the Pareto front: no network is both quicker and at least as "
            "accurate as one on it. Points of overlapping intervals may stand in "
            "another order on other test images.",
            "zh": "訓練時間與測試準確率，附 95 % Wilson 信賴區間。折線為 Pareto 前緣："
            "線上的網路沒有其他網路既較快又至少同樣準確。區間重疊的點，"
            "換一批測試影像次序便可能不同。",
        }[language()]
        return Figure(figure, label, caption)


def _points(axis: Any, numbers: pd.DataFrame) -> None:
    """Draw dots, intervals and the front as steps."""
    seconds, accuracy = numbers["seconds"], 100 * numbers["accuracy"]
    axis.errorbar(
        seconds,
        accuracy,
        yerr=[accuracy - 100 * numbers["low"], 100 * numbers["high"] - accuracy],
        linestyle="",
        marker="o",
        markersize=4.5,
        color=PALETTE[0],
        ecolor=PALETTE[0],
        elinewidth=0.8,
        capsize=2,
        zorder=3,
    )
    best = front(list(numbers["seconds"]), list(numbers["accuracy"]))
    axis.step(
        seconds.iloc[best],
        accuracy.iloc[best],
        where="post",
        color=PALETTE[1],
        linewidth=1.2,
        zorder=2,
    )
    axis.margins(x=0.18, y=0.08)


def _majority(axis: Any, base: float, name: str, numbers: pd.DataFrame) -> list[Any]:
    """Draw the majority answer where it does not squeeze the networks together.

    Returns what was drawn.
    """
    low, high = 100 * numbers["low"].min(), 100 * numbers["high"].max()
    if not low - base < high - low:
        return []
    line = axis.axhline(base, color=GREY, linewidth=0.8, linestyle=":")
    text = axis.annotate(
        name,
        (1, base),
        xycoords=axis.get_yaxis_transform(),
        xytext=(0, 2),
        textcoords="offset points",
        ha="right",
        color=GREY,
    )
    return [line, text]


def _readable_ticks(axis: Any, seconds: pd.Series) -> None:
    """Write seconds as numbers; a decade mark alone leaves short ranges bare."""
    low, high = axis.get_xlim()
    steps = [m * 10.0**e for e in range(-3, 7) for m in (1, 2, 5)]
    ticks = [step for step in steps if low <= step <= high]
    axis.set_xticks(ticks, [f"{step:,g}" for step in ticks])
    axis.set_xticks([], minor=True)
    axis.set_xlim(low, high)


def _names(axis: Any, numbers: pd.DataFrame, taken: list[Bbox]) -> None:
    """Put each name where it covers least; far ones get a line to their dot."""
    place = axis.transData.transform
    for row in numbers.itertuples():
        x, y = place((row.seconds, 100 * row.accuracy))
        _, low = place((row.seconds, 100 * row.low))
        _, high = place((row.seconds, 100 * row.high))
        taken += [
            Bbox.from_extents(x - 5, y - 5, x + 5, y + 5),
            Bbox.from_extents(x - 3, low, x + 3, high),
        ]
    best = front(list(numbers["seconds"]), list(numbers["accuracy"]))
    corners = place(numbers[["seconds", "accuracy"]].iloc[best].mul([1, 100]))
    for (x, y), (right, up) in pairwise(corners):
        taken += [
            Bbox.from_extents(x, y - 1, right, y + 1),
            Bbox.from_extents(right - 1, min(y, up), right + 1, max(y, up)),
        ]
    named = numbers[numbers["name"] != ""]
    for row in named.sort_values("accuracy", ascending=False).itertuples():
        point = (row.seconds, 100 * row.accuracy)
        covered = [_covered(axis, row.name, point, offset, taken) for offset in OFFSETS]
        offset = OFFSETS[int(np.argmin(covered))]
        text = _annotate(axis, row.name, point, offset)
        taken.append(text.get_window_extent())
        if abs(offset[0]) > OFFSETS[0][0] or abs(offset[1]) > 8:
            axis.annotate(
                "",
                point,
                xytext=offset,
                textcoords="offset points",
                arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.5},
            )


def _annotate(axis: Any, name: str, point: Any, offset: tuple[int, int]) -> Any:
    """Write a name beside its point."""
    return axis.annotate(
        name,
        point,
        xytext=offset,
        textcoords="offset points",
        ha="left" if offset[0] > 0 else "right",
        va="center",
        zorder=4,
    )


def _covered(
    axis: Any, name: str, point: Any, offset: tuple[int, int], taken: list[Bbox]
) -> float:
    """Measure what a name would cover there, in square pixels."""
    text = _annotate(axis, name, point, offset)
    box, frame = text.get_window_extent(), axis.get_window_extent()
    text.remove()
    within = Bbox.intersection(box, frame)
    hidden = box.width * box.height - (within.width * within.height if within else 0)
    for other in taken:
        overlap = Bbox.intersection(box, other)
        if overlap is not None:
            hidden += overlap.width * overlap.height
    return max(hidden, 0.0)
