"""The audit of the report's own tables, before it is rendered."""

import io
import math
from pathlib import Path
from typing import Any

import pandas as pd

from lightbox import store
from lightbox.auditing.examine import examine
from lightbox.errors import DataError, ReportError
from lightbox.metrics import score_run
from lightbox.report import book, pieces
from lightbox.siblings import RESULTS

# In the files that results are read from, probabilities have nine digits.
RELATIVE, ABSOLUTE = 1e-5, 1e-6
PREFIX = "test_"
ALONE = ("accuracy",)  # all that a mean over more than two classes lets one audit
BINARY = ("accuracy", "sensitivity", "specificity", "precision", "f1", "auroc")


def check_results(notebook: Path) -> None:
    """Audit the table of results that an executed notebook shows.

    The values are audited as those of any printed table, against the images and the
    answers in the runs' own `predictions.csv`, and set beside what these score.

    Args:
        notebook: The executed notebook.

    Raises:
        ReportError: A value that the predictions of its run do not give; the message
            names file, row and column.
    """
    for block in book.read(notebook).blocks:
        if isinstance(block, pieces.Table) and block.file == RESULTS and block.csv:
            frame = pd.read_csv(
                io.StringIO(block.csv), dtype=str, keep_default_na=False
            )
            _check(frame, notebook.parent / RESULTS)


def _check(frame: pd.DataFrame, file: Path) -> None:
    """Audit the rows whose runs have predictions on test."""
    lines: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
    runs = {}
    for number, row in enumerate(frame.to_dict("records"), start=1):
        name = f"row {number} (run {row.get('run_id')})"
        run = store.find(row["run_id"]) if row.get("run_id") else None
        if run is None:
            raise ReportError(
                f"{file}, {name}, run_id: the store has no such run, so that the row "
                f"cannot be audited; {_NEXT}"
            )
        known = _answers(run)
        if known:
            names = BINARY if "tp" in known else ALONE
            columns = [PREFIX + n for n in names if PREFIX + n in frame]
            own = {column: row[column] for column in columns}
            lines["tp" in known].append({"run": name} | known | own)
            runs[name] = (run, row)
    for rows in filter(None, lines.values()):
        try:
            found = examine(pd.DataFrame(rows).astype(str), name=str(file))
        except DataError as error:
            raise ReportError(f"{error}; {_NEXT}") from None
        for remark in found.wrong:
            name, column = remark.entries[0]
            raise ReportError(
                f"{file}, {name}, {column}: the audit before rendering failed: "
                f"{remark.text_en.rstrip('.')}; {_NEXT}"
            )
    for name, (run, row) in runs.items():
        _compare(file, name, row, score_run(run).values)


_NEXT = "the report was not rendered; run `lightbox report` again to compute it afresh"


def _answers(run: Any) -> dict[str, int]:
    """Count a run's test images and right answers; empty where it has none."""
    data = run.record["data"]
    rows = run.predictions[run.predictions["split"] == "test"]
    if rows.empty:
        return {}
    if data["positive"] is None or len(data["classes"]) != 2:
        return {"images": len(rows)}
    sick, said = (
        rows["label"] == data["positive"],
        rows["predicted"] == data["positive"],
    )
    return {
        "tp": int((sick & said).sum()),
        "fn": int((sick & ~said).sum()),
        "fp": int((~sick & said).sum()),
        "tn": int((~sick & ~said).sum()),
    }


def _compare(
    file: Path, name: str, row: dict[str, str], scores: dict[str, float]
) -> None:
    """Refuse a value that is not what the predictions score."""
    for metric, value in scores.items():
        text = row.get(PREFIX + metric)
        if text is None:
            continue
        try:
            printed = float(text or "nan")
        except ValueError:
            raise ReportError(
                f"{file}, {name}, {PREFIX}{metric}: {text!r} is no number; {_NEXT}"
            ) from None
        same = math.isclose(printed, value, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
        if not same and not (math.isnan(printed) and math.isnan(value)):
            raise ReportError(
                f"{file}, {name}, {PREFIX}{metric}: the table says "
                f"{text or 'nothing'}, the predictions of the run give {value:.6g}; "
                f"{_NEXT}"
            )
