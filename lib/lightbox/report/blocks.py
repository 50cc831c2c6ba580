"""Read an executed notebook into the blocks of a chapter.

Everything that a format does not decide is decided here: what is shown, in
which order, under which label, and where a failed notebook ends.
"""

import base64
import json
import re
from dataclasses import dataclass
from typing import Any

from nbformat import NotebookNode

from lightbox.base.errors import ReportError
from lightbox.base.words import LANGUAGES, guess_language
from lightbox.display.outputs import TABLE_MIME
from lightbox.display.provenance import MIME as PROVENANCE_MIME


@dataclass(frozen=True)
class Prose:
    """Body text in Markdown; `pictures` maps attachment names to (mime, bytes)."""

    text: str
    pictures: dict[str, tuple[str, bytes]]


@dataclass(frozen=True)
class Callout:
    """A tinted box of Markdown; `tone` is `"note"` or `"warning"`."""

    text: str
    tone: str


@dataclass(frozen=True)
class Code:
    """Source of one or more cells, folded in HTML and left out elsewhere."""

    source: str


@dataclass(frozen=True)
class Text:
    """Printed output that the cell asked to show, in fixed pitch."""

    text: str


@dataclass(frozen=True)
class Figure:
    """A picture: `svg` text, `png` bytes, or both. Numbered if named or captioned."""

    label: str
    caption: str
    svg: str
    png: bytes


@dataclass(frozen=True)
class Table:
    """A table that `tables.read` reads, and the full-precision `csv` of its `file`."""

    label: str
    caption: str
    content: dict[str, Any] | str
    csv: str
    file: str


@dataclass(frozen=True)
class Stop:
    """The error that ended the notebook, in one line."""

    message: str


Block = Prose | Callout | Code | Text | Figure | Table | Stop


@dataclass(frozen=True)
class Chapter:
    """One notebook.

    Attributes:
        title: Markdown of its first-level heading (empty where it has none).
        blocks: What is shown, in order; ends with a `Stop` if the notebook failed.
        provenance: The facts of the run, or None.
        language: One of `LANGUAGES`.
        failed: The error's line, or an empty string.
    """

    title: str
    blocks: tuple[Block, ...]
    provenance: dict[str, Any] | None
    language: str
    failed: str


WIDGET_MIME = "application/vnd.jupyter.widget-view+json"
PICTURES = ("image/png", "image/jpeg", "image/gif")
# papermill's own banner repeats what the Stop block says.
UNSEEN = {"hide", "papermill-error-cell-tag"}
LABEL = re.compile(r"(fig|tbl)-[A-Za-z0-9][A-Za-z0-9_-]*")
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
HEADING = re.compile(r"^#[ \t]+(.+?)[ \t#]*$", flags=re.M)
FENCE = re.compile(r"^(```|~~~).*?^\1", flags=re.S | re.M)


def read(notebook: NotebookNode) -> Chapter:
    """Read an executed notebook into a chapter, up to and including its first error.

    Raises:
        ReportError: A label or a file name is unusable or used twice.
    """
    title, failed = "", ""
    blocks: list[Block] = []
    provenance: dict[str, Any] | None = None
    for cell in notebook.cells:
        tags = set(cell.metadata.get("tags", []))
        if cell.cell_type == "code":
            options, source = _options(cell.source)
            if source.strip():
                _append_code(blocks, source.strip("\n"))
            for output in cell.get("outputs", []):
                if output.output_type == "error":
                    failed = _one_line(output)
                    blocks.append(Stop(failed))
                    break
                # Hidden facts still feed the title page and the appendix.
                provenance = _provenance(output) or provenance
                if not tags & {"hide", "hide-output"}:
                    blocks += _block(output, options)
            if failed:
                break
        elif cell.cell_type == "markdown" and not tags & UNSEEN:
            text = cell.source
            if not title:
                title, text = _split_title(text)
            if text.strip():
                blocks.append(Prose(text, _attachments(cell)))
    _refuse_twins(blocks)
    language = (provenance or {}).get("language") or guess_language(
        title + "".join(b.text for b in blocks if isinstance(b, Prose))
    )
    if language not in LANGUAGES:
        raise ReportError(f"language {language!r}: allowed are 'en' and 'zh'")
    return Chapter(title, tuple(blocks), provenance, language, failed)


def _split_title(text: str) -> tuple[str, str]:
    """Take the first `# ...` line outside a code fence out of a text."""
    found = HEADING.search(FENCE.sub(lambda fence: " " * len(fence[0]), text))
    if not found:
        return "", text
    return found[1].strip(), text[: found.start()] + text[found.end() :]


def _attachments(cell: NotebookNode) -> dict[str, tuple[str, bytes]]:
    return {
        name: (mime, base64.b64decode(data))
        for name, bundle in cell.get("attachments", {}).items()
        for mime, data in bundle.items()
        if mime in PICTURES
    }


def _options(source: str) -> tuple[dict[str, str], str]:
    """Split `#| key: value` first lines from the code below them."""
    options, lines = {}, source.splitlines()
    while lines and lines[0].startswith("#|"):
        key, _, value = lines.pop(0)[2:].partition(":")
        options[key.strip()] = value.strip().strip("\"'")
    return options, "\n".join(lines)


def _append_code(blocks: list[Block], source: str) -> None:
    """Join cells that show nothing between them into one fold."""
    if blocks and isinstance(blocks[-1], Code):
        source = blocks.pop().source + "\n\n" + source
    blocks.append(Code(source))


def _one_line(output: NotebookNode) -> str:
    """The error in one line; our own errors are their message."""
    lines = filter(str.strip, output.get("evalue", "").splitlines())
    return _plain(f"{output.get('ename', 'Error')}: {next(lines, '')}".rstrip(": "))


def _provenance(output: NotebookNode) -> dict[str, Any] | None:
    data = output.get("data", {}).get(PROVENANCE_MIME)
    return json.loads(data) if isinstance(data, str) else data


def _block(output: NotebookNode, options: dict[str, str]) -> list[Block]:
    """One output as a block, or none if it is not for the reader."""
    shown = options.get("output", "").lower() == "true"
    if output.output_type == "stream":
        text = _plain(output.text)
        return [Text(text)] if shown and text.strip() else []
    data = output.get("data", {})
    meta = output.metadata.get("lightbox", {})
    kind = meta.get("kind", "")
    label = meta.get("label") or options.get("label", "")
    # The library's captions are plain text (they hold class names), an author's
    # `#| caption:` is Markdown.
    caption = _as_markdown(meta.get("caption", "")) or options.get("caption", "")
    if kind == "provenance" or PROVENANCE_MIME in data:
        return []
    if kind == "callout":
        tone = "warning" if meta.get("tone") == "warning" else "note"
        return [Callout(data["text/markdown"], tone)]
    if WIDGET_MIME not in data:
        if kind != "table" and ("image/svg+xml" in data or "image/png" in data):
            _check_label(label, "fig")
            png = base64.b64decode(data.get("image/png", ""))
            return [Figure(label, caption, data.get("image/svg+xml", ""), png)]
        if TABLE_MIME in data or "<table" in data.get("text/html", ""):
            _check_label(label, "tbl")
            file = meta.get("file", "") or ""
            if file and not re.fullmatch(r"[\w-]+\.csv", file):
                raise ReportError(
                    f"table file {file!r}: a bare name ending in .csv is allowed"
                )
            content = data.get(TABLE_MIME) or data["text/html"]
            return [Table(label, caption, content, data.get("text/csv", ""), file)]
        if "text/markdown" in data or "text/latex" in data:
            # Computed text may be empty: there was nothing to say.
            text = data.get("text/markdown", data.get("text/latex", ""))
            return [Prose(text, {})] if text.strip() else []
    return [Text(_plain(data.get("text/plain", "")))] if shown else []


def _as_markdown(text: str) -> str:
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)


def _check_label(label: str, prefix: str) -> None:
    if label and not (LABEL.fullmatch(label) and label.startswith(prefix)):
        raise ReportError(
            f"label {label!r}: allowed is {prefix!r}, then letters, digits, "
            f"'-' or '_', as in '{prefix}-results'"
        )


def _refuse_twins(blocks: list[Block]) -> None:
    """Two floats under one name would overwrite each other and mix up references."""
    for names in (
        [b.label for b in blocks if isinstance(b, Figure | Table) and b.label],
        [b.file for b in blocks if isinstance(b, Table) and b.file],
    ):
        for name in names:
            if names.count(name) > 1:
                raise ReportError(
                    f"{name!r} names {names.count(name)} outputs of one notebook: "
                    "give each its own label and file"
                )


def _plain(text: str) -> str:
    """Text as a terminal would leave it: no colours, the last state of each line."""
    lines = ANSI.sub("", text).replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip("\r").rsplit("\r", 1)[-1] for line in lines).rstrip()
