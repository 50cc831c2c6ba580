"""The numbers that a study's source printed, beside those of this run."""

from collections.abc import Callable, Sequence
from string import ascii_lowercase
from typing import Any, NamedTuple

import pandas as pd

from lightbox.base.words import N_, _, joined, pgettext
from lightbox.display.outputs import Prose, Table
from lightbox.evaluation.metrics import score_run
from lightbox.runs.store import Run
from lightbox.sections.section import Section

Own = Callable[[Run], float]


def _score(name: str) -> Own:
    return lambda run: score_run(run)[name]


def _result(name: str) -> Own:
    return lambda run: getattr(run.result, name)


def _history(column: str, what: Callable[[pd.Series], float]) -> Own:
    return lambda run: float(what(run.history[column]))


def _per_second(name: str, scale: float) -> Own:
    return lambda run: scale * score_run(run)[name] / run.result.train_seconds


def _first(values: pd.Series) -> float:
    return values.iloc[0]


def _above(share: float) -> Own:
    """Find the epoch, counted from 0, from which on val accuracy stays above."""

    def epoch(run: Run) -> float:
        below = run.history["val_accuracy"].to_numpy() <= share
        first = len(below) - below[::-1].argmax() if below.any() else 0
        return float("nan") if first == len(below) else float(first)

    return epoch


class Quantity(NamedTuple):
    """A column of `reference.csv`: heading, factor, decimal places, a run's own."""

    heading: str
    factor: int
    places: int
    own: Own


QUANTITIES = {
    "test_accuracy": Quantity(N_("Accuracy, %"), 100, 2, _score("accuracy")),
    "test_loss": Quantity(N_("Loss"), 1, 3, _score("nll")),
    "test_sensitivity": Quantity(N_("Recall"), 1, 3, _score("sensitivity")),
    "test_precision": Quantity(N_("Precision"), 1, 3, _score("precision")),
    "test_f1": Quantity(N_("F1"), 1, 3, _score("f1")),
    "mean_train_accuracy": Quantity(
        N_("Mean train acc., %"), 100, 2, _history("train_accuracy", pd.Series.mean)
    ),
    "mean_val_accuracy": Quantity(
        N_("Mean val acc., %"), 100, 2, _history("val_accuracy", pd.Series.mean)
    ),
    "train_seconds": Quantity(N_("Time, s"), 1, 1, _result("train_seconds")),
    "accuracy_per_second": Quantity(N_("%/s"), 1, 4, _per_second("accuracy", 100)),
    "loss_per_second": Quantity(N_("Loss/s"), 1, 5, _per_second("nll", 1)),
    "layers": Quantity(N_("Layers"), 1, 0, _result("depth")),
    "first_val_loss": Quantity(
        N_("First val loss"), 1, 3, _history("val_loss", _first)
    ),
    "highest_val_loss": Quantity(
        N_("Highest val loss"), 1, 3, _history("val_loss", pd.Series.max)
    ),
    "first_val_accuracy": Quantity(
        N_("First val acc., %"), 100, 2, _history("val_accuracy", _first)
    ),
    "lowest_val_accuracy": Quantity(
        N_("Lowest val acc., %"), 100, 2, _history("val_accuracy", pd.Series.min)
    ),
    "highest_val_accuracy": Quantity(
        N_("Highest val acc., %"), 100, 2, _history("val_accuracy", pd.Series.max)
    ),
    "above_80_from": Quantity(N_("Above 80 % from epoch (from 0)"), 1, 0, _above(0.8)),
    "best_epoch": Quantity(
        N_("Best epoch (from 0)"), 1, 0, lambda run: run.result.best_epoch - 1
    ),
    "epochs_run": Quantity(N_("Epochs run"), 1, 0, _result("epochs_run")),
}


def cell(name: str, value: float) -> str:
    """Write a quantity in the unit of its heading; NaN where there is none."""
    if pd.isna(value):
        return "–"
    quantity = QUANTITIES[name]
    return f"{quantity.factor * float(value):,.{quantity.places}f}"


# A run stands for a source's row only if it agrees in these, where both say them.
KEYS = ("name", "model", "strategy", "loss", "optimizer")

# What a protocol may differ in besides, in the order in which it is named.
PROTOCOL = {
    "dataset": N_("data"),
    "split_by": N_("split by"),
    "train_images": N_("train images"),
    "val_images": N_("val images"),
    "test_images": N_("test images"),
    "image_size": N_("image size"),
    "weights": N_("weights"),
    "head": N_("head"),
    "output": N_("output"),
    "epochs": N_("epochs"),
    "batch_size": N_("batch"),
    "learning_rate": N_("learning rate"),
    "patience": N_("patience"),
}


def reference_table(section: Section, runs: Sequence[Run]) -> Table | Prose:
    """Set the source's printed values beside the run's own.

    The printed numbers are no target: the table names what differs in the
    protocol, and leaves a source's row alone where no run stands for it.

    Where the study has no printed values for this section, it is a sentence.
    """
    rows = section.references()
    if rows is not None:
        rows = rows[rows["notebook"] == section.name].reset_index(drop=True)
    if rows is None or rows.empty:
        return Prose(
            _(
                "This study repeats no printed report, so there is no reference value "
                "to set these results beside."
            )
        )
    kept = [run for run in runs if not run.diverged]
    found = match(rows, kept, section.settings.split_by)
    return _table(rows, found, section.settings.split_by)


def match(rows: pd.DataFrame, runs: Sequence[Run], split_by: str) -> list[Run | None]:
    """Find the run that stands for each row of `reference.csv`.

    It agrees in `KEYS`, where both state them, and differs in the fewest other
    settings; None where there is none. No run stands for two rows.
    """
    free, found = list(runs), []
    for _place, row in rows.iterrows():
        fitting = [run for run in free if _fits(row, run)]
        chosen = min(
            fitting, key=lambda run: len(differences(row, run, split_by)), default=None
        )
        # By identity: comparing runs would compare their frames.
        free = [run for run in free if run is not chosen]
        found.append(chosen)
    return found


def differences(row: pd.Series, run: Run, split_by: str) -> list[str]:
    """Name what a run did otherwise than a row of `reference.csv` states.

    Clauses are such as `image size 64, not 150`; what is left empty is not compared.
    """
    counts = run.data.counts
    own = run.config.model_dump() | {"split_by": split_by}
    own |= {f"{split}_images": sum(counts[split].values()) for split in counts}
    found = []
    for key, word in PROTOCOL.items():
        stated = row.get(key)
        if pd.isna(stated) or _same(key, stated, own[key]):
            continue
        shown = f"{stated:g}" if isinstance(stated, float) else str(stated)
        given = str(own[key]).split("_Weights.")[-1]
        clause = _("{setting} {given}, not {stated}")
        found.append(clause.format(setting=_(word), given=given, stated=shown))
    return found


def _same(key: str, stated: Any, own: Any) -> bool:
    """Compare a setting; a source may say `IMAGENET` without the version."""
    if key == "weights":
        return str(stated).upper() in str(own).upper()
    try:
        return float(stated) == float(own)
    except ValueError:
        return str(stated) == str(own)


def _fits(row: pd.Series, run: Run) -> bool:
    """Say whether a run may stand for a row."""
    own = {key: getattr(run.config, key) for key in KEYS}
    return all(
        pd.isna(row.get(key)) or not value or row[key] == value
        for key, value in own.items()
    )


def _table(rows: pd.DataFrame, found: list[Run | None], split_by: str) -> Table:
    """Write two lines a row, with letters for what differs."""
    names = [n for n in QUANTITIES if n in rows and rows[n].notna().any()]
    letters: dict[str, str] = {}
    shown, full = [], []
    for (_place, row), run in zip(rows.iterrows(), found, strict=True):
        shown.append([row["run"], row["source"], *(cell(n, row[n]) for n in names), ""])
        line = {"run": row["run"], "run_id": run.id if run else ""}
        own, protocol = ["–"] * len(names), _("not run")
        if run is not None:
            # Only what the source printed is set beside it.
            values = {name: QUANTITIES[name].own(run) for name in names}
            own = [cell(n, v) if pd.notna(row[n]) else "–" for n, v in values.items()]
            named = differences(row, run, split_by)
            for clause in named:
                letters.setdefault(clause, _letter(len(letters)))
            marks = sorted(map(letters.get, named), key=lambda m: (len(m), m))
            protocol = ", ".join(marks) or _("same")
            line |= {f"own_{name}": value for name, value in values.items()}
        shown.append(["", _("this run"), *own, protocol])
        line |= {f"printed_{name}": row[name] for name in names}
        full.append(line | {"protocol": row["protocol"]})
    heads = [_(QUANTITIES[name].heading) for name in names]
    columns = [pgettext("table", "Run"), _("From"), *heads, _("Protocol")]
    return Table(
        pd.DataFrame(shown, columns=columns).fillna("–"),
        "tbl-reference",
        _caption(rows, letters),
        csv=pd.DataFrame(full),
        file="reference.csv",
    )


def _caption(rows: pd.DataFrame, letters: dict[str, str]) -> str:
    """Say what stands beside what, and what the letters mean."""
    said = [
        _(
            "What course report {sources} printed, and what this run found. The "
            "printed values are no targets; what the report does not state is not "
            "compared."
        ).format(sources=", ".join(dict.fromkeys(rows["source"])))
    ]
    if "loss" in rows and "focal" in set(rows["loss"]):
        said.append(
            _(
                "The loss of this run is always the NLL on test; a printed focal loss "
                "is on another scale and cannot be compared with it."
            )
        )
    if letters:
        listed = "; ".join(f"{letter}: {clause}" for clause, letter in letters.items())
        said.append(_("Protocol: {listed}.").format(listed=listed))
    return joined(said)


def _letter(position: int) -> str:
    """Count with letters: a to z, then aa, ab."""
    more, last = divmod(position, len(ascii_lowercase))
    return (_letter(more - 1) if more else "") + ascii_lowercase[last]
