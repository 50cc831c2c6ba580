"""Section 00: what a set is, what the audit found, what was done about it."""

import math
from collections.abc import Mapping
from typing import Any

import matplotlib.ticker as ticker
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure as Drawing

from lightbox.base.errors import DataError
from lightbox.base.words import look_up, words
from lightbox.data.cards import Note
from lightbox.data.dataset import Dataset
from lightbox.display.cells import ABSENT, decimals
from lightbox.display.outputs import Figure, Prose, Table, escape_markdown
from lightbox.display.style import MAX_HEIGHT, WIDTH, letters, theme, wrapped

PAIRS: dict[str, tuple[str, str]] = {
    "field": ("Field", "項目"),
    "value": ("Value", "內容"),
    "title": ("Name", "名稱"),
    "task": ("Task", "任務"),
    "classes": ("Classes", "類別"),
    "positive": ("Positive class", "陽性類別"),
    "channels": ("Channels", "通道數"),
    "group": ("Images share", "影像共屬"),
    "licence": ("Licence", "授權"),
    "citation": ("Citation", "引用"),
    "source": ("Source", "來源"),
    "folder": ("Folder", "資料夾"),
    "fingerprint": ("Fingerprint", "資料指紋"),
    "caption_card": ("The data card.", "資料卡。"),
    "caption_groups": (
        "Patients or slides per split, and how many occur in two splits, under each "
        "way to read the key from a file name; the first is the one used.",
        "各資料集的病人或切片數，以及同時出現在兩個資料集中的數目；依檔名讀取識別碼的"
        "方式分列，第一列為採用者。",
    ),
    "caption_duplicates": (
        "Byte-identical files: {shown} of {all} groups.",
        "內容完全相同的檔案：{all} 組中的 {shown} 組。",
    ),
    "caption_files": (
        "Files that are damaged, not what their name says, or of an unusual mode: "
        "{shown} of {all}.",
        "損壞、名實不符或色彩模式特殊的檔案：{all} 個中的 {shown} 個。",
    ),
    "none_duplicates": (
        "No two files are byte-identical.",
        "沒有內容完全相同的檔案。",
    ),
    "none_files": (
        "No file is damaged, wrongly named or of an unusual mode.",
        "沒有損壞、名實不符或色彩模式特殊的檔案。",
    ),
    "none_groups": (
        "The files name no patient and no slide, so images of one patient may lie "
        "on both sides of a split: results can be too good, by an unknown amount.",
        "檔名不含病人或切片識別碼，同一病人的影像可能分屬不同資料集，結果可能過於樂觀，"
        "程度未知。",
    ),
    "one_size": (
        "All {count:,} images are {width} x {height} pixels.",
        "{count:,} 張影像皆為 {width} x {height} 像素。",
    ),
    "caption_sizes": (
        "Width and height of the images as they came, before resizing.",
        "影像的原始寬與高（縮放前）。",
    ),
    "width": ("Width, px", "寬，px"),
    "height": ("Height, px", "高，px"),
    # Headings of tables.
    "key": ("Key", "識別碼"),
    "train": ("Train", "訓練"),
    "val": ("Val", "驗證"),
    "test": ("Test", "測試"),
    "all": ("All", "全部"),
    "the set": ("The set", "全部資料"),
    "where": ("Where", "位置"),
    "files": ("Files", "檔案數"),
    "images": ("Images", "影像"),
    "image": ("Image", "影像"),
    "reason": ("Reason", "原因"),
    "treatment": ("Treatment", "處理"),
    "in_two": ("In {places}", "{places}共有"),
    "within": ("within {places}", "{places}內"),
    "across": ("across {places}", "跨{places}"),
    "and": (" and ", "與"),
}
LARGEST_TILE = 1.3  # inches


def sample_grid(
    dataset: Any,
    *,
    per_class: int = 6,
    size: int = 224,
    resize: str = "squash",
    split: str = "train",
    label: str = "fig-samples",
) -> Figure:
    """Show real images of each class, as the models see them.

    Args:
        dataset: The data set.
        per_class: How many images a class, spread evenly over the split.
        size: Side of an image in pixels, as in training.
        resize: `"squash"`, `"crop"` or `"pad"`, as in training.
        split: The split that the images are taken from.
        label: The figure's label.

    Returns:
        The figure: a row a class, equal tiles, one channel in grey.

    Raises:
        DataError: If the split holds no image.
    """
    terms, classes = words(), list(dataset.classes)
    positions = np.asarray(dataset.subset(split))
    labels = dataset.table["label"].to_numpy()[positions]
    if len(positions) == 0:
        raise DataError(f"no image in the {split!r} split to show; choose another")
    pixels = dataset.pixels(size, resize)
    columns = min(per_class, max(int((labels == name).sum()) for name in classes))
    names = [wrapped(name, 16) for name in classes]
    widest = max(letters(line) for name in names for line in name.split("\n"))
    margin = 0.12 + 0.075 * widest
    tile = min(
        (WIDTH - margin) / columns, (MAX_HEIGHT - 0.5) / len(classes), LARGEST_TILE
    )
    width = margin + tile * columns
    with theme(*classes):
        figure = Drawing(figsize=(width, tile * len(classes)))
        axes = figure.subplots(
            len(classes),
            columns,
            squeeze=False,
            gridspec_kw={
                "left": margin / width,
                "right": 1,
                "top": 1,
                "bottom": 0,
                "wspace": 0.04,
                "hspace": 0.04,
            },
        )
        for axis in axes.flat:
            axis.set_axis_off()
        for row, name, shown in zip(axes, classes, names, strict=True):
            here = positions[labels == name]
            chosen = np.linspace(0, len(here) - 1, min(columns, len(here))).astype(int)
            for axis, place in zip(row, chosen, strict=False):
                image = np.asarray(pixels[here[place]])
                grey = image.shape[-1] == 1
                axis.imshow(
                    image[..., 0] if grey else image,
                    cmap="gray" if grey else None,
                    vmin=0,
                    vmax=255,
                    interpolation="none",  # the SVG holds the pixels themselves
                )
            row[0].text(
                -0.06,
                0.5,
                shown,
                transform=row[0].transAxes,
                ha="right",
                va="center",
            )
        caption = terms["caption_samples"].format(split=terms.get(split, split))
        return Figure(figure, label, caption)


def split_counts(dataset: Any, *, label: str = "fig-splits") -> Figure:
    """Draw how many images each class has in each split.

    Args:
        dataset: The data set.
        label: The figure's label.

    Returns:
        The figure: horizontal bars with their numbers, a group a split.
    """
    terms, classes = words(), list(dataset.classes)
    splits = [s for s in ("train", "val", "test") if s in set(dataset.table["split"])]
    # A fixed order keeps splits and classes without images in their place.
    counts = (
        dataset.table.groupby(["split", "label"])
        .size()
        .reindex([(s, c) for s in splits for c in classes], fill_value=0)
        .rename("images")
        .reset_index()
    )
    counts["split"] = counts["split"].map(terms)
    bars = len(splits) * (len(classes) + 0.7)
    height = min(0.5 + 0.19 * bars + 0.17 * math.ceil(len(classes) / 4), MAX_HEIGHT)
    with theme(*classes, *terms.values()):
        figure = Drawing(figsize=(WIDTH, height), layout="constrained")
        axis = figure.subplots()
        sns.barplot(
            counts,
            x="images",
            y="split",
            hue="label",
            hue_order=classes,
            palette=sns.color_palette("colorblind", len(classes)),
            saturation=1,
            width=len(classes) / (len(classes) + 0.7),
            ax=axis,
            legend=False,
        )
        for group in axis.containers:
            axis.bar_label(group, fmt="{:,.0f}", padding=2)
        axis.set(xlabel=terms["images"], ylabel="")
        axis.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:,.0f}"))
        axis.margins(x=0.08)
        axis.tick_params(axis="y", length=0)
        figure.legend(
            handles=[group[0] for group in axis.containers],
            labels=classes,
            loc="outside upper center",
            ncols=min(len(classes), 4),
        )
        return Figure(figure, label, terms["caption_counts"])


def split_table(dataset: Any, *, label: str = "tbl-splits") -> Table:
    """Count images per class, and patients or slides, in each split.

    Args:
        dataset: The data set, with `table` (columns `split`, `label`, `group`),
            `classes` and `positive`.
        label: The table's label.

    Returns:
        The table: a row a split, then the total. With a positive class, its
        share in per cent.
    """
    terms, table = words(), dataset.table
    rows, full = [], []
    present = [name for name in ("train", "val", "test") if name in set(table["split"])]
    for split in [*present, None]:
        part = table if split is None else table[table["split"] == split]
        counts = {name: int((part["label"] == name).sum()) for name in dataset.classes}
        row = {terms["split"]: terms[split or "total"]}
        row |= {name: f"{count:,}" for name, count in counts.items()}
        row[terms["images"]] = f"{len(part):,}"
        if dataset.positive:
            share = counts[dataset.positive] / len(part) if len(part) else math.nan
            header = terms["share"].format(answer=dataset.positive)
            row[header] = decimals(100 * share, 1)
        groups = int(part["group"].nunique())
        if groups:
            row[terms["groups"]] = f"{groups:,}"
        rows.append(row)
        full.append(
            {"split": split or "all"} | counts | {"images": len(part), "groups": groups}
        )
    return Table(
        pd.DataFrame(rows).fillna(ABSENT),
        label,
        terms["caption_splits"],
        csv=pd.DataFrame(full),
    )


MOST_ROWS = 12  # of a listing on the page; its CSV has them all


def card(dataset: Dataset) -> Table:
    """Say what the set is: task, source, licence, citation.

    Args:
        dataset: The data set.

    Returns:
        A table of fields and values.
    """
    terms = look_up(PAIRS)
    about = dataset.card
    source = about.doi and f"https://doi.org/{about.doi}"
    values = {
        "title": about.title,
        "task": about.task,
        "classes": ", ".join(dataset.classes),
        "positive": dataset.positive or "",
        "channels": str(dataset.channels),
        "group": " ".join(filter(None, [about.group, about.group_key])),
        "licence": about.licence,
        "citation": about.citation,
        "source": source or about.source,
        "folder": dataset.folder.name,
        "fingerprint": dataset.fingerprint,
    }
    frame = pd.DataFrame(
        [
            {
                terms["field"]: terms[key],
                terms["value"]: text,
            }
            for key, text in values.items()
            if text
        ]
    )
    return Table(frame, "tbl-card", terms["caption_card"])


def findings(dataset: Dataset) -> Prose:
    """List what the audit found, each with its number.

    Args:
        dataset: The data set.

    Returns:
        A bulleted list.
    """
    return _bullets(dataset.audit.findings())


def changes(dataset: Dataset) -> Prose:
    """List what was changed before training, and what must be said of the set.

    Args:
        dataset: The data set.

    Returns:
        A bulleted list.
    """
    return _bullets([note.say() for note in dataset.notes])


def groups(dataset: Dataset) -> Table | Prose:
    """Count patients or slides per split, and those that two splits share.

    Args:
        dataset: The data set.

    Returns:
        A row per way to read the key, or a sentence where there is no key.
    """
    terms = look_up(PAIRS)
    frame = dataset.audit.tables().get("groups")
    if frame is None:
        return Prose(terms["none_groups"])
    known = dataset.card.group_key, dataset.card.alternative_key
    shown = frame.drop(columns="used")
    shown["key"] = shown["key"].map(
        {str(key): key.say() if isinstance(key, Note) else key for key in known}
    )
    shown = shown.rename(columns=lambda name: _title(name, terms))
    caption = terms["caption_groups"]
    return Table(shown, "tbl-groups", caption, csv=frame, file="groups.csv")


def duplicates(dataset: Dataset) -> Table | Prose:
    """Name the groups of byte-identical files.

    Args:
        dataset: The data set.

    Returns:
        A row per group, or a sentence where there is none.
    """
    terms = look_up(PAIRS)
    frame = dataset.audit.tables().get("duplicates")
    if frame is None:
        return Prose(terms["none_duplicates"])
    shown = frame[["where", "files", "images"]].head(MOST_ROWS)
    shown = shown.assign(where=[_place(text, terms) for text in shown["where"]])
    shown = shown.rename(columns=terms)
    caption = terms["caption_duplicates"].format(shown=len(shown), all=len(frame))
    return Table(shown, "tbl-duplicates", caption, csv=frame, file="duplicates.csv")


def files(dataset: Dataset) -> Table | Prose:
    """Name the files that were left out or converted, and why.

    Args:
        dataset: The data set.

    Returns:
        A row per file, or a sentence where there is none.
    """
    terms = look_up(PAIRS)
    tables = dataset.audit.tables()
    found = [tables[name] for name in ("bad_files", "odd_files") if name in tables]
    if not found:
        return Prose(terms["none_files"])
    frame = pd.concat(found, ignore_index=True).fillna("")
    shown = frame.head(MOST_ROWS).rename(columns=terms)
    caption = terms["caption_files"].format(shown=len(shown), all=len(frame))
    return Table(shown, "tbl-files", caption, csv=frame, file="files.csv")


def sizes(dataset: Dataset) -> Figure | Prose:
    """Show width against height of the images as they came.

    Args:
        dataset: The data set.

    Returns:
        A scatter, or a sentence where all images have one size.
    """
    terms = look_up(PAIRS)
    found = dataset.audit.tables()["sizes"]
    if len(found) == 1:
        size = found.iloc[0]
        return Prose(
            terms["one_size"].format(
                count=size["all"], width=size["width"], height=size["height"]
            )
        )
    rows = found.melt(
        ["width", "height"], [name for name in dataset.classes if name in found]
    )
    rows = rows[rows["value"] > 0]
    names = [terms["width"], terms["height"]]
    with theme(*names, *dataset.classes):
        drawing = Drawing(figsize=(WIDTH, WIDTH * 0.42), layout="constrained")
        axis = drawing.subplots()
        # Thousands of sizes would be thousands of shapes: pixels do for the dots.
        sns.scatterplot(
            rows,
            x="width",
            y="height",
            hue="variable",
            size="value",
            sizes=(6, 60),
            size_norm=(1, max(20, int(rows["value"].max()))),
            alpha=0.45,
            linewidth=0,
            palette="colorblind",
            rasterized=True,
            ax=axis,
        )
        axis.set(xlabel=names[0], ylabel=names[1])
        keep = len(set(rows["variable"])) + 1
        handles, labels = axis.get_legend_handles_labels()
        axis.legend(handles[1:keep], labels[1:keep], frameon=False)
        sns.despine(ax=axis)
        return Figure(drawing, "fig-sizes", terms["caption_sizes"])


def _bullets(lines: list[str]) -> Prose:
    return Prose("\n".join(f"- {escape_markdown(line)}" for line in lines))


def _title(name: str, terms: Mapping[str, str]) -> str:
    """Write a heading: a split, or `in train and test`."""
    if not name.startswith("in "):
        return terms.get(name, name)
    return terms["in_two"].format(places=_splits(name.removeprefix("in "), terms))


def _place(text: str, terms: Mapping[str, str]) -> str:
    """Write where files lie: `within train`, `across train and test`."""
    how, _, places = text.partition(" ")
    return terms[how].format(places=_splits(places, terms))


def _splits(places: str, terms: Mapping[str, str]) -> str:
    """Name splits within a phrase; `the set` is a set without any."""
    names = [terms[name].lower() for name in places.split(" and ")]
    return terms["and"].join(names)
