"""The DOCX: real tables, native formulas and pictures, for those who edit on."""

import tempfile
from pathlib import Path

from lightbox.report import blocks, pandoc
from lightbox.report.document import Format, Report, compose
from lightbox.report.pdf import rasterise

PROPERTIES = ("title", "subtitle", "author", "date", "lang")


class Docx(Format):
    """Word's own rendering of SVG varies; pandoc would need a converter."""

    def figure(self, block: blocks.Figure) -> str:
        """Take a figure in as pixels."""
        return self.keep(block.png or rasterise(block.svg), "png")


def write(report: Report) -> bytes:
    """Write a report as DOCX.

    Raises:
        ReportError: pandoc is missing or a formula is unknown.
    """
    with tempfile.TemporaryDirectory(prefix="lightbox-report-") as name:
        document = compose(report, Docx(Path(name)))
        # Word would keep other words as properties of the file.
        known = document["meta"]
        document["meta"] = {key: known[key] for key in PROPERTIES if key in known}
        if report.notice:
            notice = {"kind": "plain", "text": report.notice}
            document["blocks"].insert(0, notice)
        options = ["--standalone", "--number-sections"]
        if report.bound:
            title = known["contents"]
            options += ["--toc", "--toc-depth=2", f"--metadata=toc-title:{title}"]
        return pandoc.run(document, "docx", Path(name), options)
