import numpy as np
import pandas as pd
import pytest

from lightbox.base.errors import ReportError
from lightbox.display.outputs import TABLE_MIME, Table
from lightbox.report import tables


def texts(grid, row):
    return [c.text for c in grid.cells if c.y == row]


def test_the_librarys_table_is_read_from_its_data_as_from_its_html():
    index = pd.Index(["x_1", "<b>"], name="class")
    frame = pd.DataFrame(
        {"images": ["1,341", None], "accuracy": ["85.9 %\n(80–90)", "–"]}, index=index
    )
    bold = pd.DataFrame(False, index=index, columns=frame.columns)
    bold.iloc[0, 1] = True
    data, _ = Table(frame, "tbl-a", "A.", bold=bold)._repr_mimebundle_()
    grid = tables.read(data[TABLE_MIME])
    assert grid == tables.read(data["text/html"])
    assert texts(grid, 0) == ["class", "images", "accuracy"]
    assert texts(grid, 1) == ["x_1", "1,341", "85.9 %\n(80–90)"]
    assert texts(grid, 2) == ["<b>", "–", "–"]
    assert grid.numeric == (False, True, True)
    assert [c.text for c in grid.cells if c.bold] == ["85.9 %\n(80–90)"]
    assert [c.text for c in grid.cells if c.header and c.y] == ["x_1", "<b>"]


def test_spans_of_data_push_the_cells_below_aside():
    content = {
        "head": [[{"text": "a", "width": 2}], [{"text": "b"}, {"text": "c"}]],
        "body": [
            [{"text": "p", "height": 2, "header": True}, {"text": "1"}],
            [{"text": "2"}],
        ],
        "align": ["left", "right"],
    }
    grid = tables.read(content)
    assert (grid.columns, grid.rows, grid.head) == (2, 4, 2)
    assert [(c.x, c.y) for c in grid.cells] == [
        (0, 0),
        (0, 1),
        (1, 1),
        (0, 2),
        (1, 2),
        (1, 3),
    ]


def test_plain_frame_drops_the_counting_index():
    frame = pd.DataFrame({"model": ["a_b", "<b>"], "accuracy": [0.5, 0.25]})
    grid = tables.read(frame.to_html())
    assert (grid.columns, grid.rows, grid.head) == (2, 3, 1)
    assert texts(grid, 0) == ["model", "accuracy"]
    assert texts(grid, 2) == ["<b>", "0.25"]
    assert grid.numeric == (False, True)


def test_named_index_moves_up_into_one_header_row():
    frame = pd.DataFrame({"images": [8, 8]}, index=pd.Index(["x", "y"], name="class"))
    grid = tables.read(frame.to_html())
    assert grid.head == 1
    assert texts(grid, 0) == ["class", "images"]
    assert texts(grid, 1) == ["x", "8"]


def test_named_counting_index_is_kept():
    frame = pd.DataFrame({"loss": [1.5]}, index=pd.Index([0], name="epoch"))
    assert texts(tables.read(frame.to_html()), 0) == ["epoch", "loss"]


def test_multi_index_rows_and_columns_keep_their_spans():
    frame = pd.DataFrame(
        np.arange(8).reshape(4, 2),
        index=pd.MultiIndex.from_product([["p", "q"], ["1", "2"]]),
        columns=pd.MultiIndex.from_tuples([("test", "low"), ("test", "high")]),
    )
    grid = tables.read(frame.to_html())
    spans = {c.text: (c.x, c.y, c.width, c.height) for c in grid.cells}
    assert grid.columns == 4
    assert spans["test"] == (2, 0, 2, 1)
    assert spans["p"] == (0, 2, 1, 2)
    assert spans["q"] == (0, 4, 1, 2)
    # The cell right of a spanning one lands in its own column.
    assert [c.x for c in grid.cells if c.y == 3] == [1, 2, 3]


def test_styler_marks_and_colours_come_through():
    frame = pd.DataFrame({"model": ["a", "b"], "accuracy": [0.5, 0.25]})
    styler = frame.style.highlight_max(
        subset=["accuracy"], props="font-weight: bold; color: red; background: #abc"
    ).hide(axis="index")
    grid = tables.read(styler.to_html())
    best = next(c for c in grid.cells if c.text.startswith("0.5"))
    assert (best.bold, best.color, best.fill) == (True, "#ff0000", "#aabbcc")
    assert not any(c.bold for c in grid.cells if c.text.startswith("0.25"))


@pytest.mark.parametrize(
    ("cells", "numeric"),
    [
        (["0.85 (0.80–0.90)", "–"], True),
        (["85.9 %", "−3"], True),
        (["1,341", "12 s", ""], True),
        (["< 0.001", "0.04*"], True),
        (["11.2 M", "nan"], True),
        (["ResNet-18", "3"], False),
        (["–", "–"], False),
    ],
)
def test_which_columns_are_numeric(cells, numeric):
    html = pd.DataFrame({"x": cells, "y": ["t"] * len(cells)}).to_html(index=False)
    assert tables.read(html).numeric[0] is numeric


def test_html_escapes_every_text_and_drops_foreign_styles():
    html = (
        "<table><thead><tr><th>&lt;script&gt;</th></tr></thead><tbody><tr>"
        '<td style="color:url(javascript:x)" onclick="x()">a&amp;b<br>c</td>'
        "</tr></tbody></table>"
    )
    out = tables.read(html).html()
    assert "<script" not in out
    assert "&lt;script&gt;" in out
    assert "onclick" not in out
    assert "javascript" not in out
    assert "a&amp;b<br>c" in out


def test_a_fragment_without_rows_is_refused():
    for source in ("<p>nothing</p>", "<table></table>"):
        with pytest.raises(ReportError, match="without rows"):
            tables.read(source)
