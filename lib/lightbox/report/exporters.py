"""nbconvert exporters: `jupyter nbconvert --to lightbox-pdf executed.ipynb`."""

from typing import Any, ClassVar

from nbconvert.exporters import Exporter
from nbformat import NotebookNode

from lightbox.report import blocks, book


class _ReportExporter(Exporter):
    """One notebook as a report; subclasses name the format."""

    format: ClassVar[str]

    def from_notebook_node(
        self, nb: NotebookNode, resources: dict[str, Any] | None = None, **kw: Any
    ) -> tuple[bytes, dict[str, Any]]:
        """Render an executed notebook, up to its error where it failed.

        Returns:
            The document's bytes, and the resources, whose `failed` is the error's
            line or an empty string.
        """
        nb, resources = super().from_notebook_node(nb, resources, **kw)
        chapter = blocks.read(nb)
        title = {}
        if not (chapter.title or chapter.provenance):
            # With neither a heading nor a study the file's name is the title.
            title = {"title": resources.get("metadata", {}).get("name", "")}
        report = book.assemble([chapter], title=title, bound=False)
        resources["failed"] = report.failed
        return book.WRITERS[self.format](report), resources


class HTMLExporter(_ReportExporter):
    """One self-contained HTML file."""

    format, file_extension = "html", ".html"
    output_mimetype = "text/html"
    export_from_notebook = "Lightbox report (HTML)"


class PDFExporter(_ReportExporter):
    """An A4 PDF set by Typst."""

    format, file_extension = "pdf", ".pdf"
    output_mimetype = "application/pdf"
    export_from_notebook = "Lightbox report (PDF)"


class DOCXExporter(_ReportExporter):
    """A DOCX for further editing."""

    format, file_extension = "docx", ".docx"
    output_mimetype = (
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    )
    export_from_notebook = "Lightbox report (DOCX)"
