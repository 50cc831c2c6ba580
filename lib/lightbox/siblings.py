"""The runs of a report's other sections, read from their executed notebooks."""

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd

from lightbox import paths, store
from lightbox.errors import ReportError
from lightbox.findings.base import plural
from lightbox.report import blocks, pieces
from lightbox.section import REPORT, Section

RESULTS = "results.csv"


@dataclass(frozen=True)
class Summary:
    """The sections that could be read.

    Attributes:
        runs: Per notebook stem, in reading order, its finished runs.
        missing: Per stem that could not be read, why: English, Chinese.
        section: The section that asked.
        in_report: Whether it is part of a report; else the runs are the store's.
    """

    runs: dict[str, list[Any]]
    missing: dict[str, tuple[str, str]]
    section: Section
    in_report: bool

    @property
    def all_runs(self) -> list[Any]:
        """Every run once, whichever sections show it."""
        return list(
            {run.id: run for runs in self.runs.values() for run in runs}.values()
        )


def collect(section: Section) -> Summary:
    """Read the sections of the report that this notebook is executed for.

    Args:
        section: The summary's section; its `sections` chooses among the others.

    Returns:
        Their runs. Outside a report: the store's finished runs on these images.
    """
    folder, wanted = os.environ.get(REPORT, ""), section.settings.sections
    if not folder:
        known = _stored(section)
        return Summary({"store": known} if known else {}, {}, section, False)
    files = {path.stem: path for path in sorted(Path(folder).glob("*/*.ipynb"))}
    files = {stem: p for stem, p in files.items() if p.parent.name == stem}
    files.pop(section.name, None)
    runs: dict[str, list[Any]] = {}
    missing: dict[str, tuple[str, str]] = {}
    for stem in wanted or files:
        if stem not in files:
            missing[stem] = ("it was not executed", "尚未執行")
            continue
        ids = _run_ids(files[stem])
        found = [run for run in map(store.find, ids) if run is not None]
        same = [r for r in found if _same_data(r, section)]
        if len(same) < len(ids):
            missing[stem] = (
                f"{len(ids) - len(same)} of {plural(len(ids), 'run')} is on other "
                "images, or no longer in the store",
                f"{len(ids)} 次訓練中有 {len(ids) - len(same)} 次使用其他影像，"
                "或已不在儲存區",
            )
        if same:
            runs[stem] = same
    return Summary(runs, missing, section, True)


def _run_ids(notebook: Path) -> list[str]:
    """Read the runs of an executed notebook off its table of results."""
    try:
        chapter = blocks.read(nbformat.read(notebook, as_version=4))
    except (OSError, ValueError, nbformat.reader.NotJSONError, ReportError):
        return []
    for block in chapter.blocks:
        if isinstance(block, pieces.Table) and block.file == RESULTS:
            frame = pd.read_csv(io.StringIO(block.csv), dtype={"run_id": str})
            return list(frame.get("run_id", pd.Series(dtype=str)).dropna())
    return []


def _stored(section: Section) -> list[Any]:
    """Find the store's finished runs on these images."""
    found = [store.find(folder.name) for folder in sorted(paths.runs().glob("[!.]*"))]
    return [run for run in found if run is not None and _same_data(run, section)]


def _same_data(run: Any, section: Section) -> bool:
    return run.record["data"]["fingerprint"] == section.data.fingerprint
