"""Real pandoc, real Typst, real Chromium: what comes out of one small study."""

import base64
import io
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pandas as pd
import pypdf
import pytest
from browser import opened
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from nbformat.v4 import (
    new_code_cell,
    new_markdown_cell,
    new_notebook,
    new_output,
)

from lightbox.base.errors import ReportError
from lightbox.display.fonts import files as fonts
from lightbox.display.outputs import escape_markdown
from lightbox.display.provenance import MIME as PROVENANCE_MIME
from lightbox.report import book
from lightbox.report import book as extract
from lightbox.report.exporters import DOCXExporter, HTMLExporter, PDFExporter

SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="300pt" height="90pt">'
    '<path d="M0 0 L300 90" stroke="black"/></svg>'
)
WIDE = pd.DataFrame(
    {f"column_with_name_{i}": ["0.1234567", "0.7654321"] * 20 for i in range(19)}
)
EVIL = '<script>alert(1)</script> #read("secret.txt") `$(touch hacked)` */ ]'
FORMULAS = r"""
$$\newcommand{\KL}[2]{D_{\mathrm{KL}}\left(#1 \,\|\, #2\right)}$$

$\KL{p}{q}$, $\operatorname*{arg\,min}_x f(x)$, $\operatorname{acc}(b)$, $a\!b\;c$

\begin{align}
m_t &= \beta_1 m_{t-1}, & v_t &= \beta_2 v_{t-1} \\
\theta_t &= \frac{\hat m_t}{\sqrt{\hat v_t}}
\end{align}

$$\bigl\|x\bigr\|^2 + \|x\|^2 + |x|
= \begin{cases} x & \text{if } x > 0 \\ 0 \end{cases}$$

$$\text{殘差} = \mathbf{1}[y = \hat y] \quad \underbrace{a+b}_{c}$$
"""


def shown(data, **meta):
    return new_output("display_data", data=data, metadata={"lightbox": meta})


def code(source, *outputs):
    return new_code_cell(source, outputs=list(outputs))


def figure(label, caption):
    data = {"image/svg+xml": SVG}
    return code("draw()", shown(data, kind="figure", label=label, caption=caption))


def table(label, caption, frame, **meta):
    data = {"text/html": frame.to_html(index=False), "text/csv": "a\n0.123456789\n"}
    meta |= {"kind": "table", "label": label, "caption": caption}
    return code("tabulate()", shown(data, **meta))


def provenance(**fields):
    facts = {
        "title": "Radiographs",
        "author": "Ada Example",
        "course": "Imaging",
        "date": "2026-11-22",
        "language": "en",
        "notice": "For teaching and research, not for clinical use. Synthetic images.",
        "facts": [["commit", "0123abcd"], ["data", "sha256 feed"]],
        "command": "lightbox report params/demo",
    }
    data = {PROVENANCE_MIME: facts | fields}
    return code("provenance()", shown(data, kind="provenance"))


def english(question="Does it learn?"):
    log = new_output("stream", name="stdout", text="LOGLINE 1\n")
    cells = [
        new_markdown_cell(f"# {question}\n\nIntroduction, see @fig-b and (@tbl-wide)."),
        provenance(),
        new_markdown_cell("## Data\n\n| pipe | table |\n|---|--:|\n| `x` | 1 |\n"),
        code("train()", log),
        figure("fig-a", "First picture."),
        # An author's caption is Markdown; the library's holds names, and is text.
        code(
            "#| caption: Second picture, unlike @fig-a.\ndraw()",
            shown({"image/svg+xml": SVG}, kind="figure", label="fig-b"),
        ),
        table("tbl-small", "Small.", pd.DataFrame({"model": ["a"]}), file="small.csv"),
        new_markdown_cell("## Method\n" + FORMULAS),
        table("tbl-wide", "Nineteen columns.", WIDE),
        code("f()", shown({"text/markdown": "Sixteen **images**."}, kind="callout")),
        new_markdown_cell("An unclosed fence ends with its cell:\n\n```\ncode"),
        new_markdown_cell("## Summary\n\nThe end."),
    ]
    return new_notebook(cells=cells)


def chinese():
    frame = pd.DataFrame({"類別": ["正常", "肺炎"], "影像數": ["1,341", "3,875"]})
    cells = [
        new_markdown_cell(
            "# 微調比較好嗎？\n\n骨直角說海者草關令為戶，見@fig-a與@tbl-a。"
        ),
        provenance(language="zh", author="王瑄堃", title="胸部 X 光", notice=""),
        new_markdown_cell("## 結果\n\n**粗體**與*強調*。"),
        figure("fig-a", "損失曲線。"),
        table("tbl-a", "各類別的影像數。", frame),
    ]
    return new_notebook(cells=cells)


def text_of(pdf):
    pages = pypdf.PdfReader(io.BytesIO(pdf)).pages
    return re.sub(r"\s+", " ", " ".join(page.extract_text() for page in pages))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two notebooks and their bound report in all formats."""
    folder = tmp_path_factory.mktemp("study")
    paths = []
    for name, notebook in (("00", english("What is there?")), ("01", english())):
        paths.append(folder / f"{name}.ipynb")
        nbformat.write(notebook, paths[-1])
    out = folder / "out"
    written = book.render(paths, out, formats=("html", "pdf", "docx"))
    assert [p.name for p in written] == ["report.html", "report.pdf", "report.docx"]
    html, pdf, docx = (p.read_bytes() for p in written)
    return paths, html.decode(), pdf, docx


def test_numbers_agree_in_all_formats(study):
    _, html, pdf, docx = study
    seen = text_of(pdf)
    with zipfile.ZipFile(io.BytesIO(docx)) as archive:
        xml = archive.read("word/document.xml").decode()
    word = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", xml))
    page = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html))
    for text in (seen, word, page):
        text = text.replace("\N{NO-BREAK SPACE}", " ")
        assert "Figure 2. Second picture, unlike Figure 1." in text
        assert "Figure 4. Second picture, unlike Figure 3." in text
        assert "see Figure 2 and (Table 2)" in text
        assert "see Figure 4 and (Table 4)" in text
        assert "Table 4. Nineteen columns." in text
        assert "Table 5" not in text
        assert "LOGLINE" not in text


def test_pdf_is_bound(study):
    reader = pypdf.PdfReader(io.BytesIO(study[2]))
    pages = [re.sub(r"\s+", " ", page.extract_text()) for page in reader.pages]
    assert "Radiographs" in pages[0]
    assert "Ada Example" in pages[0]
    assert "Synthetic images" in pages[0]
    assert "Contents" in pages[1]
    assert f"2 / {len(pages)}" in pages[1]
    outline = [item.title for item in reader.outline if not isinstance(item, list)]
    assert outline == ["1 What is there?", "2 Does it learn?", "Appendix: provenance"]
    # The contents name the page on which the chapter stands.
    start = next(i for i, t in enumerate(pages, 1) if i > 2 and "2 Does it learn?" in t)
    assert re.search(rf"2 Does it learn\?[ .]*{start}\b", pages[1])
    assert "lightbox report params/demo" in pages[-1]
    assert reader.metadata.title == "Radiographs"
    assert "/StructTreeRoot" in reader.trailer["/Root"]


def test_wide_table_is_turned_and_repeats_its_header(study):
    reader = pypdf.PdfReader(io.BytesIO(study[2]))
    turned = [p for p in reader.pages if p.mediabox.width > p.mediabox.height]
    assert len(turned) >= 2
    for page in turned[:2]:
        assert "column" in page.extract_text()


def test_same_notebooks_give_the_same_pdf(study, tmp_path):
    (again,) = book.render(study[0], tmp_path, formats=("pdf",))
    assert again.read_bytes() == study[2]


def test_html_needs_nothing_else(study):
    html = study[1]
    assert "<script" not in html
    assert not re.search(r'(?:src|href)="(?!data:|#)', html)
    assert not re.search(r"url\((?!data:)", html)
    assert "@import" not in html
    # Math is markup with its font, code is folded, the contents are linked.
    assert html.count("<math") >= 7
    assert "Lightbox Math" in html
    assert "Lightbox CJK" in html  # 殘差 in a formula
    assert "<details" in html
    assert html.count('id="ch2-fig-a"') == 1
    assert 'href="#ch2-fig-b"' in html


def test_docx_has_tables_formulas_and_pictures(study):
    with zipfile.ZipFile(io.BytesIO(study[3])) as archive:
        xml = archive.read("word/document.xml").decode()
        pictures = [n for n in archive.namelist() if n.startswith("word/media/")]
    assert xml.count("<w:tbl>") >= 6
    assert xml.count("<m:oMath>") >= 10
    assert len(pictures) >= 1
    assert "Radiographs" in xml


def test_formulas_are_mended_for_typst(tmp_path):
    notebook = new_notebook(cells=[new_markdown_cell("# F\n" + FORMULAS)])
    pdf, _ = PDFExporter().from_notebook_node(notebook)
    seen = text_of(pdf)
    assert "arg min" in seen
    assert "\\" not in seen
    assert "殘差" in seen


@pytest.mark.parametrize("exporter", [HTMLExporter, PDFExporter, DOCXExporter])
def test_unknown_commands_in_formulas_are_errors(exporter):
    notebook = new_notebook(cells=[new_markdown_cell(r"$x \nosuch y$")])
    with pytest.raises(ReportError, match=r"x \\nosuch y.*newcommand"):
        exporter().from_notebook_node(notebook)


def test_chinese_without_missing_glyphs():
    pdf, _ = PDFExporter().from_notebook_node(chinese())
    seen = text_of(pdf).replace("\N{NO-BREAK SPACE}", " ")
    for words in ("骨直角說海者草關令為戶", "粗體", "王瑄堃", "肺炎", "執行紀錄"):
        assert words in seen
    assert re.search(r"見\s*圖 1\s*與\s*表 1", seen)
    html = HTMLExporter().from_notebook_node(chinese())[0].decode()
    assert 'lang="zh-Hant-TW"' in html
    assert html.count("@font-face") == 2
    assert "目錄" in html


@pytest.mark.parametrize("exporter", [HTMLExporter, PDFExporter])
def test_missing_glyphs_are_named_with_the_fix(exporter, tmp_path, monkeypatch):
    monkeypatch.setenv("LIGHTBOX_HOME", str(tmp_path))
    notebook = new_notebook(cells=[new_markdown_cell("# 字\n\n한국")])
    match = r"한 \(U\+D55C\).*" + re.escape(str(tmp_path / "fonts"))
    with pytest.raises(ReportError, match=match):
        exporter().from_notebook_node(notebook)


def test_a_font_dropped_into_the_home_is_used(tmp_path, monkeypatch):
    pen = TTGlyphPen(None)
    for move, point in (
        (pen.moveTo, (0, 0)),
        (pen.lineTo, (0, 9)),
        (pen.lineTo, (9, 0)),
    ):
        move(point)
    pen.closePath()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "han"])
    builder.setupCharacterMap({ord("한"): "han"})
    builder.setupGlyf({".notdef": TTGlyphPen(None).glyph(), "han": pen.glyph()})
    builder.setupHorizontalMetrics({".notdef": (500, 0), "han": (1000, 0)})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    names = {"familyName": "Dropped", "styleName": "Regular"}
    builder.setupNameTable(names | {"psName": "Dropped-Regular"})
    builder.setupOS2()
    builder.setupPost()
    (tmp_path / "fonts").mkdir()
    builder.save(tmp_path / "fonts" / "dropped.ttf")
    monkeypatch.setenv("LIGHTBOX_HOME", str(tmp_path))
    notebook = new_notebook(cells=[new_markdown_cell("# 字\n\n한")])
    assert "한" in text_of(PDFExporter().from_notebook_node(notebook)[0])
    html = HTMLExporter().from_notebook_node(notebook)[0].decode()
    assert "U+D55C" in html


def test_names_cannot_inject_anything(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("secret.txt").write_text("TOPSECRET", encoding="utf-8")
    cells = [
        new_markdown_cell(
            f"# Question {EVIL}\n\n{EVIL}\n\n<b onclick='x()'>b</b>"
            '\n\n```{=typst}\n#read("secret.txt")\n```\n\n[l](javascript:alert(1))'
        ),
        provenance(
            title=EVIL, author=EVIL, course=EVIL, facts=[[EVIL, EVIL]], command=EVIL
        ),
        figure("fig-a", EVIL),
        table("tbl-a", EVIL, pd.DataFrame({EVIL: [EVIL]})),
        code("f()", new_output("error", ename=EVIL, evalue=EVIL, traceback=[])),
    ]
    path = tmp_path / "evil.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    html, pdf, docx = book.render([path], tmp_path, formats=("html", "pdf", "docx"))
    page = html.read_text("utf-8")
    assert "<script" not in page
    assert "onclick" not in page
    assert "javascript:" not in page
    assert "&lt;script&gt;" in page
    with opened(html) as (shown, asked, said):
        assert asked == said == []
        assert EVIL in shown.locator("h1").first.inner_text()
    seen = text_of(pdf.read_bytes())
    assert "TOPSECRET" not in seen + page
    assert "#read(" in seen
    assert docx.stat().st_size > 0
    assert not (tmp_path / "hacked").exists()


def test_a_failed_notebook_is_rendered_up_to_its_banner():
    notebook = english()
    notebook.cells.insert(
        5,
        code(
            "boom()",
            new_output("error", ename="DataError", evalue="no images", traceback=[]),
        ),
    )
    for exporter in (HTMLExporter, PDFExporter):
        data, resources = exporter().from_notebook_node(notebook)
        assert resources["failed"] == "DataError: no images"
        seen = text_of(data) if exporter is PDFExporter else data.decode()
        assert "This notebook stopped here" in seen
        assert "DataError: no images" in seen
        assert "First picture" in seen
        assert "Second picture" not in seen


def test_a_reference_to_nothing_is_an_error():
    cells = [new_markdown_cell("See @fig-no."), figure("fig-a", "A.")]
    with pytest.raises(ReportError, match=r"refers to @fig-no.*labels here: @fig-a"):
        HTMLExporter().from_notebook_node(new_notebook(cells=cells))


def test_text_that_only_looks_like_a_reference_stays():
    cells = [new_markdown_cell("`@fig-no` and me@fig-tree.org and @someone")]
    html = HTMLExporter().from_notebook_node(new_notebook(cells=cells))[0].decode()
    assert "<code>@fig-no</code>" in html
    assert "@someone" in html


def test_a_name_that_looks_like_a_reference_stays_text():
    name = escape_markdown(r"a \@fig-no")
    cells = [new_markdown_cell(f"Class {name}; `\\@fig-a`; $x$; see @fig-a.")]
    cells.append(figure("fig-a", r"Of a \@fig-no."))
    notebook = new_notebook(cells=cells)
    html = HTMLExporter().from_notebook_node(notebook)[0].decode()
    # In the text, in the caption, and in what a screen reader says of the figure.
    assert html.count(r"a \@fig-no") == 3
    assert r"<code>\@fig-a</code>" in html
    assert html.count('href="#fig-a"') == 1
    assert r"a \@fig-no" in text_of(PDFExporter().from_notebook_node(notebook)[0])


def test_what_introduces_a_figure_stands_on_its_page():
    """Whatever fills the page before: heading, sentence and figure move together."""
    met = set()
    for lines in range(20, 34, 2):
        cells = [new_markdown_cell("# Title\n\n" + "\n\n".join(["Filler."] * lines))]
        cells += [new_markdown_cell("## Heading\n\nHere it comes.")]
        cells += [figure("fig-a", "A picture.")]
        pdf = PDFExporter().from_notebook_node(new_notebook(cells=cells))[0]
        pages = [p.extract_text() for p in pypdf.PdfReader(io.BytesIO(pdf)).pages]
        (place,) = [k for k, text in enumerate(pages) if "A picture." in text]
        assert "Here it comes." in pages[place]
        assert "Heading" in pages[place]
        met.add(place)
    assert len(met) > 1  # the page's end lay among them


def test_pictures_of_markdown_cells():
    png = (
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQ"
        "AAAABJRU5ErkJggg=="
    )
    cell = new_markdown_cell("![a dot](attachment:dot.png)")
    cell["attachments"] = {"dot.png": {"image/png": png}}
    notebook = new_notebook(cells=[cell])
    html = HTMLExporter().from_notebook_node(notebook)[0].decode()
    assert f"data:image/png;base64,{png}" in html
    assert PDFExporter().from_notebook_node(notebook)[0].startswith(b"%PDF")
    outside = new_notebook(cells=[new_markdown_cell("![x](../secret.png)")])
    with pytest.raises(ReportError, match=r"picture \.\./secret\.png lies outside"):
        HTMLExporter().from_notebook_node(outside)


def test_plain_outputs_render_without_our_metadata(tmp_path):
    frame = pd.DataFrame({"a": [1.5]})
    cell = new_code_cell("frame")
    cell.outputs = [
        new_output("execute_result", data={"text/html": frame.to_html()}),
        new_output("display_data", data={"image/svg+xml": SVG}),
    ]
    html = HTMLExporter().from_notebook_node(new_notebook(cells=[cell]))[0].decode()
    assert "<td" in html
    assert base64.b64encode(SVG.encode()).decode() in html
    assert "Figure" not in html


def test_extract_writes_figures_and_full_precision_tables(study, tmp_path):
    written = extract.extract(study[0][0], tmp_path)
    names = [p.relative_to(tmp_path).as_posix() for p in written]
    assert names == ["figures/fig-a.svg", "figures/fig-b.svg", "small.csv"]
    assert (tmp_path / "small.csv").read_text("utf-8") == "a\n0.123456789\n"
    assert (tmp_path / "figures/fig-a.svg").read_text("utf-8") == SVG


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda p: book.render([], p), "name at least one"),
        (lambda p: book.render([p / "x"], p, formats=("odt",)), "'odt': allowed are"),
        (lambda p: book.render([p / "no.ipynb"], p), r"no\.ipynb: not a readable"),
        (lambda p: book.render([Path(__file__)], p), r"not a readable notebook"),
    ],
)
def test_mistakes_are_one_clear_line(call, match, tmp_path):
    with pytest.raises(ReportError, match=match):
        call(tmp_path)


def test_nbconvert_finds_the_exporters(study, tmp_path):
    command = [sys.executable, "-m", "nbconvert", "--to", "lightbox-pdf"]
    done = subprocess.run(
        [*command, str(study[0][0]), "--output-dir", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    pdf = (tmp_path / "00.pdf").read_bytes()
    assert "What is there?" in text_of(pdf)
    # A single notebook has no title page, and its own provenance at the end.
    assert "Contents" not in text_of(pdf)
    assert "0123abcd" in text_of(pdf)


def test_fonts_are_small_and_licensed():
    files = list(fonts.FOLDER.glob("*.otf")) + list(fonts.FOLDER.glob("*.woff2"))
    assert {fonts.CJK_REGULAR, fonts.CJK_BOLD, fonts.MATH_WOFF2} == set(files)
    assert sum(path.stat().st_size for path in files) <= 8_000_000
    licences = " ".join(p.read_text("utf-8") for p in fonts.FOLDER.glob("*.txt"))
    assert "SIL OPEN FONT LICENSE" in licences
    assert "GUST" in licences


def test_opens_with_the_network_off(study, tmp_path):
    page_file = tmp_path / "report.html"
    page_file.write_text(study[1], encoding="utf-8")
    with opened(page_file) as (page, asked, said):
        assert asked == said == []
        # Every picture is drawn; on a phone only tables scroll sideways.
        assert page.evaluate("[...document.images].every(i => i.naturalWidth > 0)")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.evaluate("document.fonts.check('16px \"Lightbox Math\"')")
        radical = page.locator("msqrt").first.bounding_box()
        assert radical["width"] > 10
