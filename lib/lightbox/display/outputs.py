"""What a notebook shows: figures, tables and text that the report can read back.

Each object carries its label and caption in the output's metadata under
`lightbox`, so that the report numbers and places it without parsing HTML.
"""

import base64
import hashlib
import html
import io
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure as Drawing
from pandas.io.formats.style import Styler

PNG_DPI = 200
TONES = ("note", "warning")
Bundle = tuple[dict[str, str], dict[str, Any]]


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
        content: What is shown: a frame (its cells and headers are escaped, its
            index hidden unless it has a name), or a Styler that is already
            formatted and escapes its own cells.
        label: Such as `"tbl-results"`.
        caption: Plain text, shown above the table in JupyterLab too.
        csv: The rows behind the table at full precision, or None.
        file: The name under which the report writes `csv`, or None.
        bold: For a frame: which cells are bold, a frame of bool of its shape.
    """

    def __init__(
        self,
        content: pd.DataFrame | Styler,
        label: str,
        caption: str,
        *,
        csv: pd.DataFrame | None = None,
        file: str | None = None,
        bold: pd.DataFrame | None = None,
    ):
        self.label, self.caption = label, caption
        self.csv, self.file = csv, file
        given = isinstance(content, Styler)
        self.frame = content.data if given else content
        styler = content if given else _styled(content, bold)
        # Styler draws a random id otherwise, and notebooks would differ by it.
        styler.set_uuid(hashlib.sha256(label.encode()).hexdigest()[:8])
        self.styler = styler.set_caption(html.escape(caption))

    def __repr__(self) -> str:
        rows = self.frame.to_string(index=self.frame.index.name is not None)
        return f"{self.caption}\n{rows}"

    def _repr_mimebundle_(self, **_: Any) -> Bundle:
        data = {"text/html": self.styler.to_html(), "text/plain": repr(self)}
        if self.csv is not None:
            data["text/csv"] = self.csv.to_csv(index=False, lineterminator="\n")
        return data, _metadata(
            "table", label=self.label, caption=self.caption, file=self.file
        )


class Prose:
    """Paragraphs that were computed, as markdown.

    Args:
        markdown: The text.
    """

    kind = "prose"

    def __init__(self, markdown: str):
        self.markdown = markdown

    def __repr__(self) -> str:
        return self.markdown

    def _repr_mimebundle_(self, **_: Any) -> Bundle:
        data = {"text/markdown": self.markdown, "text/plain": self.markdown}
        return data, _metadata(self.kind)


class Callout(Prose):
    """A boxed remark.

    Args:
        markdown: The text, without the box.
        tone: `"note"` or `"warning"`.

    Raises:
        ValueError: If the tone is another.
    """

    kind = "callout"

    def __init__(self, markdown: str, tone: str = "note"):
        super().__init__(markdown)
        if tone not in TONES:
            raise ValueError(f"tone {tone!r}; choose one of {', '.join(TONES)}")
        self.tone = tone

    def _repr_mimebundle_(self, **_: Any) -> Bundle:
        data = {"text/markdown": self.markdown, "text/plain": self.markdown}
        return data, _metadata(self.kind, tone=self.tone)


def escape_markdown(text: str) -> str:
    r"""Make a name stand for itself in markdown: `a_b*` becomes `a\_b\*`.

    Args:
        text: A class or file name.

    Returns:
        The text with every character of meaning behind a backslash.
    """
    return "".join("\\" + c if c in "\\`*_{}[]()<>#+!|~$&@" else c for c in text)


def _metadata(kind: str, **fields: str | None) -> dict[str, Any]:
    """Write the metadata that the report reads, without empty fields."""
    given = {key: value for key, value in fields.items() if value is not None}
    return {"lightbox": {"kind": kind, **given}}


def _styled(frame: pd.DataFrame, bold: pd.DataFrame | None) -> Styler:
    """Style a frame: text left, numbers right, everything escaped."""
    named = frame.index.name is not None
    # Styler escapes cells and headers, but no index name.
    escaped = (
        frame.rename_axis(index=html.escape(str(frame.index.name))) if named else frame
    )
    styler = Styler(escaped, cell_ids=False).format(escape="html", na_rep="–")
    styler.format_index(escape="html", axis="columns")
    if named:
        styler.format_index(escape="html", axis="index")
    else:
        styler.hide(axis="index")
    for side, columns in _sides(frame).items():
        if columns:
            styler.set_properties(subset=columns, **{"text-align": side})
    if bold is not None:
        styler.apply(
            lambda _: bold.map(lambda on: "font-weight: bold" if on else ""), axis=None
        )
    return styler


def _sides(frame: pd.DataFrame) -> dict[str, list[Any]]:
    """Sort columns by alignment: those that read as numbers go right."""
    sides: dict[str, list[Any]] = {"left": [], "right": []}
    for name in frame.columns:
        cells = frame[name].dropna().astype(str)
        number = cells.str.match(r"[-+]?\d[\d.,  ]*(e[-+]?\d+)?( \(.*\))?$|–$").all()
        sides["right" if number else "left"].append(name)
    return sides
