"""Readers: from a folder as published to one row per image."""

import re
from dataclasses import replace
from pathlib import Path

import pandas as pd

from lightbox.base.errors import DataError
from lightbox.base.words import N_
from lightbox.data.cards import CARDS, Card, Sentence
from lightbox.data.folders import (
    children,
    descend,
    list_files,
    named_as_image,
    subfolders,
)
from lightbox.data.rfmid import read_fundus

PERSON = re.compile(r"^person(\d+)_(bacteria|virus)_")
NORMAL = re.compile(r"^(NORMAL2-IM|IM)-(\d+)-")
SLIDE = re.compile(r"_CRC-Prim-HE-(\d+)[_.]")
COLUMNS = ["image", "split", "label", "group", "alternative", "subtype"]
SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
SPELLED = {form for name in SPLITS for form in (name, name.title(), name.upper())}
MAX_NAMED = 5  # files or folders that a message names before it only counts


def chest_key(name: str) -> tuple[str, str, str]:
    """Read patient and subtype from a file name of the chest X-ray set.

    Numbers restart per kind: `person1_bacteria_1` and `person1_virus_6` are two
    children, as are `IM-0001` and `NORMAL2-IM-0001`.

    Returns:
        (group, alternative, subtype): the key by kind and number, that by the number
        alone, and normal, bacteria or virus; empty where no pattern is known.

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


def _keys(card: Card, path: str) -> tuple[str, str, str]:
    """Read (group, alternative, subtype) from a path, by the card's layout."""
    name = path.rsplit("/", 1)[-1]
    if card.layout == "chest":
        return chest_key(name)
    key = slide_key(name) if card.layout == "histology" else ""
    return key, key, ""


def _named(names: list[str]) -> str:
    left = len(names) - MAX_NAMED
    return ", ".join(names[:MAX_NAMED]) + (f" and {left} more" if left > 0 else "")


def _wrong_layout(card: Card, folder: Path, expected: str) -> DataError:
    found = _named([entry.name for entry in children(folder)]) or "nothing"
    return DataError(
        f"{str(folder)!r} does not look like {card.name!r}: expected {expected}; "
        f"found {found}. Point data_dir at the right folder, or use "
        "dataset 'folder' for class folders of your own"
    )


def _split_folders(root: Path) -> dict[str, str]:
    """Map the folders that hold train, val and test to those names."""
    places: dict[str, str] = {}
    for name in subfolders(root):
        if split := SPLITS.get(name.lower()):
            if twin := next((k for k, held in places.items() if held == split), ""):
                raise DataError(
                    f"{str(root)!r} holds {twin} and {name}, which both mean "
                    f"{split!r}: keep one of them"
                )
            places[name] = split
    return places


def _root(card: Card, folder: Path) -> Path:
    """Step into the folders that an archive wraps around the published ones."""
    if card.layout == "histology":
        return descend(folder, set(card.classes))
    if card.layout == "chest":
        return descend(folder, SPELLED)
    # Unknown class folders: only a lone folder around folders is a wrapping.
    root = folder
    while not SPELLED & set(inside := subfolders(root)):
        loose = any(named_as_image(entry.name) for entry in children(root))
        if len(inside) != 1 or loose or not subfolders(root / inside[0]):
            break
        root = root / inside[0]
    return root


def _read_folders(card: Card, folder: Path) -> tuple[pd.DataFrame, list[Sentence]]:
    """Read `<split>/<class>/...` or `<class>/...`."""
    known = set(card.classes)
    root = _root(card, folder)
    places = {} if card.layout == "histology" else _split_folders(root)
    renamed = N_("Folder {folder!r} was read as the split {split!r} (1 folder).")
    notes = [
        Sentence(renamed, folder=name, split=split)
        for name, split in places.items()
        if name != split
    ]
    inside = root.relative_to(folder).as_posix().removeprefix(".")
    images, others = list_files(folder, inside)
    rows, outside = [], []
    for path in images:
        parts = path.removeprefix(f"{inside}/").split("/")
        split = places.get(parts[0], "")
        if places:
            parts = parts[1:] if split else []
        if len(parts) < 2 or (known and parts[0] not in known):
            outside.append(path)
        else:
            rows.append((path, split, parts[0], *_keys(card, path)))
    table = pd.DataFrame(rows, columns=COLUMNS)
    tops = [root / name for name in places] or [root]
    empty = {name for top in tops for name in subfolders(top)} - set(table["label"])
    empty = sorted(empty & known if known else empty)
    if empty and len(table):
        raise DataError(
            f"class folders without one image in {str(root)!r}: {_named(empty)}. "
            "Fill them or remove them"
        )
    passed_over = {
        N_(
            "{count} files that are not images by name were passed over: {names}."
        ): others,
        N_(
            "{count} images outside any class folder were passed over: {names}."
        ): outside,
    }
    notes += [
        Sentence(text, count=len(names), names=_named(names))
        for text, names in passed_over.items()
        if names
    ]
    return table, notes


def _fill_classes(
    table: pd.DataFrame, card: Card, folder: Path
) -> tuple[Card, list[Sentence]]:
    found = sorted(set(table["label"]) - {""})
    if not found:
        expected = "images in train|val|test/<class>/ or <class>/ folders"
        raise _wrong_layout(card, folder, expected)
    if len(found) < 2:
        raise DataError(
            f"{str(folder)!r} holds one class only ({found[0]!r}): a classifier "
            "needs images of two or more, each in its own folder"
        )
    classes = [name for name in card.classes or found if name in found]
    missing = [name for name in card.classes if name not in found]
    text = N_("{missing} of {all} published classes are not in this copy: {names}.")
    numbers = {"missing": len(missing), "all": len(card.classes)}
    notes = [Sentence(text, names=", ".join(missing), **numbers)] if missing else []
    return replace(card, classes=tuple(classes)), notes


def _guess_groups(
    table: pd.DataFrame, card: Card
) -> tuple[pd.DataFrame, Card, list[Sentence]]:
    """Give a generic folder groups where every name follows one known pattern."""
    for like in (CARDS["chest-xray"], CARDS["histology"]):
        found = [_keys(like, path) for path in table["image"]]
        if all(group for group, *_ in found):
            table = table.copy()
            table[COLUMNS[3:]] = found
            text = N_(
                "All {files} file names follow the pattern of {like}: {groups} "
                "{group}s are read from them."
            )
            numbers = {"files": len(table), "groups": table["group"].nunique()}
            note = Sentence(text, like=like.name, group=Sentence(like.group), **numbers)
            shared = ("group", "group_key", "alternative_key", "key_reason")
            card = replace(card, **{name: getattr(like, name) for name in shared})
            return table, card, [note]
    return table, card, []


def read(card: Card, folder: Path) -> tuple[pd.DataFrame, Card, list[Sentence]]:
    """List a data set as published, one row an image; no file is opened but CSVs.

    Returns:
        The table, sorted by image: `image` (posix path relative to `folder`),
        `split` (train, val, test, or "" where none is published), `label` (class
        name; "" for an image without a label row), `group` (patient or slide; ""
        where none is known), `alternative` (the other key that the audit counts)
        and `subtype` (normal, bacteria, virus, or ""). The card with its classes.
        What was found on the way.

    Raises:
        DataError: The folder has another layout, no image, or one class only.
    """
    folder = Path(folder)
    if card.layout == "fundus":
        table, notes = read_fundus(card, folder)
    else:
        table, notes = _read_folders(card, folder)
        lost = card.layout == "chest" and not {"train", "test"} <= set(table["split"])
        if card.layout != "folder" and (lost or not len(table)):
            expected = f"the class folders {_named(list(card.classes))}"
            if card.layout == "chest":
                expected = f"train/ and test/ with {_named(list(card.classes))} in each"
            raise _wrong_layout(card, folder, expected)
    card, more = _fill_classes(table, card, folder)
    notes += more
    if card.layout == "folder":
        table, card, more = _guess_groups(table, card)
        notes += more
        if len(card.classes) == 2:
            # Alphabetical order, as everywhere; the second is the positive one.
            card = replace(card, positive=card.classes[1])
    return table.sort_values("image", ignore_index=True), card, notes
