"""The bound report: several notebooks as one document, and its title page."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nbformat

from lightbox.errors import ReportError
from lightbox.provenance import NOTICE
from lightbox.report import blocks, docx, html, pdf
from lightbox.report.markdown import Report
from lightbox.report.pieces import Chapter

WRITERS: dict[str, Callable[[Report], bytes]] = {
    "html": html.write,
    "pdf": pdf.write,
    "docx": docx.write,
}


def render(
    notebooks: Sequence[Path],
    out: Path,
    *,
    formats: Sequence[str] = ("html", "pdf"),
    title: dict[str, Any] | None = None,
) -> list[Path]:
    """Write the bound `report.<format>` of a study.

    Args:
        notebooks: Executed notebooks, in order; a failed one ends at its banner.
        out: Folder for the files; made if missing.
        formats: Any of `"html"`, `"pdf"`, `"docx"`.
        title: Words of the title page (`title`, `author`, `course`, `date`,
            `language`, `notice`) that win over those in the notebooks.

    Returns:
        The files written, in the order of `formats`.

    Raises:
        ReportError: No notebooks, an unknown format, or a document that cannot
            be rendered.
    """
    if not notebooks:
        raise ReportError("no notebooks to bind into a report; name at least one")
    check_formats(formats)
    chapters = tuple(read(path) for path in notebooks)
    report = assemble(chapters, title=title, bound=True)
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for name in formats:
        path = out / f"report.{name}"
        path.write_bytes(WRITERS[name](report))
        written.append(path)
    return written


def check_formats(formats: Sequence[str]) -> None:
    """Refuse formats that there is no writer for.

    Args:
        formats: Names as the user typed them.

    Raises:
        ReportError: One of them is unknown.
    """
    for name in formats:
        if name not in WRITERS:
            raise ReportError(f"format {name!r}: allowed are {', '.join(WRITERS)}")


def read(path: Path) -> Chapter:
    """Read one executed notebook file.

    Args:
        path: A `.ipynb` file.

    Returns:
        Its chapter.

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
    chapters: Sequence[Chapter], *, title: dict[str, Any] | None, bound: bool
) -> Report:
    """Join chapters with the words of the title page.

    Args:
        chapters: At least one.
        title: Words that win over those in the chapters' provenance.
        bound: Whether it becomes a book with a title page of its own.

    Returns:
        The report.
    """
    words: dict[str, Any] = {}
    for chapter in reversed(chapters):
        words |= {k: v for k, v in (chapter.provenance or {}).items() if v}
    words |= {k: v for k, v in (title or {}).items() if v}
    language = words.get("language") or chapters[0].language
    if language not in NOTICE:
        raise ReportError(f"language {language!r}: allowed are 'en' and 'zh'")
    return Report(
        title=str(words.get("title", "")),
        author=_joined(words.get("author", "")),
        course=str(words.get("course", "")),
        date=str(words.get("date", "")),
        notice=_joined(words.get("notice", ""), " ") or NOTICE[language],
        language=language,
        chapters=tuple(chapters),
        bound=bound,
    )


def _joined(value: Any, between: str = ", ") -> str:
    """A word or a list of words as one line."""
    return between.join(map(str, value)) if isinstance(value, list) else str(value)
