"""The reader of RFMiD: image folders beside CSV files of labels."""

import re
from pathlib import Path

import pandas as pd

from lightbox.base.errors import DataError
from lightbox.base.words import N_
from lightbox.data.cards import Card, Sentence
from lightbox.data.folders import list_files

# Published copies wrap the folders differently and number some of them
# ("a. Training Set"); the last folder's name tells the split in all of them.
FOLDER = re.compile(
    r"(?:[a-z0-9]+\.\s*)?(?:(?P<train>training( set)?)"
    r"|(?P<val>validation( set)?|evaluation set)|(?P<test>test(ing)?( set)?))"
)
LABELS = {"training": "train", "validation": "val", "testing": "test"}
LABEL_FILE = re.compile(
    r"(?:^|/)(?:[a-z]\. )?RFMiD_(Training|Validation|Testing)_Labels\.csv$", re.I
)


def _split_of(path: str) -> str:
    """Tell the split from the folder that an image lies in, or "" if it does not."""
    name = path.split("/")[-2].lower().replace("_", " ") if "/" in path else ""
    found = FOLDER.fullmatch(name)
    return next(s for s in LABELS.values() if found[s]) if found else ""


def read_labels(path: Path) -> dict[str, int]:
    """Read one label file: a CSV with the columns ID and Disease_Risk (0 or 1).

    Raises:
        DataError: Missing columns, an ID given twice or a label that is not 0 or 1.
    """
    try:
        rows = pd.read_csv(path, encoding="utf-8-sig", dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"label file {str(path)!r} cannot be read: {reason}") from error
    rows.columns = rows.columns.str.strip()
    if missing := [name for name in ("ID", "Disease_Risk") if name not in rows]:
        raise DataError(
            f"label file {str(path)!r} lacks the column {' and '.join(missing)}; "
            f"it has {', '.join(rows.columns[:5])}: take the published file"
        )
    ids, risks = rows["ID"].str.strip(), rows["Disease_Risk"].str.strip()
    if wrong := sorted(set(risks) - {"0", "1"}):
        line = int((~risks.isin(["0", "1"])).to_numpy().argmax()) + 2
        raise DataError(
            f"label file {str(path)!r}, line {line}: Disease_Risk is "
            f"{wrong[0]!r}, allowed are 0 and 1"
        )
    if ids.duplicated().any():
        twice = ids[ids.duplicated()].iloc[0]
        raise DataError(f"label file {str(path)!r} gives the ID {twice!r} twice")
    return {key: int(risk) for key, risk in zip(ids, risks, strict=True)}


def _join(
    pictures: dict[str, str], labels: dict[str, int], split: str, classes: tuple
) -> list[tuple[str, str, str]]:
    """Write a row for each label and each image, whether or not it has the other."""
    home = next(iter(pictures.values()), f"{split}/x").rsplit("/", 1)[0]
    labelled = [
        (pictures.get(key, f"{home}/{key}.png"), split, classes[risk])
        for key, risk in labels.items()
    ]
    return labelled + [
        (path, split, "") for key, path in pictures.items() if key not in labels
    ]


def read_fundus(card: Card, folder: Path) -> tuple[pd.DataFrame, list[Sentence]]:
    """Join images and label rows of RFMiD, in any of the published arrangements.

    Returns:
        The table of `readers.read` and what was found. A label row without its
        image stays as a row whose file does not exist and an image without a label
        row as one with the label "": the audit lists both as unusable.

    Raises:
        DataError: No images, no label files, or wrong ones.
    """
    names, others = list_files(folder)
    images: dict[str, dict[str, str]] = {split: {} for split in LABELS.values()}
    outside = []
    for path in names:
        split, stem = _split_of(path), path.rsplit("/", 1)[-1].rsplit(".", 1)[0]
        if split and stem not in images[split]:
            images[split][stem] = path
        else:
            outside.append(path)
    files: dict[str, str] = {}
    for path in others:
        if found := LABEL_FILE.search(path):
            files.setdefault(LABELS[found[1].lower()], path)
    if not (images["train"] and images["test"] and {"train", "test"} <= set(files)):
        raise DataError(
            f"{str(folder)!r} does not look like {card.name!r}: expected "
            "Training_Set/Training, Evaluation_Set/Validation and Test_Set/Test with "
            "<ID>.png files and RFMiD_Training_Labels.csv, "
            "RFMiD_Validation_Labels.csv, RFMiD_Testing_Labels.csv; found "
            f"{sum(map(len, images.values()))} images in such folders and the label "
            f"files {', '.join(files.values()) or '(none)'}"
        )
    rows, notes = [], []
    if outside:
        text = N_(
            "{count} images outside the published folders, or a second time under one "
            "ID, were passed over, the first: {first}."
        )
        notes.append(Sentence(text, count=len(outside), first=outside[0]))
    text = N_(
        "{file}: {lost} label rows have no image and {extra} images have no label row."
    )
    for split, pictures in images.items():
        file = files.get(split)
        labels = read_labels(folder / file) if file else {}
        rows += _join(pictures, labels, split, card.classes)
        lost, extra = len(labels.keys() - pictures), len(pictures.keys() - labels)
        if file and (lost or extra):
            notes.append(Sentence(text, file=file, lost=lost, extra=extra))
    table = pd.DataFrame(rows, columns=["image", "split", "label"])
    return table.assign(group="", alternative="", subtype=""), notes
