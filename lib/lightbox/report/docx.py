"""The DOCX: real tables, native formulas and pictures, for those who edit on."""

import tempfile
from itertools import count
from pathlib import Path
from typing import Any

from lightbox.report import blocks, pandoc, tables
from lightbox.report import document as markdown
from lightbox.report.document import TAGS, WORDS, Report, Sources
from lightbox.report.html import provenance_html
from lightbox.report.pdf import SUFFIXES, rasterise


def write(report: Report) -> bytes:
    """Write a report as DOCX.

    Args:
        report: What to render.

    Returns:
        The file's bytes.

    Raises:
        ReportError: pandoc is missing or a formula is unknown.
    """
    with tempfile.TemporaryDirectory(prefix="lightbox-report-") as name:
        folder = Path(name)
        document = markdown.compose(report, _sources(report, folder))
        meta = {
            "title": report.heading,
            "subtitle": report.course,
            "author": report.author,
            "date": report.date,
            "lang": TAGS[report.language],
        }
        document["meta"] = {key: value for key, value in meta.items() if value}
        if report.notice:
            notice = {"kind": "plain", "text": report.notice}
            document["blocks"].insert(0, notice)
        options = ["--standalone", "--number-sections"]
        if report.bound:
            title = WORDS[report.language]["contents"]
            options += ["--toc", "--toc-depth=2", f"--metadata=toc-title:{title}"]
        return pandoc.run(document, "docx", folder, options)


def _sources(report: Report, folder: Path) -> Sources:
    words = WORDS[report.language]
    attached = count(1)

    def figure(block: blocks.Figure, number: int) -> str:
        # Word's own rendering of SVG varies; pandoc would need a converter.
        path = folder / f"figure-{number}.png"
        path.write_bytes(block.png or rasterise(block.svg))
        return path.name

    def table(block: blocks.Table, number: int) -> str:
        return tables.parse(block.html).html()

    def picture(mime: str, content: bytes) -> str:
        path = folder / f"picture-{next(attached)}.{SUFFIXES[mime]}"
        path.write_bytes(content)
        return path.name

    def provenance(facts: dict[str, Any], heading: str) -> str:
        return provenance_html(facts, heading, words["again"])

    return Sources("docx", figure, table, picture, provenance)
