"""The reader of RFMiD: image folders beside CSV files of labels."""

import re
from dataclasses import replace
from pathlib import Path

import pandas as pd

from lightbox.base.errors import DataError
from lightbox.data.cards import Card, Note
from lightbox.data.folders import list_files

# Published copies wrap the folders differently and number some of them
# ("a. Training Set"); the last folder's name tells the split in all of them.
FOLDERS = {
    "training": "train",
    "training set": "train",
    "validation": "val",
    "validation set": "val",
    "evaluation set": "val",
    "test": "test",
    "testing": "test",
    "test set": "test",
    "testing set": "test",
}
LABELS = {"training": "train", "validation": "val", "testing": "test"}
LABEL_FILE = re.compile(
    r"(?:^|/)(?:[a-z]\. )?RFMiD_(Training|Validation|Testing)_Labels\.csv$", re.I
)
NUMBERING = re.compile(r"^[a-z0-9]+\.\s*")


def _split_of(path: str) -> str:
    """Tell the split from the folder that an image lies in."""
    parts = path.split("/")
    name = parts[-2].lower().replace("_", " ") if len(parts) > 1 else ""
    return FOLDERS.get(NUMBERING.sub("", name), "")


def read_labels(path: Path) -> dict[str, int]:
    """Read one label file.

    Args:
        path: A CSV with the columns ID and Disease_Risk (0 or 1), a byte-order
            mark before them or not.

    Returns:
        Disease_Risk by ID, the ID as the file's stem has it.

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


def read_fundus(card: Card, folder: Path) -> tuple[pd.DataFrame, Card]:
    """Join images and label rows of RFMiD; either may lack the other.

    Args:
        card: The card, classes (normal, diseased).
        folder: Holds images and CSVs in any of the published arrangements.

    Returns:
        The readers' table. A label row without its image stays as a row whose
        file does not exist and an image without a label row as one with the label
        "": the audit lists both as unusable. The card comes back with notes.

    Raises:
        DataError: No images, no label files, or wrong ones.
    """
    listing = list_files(folder)
    images: dict[str, dict[str, str]] = {}
    outside = []
    for path in listing.images:
        split = _split_of(path)
        stem = path.rsplit("/", 1)[-1].rsplit(".", 1)[0]
        if split and stem not in images.setdefault(split, {}):
            images[split][stem] = path
        else:
            outside.append(path)
    files: dict[str, str] = {}
    for path in listing.others:
        if found := LABEL_FILE.search(path):
            files.setdefault(LABELS[found[1].lower()], path)
    absent = [
        name
        for name, split in (("Training", "train"), ("Test", "test"))
        if not images.get(split)
    ]
    if absent or not {"train", "test"} <= set(files):
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
        notes.append(
            Note(
                f"{len(outside)} images outside the published folders, or a second "
                f"time under one ID, were passed over, the first: {outside[0]}.",
                f"略過 {len(outside)} 張不在公開資料夾內或編號重複的影像，"
                f"第一張：{outside[0]}。",
            )
        )
    for split in ("train", "val", "test"):
        pictures = images.get(split, {})
        if split not in files:
            rows += [(path, split, "") for path in pictures.values()]
            continue
        labels = read_labels(folder / files[split])
        home = next(iter(pictures.values()), f"{split}/x").rsplit("/", 1)[0]
        for key, risk in labels.items():
            path = pictures.get(key, f"{home}/{key}.png")
            rows.append((path, split, card.classes[risk]))
        rows += [
            (path, split, "") for key, path in pictures.items() if key not in labels
        ]
        lost, extra = len(labels.keys() - pictures), len(pictures.keys() - labels)
        if lost or extra:
            notes.append(
                Note(
                    f"{files[split]}: {lost} label rows have no image and {extra} "
                    "images have no label row.",
                    f"{files[split]}：{lost} 列標籤沒有對應影像，"
                    f"{extra} 張影像沒有標籤。",
                )
            )
    table = pd.DataFrame(rows, columns=["image", "split", "label"])
    table = table.assign(group="", alternative="", subtype="")
    return table, replace(card, notes=(*card.notes, *notes))
