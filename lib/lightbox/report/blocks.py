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
from lightbox.base.words import guess_language
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
    """A table as pandas wrote it, with the full-precision `csv` of its `file`."""

    label: str
    caption: str
    html: str
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
        language: `"en"` or `"zh"`.
        failed: The error's line, or an empty string.
    """

    title: str
    blocks: tuple[Block, ...]
    provenance: dict[str, Any] | None
    language: str
    failed: str


WIDGET_MIME = "application/vnd.jupyter.widget-view+json"
LABEL = re.compile(r"(fig|tbl)-[A-Za-z0-9][A-Za-z0-9_-]*")
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def read(notebook: NotebookNode) -> Chapter:
    """Read a notebook into a chapter.

    Args:
        notebook: An executed notebook, format 4.

    Returns:
        The chapter, up to and including the first error.

    Raises:
        ReportError: A label or a file name is unusable or used twice.
    """
    title, blocks, provenance, failed = "", [], None, ""
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "markdown":
            # papermill's own banner repeats what the Stop block says.
            if "hide" in tags or "papermill-error-cell-tag" in tags:
                continue
            text = cell.source
            if not title and (heading := _first_heading(text)):
                title = heading[1].strip()
                text = text[: heading.start()] + text[heading.end() :]
            if text.strip():
                blocks.append(Prose(text, _attachments(cell)))
        elif cell.cell_type == "code":
            options, source = _options(cell.source)
            if source.strip():
                _append_code(blocks, source.strip("\n"))
            for output in cell.get("outputs", []):
                if output.output_type == "error":
                    failed = _one_line(output)
                    break
                if "hide" in tags or "hide-output" in tags:
                    # Hidden facts still feed the title page and the appendix.
                    provenance = _provenance(output) or provenance
                    continue
                provenance = _provenance(output) or provenance
                if (block := _block(output, options)) is not None:
                    blocks.append(block)
            if failed:
                blocks.append(Stop(failed))
                break
    _refuse_twins(blocks)
    language = (provenance or {}).get("language") or guess_language(
        title + "".join(b.text for b in blocks if isinstance(b, Prose))
    )
    if language not in ("en", "zh"):
        raise ReportError(f"language {language!r}: allowed are 'en' and 'zh'")
    return Chapter(title, tuple(blocks), provenance, language, failed)


def _first_heading(text: str) -> re.Match[str] | None:
    """The first `# ...` line outside a code fence."""
    fenced = re.sub(
        r"^(```|~~~).*?^\1", lambda m: " " * len(m[0]), text, flags=re.S | re.M
    )
    return re.search(r"^#[ \t]+(.+?)[ \t#]*$", fenced, flags=re.M)


def _attachments(cell: NotebookNode) -> dict[str, tuple[str, bytes]]:
    return {
        name: (mime, base64.b64decode(data))
        for name, bundle in cell.get("attachments", {}).items()
        for mime, data in bundle.items()
        if mime in ("image/png", "image/jpeg", "image/gif")
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


def _provenance(output: NotebookNode) -> dict[str, Any] | None:
    data = output.get("data", {}).get(PROVENANCE_MIME)
    return json.loads(data) if isinstance(data, str) else data


def _block(output: NotebookNode, options: dict[str, str]) -> Block | None:
    """One output as a block, or None if it is not for the reader."""
    shown = options.get("output", "").lower() == "true"
    if output.output_type == "stream":
        return Text(_plain(output.text)) if shown and output.text.strip() else None
    data = output.get("data", {})
    meta = output.metadata.get("lightbox", {})
    kind = meta.get("kind", "")
    label = meta.get("label") or options.get("label", "")
    # The library's captions are plain text (they hold class names), an author's
    # `#| caption:` is Markdown.
    caption = _as_markdown(meta.get("caption", "")) or options.get("caption", "")
    if kind == "provenance" or PROVENANCE_MIME in data:
        return None
    if WIDGET_MIME in data:
        return Text(_plain(data.get("text/plain", ""))) if shown else None
    if kind == "callout":
        tone = "warning" if meta.get("tone") == "warning" else "note"
        return Callout(data["text/markdown"], tone)
    if kind != "table" and ("image/svg+xml" in data or "image/png" in data):
        _check_label(label, "fig")
        png = base64.b64decode(data.get("image/png", ""))
        return Figure(label, caption, data.get("image/svg+xml", ""), png)
    if "<table" in data.get("text/html", ""):
        _check_label(label, "tbl")
        file = meta.get("file", "") or ""
        if file and not re.fullmatch(r"[\w-]+\.csv", file):
            raise ReportError(
                f"table file {file!r}: a bare name ending in .csv is allowed"
            )
        return Table(label, caption, data["text/html"], data.get("text/csv", ""), file)
    if "text/markdown" in data or "text/latex" in data:
        # Computed text may be empty: there was nothing to say.
        text = data.get("text/markdown", data.get("text/latex", ""))
        return Prose(text, {}) if text.strip() else None
    return Text(_plain(data.get("text/plain", ""))) if shown else None


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


def _one_line(output: NotebookNode) -> str:
    """The error in one line; our own errors are their message."""
    message = next((s for s in output.get("evalue", "").splitlines() if s.strip()), "")
    return _plain(f"{output.get('ename', 'Error')}: {message}".rstrip(": "))


def _plain(text: str) -> str:
    """Text as a terminal would leave it: no colours, the last state of each line."""
    lines = ANSI.sub("", text).replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip("\r").rsplit("\r", 1)[-1] for line in lines).rstrip()
