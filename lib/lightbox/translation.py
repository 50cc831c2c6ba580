"""The notebooks' own prose in the language of the report."""

from copy import deepcopy
from pathlib import Path

import yaml
from nbformat import NotebookNode

from lightbox.errors import ReportError
from lightbox.report.words import guess_language

SOURCE = "en"  # what the notebooks are written in


def translated(notebook: NotebookNode, path: Path, language: str) -> NotebookNode:
    """Put the translations of a notebook's Markdown in the place of the English.

    They stand beside the notebook, in `<language>/<stem>.yaml`, by the id of the
    cell. A cell without one stays as it is, and so does one that its author has
    rewritten in the language already.

    Args:
        notebook: The notebook; it is left as it is.
        path: Where it came from.
        language: `"en"` or `"zh"`.

    Returns:
        A copy. It differs from the notebook in the Markdown cells alone.

    Raises:
        ReportError: The file of translations is no mapping from id to text.
    """
    copy = deepcopy(notebook)
    file = path.parent / language / f"{path.stem}.yaml"
    if language == SOURCE or not file.is_file():
        return copy
    texts = _texts(file)
    for cell in copy.cells:
        if cell.cell_type == "markdown" and guess_language(cell.source) != language:
            cell.source = texts.get(cell.get("id", ""), cell.source)
    return copy


def _texts(file: Path) -> dict[str, str]:
    """Read one file of translations."""
    try:
        texts = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ReportError(f"{file} is no readable YAML: {reason}") from None
    if not isinstance(texts, dict) or not all(
        isinstance(word, str) for pair in texts.items() for word in pair
    ):
        raise ReportError(
            f"{file}: ids of cells and their texts are needed, as in `01-00: |`"
        )
    # A block of YAML ends with a newline, a cell does not.
    return {name: text.rstrip("\n") for name, text in texts.items()}
