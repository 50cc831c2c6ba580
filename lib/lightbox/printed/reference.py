"""The numbers that a study's source printed, beside those of this run."""

from collections.abc import Callable, Sequence
from string import ascii_lowercase
from typing import Any

import pandas as pd

from lightbox.base.words import language
from lightbox.display.outputs import Prose, Table
from lightbox.evaluation.metrics import score_run
from lightbox.sections.section import Section

Own = Callable[[Any], float]


def _score(name: str) -> Own:
    return lambda run: score_run(run)[name]


def _result(name: str) -> Own:
    return lambda run: getattr(run.result, name)


def _history(column: str, what: Callable[[pd.Series], float]) -> Own:
    return lambda run: float(what(run.history[column]))


def _per_second(name: str, scale: float) -> Own:
    return lambda run: scale * score_run(run)[name] / run.result.train_seconds


def _above(share: float) -> Own:
    """Find the epoch, counted from 0, from which on val accuracy stays above."""

    def epoch(run: Any) -> float:
        below = run.history["val_accuracy"].to_numpy() <= share
        first = len(below) - below[::-1].argmax() if below.any() else 0
        return float("nan") if first == len(below) else float(first)

    return epoch


# Column of `reference.csv`: headers, factor, decimal places, and the run's own.
QUANTITIES: dict[str, tuple[tuple[str, str], float, int, Own]] = {
    "test_accuracy": (("Accuracy, %", "準確率，%"), 100, 2, _score("accuracy")),
    "test_loss": (("Loss", "損失"), 1, 3, _score("nll")),
    "test_sensitivity": (("Recall", "召回率"), 1, 3, _score("sensitivity")),
    "test_precision": (("Precision", "精確率"), 1, 3, _score("precision")),
    "test_f1": (("F1", "F1"), 1, 3, _score("f1")),
    "mean_train_accuracy": (
        ("Mean train acc., %", "平均訓練準確率，%"),
        100,
        2,
        _history("train_accuracy", pd.Series.mean),
    ),
    "mean_val_accuracy": (
        ("Mean val acc., %", "平均驗證準確率，%"),
        100,
        2,
        _history("val_accuracy", pd.Series.mean),
    ),
    "train_seconds": (("Time, s", "時間，秒"), 1, 1, _result("train_seconds")),
    "accuracy_per_second": (("%/s", "%/秒"), 1, 4, _per_second("accuracy", 100)),
    "loss_per_second": (("Loss/s", "損失/秒"), 1, 5, _per_second("nll", 1)),
    "layers": (("Layers", "層數"), 1, 0, _result("depth")),
    "first_val_loss": (
        ("First val loss", "首個驗證損失"),
        1,
        3,
        _history("val_loss", lambda values: values.iloc[0]),
    ),
    "highest_val_loss": (
        ("Highest val loss", "最高驗證損失"),
        1,
        3,
        _history("val_loss", pd.Series.max),
    ),
    "first_val_accuracy": (
        ("First val acc., %", "首個驗證準確率，%"),
        100,
        2,
        _history("val_accuracy", lambda values: values.iloc[0]),
    ),
    "lowest_val_accuracy": (
        ("Lowest val acc., %", "最低驗證準確率，%"),
        100,
        2,
        _history("val_accuracy", pd.Series.min),
    ),
    "highest_val_accuracy": (
        ("Highest val acc., %", "最高驗證準確率，%"),
        100,
        2,
        _history("val_accuracy", pd.Series.max),
    ),
    "above_80_from": (
        ("Above 80 % from epoch (from 0)", "自第幾週期起高於 80 %（從 0 起）"),
        1,
        0,
        _above(0.8),
    ),
    "best_epoch": (
        ("Best epoch (from 0)", "最佳週期（從 0 起）"),
        1,
        0,
        lambda run: run.result.best_epoch - 1,
    ),
    "epochs_run": (("Epochs run", "執行週期數"), 1, 0, _result("epochs_run")),
}


def cell(name: str, value: Any) -> str:
    """Write a quantity as it is shown.

    Args:
        name: A key of `QUANTITIES`.
        value: Its value, accuracies as fractions; NaN where there is none.

    Returns:
        The text, in the unit of the quantity's header.
    """
    if pd.isna(value):
        return "–"
    _, factor, places, _ = QUANTITIES[name]
    return f"{factor * float(value):,.{places}f}"


# A run stands for a source's row only if it agrees in these, where both say them.
KEYS = ("name", "model", "strategy", "loss", "optimizer")

# What a protocol may differ in besides, in the order in which it is named.
PROTOCOL = {
    "dataset": ("data", "資料"),
    "split_by": ("split by", "切分單位"),
    "train_images": ("train images", "訓練影像"),
    "val_images": ("val images", "驗證影像"),
    "test_images": ("test images", "測試影像"),
    "image_size": ("image size", "影像邊長"),
    "weights": ("weights", "預訓練權重"),
    "head": ("head", "分類層"),
    "output": ("output", "輸出"),
    "epochs": ("epochs", "週期數"),
    "batch_size": ("batch", "批次大小"),
    "learning_rate": ("learning rate", "學習率"),
    "patience": ("patience", "提早停止"),
}


def reference_table(
    section: Section,
    runs: Sequence[Any],
    *,
    label: str = "tbl-reference",
) -> Table | Prose:
    """Set the source's printed values beside the run's own.

    The printed numbers are no target: the table names what differs in the
    protocol, and leaves a source's row alone where no run stands for it.

    Args:
        section: The section, for its study's `reference.csv` and its split.
        runs: The section's finished runs.
        label: The table's label.

    Returns:
        The table: a row of the source, then one of this run. A sentence where
        the study has no printed values for this section.
    """
    rows = section.references()
    if rows is not None:
        rows = rows[rows["notebook"] == section.name].reset_index(drop=True)
    if rows is None or rows.empty:
        return Prose(
            {
                "en": "This study repeats no printed report, so there is no reference "
                "value to set these results beside.",
                "zh": "本研究並非重現既有報告，因此沒有可並列的參考值。",
            }[language()]
        )
    kept = [run for run in runs if not run.result.diverged]
    found = match(rows, kept, section.settings.split_by)
    return _table(rows, found, section, label)


def match(rows: pd.DataFrame, runs: Sequence[Any], split_by: str) -> list[Any]:
    """Find the run that stands for each row of a source.

    Args:
        rows: Rows of `reference.csv`.
        runs: Finished runs.
        split_by: `group` or `image`.

    Returns:
        For each row the run that agrees in `KEYS`, where both state them, and
        differs in the fewest other settings; None where there is none. No run
        stands for two rows.
    """
    free, found = list(runs), []
    for _, row in rows.iterrows():
        fitting = [run for run in free if _fits(row, run)]
        chosen = min(
            fitting, key=lambda run: len(differences(row, run, split_by)), default=None
        )
        # By identity: comparing runs would compare their frames.
        free = [run for run in free if run is not chosen]
        found.append(chosen)
    return found


def differences(row: pd.Series, run: Any, split_by: str) -> list:
    """Name what a run did otherwise than the source states.

    Args:
        row: A row of `reference.csv`; what it leaves empty is not compared.
        run: A finished run.
        split_by: How the run's data were split.

    Returns:
        Clauses such as `image size 64, not 150`.
    """
    config, counts = run.config, run.data.counts
    own = config.model_dump() | {"split_by": split_by}
    own |= {f"{split}_images": sum(counts[split].values()) for split in counts}
    found = []
    for key, words in PROTOCOL.items():
        stated = row.get(key)
        if pd.isna(stated) or _same(key, stated, own[key]):
            continue
        word, given = words[language() == "zh"], str(own[key]).split("_Weights.")[-1]
        shown = f"{stated:g}" if isinstance(stated, float) else str(stated)
        if language() == "zh":
            found.append(f"{word} {given}，而非 {shown}")
        else:
            found.append(f"{word} {given}, not {shown}")
    return found


def _same(key: str, stated: Any, own: Any) -> bool:
    """Compare a setting; a source may say `IMAGENET` without the version."""
    if key == "weights":
        return str(stated).upper() in str(own).upper()
    try:
        return float(stated) == float(own)
    except ValueError:
        return str(stated) == str(own)


def _fits(row: pd.Series, run: Any) -> bool:
    """Say whether a run may stand for a row."""
    own = {key: getattr(run.config, key) for key in KEYS}
    return all(
        pd.isna(row.get(key)) or not value or row[key] == value
        for key, value in own.items()
    )


def _table(rows: pd.DataFrame, found: list[Any], section: Section, label: str) -> Table:
    """Write two lines a row, with letters for what differs."""
    zh = language() == "zh"
    quantities = [n for n in QUANTITIES if n in rows and rows[n].notna().any()]
    heads = [QUANTITIES[name][0][zh] for name in quantities]
    head_run, head_from = ("訓練", "來源") if zh else ("Run", "From")
    head_protocol = "設定" if zh else "Protocol"
    letters: dict[str, str] = {}
    shown, full = [], []
    for (_, row), run in zip(rows.iterrows(), found, strict=True):
        printed = [cell(name, row[name]) for name in quantities]
        shown.append([row["run"], row["source"], *printed, ""])
        line = {"run": row["run"], "run_id": run.id if run else ""}
        own, protocol = ["–"] * len(quantities), "未執行" if zh else "not run"
        if run is not None:
            # Only what the source printed is set beside it.
            values = [QUANTITIES[name][3](run) for name in quantities]
            pairs = list(zip(quantities, values, strict=True))
            own = [cell(n, v) if pd.notna(row[n]) else "–" for n, v in pairs]
            named = differences(row, run, section.settings.split_by)
            for clause in named:
                letters.setdefault(clause, _letter(len(letters)))
            marks = [letters[clause] for clause in named]
            protocol = ", ".join(sorted(marks, key=lambda mark: (len(mark), mark)))
            protocol = protocol or ("相同" if zh else "same")
            line |= {f"own_{name}": value for name, value in pairs}
        shown.append(["", "本次" if zh else "this run", *own, protocol])
        line |= {f"printed_{name}": row[name] for name in quantities}
        full.append(line | {"protocol": row["protocol"]})
    frame = pd.DataFrame(
        shown, columns=[head_run, head_from, *heads, head_protocol]
    ).fillna("–")
    return Table(
        frame,
        label,
        _caption(rows, letters, zh),
        csv=pd.DataFrame(full),
        file="reference.csv",
    )


def _caption(rows: pd.DataFrame, letters: dict[str, str], zh: bool) -> str:
    """Say what stands beside what, and what the letters mean."""
    sources = ", ".join(dict.fromkeys(rows["source"]))
    said = "; ".join(f"{letter}: {clause}" for clause, letter in letters.items())
    focal = "loss" in rows and "focal" in set(rows["loss"])
    if zh:
        text = f"課程報告 {sources} 所印的數值與本次結果。參考值並非目標。"
        text += "「相同」指與該報告所述的設定相同。" if not said else ""
        text += (
            "本次的損失一律為測試集的 NLL；該報告的 focal 損失為另一尺度，不可比較。"
            * focal
        )
        return text + (f"設定差異：{said}。" if said else "")
    text = (
        f"What course report {sources} printed, and what this run found. The printed "
        "values are no targets; what the report does not state is not compared."
    )
    if focal:
        text += (
            " The loss of this run is always the NLL on test; a printed focal loss is "
            "on another scale and cannot be compared with it."
        )
    return text + (f" Protocol: {said}." if said else "")


def _letter(position: int) -> str:
    """Count with letters: a to z, then aa, ab."""
    more, last = divmod(position, len(ascii_lowercase))
    return (_letter(more - 1) if more else "") + ascii_lowercase[last]
