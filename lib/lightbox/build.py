"""A study's whole report: execute, audit, render each notebook, bind them all."""

import io
import logging
import math
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from lightbox.base import paths
from lightbox.base.errors import DataError, ReportError
from lightbox.base.interrupts import end_children, stoppable
from lightbox.base.words import translated
from lightbox.display.provenance import ReportContext
from lightbox.evaluation.metrics import score_run
from lightbox.printed.audit import examine
from lightbox.report import blocks, book
from lightbox.runs import store
from lightbox.sections.summary import RESULTS
from lightbox.settings.studies import Study

ENVIRONMENT_KERNEL = "python3"  # the one of the interpreter that runs `lightbox`


@dataclass(frozen=True)
class Execution:
    """How a notebook ended.

    Attributes:
        notebook: The executed notebook; up to the failed cell where one failed.
        error: One line on what failed, or None.
    """

    notebook: Path
    error: str | None


class _Lines:
    """Hands the kernel's output on, line by line, as papermill writes it."""

    def __init__(self, on_line: Callable[[str], None]):
        self._on_line, self._rest = on_line, ""

    def write(self, text: str) -> None:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._on_line(line)

    def flush(self) -> None:
        """Nothing is held back."""


def execute(
    notebook: Path,
    values: dict[str, Any],
    out: Path,
    *,
    on_line: Callable[[str], None],
) -> Execution:
    """Execute a notebook with parameters.

    Raises:
        ReportError: The notebook is missing, or its kernel does not start.
    """
    # Slow to import, and not needed by commands that run nothing.
    import nbformat
    import papermill
    from jupyter_client.kernelspec import NoSuchKernel
    from nbclient.exceptions import DeadKernelError

    if not notebook.is_file():
        raise ReportError(f"{notebook} does not exist: run from a clone of Lightbox")
    out.parent.mkdir(parents=True, exist_ok=True)
    # papermill writes what it is given into the notebook's metadata: a path, not
    # the whole of a translated notebook.
    source = notebook
    if (language := values.get("language", "en")) != "en":
        source = out
        original = nbformat.read(notebook, as_version=4)
        nbformat.write(translated(original, language), source)
    # Names were validated already; papermill would warn of the untyped ones.
    logging.getLogger("papermill").setLevel(logging.ERROR)
    try:
        papermill.execute_notebook(
            str(source),
            str(out),
            parameters=values,
            kernel_name=ENVIRONMENT_KERNEL,
            progress_bar=False,
            stdout_file=_Lines(on_line),
            # The kernel warns of TCP at every start; ours is a local one.
            extra_arguments=["--log-level=ERROR"],
        )
    except papermill.PapermillExecutionError as error:
        return Execution(out, f"{error.ename}: {error.evalue}")
    except DeadKernelError:
        return Execution(out, "the kernel died: out of memory, or killed")
    except NoSuchKernel as error:
        raise ReportError(
            f"no Jupyter kernel {error.name!r}: install ipykernel into this environment"
        ) from None
    return Execution(out, None)


# In the files that results are read from, probabilities have nine digits.
RELATIVE, ABSOLUTE = 1e-5, 1e-6
PREFIX = "test_"
ALONE = ("accuracy",)  # all that a mean over more than two classes lets one audit
BINARY = ("accuracy", "sensitivity", "specificity", "precision", "f1", "auroc")


def check_results(notebook: Path) -> None:
    """Audit the table of results that an executed notebook shows.

    The values are audited as those of any printed table, against the images and the
    answers in the runs' own `predictions.csv`, and set beside what these score.

    Raises:
        ReportError: A value that the predictions of its run do not give; the message
            names file, row and column.
    """
    for block in book.read(notebook).blocks:
        if isinstance(block, blocks.Table) and block.file == RESULTS and block.csv:
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
                f"{remark.text.rstrip('.')}; {_NEXT}"
            )
    for name, (run, row) in runs.items():
        _compare(file, name, row, score_run(run).values)


_NEXT = "the report was not rendered; run `lightbox report` again to compute it afresh"


def _answers(run: Any) -> dict[str, int]:
    """Count a run's test images and right answers; empty where it has none."""
    positive = run.data.positive
    rows = run.predictions[run.predictions["split"] == "test"]
    if rows.empty:
        return {}
    if positive is None or len(run.data.classes) != 2:
        return {"images": len(rows)}
    sick, said = rows["label"] == positive, rows["predicted"] == positive
    cells = {"tp": sick & said, "fn": sick & ~said, "fp": ~sick & said}
    cells["tn"] = ~sick & ~said
    return {name: int(cell.sum()) for name, cell in cells.items()}


def _compare(
    file: Path, name: str, row: dict[str, str], scores: dict[str, float]
) -> None:
    """Refuse a value that is not what the predictions score."""
    for metric, value in scores.items():
        text = row.get(PREFIX + metric)
        if text is None:
            continue
        place = f"{file}, {name}, {PREFIX}{metric}"
        try:
            printed = float(text or "nan")
        except ValueError:
            raise ReportError(f"{place}: {text!r} is no number; {_NEXT}") from None
        same = math.isclose(printed, value, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
        if not same and not (math.isnan(printed) and math.isnan(value)):
            raise ReportError(
                f"{place}: the table says {text or 'nothing'}, the predictions of the "
                f"run give {value:.6g}; {_NEXT}"
            )


# Two kernels at once: one imports and draws while the other trains. Training itself
# is one at a time (see `runs.run_one`), since two would share the same cores.
KERNELS = 2
LAST = "05_summary"  # reads what the others found


@dataclass(frozen=True)
class Bound:
    """What was made.

    Attributes:
        files: The bound report in each format.
        failed: Stems of the notebooks that failed.
    """

    files: list[Path]
    failed: list[str]


def make(
    study: Study,
    folder: Path,
    *,
    formats: tuple[str, ...],
    command: str,
    console: Console,
) -> Bound:
    """Execute a study's notebooks and render them, one by one and bound.

    Raises:
        StopRequested: By Ctrl-C or SIGTERM; no kernel is left.
        ReportError: A table of results fails its audit; nothing is rendered.
    """
    ReportContext(command, str(study.folder), str(folder)).announce()
    with stoppable():
        executions = _execute_all(study, folder, console, formats)
        with console.status("rendering"):
            files = book.render(
                [done.notebook for done in executions], folder, formats=formats
            )
    failed = [done.notebook.stem for done in executions if done.error]
    return Bound(files, failed)


def _execute_all(
    study: Study, folder: Path, console: Console, formats: tuple[str, ...]
) -> list[Execution]:
    """Execute and render the notebooks under live lines.

    The summary is executed after the others, while those are rendered.
    """
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False))
    progress = Progress(*columns, console=console, transient=True)
    stopping = threading.Event()

    def one(stem: str) -> Execution:
        task = progress.add_task(stem, total=None)
        started = time.perf_counter()
        done = execute(
            paths.notebooks() / f"{stem}.ipynb",
            study.values[stem],
            folder / stem / f"{stem}.ipynb",
            on_line=lambda line: progress.update(task, description=f"{stem}  {line}"),
        )
        progress.remove_task(task)
        if stopping.is_set():
            return done
        result = f"failed: {done.error}" if done.error else "done"
        seconds = time.perf_counter() - started
        console.print(f"{stem}: {result} ({seconds:.0f} s)", markup=False)
        return done

    first = [stem for stem in study.values if stem != LAST]
    last = study.values.keys() & {LAST}
    with warnings.catch_warnings(), progress, ThreadPoolExecutor(KERNELS) as pool:
        warnings.simplefilter("ignore")  # papermill's, on types it cannot infer
        try:
            # Never in this thread, which signals interrupt wherever it is.
            executions = list(pool.map(one, first))
            summary = pool.map(one, last)
            pool.submit(_render_all, executions, formats).result()
            ended = list(summary)
            pool.submit(_render_all, ended, formats).result()
            return [*executions, *ended]
        except KeyboardInterrupt:
            stopping.set()
            pool.shutdown(wait=False, cancel_futures=True)
            end_children()
            raise


def _render_all(executions: list[Execution], formats: tuple[str, ...]) -> None:
    """Audit the notebooks' tables, and only then write their documents beside them."""
    for done in executions:
        check_results(done.notebook)
    for done in executions:
        report = book.assemble([book.read(done.notebook)], bound=False)
        book.write(report, done.notebook.with_suffix(""), formats)
        book.extract(done.notebook, done.notebook.parent)
