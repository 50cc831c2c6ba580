"""What a notebook shows: figures, tables and text that the report can read back.

Each object carries its label and caption in the output's metadata under
`lightbox`, so that the report numbers and places it without parsing HTML.
"""

import base64
import html
import io
import math
import re
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure as Drawing

PNG_DPI = 200
TONES = ("note", "warning")
TABLE_MIME = "application/vnd.lightbox.table+json"  # what `Table.grid` gives
NUMBER = re.compile(
    r"[<>≤≥≈~±+\-−]?\s*\d[\d.,\s:eE+\-−–±×/()\[\]%^]*"
    r"(s|ms|min|h|px|k|M|kB|MB|GB)?[*†‡]*"
)
DASHES = {"", "-", "–", "—", "nan", "NaN", "n/a", "None"}
Bundle = tuple[dict[str, Any], dict[str, Any]]


class Figure:
    """A finished figure, kept as SVG and PNG.

    The bytes depend on the drawing alone: ids are hashed with a fixed salt,
    no date is written, and text is drawn as paths, so that no reader needs its
    fonts. The drawing is closed.

    Args:
        drawing: The matplotlib figure.
        label: Such as `"fig-curves"`; also the stem of its file.
        caption: Plain text; its first sentence serves the list of figures.
    """

    def __init__(self, drawing: Drawing, label: str, caption: str):
        self.label, self.caption = label, caption
        settings = {"svg.hashsalt": "lightbox", "svg.fonttype": "path"}
        svg, png = io.BytesIO(), io.BytesIO()
        with mpl.rc_context(settings):
            drawing.savefig(svg, format="svg", metadata={"Date": None})
            drawing.savefig(png, format="png", dpi=PNG_DPI, metadata={"Software": None})
        plt.close(drawing)
        self.svg, self.png = svg.getvalue().decode(), png.getvalue()

    def __repr__(self) -> str:
        return f"Figure {self.label}: {self.caption}"

    def _repr_mimebundle_(self, **_: Any) -> Bundle:
        data = {
            "image/svg+xml": self.svg,
            "image/png": base64.b64encode(self.png).decode(),
            "text/plain": repr(self),
        }
        return data, _metadata("figure", label=self.label, caption=self.caption)


class Table:
    """A table with its caption, and the full-precision rows behind it.

    Args:
        frame: What is shown, as text; its index is hidden unless it has a name.
        label: Such as `"tbl-results"`.
        caption: Plain text, shown above the table in JupyterLab too.
        csv: The rows behind the table at full precision, or None.
        file: The name under which the report writes `csv`, or None.
        bold: Which cells are bold, a frame of bool of the shape of `frame`.
    """

    def __init__(
        self,
        frame: pd.DataFrame,
        label: str,
        caption: str,
        *,
        csv: pd.DataFrame | None = None,
        file: str | None = None,
        bold: pd.DataFrame | None = None,
    ):
        self.frame, self.label, self.caption = frame, label, caption
        self.csv, self.file, self.bold = csv, file, bold

    def __repr__(self) -> str:
        rows = self.frame.to_string(index=self.frame.index.name is not None)
        return f"{self.caption}\n{rows}"

    def _repr_mimebundle_(self, **_: Any) -> Bundle:
        grid = self.grid()
        data = {
            TABLE_MIME: grid,
            "text/html": _html(grid, self.caption),
            "text/plain": repr(self),
        }
        if self.csv is not None:
            data["text/csv"] = self.csv.to_csv(index=False, lineterminator="\n")
        return data, _metadata(
            "table", label=self.label, caption=self.caption, file=self.file
        )

    def grid(self) -> dict[str, Any]:
        """Lay the table out for the report.

        Returns:
            `head` and `body`, rows of cells that hold `text` and, where it is so,
            `bold` and `header`; `align` of each column, `left` or `right`.
        """
        head = [{"text": str(name)} for name in self.frame.columns]
        body = [
            [{"text": _text(value)} for value in row]
            for row in self.frame.itertuples(index=False, name=None)
        ]
        if self.bold is not None:
            marks = self.bold.to_numpy()
            for y, x in zip(*marks.nonzero(), strict=True):
                body[y][x]["bold"] = True
        if self.frame.index.name is not None:
            head.insert(0, {"text": str(self.frame.index.name)})
            for row, name in zip(body, self.frame.index, strict=True):
                row.insert(0, {"text": _text(name), "header": True})
        columns = zip(*body, strict=True) if body else ([] for _ in head)
        sides = [
            "right" if are_numbers([cell["text"] for cell in column]) else "left"
            for column in columns
        ]
        return {"head": [head], "body": body, "align": sides}


def are_numbers(texts: Sequence[str]) -> bool:
    """Tell whether a column is one of numbers, so that it goes to the right."""
    return any(map(NUMBER.fullmatch, texts)) and all(
        NUMBER.fullmatch(text) or text in DASHES for text in texts
    )


def _text(value: Any) -> str:
    """Write a cell's value; most are texts already."""
    if isinstance(value, float):
        return "–" if math.isnan(value) else f"{value:.6f}"
    return "–" if value is None or value is pd.NA else str(value)


def _html(grid: dict[str, Any], caption: str) -> str:
    """Write a table for JupyterLab, every text escaped."""

    def row(cells: list[dict[str, Any]], tag: str) -> str:
        out = []
        for cell, side in zip(cells, grid["align"], strict=True):
            name = "th" if cell.get("header") else tag
            style = f"text-align: {side}"
            style += "; font-weight: bold" if cell.get("bold") else ""
            out.append(f'<{name} style="{style}">{html.escape(cell["text"])}</{name}>')
        return "<tr>" + "".join(out) + "</tr>"

    head = "".join(row(cells, "th") for cells in grid["head"])
    body = "".join(row(cells, "td") for cells in grid["body"])
    return (
        f"<table><caption>{html.escape(caption)}</caption>"
        f"<thead>{head}</thead><tbody>{body}</tbody></table>"
    )


class Prose:
    """Paragraphs that were computed, as markdown."""

    def __init__(self, markdown: str):
        self.markdown = markdown

    def __repr__(self) -> str:
        return self.markdown

    def _repr_mimebundle_(self, **_: Any) -> Bundle:
        data = {"text/markdown": self.markdown, "text/plain": self.markdown}
        return data, self._marks()

    def _marks(self) -> dict[str, Any]:
        return _metadata("prose")


class Callout(Prose):
    """A boxed remark, whose tone is `"note"` or `"warning"`."""

    def __init__(self, markdown: str, tone: str = "note"):
        super().__init__(markdown)
        if tone not in TONES:
            raise ValueError(f"tone {tone!r}; choose one of {', '.join(TONES)}")
        self.tone = tone

    def _marks(self) -> dict[str, Any]:
        return _metadata("callout", tone=self.tone)


def escape_markdown(text: str) -> str:
    r"""Make a name stand for itself in markdown: `a_b*` becomes `a\_b\*`."""
    return "".join("\\" + c if c in "\\`*_{}[]()<>#+!|~$&@" else c for c in text)


def _metadata(kind: str, **fields: str | None) -> dict[str, Any]:
    """Write the metadata that the report reads, without empty fields."""
    given = {key: value for key, value in fields.items() if value is not None}
    return {"lightbox": {"kind": kind, **given}}
