"""The PDF: Typst, with the bundled fonts only, so that every machine sets alike."""

import calendar
import json
import os
import re
import tempfile
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

from lightbox.base.errors import ReportError
from lightbox.base.words import is_cjk
from lightbox.display.fonts import files
from lightbox.report import blocks, pandoc, tables
from lightbox.report import document as markdown
from lightbox.report.document import WORDS, Report, Sources

TEMPLATE = Path(__file__).with_name("template.typ")
SUFFIXES = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif"}


def write(report: Report) -> bytes:
    """Set a report as PDF/A-2b: tagged, with outline and embedded fonts.

    Args:
        report: What to render.

    Returns:
        The file's bytes; the same report gives the same bytes.

    Raises:
        ReportError: Typst or pandoc is missing, a character is in no font, or
            the document cannot be set.
    """
    # Typst may read below its root only: a fresh folder with nothing else in it.
    with tempfile.TemporaryDirectory(prefix="lightbox-report-") as name:
        folder = Path(name)
        document = markdown.compose(report, _sources(report, folder))
        body = pandoc.run(document, "typst", folder).decode("utf-8")
        (folder / "report.json").write_text(json.dumps(_title(report)), "utf-8")
        (folder / "template.typ").write_bytes(TEMPLATE.read_bytes())
        (folder / "main.typ").write_text(
            '#import "template.typ": *\n'
            '#show: report.with(json("report.json"))\n\n' + body,
            encoding="utf-8",
        )
        return _compile(folder, _timestamp(report))


def _sources(report: Report, folder: Path) -> Sources:
    words = WORDS[report.language]
    attached, boxes = count(1), count(1)

    def figure(block: blocks.Figure, number: int) -> str:
        name = f"figure-{number}.{'svg' if block.svg else 'png'}"
        data = block.svg.encode("utf-8") if block.svg else block.png
        (folder / name).write_bytes(data)
        return name

    def table(block: blocks.Table, number: int) -> str:
        return data(f"table-{number}.json", tables.parse(block.html).typst())

    def picture(mime: str, content: bytes) -> str:
        name = f"picture-{next(attached)}.{SUFFIXES[mime]}"
        (folder / name).write_bytes(content)
        return name

    def provenance(facts: dict[str, Any], heading: str) -> str:
        name = data(
            f"provenance-{next(boxes)}.json",
            {
                "heading": heading,
                "facts": [[str(k), str(v)] for k, v in facts.get("facts", [])],
                "command": facts.get("command", ""),
                "again": words["again"],
            },
        )
        return f'#provenance("{name}")'

    def data(name: str, value: dict[str, Any]) -> str:
        (folder / name).write_text(json.dumps(value), encoding="utf-8")
        return name

    return Sources("typst", figure, table, picture, provenance)


def _title(report: Report) -> dict[str, Any]:
    """The title page's words, as data: the template never evaluates them."""
    words = WORDS[report.language]
    return {
        "heading": report.heading,
        "above": report.above,
        "running": _short(report.heading),
        "running-above": _short(report.above),
        "chapters": [
            *(_short(markdown.plain(c.title)) for c in report.chapters),
            words["appendix"],
        ],
        "author": report.author,
        "course": report.course,
        "date": report.date,
        "notice": report.notice,
        "language": report.language,
        "bound": report.bound,
        "contents": words["contents"],
    }


def _short(text: str, width: int = 54) -> str:
    """Cut a title to what half a running head holds; ideographs count double."""
    used = 0
    for place, character in enumerate(text):
        used += 2 if is_cjk(character) else 1
        if used > width:
            return text[:place].rstrip() + "…"
    return text


def _timestamp(report: Report) -> int:
    """Seconds since 1970 for the file's metadata: fixed, so that bytes are too."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    try:
        day = date.fromisoformat(report.date[:10])
    except ValueError:
        return 0
    return calendar.timegm(day.timetuple())


def rasterise(svg: str) -> bytes:
    """Draw an SVG as PNG at 200 dots an inch, for formats without vectors."""
    import typst

    with tempfile.TemporaryDirectory(prefix="lightbox-report-") as name:
        folder = Path(name)
        (folder / "figure.svg").write_text(svg, encoding="utf-8")
        (folder / "main.typ").write_text(
            '#set page(width: auto, height: auto, margin: 0pt)\n#image("figure.svg")',
            encoding="utf-8",
        )
        return typst.compile(
            str(folder / "main.typ"), root=str(folder), format="png", ppi=200
        )


def _compile(folder: Path, timestamp: int) -> bytes:
    try:
        import typst
    except ImportError as error:
        raise ReportError(
            "PDF needs Typst, which is missing; install it with: "
            "pip install 'typst==0.15.*'"
        ) from error
    searched = [str(files.FOLDER)]
    if files.own_folder().is_dir():
        searched.append(str(files.own_folder()))
    try:
        return typst.compile(
            str(folder / "main.typ"),
            root=str(folder),
            font_paths=searched,
            ignore_system_fonts=True,
            # The archival standard makes a missing glyph an error, not a box.
            pdf_standards="a-2b",
            timestamp=timestamp,
        )
    except typst.TypstError as error:
        text = str(error.diagnostic or error.message)
        if lost := re.findall(r"the text `\"(.*?)\"` could not be displayed", text):
            raise ReportError(fonts_lack(lost)) from error
        raise ReportError(
            f"the PDF could not be set: {' '.join(text.split())[:500]}"
        ) from error


def fonts_lack(characters: list[str]) -> str:
    """The message for characters that no font has."""
    listed = " ".join(f"{c} (U+{ord(c[0]):04X})" for c in sorted(set(characters)))
    return (
        f"no font at hand has the characters {listed}; put an .otf or .ttf font "
        f"with them into {files.own_folder()}"
    )
