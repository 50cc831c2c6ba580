"""A study's whole report: execute, render each notebook, bind them all."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from lightbox import paths
from lightbox.execute import Execution, execute
from lightbox.section import COMMAND, REPORT, STUDY
from lightbox.study import Study


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
    """
    # The kernels inherit them.
    os.environ[COMMAND] = command
    os.environ[STUDY] = str(study.folder)
    os.environ[REPORT] = str(folder)
    executions = [
        _execute(stem, values, folder / stem, console)
        for stem, values in study.values.items()
    ]
    # After the kernels: rendering is in this process and needs none of theirs.
    from lightbox.report import book, extract

    with console.status("rendering"):
        for done in executions:
            _render_one(done.notebook, formats)
            extract.extract(done.notebook, done.notebook.parent)
        files = book.render(
            [done.notebook for done in executions], folder, formats=formats
        )
    failed = [done.notebook.stem for done in executions if done.error]
    return Bound(files, failed)


def _execute(stem: str, values: dict, folder: Path, console: Console) -> Execution:
    """Execute one notebook under a live line."""
    started = time.perf_counter()
    with console.status(stem) as status:
        done = execute(
            paths.notebooks() / f"{stem}.ipynb",
            values,
            folder / f"{stem}.ipynb",
            on_line=lambda line: status.update(f"{stem}  {line}"),
        )
    seconds = time.perf_counter() - started
    result = f"failed: {done.error}" if done.error else "done"
    console.print(f"{stem}: {result} ({seconds:.0f} s)", markup=False)
    return done


def _render_one(notebook: Path, formats: tuple[str, ...]) -> None:
    """Write a notebook's own document beside it, in each format."""
    from lightbox.report import book

    report = book.assemble([book.read(notebook)], title=None, bound=False)
    for name in formats:
        notebook.with_suffix(f".{name}").write_bytes(book.WRITERS[name](report))
