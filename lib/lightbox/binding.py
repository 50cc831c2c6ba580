"""A study's whole report: execute, render each notebook, bind them all."""

import os
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from lightbox import paths
from lightbox.execute import Execution, execute
from lightbox.interrupts import end_children, stoppable
from lightbox.section import COMMAND, REPORT, STUDY
from lightbox.study import Study

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

    Args:
        study: The notebooks and their validated values.
        folder: `reports/<study>`.
        formats: Any of `html`, `pdf`, `docx`.
        command: What the user typed, for the provenance.
        console: Where progress is shown: one live line, and a line per notebook.

    Returns:
        The bound report's files, and which notebooks failed.

    Raises:
        StopRequested: By Ctrl-C or SIGTERM; no kernel is left.
        ReportError: A table of results fails its audit; nothing is rendered.
    """
    # The kernels inherit them.
    os.environ[COMMAND] = command
    os.environ[STUDY] = str(study.folder)
    os.environ[REPORT] = str(folder)
    with stoppable():
        executions = _execute_all(study, folder, console, formats)
        from lightbox.report import book

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
    last = [stem for stem in study.values if stem == LAST]
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
    """Audit the notebooks' tables, and only then write their documents."""
    from lightbox.auditing import gate
    from lightbox.report import extract

    for done in executions:
        gate.check_results(done.notebook)
    for done in executions:
        _render_one(done.notebook, formats)
        extract.extract(done.notebook, done.notebook.parent)


def _render_one(notebook: Path, formats: tuple[str, ...]) -> None:
    """Write a notebook's own document beside it, in each format."""
    from lightbox.report import book

    report = book.assemble([book.read(notebook)], title=None, bound=False)
    for name in formats:
        notebook.with_suffix(f".{name}").write_bytes(book.WRITERS[name](report))
