"""The HTML: one file that needs nothing else, no network and no script."""

import base64
import io
import json
import re
import tempfile
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from fontTools import subset
from fontTools.ttLib import TTFont

from lightbox.base.errors import ReportError
from lightbox.base.words import is_cjk
from lightbox.display.fonts import files
from lightbox.report import blocks, pandoc, tables
from lightbox.report import document as markdown
from lightbox.report.document import TAGS, WORDS, Report, Sources
from lightbox.report.pdf import fonts_lack

HERE = Path(__file__).parent
# Signs that MathML draws but does not spell: italic letters and the radical.
UNSPELT = [*range(0x1D434, 0x1D468), 0x210E, *range(0x1D6E2, 0x1D71C), 0x221A]
# pandoc fills these two; everything else of the page is `template.html`.
BODY = "$toc$\n<!--lightbox-body-->\n$body$"


def write(report: Report) -> bytes:
    """Write a report as one self-contained HTML file.

    Args:
        report: What to render.

    Returns:
        UTF-8 bytes, without any script or external reference but the author's
        links.

    Raises:
        ReportError: pandoc is missing, a formula is unknown, or a character is
            in no font.
    """
    words = WORDS[report.language]
    with tempfile.TemporaryDirectory(prefix="lightbox-report-") as name:
        folder = Path(name)
        (folder / "body.html").write_text(BODY, encoding="utf-8")
        document = markdown.compose(report, _sources(report))
        options = ["--mathml", "--standalone", "--template=body.html", "--toc"]
        options += ["--toc-depth=2", "--number-sections", "--wrap=none"]
        page = pandoc.run(document, "html5", folder, options).decode("utf-8")
    toc, _, body = page.partition("<!--lightbox-body-->")
    body = _mend_accents(body)
    filled = Template((HERE / "template.html").read_text("utf-8")).substitute(
        lang=TAGS[report.language],
        title=escape(report.heading),
        kind="book" if report.bound else "single",
        header=_header(report),
        nav=_nav(toc, words["contents"]),
        body=body.strip(),
        style=(HERE / "style.css").read_text("utf-8").strip(),
        # Kept for the fonts, which are cut to what the finished page holds.
        fonts="/*lightbox-fonts*/",
    )
    return filled.replace("/*lightbox-fonts*/", _fonts(filled)).encode("utf-8")


def data_uri(mime: str, data: bytes) -> str:
    """Bytes as a `data:` address."""
    return f"data:{mime};base64,{base64.b64encode(data).decode('ascii')}"


def _sources(report: Report) -> Sources:
    words = WORDS[report.language]

    def figure(block: blocks.Figure, number: int) -> str:
        if block.svg:
            return data_uri("image/svg+xml", block.svg.encode("utf-8"))
        return data_uri("image/png", block.png)

    def table(block: blocks.Table, number: int) -> str:
        return tables.parse(block.html).html()

    def provenance(facts: dict[str, Any], heading: str) -> str:
        return provenance_html(facts, heading, words["again"])

    return Sources("html", figure, table, data_uri, provenance)


def provenance_html(facts: dict[str, Any], heading: str, again: str) -> str:
    """The provenance box; all arguments are text and escaped here."""
    rows = "".join(
        f"<dt>{escape(str(name))}</dt><dd>{escape(str(value))}</dd>"
        for name, value in facts.get("facts", [])
    )
    command = facts.get("command", "")
    title = f'<h2 class="unnumbered">{escape(heading)}</h2>' if heading else ""
    box = f'<section class="provenance">{title}<dl>{rows}</dl>'
    if command:
        box += f'<p class="again">{escape(again)}</p><pre>{escape(command)}</pre>'
    return box + "</section>"


def _header(report: Report) -> str:
    """The title block; every word is escaped here."""
    lines = []
    if report.above:
        lines.append(f'<p class="above">{escape(report.above)}</p>')
    lines.append(f"<h1>{escape(report.heading)}</h1>")
    byline = [s for s in (report.course, report.author, report.date) if s]
    if byline:
        spans = "".join(f"<span>{escape(s)}</span>" for s in byline)
        lines.append(f'<p class="byline">{spans}</p>')
    if report.notice:
        lines.append(f'<p class="notice">{escape(report.notice)}</p>')
    return "\n".join(lines)


def _mend_accents(body: str) -> str:
    """Write accents over one letter with signs that the math font has, unstretched."""
    body = body.replace('accent="true">\u203e<', 'accent="true">\u00af<')
    return re.sub(
        r'</mi><mo accent="true">([\u0300-\u036f\u00af])</mo>',
        r'</mi><mo accent="true" stretchy="false">\1</mo>',
        body,
    )


def _nav(toc: str, contents: str) -> str:
    """The contents, or nothing for a text without headings."""
    if not toc.strip():
        return ""
    name = escape(contents)
    return (
        f'<nav aria-label="{name}"><p class="nav-title">{name}</p>\n{toc.strip()}</nav>'
    )


def _fonts(page: str) -> str:
    """Font faces for what the page holds: math signs and CJK text."""
    faces = []
    if "<math" in page:
        signs = set("".join(re.findall(r"<math.*?</math>", page, flags=re.S)))
        faces.append(_face("Lightbox Math", "normal", files.MATH_WOFF2, signs))
    text = re.sub(r'src="data:[^"]*"', "", page)
    wanted = {c for c in text if is_cjk(c)}
    if wanted:
        wanted |= set("“”‘’…—–·．")
        sources = [files.CJK_REGULAR, *files.own()]
        missing = set(wanted)
        for source in sources:
            held = missing & _characters(source)
            if not held:
                continue
            missing -= held
            if source == files.CJK_REGULAR:
                faces.append(_face("Lightbox CJK", "400", source, held))
                faces.append(_face("Lightbox CJK", "700", files.CJK_BOLD, held))
            else:
                faces.append(_face("Lightbox CJK", "400 700", source, held))
        if lost := sorted(c for c in missing if is_cjk(c)):
            raise ReportError(fonts_lack(lost))
    return "\n".join(faces)


def _characters(path: Path) -> set[str]:
    with TTFont(path, lazy=True) as font:
        return {chr(point) for point in font.getBestCmap()}


def _face(family: str, weight: str, path: Path, characters: set[str]) -> str:
    """One `@font-face` rule with the font cut to the characters."""
    options = subset.Options()
    options.layout_features = ["*"] if family == "Lightbox Math" else ["kern", "locl"]
    options.flavor = "woff2"
    options.drop_tables += ["FFTM"]
    font = subset.load_font(str(path), options)
    cutter = subset.Subsetter(options)
    cutter.populate(text="".join(sorted(characters)))
    if family == "Lightbox Math":
        cutter.populate(unicodes=UNSPELT)
    cutter.subset(font)
    font.recalcTimestamp = False
    out = io.BytesIO()
    subset.save_font(font, out, options)
    data = base64.b64encode(out.getvalue()).decode("ascii")
    points = ",".join(f"U+{ord(c):X}" for c in sorted(characters))
    ranged = f"unicode-range:{points};" if family == "Lightbox CJK" else ""
    return (
        f"@font-face{{font-family:{json.dumps(family)};font-weight:{weight};{ranged}"
        f"src:url(data:font/woff2;base64,{data}) format('woff2')}}"
    )
