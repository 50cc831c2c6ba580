"""Compose one document of chapters.

The composed document is plain data (JSON) for the reader in `report.lua`, which
owns all escaping. Numbers of figures and tables are given here, once, so that
they are the same in every format.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from itertools import count
from pathlib import Path
from typing import Any

from lightbox.base.words import _, in_language
from lightbox.report import blocks, tables
from lightbox.report.blocks import Chapter

# HTML's and Typst's names of the languages; both choose glyph forms by them.
TAGS = {"en": "en", "zh": "zh-Hant-TW"}
SUFFIXES = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif"}
ENVIRONMENTS = "align|aligned|alignat|equation|gather|multline|eqnarray|split|cases"
BARE = re.compile(
    r"(?P<code>^(?P<fence>```+|~~~+).*?^(?P=fence)|`[^`\n]+`)"
    r"|(?P<math>\$\$.*?\$\$)"
    rf"|(?P<bare>\\begin\{{(?P<name>(?:{ENVIRONMENTS})\*?)\}}.*?\\end\{{(?P=name)\}})",
    flags=re.S | re.M,
)
BRACED = r"[^{}]*"
for _depth in range(6):
    BRACED = rf"(?:\\.|[^{{}}\\]|\{{{BRACED}\}})*+"
DEFINITION = re.compile(
    r"\\(?:(?:re)?newcommand|providecommand|DeclareMathOperator)\*?\s*"
    rf"(?:\{{\s*\\[A-Za-z]+\s*\}}|\\[A-Za-z]+)\s*(?:\[\d\])?\s*\{{{BRACED}\}}",
    flags=re.S,
)


def prepare(text: str) -> str:
    r"""Wrap `\begin{align} … \end{align}` in `$$`, as Jupyter shows it.

    What stands in code or in `$$` already stays as it is.
    """

    def wrapped(found: re.Match[str]) -> str:
        if not found["bare"]:
            return found[0]
        # A blank line would end the formula.
        return "$$" + re.sub(r"\n\s*\n", "\n", found[0]) + "$$"

    return BARE.sub(wrapped, text)


def macros(texts: Iterable[str]) -> list[dict[str, str]]:
    """Collect macro definitions, which pandoc knows only in their own formula.

    Each is given by its `tex`, and by a Lua `pattern` that finds it.
    """
    found = dict.fromkeys(m[0] for text in texts for m in DEFINITION.finditer(text))
    return [{"tex": tex, "pattern": re.sub(r"(\W)", r"%\1", tex)} for tex in found]


@dataclass(frozen=True)
class Report:
    """What is rendered: chapters with the title page's words.

    Attributes:
        title, author, course, date, notice: Words of the title page; any may be
            empty.
        language: `"en"` or `"zh"`.
        chapters: The notebooks.
        bound: Whether it is a book (title page, contents, appendix).
    """

    title: str
    author: str
    course: str
    date: str
    notice: str
    language: str
    chapters: tuple[Chapter, ...]
    bound: bool

    @property
    def heading(self) -> str:
        """The words in large type: a book's title, or the notebook's question."""
        own = "" if self.bound else plain(self.chapters[0].title)
        return own or self.title or "Lightbox"

    @property
    def above(self) -> str:
        """The study's title above a single notebook's question, where it differs."""
        return "" if self.bound or self.title == self.heading else self.title

    @property
    def failed(self) -> str:
        """The first chapter's error, in one line; empty if all went well."""
        return next((c.failed for c in self.chapters if c.failed), "")


class Format:
    """How pictures, tables and provenance come into a document.

    As files of a work folder and as HTML, where a format does not say otherwise.
    """

    name = "docx"  # in the reader

    def __init__(self, folder: Path):
        self.folder, self._numbers = folder, count(1)

    def keep(self, content: bytes, suffix: str) -> str:
        """Write a file of the document; its name is what the reader is told."""
        path = self.folder / f"part-{next(self._numbers)}.{suffix}"
        path.write_bytes(content)
        return path.name

    def figure(self, block: blocks.Figure) -> str:
        """Take a figure in, as vectors where it has them."""
        if block.svg:
            return self.keep(block.svg.encode("utf-8"), "svg")
        return self.keep(block.png, "png")

    def table(self, block: blocks.Table) -> str:
        """Take a table in."""
        return tables.read(block.content).html()

    def picture(self, mime: str, content: bytes) -> str:
        """Take in what an author pasted into a cell."""
        return self.keep(content, SUFFIXES[mime])

    def provenance(self, facts: list[tuple[str, str]], command: str, head: str) -> str:
        """Take a chapter's provenance in; all of it is text."""
        rows = "".join(
            f"<dt>{escape(name)}</dt><dd>{escape(fact)}</dd>" for name, fact in facts
        )
        box = f'<h2 class="unnumbered">{escape(head)}</h2><dl>{rows}</dl>'
        if command:
            again = escape(_("Run it again"))
            box += f'<p class="again">{again}</p><pre>{escape(command)}</pre>'
        return f'<section class="provenance">{box}</section>'


def plain(markdown: str) -> str:
    """A heading's Markdown as bare text, for title bars and running heads."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", markdown)
    return re.sub(r"[`*]|\\(?=[^\w\s])|\$", "", text).strip()


def compose(report: Report, form: Format) -> dict[str, Any]:
    """Lay the chapters out as data for the reader, in the report's language."""
    with in_language(report.language):
        counts = {"fig": 0, "tbl": 0}
        parts = [
            part
            for number, chapter in enumerate(report.chapters, 1)
            for part in _chapter(report, chapter, number, counts, form)
        ]
        if report.bound:
            parts += _appendix(report, form)
        meta = {
            "title": report.heading,
            "above": report.above,
            "subtitle": report.course,
            "author": report.author,
            "date": report.date,
            "notice": report.notice,
            "lang": TAGS[report.language],
            "contents": _("Contents"),
        }
    ids = {part["id"] for part in parts} - {""}
    return {
        "format": form.name,
        "language": report.language,
        "macros": macros(
            block.text
            for chapter in report.chapters
            for block in chapter.blocks
            if isinstance(block, blocks.Prose | blocks.Callout)
        ),
        "ids": sorted(ids),
        "meta": {name: word for name, word in meta.items() if word},
        "blocks": parts,
    }


def _part(kind: str, text: str = "", **fields: Any) -> dict[str, Any]:
    """One block as data, with the fields that the reader asks of every one."""
    empty = {"id": "", "number": "", "refs": {}, "known": "none", "lenient": False}
    return empty | {"kind": kind, "text": text, "pictures": {}} | fields


def _chapter(
    report: Report, chapter: Chapter, number: int, counts: dict[str, int], form: Format
) -> list[dict[str, Any]]:
    """Lay a chapter out; `counts` goes on from one to the next."""
    prefix = f"ch{number}-" if report.bound else ""
    parts = []
    if report.bound:
        title = chapter.title or _("Chapter {number}").format(number=number)
        parts.append(_heading(title, f"chapter-{number}"))
    for block in chapter.blocks:
        part = _block(block, form)
        if isinstance(block, blocks.Figure | blocks.Table):
            part |= {"label": block.label, "caption": prepare(block.caption)}
            if block.label or block.caption:
                part["number"] = _number(block, counts)
                part["id"] = prefix + block.label if block.label else ""
        if not isinstance(block, blocks.Code) or form.name == "html":
            parts.append(part)
    refs = {
        part["label"]: {"text": part["number"], "id": part["id"]}
        for part in parts
        if part.get("label")
    }
    if chapter.provenance and not report.bound:
        parts.append(_provenance(chapter, _("Provenance"), form))
    place = {"shift": 0, "top": 2} if report.bound else {"shift": -1, "top": 1}
    place |= {"prefix": prefix, "refs": refs, "lenient": bool(chapter.failed)}
    place["known"] = ", ".join(f"@{label}" for label in refs) or "none"
    return [part | place for part in parts]


def _number(block: blocks.Figure | blocks.Table, counts: dict[str, int]) -> str:
    kind = "fig" if isinstance(block, blocks.Figure) else "tbl"
    counts[kind] += 1
    # A no-break space keeps "Figure" and its number on one line.
    word = _("Figure") if kind == "fig" else _("Table")
    return f"{word}\N{NO-BREAK SPACE}{counts[kind]}"


def _heading(text: str, name: str, *, unnumbered: bool = False) -> dict[str, Any]:
    return _part("heading", text, id=name, level=1, unnumbered=unnumbered)


def _provenance(chapter: Chapter, head: str, form: Format) -> dict[str, Any]:
    given = chapter.provenance or {}
    facts = [(str(name), str(fact)) for name, fact in given.get("facts", [])]
    return _part("raw", form.provenance(facts, given.get("command", ""), head))


def _appendix(report: Report, form: Format) -> list[dict[str, Any]]:
    """The provenance of all chapters, at the end of a book."""
    boxes = [
        _provenance(chapter, f"{number}  {plain(chapter.title)}", form)
        for number, chapter in enumerate(report.chapters, 1)
        if chapter.provenance
    ]
    if not boxes:
        return []
    return [_heading(_("Appendix: provenance"), "appendix", unnumbered=True), *boxes]


def _block(block: blocks.Block, form: Format) -> dict[str, Any]:
    """One block as data."""
    match block:
        case blocks.Prose(text, pictures):
            links = {name: form.picture(*data) for name, data in pictures.items()}
            return _part("markdown", prepare(text), pictures=links)
        case blocks.Callout(text, tone):
            title = _("Warning") if tone == "warning" else _("Note")
            return _part("callout", prepare(text), tone=tone, title=title)
        case blocks.Code(source):
            return _part("code", source, title=_("Code"))
        case blocks.Text(text):
            return _part("text", text)
        case blocks.Stop(message):
            return _part("stop", message, title=_("This notebook stopped here"))
        case blocks.Figure():
            return _part("figure", source=form.figure(block))
        case blocks.Table():
            return _part("table", source=form.table(block))
