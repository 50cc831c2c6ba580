"""What a chapter is made of, whatever format it is written in."""

from dataclasses import dataclass
from typing import Any


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
