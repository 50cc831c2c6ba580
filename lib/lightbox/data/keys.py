"""Patients and slides, as the file names of the published sets tell them."""

import re

from lightbox.data.cards import Card

PERSON = re.compile(r"^person(\d+)_(bacteria|virus)_")
NORMAL = re.compile(r"^(NORMAL2-IM|IM)-(\d+)-")
SLIDE = re.compile(r"_CRC-Prim-HE-(\d+)[_.]")


def chest_key(name: str) -> tuple[str, str, str]:
    """Read patient and subtype from a file name of the chest X-ray set.

    Numbers restart per kind: `person1_bacteria_1` and `person1_virus_6` are two
    children, as are `IM-0001` and `NORMAL2-IM-0001`. Taking the number alone
    would merge strangers and call the published split leaky.

    Args:
        name: File name without folders.

    Returns:
        (group, alternative, subtype): the (kind, number) key, the key by the
        person's number alone, and normal, bacteria or virus; empty strings where
        the name follows no known pattern.

    Source: naming of doi 10.17632/rscbjbr9sj.2; the key that keeps its train and
    test apart.
    """
    if found := PERSON.match(name):
        number, kind = found.groups()
        return f"{kind}-{number}", f"person-{number}", kind
    if found := NORMAL.match(name):
        key = f"{found[1]}-{found[2]}"
        return key, key, "normal"
    return "", "", ""


def slide_key(name: str) -> str:
    """Read the slide from a tile's name: `..._CRC-Prim-HE-07_...` is "slide-07"."""
    found = SLIDE.search(name)
    return f"slide-{found[1]}" if found else ""


def keys(card: Card, path: str) -> tuple[str, str, str]:
    """Read (group, alternative, subtype) from a path, by the card's layout."""
    name = path.rsplit("/", 1)[-1]
    if card.layout == "chest":
        return chest_key(name)
    if card.layout == "histology":
        key = slide_key(name)
        return key, key, ""
    return "", "", ""
