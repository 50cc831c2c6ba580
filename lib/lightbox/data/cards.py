"""Data cards: what a set is, whose it is, and where it comes from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import yaml
from pydantic import ConfigDict, TypeAdapter

from lightbox.base.errors import ParameterError, did_you_mean
from lightbox.base.words import _


class Sentence:
    """A sentence on a set: its English and its numbers, said when it is shown.

    Args:
        text: In English, marked by `N_`, with a field in braces for each number.
        fields: The numbers and names; another sentence where a part has words.
    """

    def __init__(self, text: str, **fields: Any):
        self.text, self.fields = text, fields

    def __str__(self) -> str:
        return _(self.text).format(**self.fields)


@dataclass(frozen=True)
class Recipe:
    """How to get a set by hand, or by download where that is certain.

    Args:
        inside: What the target folder holds when all is in place.
        url: Direct address of the one archive; None where a login or a click
            stands before it.
        checksum: `"<algorithm>:<hex>"` of that archive; None without a url.
    """

    address: str
    files: tuple[str, ...]
    inside: str
    url: str | None = None
    checksum: str | None = None


@dataclass(frozen=True)
class Card:
    """A data set as data: all that the report says about it without looking.

    Args:
        name: What the parameter `dataset` calls it.
        classes: In the order of their indices; empty until read.
        positive: The class that sensitivity is about; None for more than two.
        channels: None where the files decide.
        group: What images may share; None if unknown.
        group_key: How the group is read from a file name.
        alternative_key: Another reading that is counted beside it, or "".
        key_reason: Why the one and not the other is used, or "".
        mimics: Name of the real set that a generated one stands for, or "".
        recipe: How to get the files; None where they are made or given.
    """

    # Read by pydantic: a field that cards.yaml misspells is an error.
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    name: str
    title: str
    task: str
    layout: Literal["chest", "histology", "fundus", "folder"]
    classes: tuple[str, ...] = ()
    positive: str | None = None
    channels: Literal[1, 3] | None = None
    group: Literal["patient", "slide"] | None = None
    group_key: str = ""
    alternative_key: str = ""
    key_reason: str = ""
    licence: str = ""
    citation: str = ""
    doi: str = ""
    source: str = ""
    synthetic: bool = False
    mimics: str = ""
    recipe: Recipe | None = None
    notes: tuple[str, ...] = ()


def _load() -> dict[str, Card]:
    """Read cards.yaml, the generated sets first."""
    text = Path(__file__).with_name("cards.yaml").read_text(encoding="utf-8")
    given = {
        name: {"name": name, **fields} for name, fields in yaml.safe_load(text).items()
    }
    cards = TypeAdapter(dict[str, Card]).validate_python(given)
    return dict(sorted(cards.items(), key=lambda item: not item[1].synthetic))


CARDS = _load()


def card(name: str) -> Card:
    """Look a data card up.

    Raises:
        ParameterError: No set has this name.
    """
    if name not in CARDS:
        raise ParameterError(
            f"dataset {name!r} is not known{did_you_mean(str(name), CARDS)} "
            f"(known: {', '.join(CARDS)})"
        )
    return CARDS[name]
