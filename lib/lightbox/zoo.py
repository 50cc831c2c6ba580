"""Many networks side by side: what each reached on test, and what it cost."""

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from lightbox.baseline import majority_answer, score_majority
from lightbox.cells import ABSENT, accuracies, decimals, spread
from lightbox.display import Table
from lightbox.divergence import finished, unless_all_diverged
from lightbox.metrics import score_run
from lightbox.model_names import model_name
from lightbox.results import check_same_data, results_frame
from lightbox.words import look_up, run_names, seed_groups, words

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


def names(runs: Sequence[Any], language: str = "en") -> list[str]:
    """Name runs by their network alone, where that tells them apart.

    Args:
        runs: Finished runs.
        language: `"en"` or `"zh"`.

    Returns:
        One name a run; with strategy and settings where networks repeat.
    """
    short = [model_name(run.record["config"]["model"]) for run in runs]
    return short if len(set(short)) == len(short) else run_names(list(runs), language)


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
        result, scores = run.record["result"], score_run(run)
        seconds = result["train_seconds"] or math.nan
        kept = math.nan if result["diverged"] else 1.0
        accuracy, nll = kept * scores["accuracy"], kept * scores["nll"]
        rows.append(
            {
                "accuracy": accuracy,
                "low": kept * scores.low,
                "high": kept * scores.high,
                "nll": nll,
                "seconds": seconds,
                "depth": result["depth"],
                "parameters": result["parameters"],
                "flops": result["flops"],
                "training": result["train_images_per_second"],
                "inference": result["inference_images_per_second"],
                "memory": result["peak_memory_bytes"],
                "accuracy_rate": 100 * accuracy / seconds,
                "loss_rate": nll / seconds,
                "gain_rate": 100 * (accuracy - base) / seconds,
            }
        )
    return pd.DataFrame(rows)


@unless_all_diverged
def zoo_table(
    runs: Sequence[Any], language: str = "en", *, label: str = "tbl-results"
) -> Table:
    """Show size, test result and time of each network, and the majority answer.

    Args:
        runs: Finished runs on the same data, at least one.
        language: `"en"` or `"zh"`.
        label: The table's label.

    Returns:
        The table; its CSV holds the columns of `results_frame`, those of `costs`
        that it lacks, and the majority answer's accuracy.

    Raises:
        DataError: If there is no run, or runs differ in their data.
    """
    numbers, terms, heads = costs(runs), words(language), look_up(_HEADERS, language)
    rows = _rows(runs)
    several = any(len(row) > 1 for row in rows)
    firsts = numbers.iloc[[row[0] for row in rows]]
    accuracy = terms["accuracy_percent" if several else "accuracy_interval"]
    shown = pd.DataFrame(
        {
            terms["model"]: names([runs[row[0]] for row in rows], language),
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
    }[language]
    caption = caption.format(n=base.num_images)
    caption += terms["caption_seeds"] if several else ""
    return Table(frame, label, caption, csv=csv, file="results.csv")


@unless_all_diverged
def zoo_costs(
    runs: Sequence[Any], language: str = "en", *, label: str = "tbl-costs"
) -> Table:
    """Show speed, memory, and what a second of training bought.

    Args:
        runs: Finished runs on the same data, at least one.
        language: `"en"` or `"zh"`.
        label: The table's label.

    Returns:
        The table, with `costs` as its CSV.

    Raises:
        DataError: If there is no run, or runs differ in their data.
    """
    numbers, terms, heads = costs(runs), words(language), look_up(_HEADERS, language)
    rows = _rows(runs)
    shown = pd.DataFrame(
        {
            terms["model"]: names([runs[row[0]] for row in rows], language),
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
    }[language]
    machines = {run.record["environment"]["hardware"] for run in runs}
    if len(machines) > 1:
        listed = "; ".join(sorted(machines))
        caption += {
            "en": f" The runs were timed on {len(machines)} machines, whose times "
            f"cannot be compared: {listed}.",
            "zh": f"訓練在 {len(machines)} 台機器上計時，時間不可相比：{listed}。",
        }[language]
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
