"""The catalogue of translations: collect what is said, and say what is missing.

    python lib/tools/catalogue.py            # renew locale/zh_TW.po (make words)
    python lib/tools/catalogue.py --check    # status 1 on a missing or stale entry

What is said stands in the library, marked by `_`, `N_`, `ngettext` and `pgettext`,
in the data of `DATA`, and in the Markdown cells of the notebooks, each cell one entry.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import yaml
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po, write_po

PROJECT = Path(__file__).resolve().parents[2]
LIBRARY = PROJECT / "lib/lightbox"
FILE = LIBRARY / "locale/zh_TW.po"
KEYWORDS = {"_": None, "N_": None, "ngettext": (1, 2), "pgettext": ((1, "c"), 2)}
# Data that is shown: the context in which its texts are said, and under which keys they
# stand (None: under all).
CARD = ("title", "task", "licence", "notes", "group", "group_key", "alternative_key")
DATA: dict[str, tuple[str | None, tuple[str, ...] | None]] = {
    "cards.yaml": (None, (*CARD, "key_reason")),
    "checklist.yaml": ("checklist", ("topic", "answer", "shown")),
    "networks.yaml": (None, None),
}
WIDTH = 88
HEADER = b"# The Chinese of Taiwan, by the English that it stands for.\n\n"


def said(
    folders: list[Path],
) -> Iterator[tuple[str, str | tuple[str, str], str | None]]:
    """Find every text that is said, as file, text (or both numbers) and context."""
    for path in sorted(file for folder in folders for file in folder.rglob("*.py")):
        for _, text, _, context in extract_from_file("python", path, KEYWORDS):
            yield _place(path), text, context
    for path in sorted(file for folder in folders for file in folder.rglob("*.yaml")):
        if path.name in DATA:
            context, keys = DATA[path.name]
            data = yaml.safe_load(path.read_text(encoding="utf-8"))
            for text in _texts(data, keys):
                yield _place(path), text, context
    for path in sorted(file for folder in folders for file in folder.glob("*.ipynb")):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "markdown":
                yield _place(path), cell.source, None


def _texts(data: Any, keys: tuple[str, ...] | None) -> Iterator[str]:
    """Find the texts of data that stand under some keys, at whatever depth."""
    if isinstance(data, str) and data and keys is None:
        yield data
    elif isinstance(data, list):
        for each in data:
            yield from _texts(each, keys)
    elif isinstance(data, dict):
        for key, value in data.items():
            yield from _texts(value, None if keys and key in keys else keys)


def _place(path: Path) -> str:
    """Name a file as the catalogue does."""
    return str(path.relative_to(PROJECT)) if PROJECT in path.parents else path.name


def renewed(folders: list[Path], known: Catalog) -> Catalog:
    """Lay what is known over what is said; what is no longer said is left out."""
    found = Catalog(locale="zh_TW")
    for file, text, context in said(folders):
        found.add(text, locations=[(file, 0)], context=context)
    for message in found:
        # By its context too: a key of the catalogue does not hold it.
        old = known.get(message.id, message.context) if message.id else None
        if old is not None:
            message.string = old.string
    return found


def read(file: Path) -> Catalog:
    """Read a catalogue; an empty one where there is none."""
    if not file.is_file():
        return Catalog(locale="zh_TW")
    with file.open("rb") as lines:
        return read_po(lines, locale="zh_TW")


def write(file: Path, catalogue: Catalog) -> None:
    """Write a catalogue, in the order in which texts were found."""
    with file.open("wb") as lines:
        lines.write(HEADER)
        write_po(lines, catalogue, width=WIDTH, omit_header=True, include_lineno=False)


def key(message) -> tuple:
    """Tell messages apart."""
    return message.id, message.context


def problems(folders: list[Path], known: Catalog) -> list[str]:
    """Name what has no translation, and what is translated but no longer said."""
    found = renewed(folders, known)
    missing = [
        f"untranslated: {message.id!r} ({message.locations[0][0]})"
        for message in found
        if message.id and not all(_forms(message.string))
    ]
    spoken = {key(message) for message in found}
    stale = [
        f"stale: {message.id!r}"
        for message in known
        if message.id and key(message) not in spoken
    ]
    return missing + stale


def _forms(text: str | tuple[str, ...]) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else text or ("",)


def main() -> None:
    """Renew the catalogue, or check it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--file", type=Path, default=FILE)
    parser.add_argument("folders", type=Path, nargs="*")
    given = parser.parse_args()
    folders = [f.resolve() for f in given.folders]
    folders = folders or [LIBRARY, PROJECT / "notebooks"]
    known = read(given.file)
    if given.check:
        found = problems(folders, known)
        for line in found:
            print(line[:300])
        sys.exit(bool(found))
    write(given.file, renewed(folders, known))


if __name__ == "__main__":
    main()
