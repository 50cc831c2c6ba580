"""What notebooks show: bundles, their metadata, stable bytes, escaped text."""

import base64
import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from PIL import Image

from lightbox.display.outputs import Callout, Figure, Prose, Table, escape_markdown

EVIL = "<script>alert('x')</script> & _b_"


def drawing():
    figure, axis = plt.subplots(figsize=(2, 1))
    axis.plot([0, 1], [1, 0], label="a")
    axis.imshow(np.eye(4))
    axis.set_title("title")
    return figure


def test_figure_bytes_are_the_same_twice():
    one, two = (Figure(drawing(), "fig-a", "A.") for _ in range(2))
    assert one.svg == two.svg
    assert one.png == two.png
    assert "<dc:date>" not in one.svg


def test_figure_holds_svg_paths_and_a_png():
    data, metadata = Figure(drawing(), "fig-a", "A.")._repr_mimebundle_()
    assert data["image/svg+xml"].lstrip().startswith("<?xml")
    assert "<text" not in data["image/svg+xml"]
    image = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
    assert image.size == (400, 200)
    assert metadata == {
        "lightbox": {"kind": "figure", "label": "fig-a", "caption": "A."}
    }


def test_figure_is_closed():
    before = plt.get_fignums()
    Figure(drawing(), "fig-a", "A.")
    assert plt.get_fignums() == before


def test_ipython_keeps_data_and_metadata():
    shell = InteractiveShell.instance()
    try:
        data, metadata = shell.display_formatter.format(Prose("**a**"))
    finally:
        InteractiveShell.clear_instance()
    assert data["text/markdown"] == "**a**"
    assert metadata["lightbox"] == {"kind": "prose"}


def test_table_shows_caption_and_no_counted_index():
    frame = pd.DataFrame({"model": ["a", "b"], "accuracy": ["1.0", "2.0"]})
    data, metadata = Table(frame, "tbl-a", "The caption.")._repr_mimebundle_()
    assert "<caption>The caption.</caption>" in data["text/html"]
    assert data["text/html"].count("<th ") == 2  # the columns' names
    assert "text/csv" not in data
    assert metadata == {
        "lightbox": {"kind": "table", "label": "tbl-a", "caption": "The caption."}
    }


def test_table_shows_an_index_with_a_name():
    frame = pd.DataFrame({"n": [1]}, index=pd.Index(["train"], name="split"))
    html = Table(frame, "tbl-a", "A.")._repr_mimebundle_()[0]["text/html"]
    assert '<th style="text-align: left">split</th>' in html
    assert '<th style="text-align: left">train</th>' in html


def test_table_sides_are_those_of_the_report():
    frame = pd.DataFrame({"model": ["a", "b"], "p": ["< 0.001", "–"], "n": [1, 2.5]})
    grid = Table(frame, "tbl-a", "A.").grid()
    assert grid["align"] == ["left", "right", "right"]
    assert [cell["text"] for cell in grid["body"][0]] == ["a", "< 0.001", "1.000000"]


def test_table_text_cannot_inject_html():
    frame = pd.DataFrame({EVIL: [EVIL]}, index=pd.Index([EVIL], name=EVIL))
    html = Table(frame, "tbl-a", EVIL)._repr_mimebundle_()[0]["text/html"]
    assert "<script" not in html
    assert html.count("&lt;script&gt;") == 5  # caption, header, index name, both cells


def test_table_marks_bold_cells_only():
    frame = pd.DataFrame({"a": ["1", "2"], "b": ["3", "4"]})
    bold = pd.DataFrame({"a": [False, True], "b": [False, False]})
    html = Table(frame, "tbl-a", "A.", bold=bold)._repr_mimebundle_()[0]["text/html"]
    marked = [part for part in html.split("<td") if "font-weight: bold" in part]
    assert len(marked) == 1
    assert ">2<" in marked[0]


def test_table_csv_is_the_full_precision():
    csv = pd.DataFrame({"x": [1 / 3]})
    table = Table(pd.DataFrame({"x": ["0.3"]}), "tbl-a", "A.", csv=csv, file="r.csv")
    data, metadata = table._repr_mimebundle_()
    assert data["text/csv"] == f"x\n{1 / 3!r}\n"
    assert metadata["lightbox"]["file"] == "r.csv"


def test_callout_has_a_tone():
    data, metadata = Callout("Text.", "warning")._repr_mimebundle_()
    assert data["text/markdown"] == "Text."
    assert metadata == {"lightbox": {"kind": "callout", "tone": "warning"}}
    with pytest.raises(ValueError, match="choose one of note, warning"):
        Callout("Text.", "loud")


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("01_TUMOR", "01\\_TUMOR"),
        ("<b>", "\\<b\\>"),
        ("a*b", "a\\*b"),
        ("肺炎", "肺炎"),
    ],
)
def test_names_stand_for_themselves_in_markdown(text, escaped):
    assert escape_markdown(text) == escaped
