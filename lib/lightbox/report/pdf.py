"""The PDF: Typst, with the bundled fonts only, so that every machine sets alike."""

import calendar
import json
import os
import re
import tempfile
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from lightbox.base.errors import ReportError
from lightbox.base.words import _, in_language, is_cjk
from lightbox.display.fonts import files
from lightbox.report import blocks, pandoc, tables
from lightbox.report.document import Format, Report, compose, plain

TEMPLATE = Path(__file__).with_name("template.typ")
MAIN = """#import "template.typ": *
#show: report.with(json("report.json"))

"""
PICTURE = """#set page(width: auto, height: auto, margin: 0pt)
#image("figure.svg")
"""


class Typst(Format):
    """Tables and provenance go as data, which the template never evaluates."""

    name = "typst"

    def table(self, block: blocks.Table) -> str:
        """Take a table in; the template measures and sets it."""
        return self._data(asdict(tables.read(block.content)))

    def provenance(self, facts: list[tuple[str, str]], command: str, head: str) -> str:
        """Take a chapter's provenance in."""
        box = {"heading": head, "facts": facts, "command": command}
        name = self._data(box | {"again": _("Run it again")})
        return f'#provenance("{name}")'

    def _data(self, value: dict[str, Any]) -> str:
        return self.keep(json.dumps(value).encode("utf-8"), "json")


def write(report: Report) -> bytes:
    """Set a report as PDF/A-2b: tagged, with outline and embedded fonts.

    The same report gives the same bytes.

    Raises:
        ReportError: Typst or pandoc is missing, a character is in no font, or
            the document cannot be set.
    """
    # Typst may read below its root only: a fresh folder with nothing else in it.
    with tempfile.TemporaryDirectory(prefix="lightbox-report-") as name:
        folder = Path(name)
        document = compose(report, Typst(folder))
        body = pandoc.run(document, "typst", folder).decode("utf-8")
        (folder / "report.json").write_text(json.dumps(_title(report)), "utf-8")
        (folder / "template.typ").write_bytes(TEMPLATE.read_bytes())
        (folder / "main.typ").write_text(MAIN + body, "utf-8")
        return _compile(folder, _timestamp(report))


def _title(report: Report) -> dict[str, Any]:
    """The title page's words, as data: the template never evaluates them."""
    with in_language(report.language):
        contents, appendix = _("Contents"), _("Appendix: provenance")
    given = ("heading", "above", "author", "course", "date", "notice", "language")
    return {name: getattr(report, name) for name in given} | {
        "bound": report.bound,
        "running": _short(report.heading),
        "running-above": _short(report.above),
        "chapters": [*(_short(plain(c.title)) for c in report.chapters), appendix],
        "contents": contents,
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
        main = Path(name) / "main.typ"
        main.write_text(PICTURE, "utf-8")
        main.with_name("figure.svg").write_text(svg, "utf-8")
        return typst.compile(str(main), root=name, format="png", ppi=200)


def _compile(folder: Path, timestamp: int) -> bytes:
    try:
        import typst
    except ImportError as error:
        raise ReportError(
            "PDF needs Typst, which is missing; install it with: "
            "pip install 'typst==0.15.*'"
        ) from error
    folders = (files.FOLDER, files.own_folder())
    try:
        return typst.compile(
            str(folder / "main.typ"),
            root=str(folder),
            font_paths=[str(path) for path in folders if path.is_dir()],
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
