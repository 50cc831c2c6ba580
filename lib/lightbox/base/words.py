"""The reader's language: English where it is said, everything else in one catalogue.

A module says `_("The val loss was still falling, by {fall:.3f}.")` and fills the
fields afterwards; `ngettext` knows plurals, `pgettext` one English word with two
meanings, `N_` marks a text that is kept at the top of a module and said later by
`_`. The catalogue is `locale/<tag>.po`; `make words` collects what is said, and
`make check` fails on what has no translation or is no longer said.
"""

import gettext as _standard
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import cache
from io import BytesIO
from typing import Any, TypeVar

from nbformat import NotebookNode

from lightbox.base import paths
from lightbox.base.errors import ParameterError, did_you_mean

T = TypeVar("T")
LANGUAGES = ("en", "zh")  # what the parameter `language` may be
SOURCE = "en"  # what the library and the notebooks are written in
TAGS = {"en": "en", "zh": "zh_TW"}  # the catalogue's, a POSIX locale
FOLDER = paths.PACKAGE / "locale"

# Not a context variable: a kernel runs each cell in a context of its own.
_chosen = SOURCE


def language() -> str:
    """Tell which language is spoken now: one of `LANGUAGES`."""
    return _chosen


def set_language(name: str) -> None:
    """Choose the language of all that is said from now on; `lb.start` does it once.

    Raises:
        ParameterError: The language is none of `LANGUAGES`.
    """
    global _chosen
    if name not in LANGUAGES:
        raise ParameterError(
            f"language {name!r} is not known; choose 'en' or 'zh'"
            f"{did_you_mean(str(name), LANGUAGES)}"
        )
    _chosen = name


@contextmanager
def in_language(name: str) -> Iterator[None]:
    """Speak a language within a block, such as that of a chapter or of a record."""
    before = language()
    set_language(name)
    try:
        yield
    finally:
        set_language(before)


def said_in(name: str, function: Callable[..., T], *args: Any, **fields: Any) -> T:
    """Call a function in a language: `said_in("zh", run_names, runs)`."""
    with in_language(name):
        return function(*args, **fields)


def _(message: str) -> str:
    """Say a text in the reader's language; without a translation, as it stands."""
    return _catalogue(language()).gettext(message) if message else ""


def ngettext(one: str, many: str, count: int) -> str:
    """Say the form that goes with a count: `{count:,} image`, `{count:,} images`."""
    return _catalogue(language()).ngettext(one, many, count)


def pgettext(context: str, message: str) -> str:
    """Say a text whose English means two things, such as `run` and `Run` in heads."""
    return _catalogue(language()).pgettext(context, message)


def N_(message: str) -> str:  # noqa: N802 (the name that extractors know)
    """Mark a text of a constant, which is made before the language is known."""
    return message


def joined(sentences: list[str]) -> str:
    """Put sentences behind each other: Chinese has no space between them."""
    return ("" if language() == "zh" else " ").join(filter(None, sentences))


def listed(names: list[str]) -> str:
    """Enumerate names: `a, b and c`; Chinese has one mark between all of them."""
    if language() != SOURCE:
        return pgettext("list", ", ").join(names)
    head, tail = names[:-1], names[-1:]
    return " and ".join(filter(None, [", ".join(head), *tail]))


@cache
def _catalogue(name: str) -> _standard.NullTranslations:
    """Read a catalogue; the source language has none."""
    if name == SOURCE:
        return _standard.NullTranslations()
    # Babel takes a tenth of a second to import, and English does without.
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    compiled = BytesIO()
    with (FOLDER / f"{TAGS[name]}.po").open("rb") as lines:
        write_mo(compiled, read_po(lines, locale=TAGS[name]))
    compiled.seek(0)
    return _standard.GNUTranslations(compiled)


def is_cjk(character: str) -> bool:
    """Whether a character needs the CJK font (ideographs, their punctuation)."""
    point = ord(character)
    # Mathematical letters and variation selectors lie there too.
    return point > 0x2E7F and not (
        0x1D400 <= point <= 0x1D7FF or 0xFE00 <= point <= 0xFE0F
    )


def guess_language(text: str) -> str:
    """Tell the language of a text by its script."""
    letters = [c for c in text if c.isalpha()]
    return "zh" if 10 * sum(map(is_cjk, letters)) > len(letters) else "en"


def translated(notebook: NotebookNode, name: str) -> NotebookNode:
    """Put a notebook's prose into another language.

    Returns:
        A copy whose Markdown cells are translated; one that has been rewritten has no
        translation, and stays as it is.
    """
    copy = deepcopy(notebook)
    with in_language(name):
        for cell in copy.cells:
            if cell.cell_type == "markdown":
                cell.source = _(cell.source)
    return copy
