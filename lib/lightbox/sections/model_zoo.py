"""Section 04: what many networks reached and cost; shallow against deep."""

import math
from collections.abc import Sequence
from itertools import pairwise, product
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Drawing
from matplotlib.transforms import Bbox

from lightbox.base.words import N_, _, joined, pgettext
from lightbox.comparison.results import results_frame
from lightbox.comparison.runs import Runs, as_runs, finished_only, unless_all_diverged
from lightbox.display.cells import ABSENT, accuracies, decimals, spread
from lightbox.display.names import model_name
from lightbox.display.outputs import Figure, Table
from lightbox.display.style import GREY, PALETTE, WIDTH, theme
from lightbox.evaluation.metrics import majority_answer
from lightbox.runs.store import Run

MEGA, GIGA = 1e6, 1e9
HEIGHT = 3.6  # of the scatter, inches
# Where a name may stand in the scatter, in points from its dot: beside it first.
OFFSETS = [
    (side * distance, rise)
    for distance, rise, side in product((7, 14, 24), (0, 8, -8, 17, -17, 27), (1, -1))
]
NEAR = (7, 8)  # names further off get a line
SPREAD = N_(
    "Where a row has several seeds, it gives the mean ± the standard deviation over "
    "them."
)


def names(runs: Runs) -> list[str]:
    """Name runs by their network alone, where that tells them apart."""
    short = [model_name(run.config.model) for run in runs]
    return short if len(set(short)) == len(short) else runs.names


def costs(runs: Sequence[Run]) -> pd.DataFrame:
    """Set what each run reached against what it cost.

    Returns:
        A row a run: `accuracy`, `low`, `high` (fractions), `nll` (nats per test
        image), `seconds` (of training), `depth`, `parameters`, `flops` (of one
        image), `training` and `inference` (images per second), `memory` (bytes),
        `accuracy_rate` (per cent of accuracy per second), `loss_rate` (nats per
        second), both as course report S2 prints them, and `gain_rate`
        (percentage points above the majority-class baseline per second). Scores of
        a diverged run are NaN.
    """
    runs = as_runs(runs)
    base, rows = runs.finished.majority["accuracy"], []
    for run in runs:
        result, scores = run.result, runs.scores(run)
        seconds = result.train_seconds or math.nan
        kept = math.nan if run.diverged else 1.0
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
def zoo_table(runs: Runs) -> Table:
    """Show size, test result and time of each network, and the majority answer.

    Its CSV holds the columns of `results_frame`, those of `costs` that it lacks, and
    the majority answer's accuracy.
    """
    numbers, rows = costs(runs), _rows(runs)
    firsts, several = [row[:1] for row in rows], len(rows) < len(runs)
    model, nll = _("Model"), _("NLL, nats")
    accuracy = _("Accuracy, %") if several else _("Accuracy, % (95 % interval)")
    seeds = {_("Seeds"): [str(len(row)) for row in rows]} if several else {}
    shown = pd.DataFrame(
        {
            model: names(Runs([runs[row[0]] for row in rows])),
            **seeds,
            _("Layers"): _column(numbers["depth"], firsts),
            _("Param., M"): _column(numbers["parameters"], firsts, 2, MEGA),
            _("GFLOP"): _column(numbers["flops"], firsts, 2, GIGA),
            accuracy: [_accuracy(numbers.iloc[row]) for row in rows],
            nll: _column(numbers["nll"], rows, 3),
            _("Time, s"): _column(numbers["seconds"], rows, 1),
        }
    )
    base = runs.finished.majority
    last = dict.fromkeys(shown.columns, ABSENT) | {
        model: _("always {answer}").format(answer=majority_answer(runs[0])),
        accuracy: accuracies([base]),
        nll: decimals(base["nll"], 3),
    }
    frame = pd.concat([shown, pd.DataFrame([last])], ignore_index=True)
    csv = results_frame(runs)
    told = {*csv, "accuracy", "low", "high", "nll", "seconds"}
    csv = csv.assign(
        **{name: numbers[name] for name in numbers if name not in told},
        majority_accuracy=base["accuracy"],
    )
    caption = _(
        "Size and test result of each network. Layers: convolutions and linear layers "
        "on the longest path. GFLOP: 10⁹ operations for one image, a multiply-add "
        "counted as 2. Accuracy on {n} test images with 95 % Wilson intervals. Time "
        "is that of training."
    ).format(n=base.num_images)
    if several:
        caption = joined([caption, _(SPREAD)])
    return Table(frame, "tbl-results", caption, csv=csv, file="results.csv")


@unless_all_diverged
def zoo_costs(runs: Runs) -> Table:
    """Show speed, memory, and what a second of training bought."""
    numbers, rows = costs(runs), _rows(runs)
    shown = pd.DataFrame(
        {
            _("Model"): names(Runs([runs[row[0]] for row in rows])),
            _("Time, s"): _column(numbers["seconds"], rows, 1),
            _("Training, images/s"): _column(numbers["training"], rows),
            _("Inference, images/s"): _column(numbers["inference"], rows),
            _("Peak memory, MB"): _column(numbers["memory"], rows, 0, MEGA),
            _("Accuracy, %/s"): _column(numbers["accuracy_rate"], rows, 3),
            _("NLL/s"): _column(numbers["loss_rate"], rows, 5),
            _("Gain, points/s"): _column(numbers["gain_rate"], rows, 3),
        }
    )
    caption = _(
        "What each network cost. Per second of training: accuracy, NLL, and the "
        "percentage points gained over the majority answer. The first two reward a "
        "network that learns nothing quickly, only the third does not."
    )
    machines = {run.record["environment"]["hardware"] for run in runs}
    if len(machines) > 1:
        said = _(
            "The runs were timed on {count} machines, whose times cannot be compared: "
            "{machines}."
        ).format(count=len(machines), machines="; ".join(sorted(machines)))
        caption = joined([caption, said])
    csv = numbers.assign(run_id=[run.id for run in runs])
    return Table(shown, "tbl-costs", caption, csv=csv, file="costs.csv")


def _rows(runs: Runs) -> list[list[int]]:
    """Give the positions of the runs of each row: seeds of one network share it."""
    place = {id(run): position for position, run in enumerate(runs)}
    return [[place[id(run)] for run in group] for group in runs.groups]


def _column(
    values: pd.Series, rows: list[list[int]], places: int = 0, unit: float = 1
) -> list[str]:
    """Write a value, or mean and spread, a row; small ones keep two telling digits."""
    written = []
    for row in rows:
        numbers = values.iloc[row].astype(float) / unit
        mean = abs(numbers.mean(skipna=False))
        small = 0 < mean < 10.0**-places
        digits = 1 - math.floor(math.log10(mean)) if small else places
        written.append(spread(numbers.tolist(), digits))
    return written


def _accuracy(rows: pd.DataFrame) -> str:
    """Write one accuracy with its interval, or seeds' mean and spread, per cent."""
    if len(rows) > 1:
        return spread((100 * rows["accuracy"]).tolist(), 1)
    accuracy, low, high = (100 * rows.iloc[0][["accuracy", "low", "high"]]).tolist()
    if math.isnan(accuracy):
        return ABSENT
    return f"{accuracy:.1f} ({low:.1f}–{high:.1f})"


@finished_only
def depth_groups(runs: Runs, *, shallow_below: int = 30) -> Table:
    """Average the networks of fewer layers than `shallow_below`, and the others."""
    numbers = costs(runs).assign(name=names(runs))
    titles = {
        False: _("shallow (< {layers})").format(layers=shallow_below),
        True: _("deep (≥ {layers})").format(layers=shallow_below),
    }
    rows, full = [], []
    for deep, part in numbers.groupby(numbers["depth"] >= shallow_below):
        means = part[["accuracy", "nll", "seconds"]].mean()
        full.append({"group": titles[deep], "runs": len(part)} | means.to_dict())
        rows.append(
            {
                _("Group"): titles[deep],
                _("Networks"): pgettext("list", ", ").join(part["name"]),
                _("Runs"): str(len(part)),
                _("Mean accuracy, %"): decimals(100 * means["accuracy"], 1),
                _("Mean NLL, nats"): decimals(means["nll"], 3),
                _("Mean time, s"): decimals(means["seconds"], 1),
            }
        )
    caption = _(
        "Networks of fewer than {layers} layers against the others; unweighted means "
        "over runs."
    ).format(layers=shallow_below)
    return Table(pd.DataFrame(rows), "tbl-depth", caption, csv=pd.DataFrame(full))


def front(costs: Sequence[float], gains: Sequence[float]) -> list[int]:
    """Find the Pareto front: what nothing else beats in both.

    Args:
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
def zoo_scatter(runs: Runs) -> Figure:
    """Draw training time against test accuracy, each network by its name."""
    numbers = costs(runs)
    time, accuracy = _("Training time, s (log scale)"), _("Test accuracy, %")
    majority = _("majority answer")
    # Seeds are dots of one network: the first of them carries its name.
    firsts = [row[0] for row in _rows(runs)]
    labels = names(Runs([runs[k] for k in firsts]))
    with theme(time, accuracy, majority, *labels):
        figure = Drawing(figsize=(WIDTH, HEIGHT), layout="constrained")
        axis = figure.subplots()
        axis.set(xscale="log", xlabel=time, ylabel=accuracy)
        _points(axis, numbers)
        base = 100 * runs.majority["accuracy"]
        low, high = 100 * numbers["low"].min(), 100 * numbers["high"].max()
        # Far below the networks it would squeeze them together.
        drawn = []
        if low - base < high - low:
            drawn = _majority(axis, base, majority)
        _readable_ticks(axis)
        figure.draw_without_rendering()  # the layout decides where texts fall
        taken = [artist.get_window_extent().padded(1) for artist in drawn]
        _names(axis, numbers, dict(zip(firsts, labels, strict=True)), taken)
        caption = _(
            "Training time against test accuracy, with 95 % Wilson intervals. The "
            "line is the Pareto front: no network is both quicker and at least as "
            "accurate as one on it. Points of overlapping intervals may stand in "
            "another order on other test images."
        )
        return Figure(figure, "fig-zoo", caption)


def _points(axis: Any, numbers: pd.DataFrame) -> None:
    """Draw dots, intervals and the front as steps."""
    seconds, accuracy = numbers["seconds"], 100 * numbers["accuracy"]
    # Where all or none are right, an end of the interval is the accuracy itself, but
    # for a rounding error that would make an error bar of negative length.
    below = (accuracy - 100 * numbers["low"]).clip(lower=0)
    above = (100 * numbers["high"] - accuracy).clip(lower=0)
    axis.errorbar(
        seconds,
        accuracy,
        yerr=[below, above],
        linestyle="",
        marker="o",
        markersize=4.5,
        color=PALETTE[0],
        ecolor=PALETTE[0],
        elinewidth=0.8,
        capsize=2,
        zorder=3,
    )
    best = front(list(seconds), list(accuracy))
    axis.step(
        seconds.iloc[best],
        accuracy.iloc[best],
        where="post",
        color=PALETTE[1],
        linewidth=1.2,
        zorder=2,
    )
    axis.margins(x=0.18, y=0.08)


def _majority(axis: Any, base: float, name: str) -> list[Any]:
    """Draw the majority answer's accuracy; returns what was drawn."""
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


def _readable_ticks(axis: Any) -> None:
    """Write seconds as numbers; a decade mark alone leaves short ranges bare."""
    low, high = axis.get_xlim()
    steps = [m * 10.0**e for e in range(-3, 7) for m in (1, 2, 5)]
    ticks = [step for step in steps if low <= step <= high]
    axis.set_xticks(ticks, [f"{step:,g}" for step in ticks])
    axis.set_xticks([], minor=True)
    axis.set_xlim(low, high)


def _names(
    axis: Any, numbers: pd.DataFrame, labels: dict[int, str], taken: list[Bbox]
) -> None:
    """Put each name where it covers least; far ones get a line to their dot."""
    points = numbers[["seconds", "accuracy", "low", "high"]] * [1, 100, 100, 100]
    pixels = axis.transData.transform
    for seconds, accuracy, low, high in points.to_numpy():
        (x, y), (_x, bottom), (_x, top) = pixels(
            [(seconds, accuracy), (seconds, low), (seconds, high)]
        )
        taken += [
            Bbox.from_extents(x - 5, y - 5, x + 5, y + 5),
            Bbox.from_extents(x - 3, bottom, x + 3, top),
        ]
    best = front(list(numbers["seconds"]), list(numbers["accuracy"]))
    corners = pixels(points[["seconds", "accuracy"]].iloc[best])
    for (x, y), (right, up) in pairwise(corners):
        taken += [
            Bbox.from_extents(x, y - 1, right, y + 1),
            Bbox.from_extents(right - 1, min(y, up), right + 1, max(y, up)),
        ]
    named = points.loc[list(labels)].sort_values("accuracy", ascending=False)
    for place, seconds, accuracy in named[["seconds", "accuracy"]].itertuples():
        point, name = (seconds, accuracy), labels[place]
        tried = [_annotate(axis, name, point, offset) for offset in OFFSETS]
        least = int(np.argmin([_covered(axis, text, taken) for text in tried]))
        taken.append(tried[least].get_window_extent())
        for text in tried[:least] + tried[least + 1 :]:
            text.remove()
        if abs(OFFSETS[least][0]) > NEAR[0] or abs(OFFSETS[least][1]) > NEAR[1]:
            line = {"arrowstyle": "-", "color": GREY, "linewidth": 0.5}
            _annotate(axis, "", point, OFFSETS[least], arrowprops=line)


def _annotate(
    axis: Any, name: str, point: Any, offset: tuple[int, int], **more: Any
) -> Any:
    """Write a name beside its point."""
    return axis.annotate(
        name,
        point,
        xytext=offset,
        textcoords="offset points",
        ha="left" if offset[0] > 0 else "right",
        va="center",
        zorder=4,
        **more,
    )


def _covered(axis: Any, text: Any, taken: list[Bbox]) -> float:
    """Measure what a name covers or loses at the edge, in square pixels."""
    box, frame = text.get_window_extent(), axis.get_window_extent()
    shared = [Bbox.intersection(box, other) for other in [frame, *taken]]
    within, *hidden = [each.width * each.height if each else 0 for each in shared]
    return max(box.width * box.height - within, 0.0) + sum(hidden)
