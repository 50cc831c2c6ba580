"""The bound report: several notebooks as one document, and its title page."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nbformat

from lightbox.base.errors import ReportError
from lightbox.base.words import LANGUAGES, said_in
from lightbox.display.provenance import notice
from lightbox.report import blocks, docx, html, pdf
from lightbox.report.blocks import Chapter, Figure, Table
from lightbox.report.document import Report

WRITERS: dict[str, Callable[[Report], bytes]] = {
    "html": html.write,
    "pdf": pdf.write,
    "docx": docx.write,
}


def extract(notebook: Path, folder: Path) -> list[Path]:
    """Write `figures/<label>.svg` and every table's own file.

    Args:
        folder: Where to write; made if missing.

    Returns:
        The files written, in the order of the notebook. Figures without a label
        and tables without a file are left out; a figure that has no SVG is
        written as PNG.
    """
    files: dict[Path, bytes] = {}
    for block in read(notebook).blocks:
        if isinstance(block, Figure) and block.label:
            stem = folder / "figures" / block.label
            if block.svg:
                files[stem.with_suffix(".svg")] = block.svg.encode("utf-8")
            else:
                files[stem.with_suffix(".png")] = block.png
        elif isinstance(block, Table) and block.file and block.csv:
            files[folder / block.file] = block.csv.encode("utf-8")
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return list(files)


def render(
    notebooks: Sequence[Path], out: Path, *, formats: Sequence[str] = ("html", "pdf")
) -> list[Path]:
    """Write the bound `report.<format>` of a study.

    Args:
        notebooks: Executed notebooks, in order; a failed one ends at its banner.
        out: Folder for the files; made if missing.

    Raises:
        ReportError: No notebooks, an unknown format, or a document that cannot
            be rendered.
    """
    if not notebooks:
        raise ReportError("no notebooks to bind into a report; name at least one")
    for name in formats:
        if name not in WRITERS:
            raise ReportError(f"format {name!r}: allowed are {', '.join(WRITERS)}")
    return write(assemble([*map(read, notebooks)], bound=True), out / "report", formats)


def write(report: Report, stem: Path, formats: Sequence[str]) -> list[Path]:
    """Write `<stem>.<format>` of a report in each format."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    written = []
    for name in formats:
        written.append(stem.with_name(f"{stem.name}.{name}"))
        written[-1].write_bytes(WRITERS[name](report))
    return written


def read(path: Path) -> Chapter:
    """Read one executed notebook file.

    Raises:
        ReportError: It is missing, is no notebook, or has an unusable output;
            the message begins with the file's name.
    """
    try:
        notebook = nbformat.read(path, as_version=4)
    except (OSError, ValueError, nbformat.reader.NotJSONError) as error:
        raise ReportError(f"{path}: not a readable notebook ({error})") from error
    try:
        return blocks.read(notebook)
    except ReportError as error:
        raise ReportError(f"{path.name}: {error}") from error


def assemble(
    chapters: Sequence[Chapter], *, title: dict[str, Any] | None = None, bound: bool
) -> Report:
    """Join chapters with the words of the title page.

    Args:
        title: Words (`title`, `author`, `course`, `date`, `language`, `notice`)
            that win over those in the chapters' provenance.
    """
    words: dict[str, Any] = {}
    for given in [*(c.provenance or {} for c in reversed(chapters)), title or {}]:
        words |= {name: word for name, word in given.items() if word}
    language = words.get("language") or chapters[0].language
    if language not in LANGUAGES:
        raise ReportError(f"language {language!r}: allowed are 'en' and 'zh'")
    return Report(
        title=str(words.get("title", "")),
        author=_joined(words.get("author", ""), ", "),
        course=str(words.get("course", "")),
        date=str(words.get("date", "")),
        notice=_joined(words.get("notice", ""), " ") or said_in(language, notice),
        language=language,
        chapters=tuple(chapters),
        bound=bound,
    )


def _joined(value: Any, between: str) -> str:
    """A word or a list of words as one line."""
    return between.join(map(str, value)) if isinstance(value, list) else str(value)
