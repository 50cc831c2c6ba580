"""Take the figures and the full-precision tables out of an executed notebook."""

from pathlib import Path

from lightbox.report import book
from lightbox.report.pieces import Figure, Table


def extract(notebook: Path, folder: Path) -> list[Path]:
    """Write `figures/<label>.svg` and every table's own file.

    Args:
        notebook: An executed `.ipynb` file.
        folder: Where to write; made if missing.

    Returns:
        The files written, in the order of the notebook. Figures without a label
        and tables without a file are left out; a figure that has no SVG is
        written as PNG.

    Raises:
        ReportError: The notebook cannot be read, or uses a name twice.
    """
    written = []
    for block in book.read(notebook).blocks:
        if isinstance(block, Figure) and block.label:
            path = folder / "figures" / block.label
            if block.svg:
                content, path = block.svg.encode("utf-8"), path.with_suffix(".svg")
            else:
                content, path = block.png, path.with_suffix(".png")
        elif isinstance(block, Table) and block.file and block.csv:
            content, path = block.csv.encode("utf-8"), folder / block.file
        else:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        written.append(path)
    return written
