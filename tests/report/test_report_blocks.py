import base64

import pytest
from nbformat.v4 import (
    new_code_cell,
    new_markdown_cell,
    new_notebook,
    new_output,
)

from lightbox.base.errors import ReportError
from lightbox.display.outputs import TABLE_MIME
from lightbox.display.provenance import MIME
from lightbox.report import blocks, document
from lightbox.report.blocks import (
    WIDGET_MIME,
    Callout,
    Code,
    Figure,
    Prose,
    Stop,
    Table,
    Text,
)

SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="9pt" height="9pt"></svg>'


def shown(data, kind="", **fields):
    meta = {"lightbox": {"kind": kind, **fields}} if kind else {}
    return new_output("display_data", data=data, metadata=meta)


def figure(label="fig-a", caption="A caption."):
    return shown({"image/svg+xml": SVG}, "figure", label=label, caption=caption)


def table(label="tbl-a", **fields):
    html = "<table><tbody><tr><td>1</td></tr></tbody></table>"
    data = {"text/html": html, "text/csv": "a\n1\n"}
    return shown(data, "table", label=label, caption="T.", **fields)


def code(source, *outputs, tags=()):
    return new_code_cell(source, outputs=list(outputs), metadata={"tags": list(tags)})


def read(*cells):
    return blocks.read(new_notebook(cells=list(cells)))


def test_title_is_the_first_heading_and_leaves_the_text():
    chapter = read(new_markdown_cell("```\n# no\n```\n# Is it?\nBody"))
    assert chapter.title == "Is it?"
    assert "# Is it?" not in chapter.blocks[0].text
    assert "Body" in chapter.blocks[0].text


def test_kinds_in_order():
    chapter = read(
        code("a", figure()),
        code("b", table(file="results.csv")),
        code("c", shown({"text/markdown": "p"}, "prose")),
        code("d", shown({"text/markdown": "c"}, "callout", tone="warning")),
    )
    kinds = [type(b) for b in chapter.blocks]
    assert kinds == [Code, Figure, Code, Table, Code, Prose, Code, Callout]
    assert chapter.blocks[1].label == "fig-a"
    assert chapter.blocks[3].file == "results.csv"
    assert chapter.blocks[7].tone == "warning"


def test_metadata_wins_over_cell_options():
    chapter = read(code("#| label: fig-x\n#| caption: from the cell\nf()", figure()))
    assert chapter.blocks[0].source == "f()"
    assert chapter.blocks[1].label == "fig-a"


def test_cell_options_name_plain_outputs():
    png = base64.b64encode(b"png").decode()
    options = "#| label: fig-x\n#| caption: 'Says *this*'\nf()"
    chapter = read(code(options, shown({"image/png": png})))
    drawn = chapter.blocks[1]
    assert (drawn.label, drawn.caption, drawn.png) == ("fig-x", "Says *this*", b"png")


def test_streams_and_widgets_only_where_asked():
    outputs = (
        new_output("stream", name="stdout", text="\x1b[31m10%\r100%\x1b[0m\n"),
        shown({WIDGET_MIME: {}, "text/plain": "HBox()"}),
    )
    assert [type(b) for b in read(code("x", *outputs)).blocks] == [Code]
    asked = read(code("#| output: true\nx", *outputs)).blocks
    assert asked[1:] == (Text("100%"), Text("HBox()"))


@pytest.mark.parametrize("tag", ["hide", "hide-output"])
def test_hidden_outputs_keep_their_code(tag):
    assert read(code("x", figure(), tags=[tag])).blocks == (Code("x"),)


def test_hidden_code_cells_join_into_one_fold():
    chapter = read(
        code("epochs = 1", tags=["parameters"]),
        code("epochs = 2", tags=["injected-parameters"]),
        code("f()", figure(), tags=["hide-input"]),
    )
    assert [type(b) for b in chapter.blocks] == [Code, Figure]
    assert chapter.blocks[0].source == "epochs = 1\n\nepochs = 2\n\nf()"


def test_error_ends_the_chapter_in_one_line():
    error = new_output(
        "error", ename="ParameterError", evalue="epochs = -1\nmore", traceback=[]
    )
    banner = new_markdown_cell("error at cell 1")
    banner.metadata["tags"] = ["papermill-error-cell-tag"]
    chapter = read(banner, code("x", figure(), error), code("y", figure("fig-b")))
    assert chapter.failed == "ParameterError: epochs = -1"
    assert [type(b) for b in chapter.blocks] == [Code, Figure, Stop]


def test_provenance_is_kept_even_from_a_hidden_cell():
    data = {MIME: {"language": "zh", "author": "王"}}
    chapter = read(code("p", shown(data, "provenance"), tags=["hide"]))
    assert chapter.provenance["author"] == "王"
    assert chapter.language == "zh"


def test_language_is_told_by_the_script():
    assert read(new_markdown_cell("影像 with some words")).language == "zh"
    assert read(new_markdown_cell("plain words")).language == "en"


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([code("a", figure("../x"))], r"label '\.\./x'.*'fig-results'"),
        ([code("a", figure("tbl-x"))], "label 'tbl-x': allowed is 'fig'"),
        ([code("a", table(file="../x.csv"))], "bare name ending in .csv"),
        ([code("a", figure(), figure())], "'fig-a' names 2 outputs"),
        (
            [code("a", table("tbl-a", file="x.csv"), table("tbl-b", file="x.csv"))],
            r"'x\.csv' names 2 outputs",
        ),
    ],
)
def test_unusable_names_are_refused(cells, message):
    with pytest.raises(ReportError, match=message):
        read(*cells)


def test_the_data_of_a_table_wins_over_its_html():
    content = {"head": [[{"text": "a"}]], "body": [], "align": ["left"]}
    data = {TABLE_MIME: content, "text/html": "<table></table>"}
    (shown_table,) = read(code("", shown(data, "table"))).blocks
    assert shown_table.content == content


def test_library_captions_are_text_not_markdown():
    drawn = read(code("x", figure(caption="NORMAL_2 and *x*"))).blocks[1]
    assert drawn.caption == r"NORMAL\_2 and \*x\*"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (r"\begin{align}a\end{align}", r"$$\begin{align}a\end{align}$$"),
        (r"$$\begin{align}a\end{align}$$", r"$$\begin{align}a\end{align}$$"),
        (r"`\begin{align}a\end{align}`", r"`\begin{align}a\end{align}`"),
        (
            "```\n\\begin{align}a\\end{align}\n```",
            "```\n\\begin{align}a\\end{align}\n```",
        ),
        (
            "\\begin{align}a\n\nb\\end{align}",
            "$$\\begin{align}a\nb\\end{align}$$",
        ),
    ],
)
def test_bare_environments_become_display_math(given, wanted):
    assert document.prepare(given) == wanted


def test_macros_are_collected_with_nested_braces():
    text = r"$$\newcommand{\KL}[2]{D_{\mathrm{KL}}(#1)}$$ \DeclareMathOperator*{\a}{b}"
    assert [m["tex"] for m in document.macros([text, text])] == [
        r"\newcommand{\KL}[2]{D_{\mathrm{KL}}(#1)}",
        r"\DeclareMathOperator*{\a}{b}",
    ]


def test_computed_text_may_be_empty():
    empty = shown({"text/markdown": "", "text/plain": ""}, "prose")
    said = shown({"text/markdown": "Something."}, "prose")
    blocks = read(code("a", empty), code("b", said)).blocks
    texts = [block.text for block in blocks if type(block).__name__ == "Prose"]
    assert texts == ["Something."]
