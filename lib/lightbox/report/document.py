"""Compose one document of chapters.

The composed document is plain data (JSON) for the reader in `report.lua`, which
owns all escaping. Numbers of figures and tables are given here, once, so that
they are the same in every format.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from lightbox.report import blocks
from lightbox.report.blocks import Chapter

WORDS = {
    "en": {
        "figure": "Figure",
        "table": "Table",
        "stop": ".",
        "contents": "Contents",
        "code": "Code",
        "note": "Note",
        "warning": "Warning",
        "stopped": "This notebook stopped here",
        "provenance": "Provenance",
        "appendix": "Appendix: provenance",
        "again": "Run it again",
        "untitled": "Chapter",
    },
    "zh": {
        "figure": "圖",
        "table": "表",
        "stop": "　",
        "contents": "目錄",
        "code": "程式碼",
        "note": "說明",
        "warning": "注意",
        "stopped": "本筆記本在此中止",
        "provenance": "執行紀錄",
        "appendix": "附錄：執行紀錄",
        "again": "重現指令",
        "untitled": "章",
    },
}
# HTML's and Typst's names of the languages; both choose glyph forms by them.
TAGS = {"en": "en", "zh": "zh-Hant-TW"}
ENVIRONMENTS = "align|aligned|alignat|equation|gather|multline|eqnarray|split|cases"
DEFINITION = re.compile(
    r"\\(?:(?:re)?newcommand|providecommand|DeclareMathOperator)\*?\s*"
    r"(?:\{\s*\\[A-Za-z]+\s*\}|\\[A-Za-z]+)\s*(?:\[\d\])?\s*(?=\{)"
)


def prepare(text: str) -> str:
    r"""Wrap bare LaTeX environments in `$$`, as Jupyter shows them.

    Args:
        text: Markdown of one cell.

    Returns:
        The same with every `\begin{align} … \end{align}` that stands outside
        code and outside `$$` inside `$$`.
    """
    pattern = re.compile(
        r"(?P<code>^(?P<fence>```+|~~~+).*?^(?P=fence)|`[^`\n]+`)"
        r"|(?P<math>\$\$.*?\$\$)"
        rf"|(?P<bare>\\begin\{{(?P<name>(?:{ENVIRONMENTS})\*?)\}}.*?\\end\{{(?P=name)\}})",
        flags=re.S | re.M,
    )
    return pattern.sub(
        lambda m: f"$${_unblank(m[0])}$$" if m["bare"] else m[0],
        text,
    )


def _unblank(tex: str) -> str:
    """A blank line would end the formula."""
    return re.sub(r"\n\s*\n", "\n", tex)


def macros(texts: Iterable[str]) -> list[dict[str, str]]:
    """Collect macro definitions; pandoc knows one only in its own formula.

    Args:
        texts: Markdown of all cells.

    Returns:
        For each definition its `tex`, and a Lua `pattern` that finds it.
    """
    found: dict[str, None] = {}
    for text in texts:
        for match in DEFINITION.finditer(text):
            found[text[match.start() : _closing(text, match.end())]] = None
    return [{"tex": tex, "pattern": re.sub(r"(\W)", r"%\1", tex)} for tex in found]


def _closing(text: str, start: int) -> int:
    """The index after the brace that closes the one at `start`."""
    depth = 0
    for i in range(start, len(text)):
        if text[i] == "{" and text[i - 1] != "\\":
            depth += 1
        elif text[i] == "}" and text[i - 1] != "\\":
            depth -= 1
            if depth == 0:
                return i + 1
    return len(text)


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


@dataclass(frozen=True)
class Sources:
    """How one format takes pictures and tables.

    Attributes:
        format: `"html"`, `"typst"` or `"docx"`: the name in the reader.
        figure: A figure and its number in the document to a source.
        table: A table and its number in the document to a source.
        picture: An attached picture (mime, bytes) to a source.
        provenance: A chapter's facts and the heading above them to raw text.
    """

    format: str
    figure: Callable[[blocks.Figure, int], str]
    table: Callable[[blocks.Table, int], str]
    picture: Callable[[str, bytes], str]
    provenance: Callable[[dict[str, Any], str], str]


def plain(markdown: str) -> str:
    """A heading's Markdown as bare text, for title bars and running heads."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", markdown)
    return re.sub(r"[`*]|\\(?=[^\w\s])|\$", "", text).strip()


def compose(report: Report, sources: Sources) -> dict[str, Any]:
    """Lay the chapters out as data for the reader.

    Args:
        report: What to render.
        sources: How the format takes pictures and tables.

    Returns:
        The document: `format`, `language`, `stop`, `macros`, `ids`, `meta` and
        `blocks`, all plain data.
    """
    words = WORDS[report.language]
    counts = {"figure": 0, "table": 0}
    out: list[dict[str, Any]] = []
    ids: list[str] = []
    files = 0
    for number, chapter in enumerate(report.chapters, 1):
        prefix = f"ch{number}-" if report.bound else ""
        named = _number(chapter, prefix, counts, words)
        refs = {k: v for k, v in named.items() if isinstance(k, str)}
        ids += [v["id"] for v in refs.values()]
        base = {
            "prefix": prefix,
            "shift": 0 if report.bound else -1,
            "top": 2 if report.bound else 1,
            "refs": {label: dict(value) for label, value in refs.items()},
            "known": ", ".join(f"@{label}" for label in refs) or "none",
            "lenient": bool(chapter.failed),
            "pictures": {},
        }
        if report.bound:
            title = chapter.title or f"{words['untitled']} {number}"
            ids.append(f"chapter-{number}")
            out.append(
                base
                | {"kind": "heading", "level": 1, "text": title}
                | {"id": f"chapter-{number}", "unnumbered": False}
            )
        for place, block in enumerate(chapter.blocks):
            files += 1
            item = base | named.get(place, {"id": "", "text": ""})
            item["number"] = item.pop("text")
            out += _block(block, item, sources, files, words)
        if chapter.provenance and not report.bound:
            text = sources.provenance(chapter.provenance, words["provenance"])
            out.append(base | {"kind": "raw", "text": text})
    if report.bound:
        out += _appendix(report, sources, words)
    return {
        "format": sources.format,
        "language": report.language,
        "stop": words["stop"],
        "macros": macros(
            block.text
            for chapter in report.chapters
            for block in chapter.blocks
            if isinstance(block, blocks.Prose | blocks.Callout)
        ),
        "ids": ids,
        "meta": {},
        "blocks": out,
    }


def _number(
    chapter: Chapter, prefix: str, counts: dict[str, int], words: dict[str, str]
) -> dict[str | int, dict[str, str]]:
    """Number the floats; keyed by place in the chapter and by label."""
    named: dict[str | int, dict[str, str]] = {}
    for place, block in enumerate(chapter.blocks):
        if not isinstance(block, blocks.Figure | blocks.Table):
            continue
        if not (block.label or block.caption):
            continue
        kind = "figure" if isinstance(block, blocks.Figure) else "table"
        counts[kind] += 1
        # A no-break space keeps "Figure" and its number on one line.
        text = f"{words[kind]}\N{NO-BREAK SPACE}{counts[kind]}"
        entry = {"text": text, "id": prefix + block.label if block.label else ""}
        named[place] = entry
        if block.label:
            named[block.label] = entry
    return named


def _block(
    block: blocks.Block,
    item: dict[str, Any],
    sources: Sources,
    number: int,
    words: dict[str, str],
) -> list[dict[str, Any]]:
    """One block as data, or none where the format leaves it out."""
    match block:
        case blocks.Prose(text, pictures):
            links = {name: sources.picture(*data) for name, data in pictures.items()}
            item |= {"kind": "markdown", "text": prepare(text), "pictures": links}
        case blocks.Callout(text, tone):
            item |= {"kind": "callout", "text": prepare(text), "tone": tone}
            item |= {"title": words[tone]}
        case blocks.Code(source):
            if sources.format != "html":
                return []
            item |= {"kind": "code", "text": source, "title": words["code"]}
        case blocks.Text(text):
            item |= {"kind": "text", "text": text}
        case blocks.Stop(message):
            item |= {"kind": "stop", "text": message, "title": words["stopped"]}
        case blocks.Figure():
            item |= {"kind": "figure", "caption": prepare(block.caption)}
            item |= {"source": sources.figure(block, number)}
        case blocks.Table():
            item |= {"kind": "table", "caption": prepare(block.caption)}
            item |= {"source": sources.table(block, number)}
    return [item]


def _appendix(
    report: Report, sources: Sources, words: dict[str, str]
) -> list[dict[str, Any]]:
    """The provenance of all chapters, at the end of a book."""
    base = {"refs": {}, "known": "none", "lenient": False, "pictures": {}}
    out = []
    for number, chapter in enumerate(report.chapters, 1):
        if not chapter.provenance:
            continue
        name = f"{number}  {plain(chapter.title)}"
        text = sources.provenance(chapter.provenance, name)
        out.append(base | {"kind": "raw", "text": text})
    if not out:
        return []
    first = base | {"kind": "heading", "level": 1, "unnumbered": True}
    return [first | {"id": "appendix", "text": words["appendix"]}, *out]
