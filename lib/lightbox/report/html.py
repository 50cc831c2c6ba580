"""The HTML: one file that needs nothing else, no network and no script."""

import base64
import io
import json
import re
import tempfile
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

from lightbox.base.errors import ReportError
from lightbox.base.words import is_cjk
from lightbox.display.fonts import files
from lightbox.report import blocks, pandoc
from lightbox.report.document import Format, Report, compose
from lightbox.report.pdf import fonts_lack

TEMPLATE = Path(__file__).with_name("template.html")
STYLE = Path(__file__).with_name("style.css")
# Signs that MathML draws but does not spell: italic letters and the radical.
UNSPELT = [*range(0x1D434, 0x1D468), 0x210E, *range(0x1D6E2, 0x1D71C), 0x221A]


class Page(Format):
    """Pictures are part of the page."""

    name = "html"

    def figure(self, block: blocks.Figure) -> str:
        """Take a figure in, as vectors where it has them."""
        if block.svg:
            return self.picture("image/svg+xml", block.svg.encode("utf-8"))
        return self.picture("image/png", block.png)

    def picture(self, mime: str, content: bytes) -> str:
        """Take a picture in, as a `data:` address."""
        return f"data:{mime};base64,{base64.b64encode(content).decode('ascii')}"


def write(report: Report) -> bytes:
    """Write a report as one self-contained HTML file.

    Returns:
        UTF-8 bytes, without any script or external reference but the author's
        links.

    Raises:
        ReportError: pandoc is missing, a formula is unknown, or a character is
            in no font.
    """
    with tempfile.TemporaryDirectory(prefix="lightbox-report-") as name:
        folder = Path(name)
        document = compose(report, Page(folder))
        options = ["--mathml", "--standalone", f"--template={TEMPLATE}", "--toc"]
        options += ["--toc-depth=2", "--number-sections", "--wrap=none"]
        options += [f"--variable=kind:{'book' if report.bound else 'single'}"]
        byline = report.course or report.author or report.date
        options += ["--variable=byline"] if byline else []
        page = pandoc.run(document, "html5", folder, options).decode("utf-8")
    page = _mend_accents(page)
    # The fonts are cut to what the finished page holds.
    style = "\n".join([_fonts(page), STYLE.read_text("utf-8").strip()])
    return page.replace("/*lightbox-style*/", style, 1).encode("utf-8")


def _mend_accents(body: str) -> str:
    """Write accents over one letter with signs that the math font has, unstretched."""
    body = body.replace('accent="true">\u203e<', 'accent="true">\u00af<')
    return re.sub(
        r'</mi><mo accent="true">([\u0300-\u036f\u00af])</mo>',
        r'</mi><mo accent="true" stretchy="false">\1</mo>',
        body,
    )


def _fonts(page: str) -> str:
    """Font faces for what the page holds: math signs and CJK text."""
    faces = []
    if "<math" in page:
        signs = set("".join(re.findall(r"<math.*?</math>", page, flags=re.S)))
        faces.append(_face("Lightbox Math", "normal", files.MATH_WOFF2, signs))
    missing = set(filter(is_cjk, re.sub(r'src="data:[^"]*"', "", page)))
    missing |= set("“”‘’…—–·\uff0e") if missing else set()
    for source in [files.CJK_REGULAR, *files.own()]:
        held = missing and missing & _characters(source)
        if not held:
            continue
        missing -= held
        own = source != files.CJK_REGULAR
        faces.append(_face("Lightbox CJK", "400 700" if own else "400", source, held))
        if not own:
            faces.append(_face("Lightbox CJK", "700", files.CJK_BOLD, held))
    if lost := sorted(filter(is_cjk, missing)):
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
