"""Tables: from the HTML that pandas writes to one grid, and from it to others.

Text goes through as text. The only styles taken over are bold, italic, text
colour and fill, so that neither a Styler nor a class name can bring anything
else into a report.
"""

import html as html_escape
import re
from dataclasses import asdict, dataclass, replace
from typing import Any

from lxml import etree
from lxml import html as lxml_html
from PIL import ImageColor

from lightbox.base.errors import ReportError

NUMBER = re.compile(
    r"[<>≤≥≈~±+\-−]?\s*\d[\d.,\s:eE+\-−–±×/()\[\]%^]*"
    r"(s|ms|min|h|px|k|M|kB|MB|GB)?[*†‡]*"
)
LONG = 36  # characters; longer text may break, shorter stays on one line
DASHES = {"", "-", "–", "—", "nan", "NaN", "n/a", "None"}


@dataclass(frozen=True)
class Cell:
    """One cell: its text, place (`x`, `y`), spans, and what marks it."""

    text: str
    x: int
    y: int
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

    def typst(self) -> dict[str, Any]:
        """The grid as plain data for the template."""
        return asdict(self)

    def html(self) -> str:
        """The grid as a clean HTML table, every text escaped."""
        out = ["<table>"]
        for y in range(self.rows):
            if y == 0 and self.head:
                out.append("<thead>")
            if y == self.head:
                out.append("</thead><tbody>" if self.head else "<tbody>")
            row = (c for c in self.cells if c.y == y)
            out.append("<tr>" + "".join(map(self._html_cell, row)) + "</tr>")
        return "".join(out) + "</tbody></table>"

    def _html_cell(self, cell: Cell) -> str:
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
        style = ";".join(
            f"{name}:{value}"
            for name, value in (("color", cell.color), ("background", cell.fill))
            if value
        )
        if style:
            attributes += f' style="{style}"'
        text = html_escape.escape(cell.text).replace("\n", "<br>")
        if head:
            text = text.replace("_", "_<wbr>")
        if cell.bold:
            text = f"<b>{text}</b>"
        if cell.italic:
            text = f"<i>{text}</i>"
        return f"<{tag}{attributes}>{text}</{tag}>"


def parse(source: str) -> Grid:
    """Read the first table of an HTML fragment by pandas or a pandas Styler.

    The 0..n-1 index is dropped, a header row that only names the index is
    merged into the row above it.

    Args:
        source: HTML with one `<table>`; a Styler's `<style>` before it is read.

    Returns:
        The grid.

    Raises:
        ReportError: There is no table, or it has no body.
    """
    root = lxml_html.fragment_fromstring(source, create_parent="div")
    table = root.find(".//table")
    if table is None or not table.xpath(".//tr"):
        raise ReportError("a table output without rows; show a DataFrame or a Styler")
    styles = _styles(root)
    rows = table.xpath("./thead/tr | ./tr | ./tbody/tr | ./tfoot/tr")
    head = len(table.xpath("./thead/tr"))
    cells = _place(rows, head, styles)
    cells, head = _merge_index_names(cells, head)
    cells = _drop_counting_index(cells, head)
    columns = max(c.x + c.width for c in cells)
    height = max(c.y + c.height for c in cells)
    numeric = tuple(_is_numeric(cells, x, head) for x in range(columns))
    return Grid(columns, height, head, numeric, tuple(cells))


def _styles(root: etree._Element) -> dict[str, dict[str, str]]:
    """Declarations by element id, from the `<style>` that a Styler writes."""
    styles: dict[str, dict[str, str]] = {}
    for sheet in root.iter("style"):
        for selectors, body in re.findall(r"([^{}]+)\{([^{}]*)\}", sheet.text or ""):
            for name in re.findall(r"#([\w-]+)\s*(?:,|$)", selectors.strip()):
                styles.setdefault(name, {}).update(_declarations(body))
    return styles


def _declarations(body: str) -> dict[str, str]:
    pairs = (part.partition(":") for part in body.split(";"))
    return {name.strip().lower(): value.strip() for name, _, value in pairs if value}


def _place(rows: list, head: int, styles: dict[str, dict[str, str]]) -> list[Cell]:
    """Give every cell its column, around the spans of the rows above."""
    taken: set[tuple[int, int]] = set()
    cells = []
    for y, row in enumerate(rows):
        x = 0
        for node in row.xpath("./th | ./td"):
            while (x, y) in taken:
                x += 1
            width = int(node.get("colspan", 1))
            height = int(node.get("rowspan", 1))
            taken |= {(x + i, y + j) for i in range(width) for j in range(height)}
            style = styles.get(node.get("id", ""), {}) | _declarations(
                node.get("style", "")
            )
            weight = style.get("font-weight", "")
            cells.append(
                Cell(
                    text=_text(node),
                    x=x,
                    y=y,
                    width=width,
                    height=height,
                    header=y < head or node.tag == "th",
                    bold=weight in ("bold", "bolder", "600", "700", "800", "900")
                    or node.find(".//b") is not None
                    or node.find(".//strong") is not None,
                    italic=style.get("font-style", "") == "italic",
                    color=_color(style.get("color", "")),
                    fill=_color(
                        style.get("background-color", style.get("background", ""))
                    ),
                )
            )
            x += width
    return cells


def _text(node: etree._Element) -> str:
    for line_break in node.iter("br"):
        line_break.tail = "\n" + (line_break.tail or "")
    lines = "".join(node.itertext()).split("\n")
    return "\n".join(" ".join(line.split()) for line in lines).strip()


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
    last = [c for c in cells if c.y == head - 1]
    above = {c.x: c for c in cells if c.y == head - 2}
    if head < 2 or not index or any(c.text for c in last if c.x not in index):
        return cells, head
    names = {c.x: c.text for c in last if c.x in index}
    # A name of the column index stands in the same corner; it says less.
    merged = []
    for cell in cells:
        if cell.y == head - 1:
            continue
        if cell.y == head - 2 and cell.x in index:
            continue
        merged.append(replace(cell, y=cell.y - 1) if cell.y >= head else cell)
    merged += [
        replace(above.get(x, Cell("", x, head - 2, header=True)), text=name, width=1)
        if x in above
        else Cell(name, x, head - 2, header=True)
        for x, name in names.items()
    ]
    return sorted(merged, key=lambda c: (c.y, c.x)), head - 1


def _drop_counting_index(cells: list[Cell], head: int) -> list[Cell]:
    """Leave out an unnamed index that only counts from 0."""
    first = [c for c in cells if c.x == 0]
    body = [c.text for c in first if c.y >= head and c.header]
    named = any(c.text for c in first if c.y < head)
    if named or not body or body != [str(i) for i in range(len(body))]:
        return cells
    if any(c.x > 0 and c.header and c.y >= head for c in cells):
        return cells  # one level of a MultiIndex
    kept = []
    for cell in cells:
        if cell.x > 0:
            kept.append(replace(cell, x=cell.x - 1))
        elif cell.width > 1:
            kept.append(replace(cell, width=cell.width - 1))
    return kept


def _is_numeric(cells: list[Cell], x: int, head: int) -> bool:
    texts = [c.text for c in cells if c.x == x and c.y >= head and c.width == 1]
    return any(NUMBER.fullmatch(t) for t in texts) and all(
        NUMBER.fullmatch(t) or t in DASHES for t in texts
    )
