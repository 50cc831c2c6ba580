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
        """Render an executed notebook.

        A notebook that failed is rendered up to its error; `resources["failed"]`
        then holds the error's line, else an empty string.

        Args:
            nb: The notebook.
            resources: nbconvert's resources; `resources["lightbox"]` may hold
                words of the title (as for `book.render`).
            **kw: Handed on to nbconvert.

        Returns:
            The document's bytes, and the resources.

        Raises:
            ReportError: It cannot be rendered.
        """
        nb, resources = super().from_notebook_node(nb, resources, **kw)
        chapter = blocks.read(nb)
        title = dict(resources.get("lightbox", {}))
        if not (chapter.title or chapter.provenance):
            # With neither a heading nor a study the file's name is the title.
            title = {"title": resources.get("metadata", {}).get("name", "")} | title
        report = book.assemble([chapter], title=title, bound=False)
        resources["failed"] = report.failed
        return book.WRITERS[self.format](report), resources


class HTMLExporter(_ReportExporter):
    """One self-contained HTML file."""

    format = "html"
    file_extension = ".html"
    output_mimetype = "text/html"
    export_from_notebook = "Lightbox report (HTML)"


class PDFExporter(_ReportExporter):
    """An A4 PDF set by Typst."""

    format = "pdf"
    file_extension = ".pdf"
    output_mimetype = "application/pdf"
    export_from_notebook = "Lightbox report (PDF)"


class DOCXExporter(_ReportExporter):
    """A DOCX for further editing."""

    format = "docx"
    file_extension = ".docx"
    output_mimetype = (
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    )
    export_from_notebook = "Lightbox report (DOCX)"
