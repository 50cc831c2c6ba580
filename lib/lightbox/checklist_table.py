"""The reporting checklist, filled from what the report itself knows."""

import os
from pathlib import Path

import pandas as pd

from lightbox import checklist_data, checklist_runs
from lightbox.checklist_data import Facts
from lightbox.checklist_words import CAPTION, HEADS, ITEMS, UNKNOWN
from lightbox.display import Table
from lightbox.errors import ReportError
from lightbox.report import book, pieces
from lightbox.section import REPORT, Section
from lightbox.siblings import Summary, collect
from lightbox.words import words


def checklist(
    section: Section,
    language: str = "en",
    *,
    found: Summary | None = None,
    label: str = "tbl-checklist",
) -> Table:
    """Fill the items of CLAIM 2024 and TRIPOD+AI that apply to such a report.

    Nothing is guessed: what neither the data nor the runs say is "not known".

    Args:
        section: The summary's section.
        language: `"en"` or `"zh"`.
        found: The other sections, where they were collected already.
        label: The table's label.

    Returns:
        The table: topic, the items' numbers, and what the report says.

    Source:
        Tejani et al. 2024, doi 10.1148/ryai.240300 (CLAIM); Collins et al. 2024,
        doi 10.1136/bmj-2023-078378 (TRIPOD+AI).
    """
    words(language)
    zh = language == "zh"
    others = collect(section) if found is None else found
    facts = Facts(
        settings=section.settings,
        data=section.data,
        runs=others.all_runs,
        sections=tuple(others.runs),
        labels=_labels(section.name),
        command=section.provenance().command,
    )
    answers = checklist_data.ANSWERS | checklist_runs.ALWAYS
    if facts.runs:
        answers |= checklist_runs.ANSWERS
    rows, known = [], 0
    for item in ITEMS:
        said = answers[item.key](facts) if item.key in answers else None
        known += said is not None
        row = (item.topic[zh], item.claim, item.tripod, (said or UNKNOWN)[zh])
        rows.append(row)
    runs = len(facts.runs)
    counted = f"{runs} 次訓練" if zh else f"{runs} run{'s' * (runs != 1)}"
    frame = pd.DataFrame(rows, columns=[head[zh] for head in HEADS.values()])
    return Table(
        frame,
        label,
        CAPTION[zh].format(known=known, all=len(ITEMS), runs=counted),
        csv=frame,
        file="checklist.csv",
    )


def _labels(own: str) -> frozenset[str]:
    """Collect the labels of what the report's other sections show."""
    folder, labels = os.environ.get(REPORT, ""), set()
    paths = sorted(Path(folder).glob("*/*.ipynb")) if folder else []
    for path in paths:
        if path.stem == own or path.parent.name != path.stem:
            continue
        try:
            shown = book.read(path).blocks
        except ReportError:  # the summary says which sections could not be read
            continue
        labels |= {
            each.label
            for each in shown
            if isinstance(each, pieces.Figure | pieces.Table)
        }
    return frozenset(labels)
