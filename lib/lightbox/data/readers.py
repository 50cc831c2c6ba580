"""Readers: from a folder as published to one row per image."""

import re
from dataclasses import replace
from pathlib import Path

import pandas as pd

from lightbox.base.errors import DataError
from lightbox.data.cards import CHEST, HISTOLOGY, Card, Note
from lightbox.data.folders import (
    SUFFIXES,
    Listing,
    children,
    descend,
    list_files,
    subfolders,
)
from lightbox.data.rfmid import read_fundus

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


COLUMNS = ["image", "split", "label", "group", "alternative", "subtype"]

SPLITS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
MAX_NAMED = 5  # files or folders that a message names before it only counts


def _named(names: list[str]) -> str:
    shown = ", ".join(names[:MAX_NAMED])
    left = len(names) - MAX_NAMED
    return f"{shown} and {left} more" if left > 0 else shown


def _wrong_layout(card: Card, folder: Path, expected: str) -> DataError:
    entries = [entry.name for entry in children(folder)]
    found = _named(entries) if entries else "nothing"
    return DataError(
        f"{str(folder)!r} does not look like {card.name!r}: expected {expected}; "
        f"found {found}. Point data_dir at the right folder, or use "
        "dataset 'folder' for class folders of your own"
    )


def _stray(listing: Listing, outside: list[str]) -> list[Note]:
    """Say which files were passed over."""
    notes = []
    if listing.others:
        count, names = len(listing.others), _named(listing.others)
        notes.append(
            Note(
                f"{count} files that are not images by name were passed over: {names}.",
                f"略過 {count} 個檔名不是影像的檔案：{names}。",
            )
        )
    if outside:
        count, names = len(outside), _named(outside)
        notes.append(
            Note(
                f"{count} images outside any class folder were passed over: {names}.",
                f"略過 {count} 張不在類別資料夾內的影像：{names}。",
            )
        )
    return notes


def _split_folders(root: Path) -> dict[str, list[str]]:
    """Map train, val and test to the folders that hold them."""
    places: dict[str, list[str]] = {}
    for name in subfolders(root):
        if split := SPLITS.get(name.lower()):
            places.setdefault(split, []).append(name)
    for split, names in places.items():
        if len(names) > 1:
            raise DataError(
                f"{str(root)!r} holds {' and '.join(names)}, which both mean "
                f"{split!r}: keep one of them"
            )
    return places


def _has_images(folder: Path) -> bool:
    return any(
        Path(entry.name).suffix.lower() in SUFFIXES for entry in children(folder)
    )


def _root(card: Card, folder: Path) -> Path:
    """Step into the folders that an archive wraps around the published ones."""
    if card.layout == "histology":
        return descend(folder, set(card.classes))
    spelled = {form for name in SPLITS for form in (name, name.title(), name.upper())}
    if card.layout == "chest":
        return descend(folder, spelled)
    # Unknown class folders: only a lone folder around folders is a wrapping.
    root = folder
    while not spelled & set(inside := subfolders(root)):
        if len(inside) != 1 or _has_images(root) or not subfolders(root / inside[0]):
            break
        root = root / inside[0]
    return root


def _read_folders(card: Card, folder: Path) -> tuple[pd.DataFrame, Card]:
    """Read `<split>/<class>/...` or `<class>/...`."""
    known = set(card.classes)
    root = _root(card, folder)
    places = {} if card.layout == "histology" else _split_folders(root)
    notes: list[Note] = []
    prefix = root.relative_to(folder).as_posix()
    prefix = "" if prefix == "." else f"{prefix}/"
    for split, (name,) in places.items():
        if name != split:
            notes.append(
                Note(
                    f"Folder {name!r} was read as the split {split!r} (1 folder).",
                    f"資料夾 {name!r} 視為 {split!r} 子集（1 個資料夾）。",
                )
            )
    listing = list_files(folder, prefix.rstrip("/"))
    where = {name: split for split, (name,) in places.items()}
    rows, outside = [], []
    for path in listing.images:
        parts = path[len(prefix) :].split("/")
        split = where.get(parts[0], "") if places else ""
        inner = parts[1:] if places else parts
        lost = (places and not split) or len(inner) < 2
        if lost or (known and inner[0] not in known):
            outside.append(path)
        else:
            rows.append((path, split, inner[0], *keys(card, path)))
    table = pd.DataFrame(rows, columns=COLUMNS)
    empty = _class_folders(root, places) - set(table["label"])
    empty = sorted(empty & known if known else empty)
    if empty and len(table):
        raise DataError(
            f"class folders without one image in {str(root)!r}: {_named(empty)}. "
            "Fill them or remove them"
        )
    return table, replace(card, notes=(*card.notes, *notes, *_stray(listing, outside)))


def _class_folders(root: Path, places: dict[str, list[str]]) -> set[str]:
    tops = [root / name for (name,) in places.values()] if places else [root]
    return {name for top in tops for name in subfolders(top)}


def _fill_classes(table: pd.DataFrame, card: Card, folder: Path) -> Card:
    found = sorted(set(table["label"]) - {""})
    if not found:
        expected = "images in train|val|test/<class>/ or <class>/ folders"
        raise _wrong_layout(card, folder, expected)
    if len(found) < 2:
        raise DataError(
            f"{str(folder)!r} holds one class only ({found[0]!r}): a classifier "
            "needs images of two or more, each in its own folder"
        )
    if not card.classes:
        return replace(card, classes=tuple(found))
    present = tuple(name for name in card.classes if name in found)
    if missing := [name for name in card.classes if name not in found]:
        note = Note(
            f"{len(missing)} of {len(card.classes)} published classes are not in "
            f"this copy: {', '.join(missing)}.",
            f"此副本缺少 {len(card.classes)} 個公開類別中的 {len(missing)} 個："
            f"{'、'.join(missing)}。",
        )
        return replace(card, classes=present, notes=(*card.notes, note))
    return card


def _guess_groups(table: pd.DataFrame, card: Card) -> tuple[pd.DataFrame, Card]:
    """Give a generic folder groups where every name follows one known pattern."""
    names = table["image"].str.rsplit("/", n=1).str[-1]
    for like in (CHEST, HISTOLOGY):
        found = [keys(like, name) for name in names]
        if found and all(key[0] for key in found):
            table = table.assign(
                group=[key[0] for key in found],
                alternative=[key[1] for key in found],
                subtype=[key[2] for key in found],
            )
            number = table["group"].nunique()
            note = Note(
                f"All {len(table)} file names follow the pattern of {like.name}: "
                f"{number} {like.group}s are read from them.",
                f"全部 {len(table)} 個檔名符合 {like.name} 的格式："
                f"由此讀出 {number} 個群組。",
            )
            return table, replace(
                card,
                group=like.group,
                group_key=like.group_key,
                alternative_key=like.alternative_key,
                key_reason=like.key_reason,
                notes=(*card.notes, note),
            )
    return table, card


def read(card: Card, folder: Path) -> tuple[pd.DataFrame, Card]:
    """List a data set as published, one row an image; no file is opened but CSVs.

    Args:
        card: What is expected there.
        folder: Where it lies; wrapping folders of an archive are stepped into.

    Returns:
        The table, sorted by image: `image` (posix path relative to `folder`),
        `split` (train, val, test, or "" where none is published), `label` (class
        name; "" for an image without a label row), `group` (patient or slide; ""
        where none is known), `alternative` (the other key that the audit counts)
        and `subtype` (normal, bacteria, virus, or ""). The card comes back with
        its classes and with notes on what was found.

    Raises:
        DataError: The folder has another layout, no image, or one class only.
    """
    folder = Path(folder)
    if card.layout == "fundus":
        table, card = read_fundus(card, folder)
    else:
        table, card = _read_folders(card, folder)
        published = set(table["split"])
        lost = card.layout == "chest" and not {"train", "test"} <= published
        if card.layout != "folder" and (lost or not len(table)):
            classes = _named(list(card.classes))
            expected = (
                f"train/ and test/ with {classes} in each"
                if card.layout == "chest"
                else f"the class folders {classes}"
            )
            raise _wrong_layout(card, folder, expected)
    card = _fill_classes(table, card, folder)
    if card.layout == "folder":
        table, card = _guess_groups(table, card)
        if len(card.classes) == 2:
            # Alphabetical order, as everywhere; the second is the positive one.
            card = replace(card, positive=card.classes[1])
    return table.sort_values("image", ignore_index=True), card
