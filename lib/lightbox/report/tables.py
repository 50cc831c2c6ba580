"""Tables: the library's own, or a student's HTML, as one grid; and it as HTML.

Text goes through as text. The only styles taken over are bold, italic, text
colour and fill, so that neither a Styler nor a class name can bring anything
else into a report.
"""

import html as html_escape
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from PIL import ImageColor

from lightbox.base.errors import ReportError
from lightbox.display.outputs import are_numbers
from lightbox.report import pandoc

LONG = 36  # characters; longer text may break, shorter stays on one line
HEAVY = {"bold", "bolder", "600", "700", "800", "900"}
# Cells of ours that were kept as HTML alone have line breaks as they stand.
SPACES = {"Space": " ", "SoftBreak": "\n", "LineBreak": "\n"}


@dataclass(frozen=True)
class Cell:
    """One cell: its text, place (`x`, `y`), spans, and what marks it."""

    text: str
    x: int = 0
    y: int = 0
    width: int = 1
    height: int = 1
    header: bool = False
    bold: bool = False
    italic: bool = False
    color: str = ""
    fill: str = ""


@dataclass(frozen=True)
class Grid:
    """A table: `head` header rows among `rows`, and which columns are numeric."""

    columns: int
    rows: int
    head: int
    numeric: tuple[bool, ...]
    cells: tuple[Cell, ...]

    def html(self) -> str:
        """The grid as a clean HTML table, every text escaped."""
        rows = [
            "<tr>" + "".join(self._html(c) for c in self.cells if c.y == y) + "</tr>"
            for y in range(self.rows)
        ]
        head, body = "".join(rows[: self.head]), "".join(rows[self.head :])
        head = f"<thead>{head}</thead>" if head else ""
        return f"<table>{head}<tbody>{body}</tbody></table>"

    def _html(self, cell: Cell) -> str:
        tag = "th" if cell.header else "td"
        head = cell.y < self.head
        attributes = f' scope="{"col" if head else "row"}"' if cell.header else ""
        if cell.width > 1:
            attributes += f' colspan="{cell.width}" class="group"'
        elif self.numeric[cell.x]:
            attributes += ' class="number"'
        elif len(cell.text) > LONG and not head:
            attributes += ' class="long"'
        if cell.height > 1:
            attributes += f' rowspan="{cell.height}"'
        style = [f"color:{cell.color}"] if cell.color else []
        style += [f"background:{cell.fill}"] if cell.fill else []
        attributes += f' style="{";".join(style)}"' if style else ""
        text = html_escape.escape(cell.text).replace("\n", "<br>")
        text = text.replace("_", "_<wbr>") if head else text
        text = f"<b>{text}</b>" if cell.bold else text
        text = f"<i>{text}</i>" if cell.italic else text
        return f"<{tag}{attributes}>{text}</{tag}>"


def read(content: dict[str, Any] | str) -> Grid:
    """Read a table.

    Args:
        content: What `display.outputs.Table.grid` laid out, or HTML by pandas or a
            pandas Styler, whose 0..n-1 index is dropped, and whose header row that
            only names the index is merged into the row above it.

    Raises:
        ReportError: There is no table, or it has no rows.
    """
    if isinstance(content, dict):
        head = len(content["head"])
        rows = [[Cell(**c) for c in r] for r in content["head"] + content["body"]]
        cells = _place(rows, head)
    else:
        cells, head = _foreign(content)
        cells, head = _merge_index_names(cells, head)
        cells = _drop_counting_index(cells, head)
    if not cells:
        raise ReportError("a table output without rows; show a DataFrame or a Styler")
    columns = max(c.x + c.width for c in cells)
    height = max(c.y + c.height for c in cells)
    body = [c for c in cells if c.y >= head and c.width == 1]
    numeric = (are_numbers([c.text for c in body if c.x == x]) for x in range(columns))
    return Grid(columns, height, head, tuple(numeric), tuple(cells))


def _place(rows: list[list[Cell]], head: int, index: int = 0) -> list[Cell]:
    """Give every cell its place, around the spans of the rows above."""
    taken: set[tuple[int, int]] = set()
    cells = []
    for y, row in enumerate(rows):
        x = 0
        for cell in row:
            while (x, y) in taken:
                x += 1
            text = "\n".join(" ".join(s.split()) for s in cell.text.split("\n")).strip()
            header = cell.header or y < head or x < index
            cells.append(replace(cell, text=text, x=x, y=y, header=header))
            taken |= {
                (x + i, y + j) for i in range(cell.width) for j in range(cell.height)
            }
            x += cell.width
    return cells


def _foreign(source: str) -> tuple[list[Cell], int]:
    """Read the first table of HTML, as cells and the number of header rows."""
    found = pandoc.read_html(source)["blocks"]
    tables = [block["c"] for block in found if block["t"] == "Table"]
    if not tables:
        return [], 0
    # Declarations by element id, from the `<style>` that a Styler writes.
    styles: dict[str, dict[str, str]] = {}
    for selectors, declared in re.findall(r"([^{}]+)\{([^{}]*)\}", source):
        for name in re.findall(r"#([\w-]+)\s*(?:,|$)", selectors.strip()):
            styles.setdefault(name, {}).update(_declarations(declared))
    _, _, _, (_, head), bodies, (_, foot) = tables[0]
    rows = [*head, *(row for body in bodies for row in body[2] + body[3]), *foot]
    index = max((body[1] for body in bodies), default=0)
    cells = [[_cell(cell, styles) for cell in row] for _, row in rows]
    return _place(cells, len(head), index), len(head)


def _cell(written: list[Any], styles: dict[str, dict[str, str]]) -> Cell:
    """Read a cell as pandoc writes it."""
    (name, _, attributes), _, height, width, blocks = written
    style = styles.get(name, {}) | _declarations(dict(attributes).get("style", ""))
    nodes = list(_nodes(blocks))
    strong = any(node["t"] == "Strong" for node in nodes)
    return Cell(
        text="".join(map(_said, nodes)),
        width=width,
        height=height,
        bold=strong or style.get("font-weight", "") in HEAVY,
        italic=style.get("font-style", "") == "italic",
        color=_color(style.get("color", "")),
        fill=_color(style.get("background-color", style.get("background", ""))),
    )


def _declarations(body: str) -> dict[str, str]:
    pairs = (part.partition(":") for part in body.split(";"))
    return {name.strip().lower(): value.strip() for name, _, value in pairs if value}


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Walk pandoc's elements in the order of the text."""
    if isinstance(tree, list):
        for part in tree:
            yield from _nodes(part)
    elif isinstance(tree, dict):
        yield tree
        yield from _nodes(tree.get("c"))


def _said(node: dict[str, Any]) -> str:
    """The text that stands in an element itself."""
    if node["t"] == "Code":
        return node["c"][1]
    return node["c"] if node["t"] == "Str" else SPACES.get(node["t"], "")


def _color(value: str) -> str:
    """A CSS colour as `#rrggbb`, or nothing if it is none or see-through."""
    try:
        red, green, blue, *alpha = ImageColor.getrgb(value)
    except ValueError:
        return ""
    return "" if alpha == [0] else f"#{red:02x}{green:02x}{blue:02x}"


def _merge_index_names(cells: list[Cell], head: int) -> tuple[list[Cell], int]:
    """Pull the row that only names the index up into the row above."""
    index = {c.x for c in cells if c.y >= head and c.header}
    names = {c.x: c.text for c in cells if c.y == head - 1}
    if head < 2 or not index or any(names[x] for x in names.keys() - index):
        return cells, head
    # A name of the column index stands in the same corner; it says less.
    kept = [
        c for c in cells if c.y < head - 2 or (c.y == head - 2 and c.x not in index)
    ]
    kept += [Cell(names.get(x, ""), x, head - 2, header=True) for x in index]
    kept += [replace(c, y=c.y - 1) for c in cells if c.y >= head]
    return sorted(kept, key=lambda c: (c.y, c.x)), head - 1


def _drop_counting_index(cells: list[Cell], head: int) -> list[Cell]:
    """Leave out an unnamed index that only counts from 0."""
    named = any(c.text for c in cells if c.x == 0 and c.y < head)
    index = [c for c in cells if c.y >= head and c.header]
    counted = [c.text for c in index] == [str(i) for i in range(len(index))]
    # A second header in a row is one level of a MultiIndex.
    if named or not index or not counted or any(c.x > 0 for c in index):
        return cells
    return [replace(c, x=c.x - 1) for c in cells if c.x > 0]
