"""Section 00: what a set is, what the audit found, what was done about it."""

import math
from typing import Any

import matplotlib.ticker as ticker
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure as Drawing

from lightbox.base.words import N_, _, pgettext
from lightbox.data.dataset import SPLITS, Dataset
from lightbox.display.cells import ABSENT, decimals
from lightbox.display.outputs import Figure, Prose, Table, escape_markdown
from lightbox.display.style import MAX_HEIGHT, WIDTH, letters, theme, wrapped

LARGEST_TILE = 1.3  # inches
MOST_ROWS = 12  # of a listing on the page; its CSV has them all
HEADINGS = {
    "key": N_("Key"),
    "train": N_("Train"),
    "val": N_("Val"),
    "test": N_("Test"),
    "all": N_("All"),
    "image": N_("Image"),
    "reason": N_("Reason"),
    "treatment": N_("Treatment"),
}


def sample_grid(
    dataset: Any, *, per_class: int = 6, size: int = 224, resize: str = "squash"
) -> Figure:
    """Show train images of each class, as the models see them.

    Args:
        size: Side of an image in pixels, as in training.

    """
    classes = list(dataset.classes)
    positions = np.asarray(dataset.subset("train"))
    labels = dataset.table["label"].to_numpy()[positions]
    pixels = dataset.pixels(size, resize)
    columns = min(per_class, max(int((labels == name).sum()) for name in classes))
    names = [wrapped(name, 16) for name in classes]
    widest = max(letters(line) for name in names for line in name.split("\n"))
    margin = 0.12 + 0.075 * widest
    room = (WIDTH - margin) / columns, (MAX_HEIGHT - 0.5) / len(classes)
    tile = min(*room, LARGEST_TILE)
    width = margin + tile * columns
    edges = {"left": margin / width, "right": 1, "top": 1, "bottom": 0}
    with theme(*classes):
        figure = Drawing(figsize=(width, tile * len(classes)))
        axes = figure.subplots(
            len(classes),
            columns,
            squeeze=False,
            gridspec_kw=edges | {"wspace": 0.04, "hspace": 0.04},
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
            at = {"transform": row[0].transAxes, "ha": "right", "va": "center"}
            row[0].text(-0.06, 0.5, shown, **at)
        caption = _("Sample images of each class from the train split.")
        return Figure(figure, "fig-samples", caption)


def split_counts(dataset: Any) -> Figure:
    """Draw how many images each class has in each split: bars, a group a split."""
    classes = list(dataset.classes)
    splits = [s for s in SPLITS if s in set(dataset.table["split"])]
    # A fixed order keeps splits and classes without images in their place.
    counts = (
        dataset.table.groupby(["split", "label"])
        .size()
        .reindex([(s, c) for s in splits for c in classes], fill_value=0)
        .rename("images")
        .reset_index()
    )
    counts["split"] = counts["split"].map(_)
    bars = len(splits) * (len(classes) + 0.7)
    height = min(0.5 + 0.19 * bars + 0.17 * math.ceil(len(classes) / 4), MAX_HEIGHT)
    with theme(*classes, *counts["split"]):
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
        axis.set(xlabel=_("Images"), ylabel="")
        axis.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:,.0f}"))
        axis.margins(x=0.08)
        axis.tick_params(axis="y", length=0)
        figure.legend(
            handles=[group[0] for group in axis.containers],
            labels=classes,
            loc="outside upper center",
            ncols=min(len(classes), 4),
        )
        return Figure(figure, "fig-splits", _("Images per class in each split."))


def split_table(dataset: Any) -> Table:
    """Count images per class, and patients or slides, in each split.

    Returns:
        The table: a row a split, then the total. With a positive class, its
        share in per cent.
    """
    table = dataset.table
    rows, full = [], []
    present = [name for name in SPLITS if name in set(table["split"])]
    for split in [*present, None]:
        part = table if split is None else table[table["split"] == split]
        counts = {name: int((part["label"] == name).sum()) for name in dataset.classes}
        row = {_("Split"): _(split) if split else _("Total")}
        row |= {name: f"{count:,}" for name, count in counts.items()}
        row[_("Images")] = f"{len(part):,}"
        if dataset.positive:
            share = counts[dataset.positive] / len(part) if len(part) else math.nan
            header = _("{answer}, %").format(answer=dataset.positive)
            row[header] = decimals(100 * share, 1)
        groups = int(part["group"].nunique())
        if groups:
            slides = dataset.card.group == "slide"
            header = (
                pgettext("slides", "Patients or slides")
                if slides
                else pgettext("patients", "Patients or slides")
            )
            row[header] = f"{groups:,}"
        rows.append(row)
        full.append(
            {"split": split or "all"} | counts | {"images": len(part), "groups": groups}
        )
    return Table(
        pd.DataFrame(rows).fillna(ABSENT),
        "tbl-splits",
        _("Images per class and split."),
        csv=pd.DataFrame(full),
    )


def data_card(dataset: Dataset) -> Table:
    """Say what the set is: task, source, licence, citation, a field a row."""
    about = dataset.card
    source = about.doi and f"https://doi.org/{about.doi}"
    group, key = about.group or "", about.group_key
    values = {
        _("Name"): _(about.title),
        _("Task"): _(about.task),
        _("Classes"): ", ".join(dataset.classes),
        _("Positive class"): dataset.positive or "",
        _("Channels"): str(dataset.channels),
        _("Images share"): _("{group} {key}").format(group=_(group), key=_(key))
        if group
        else "",
        _("Licence"): _(about.licence),
        _("Citation"): about.citation,
        _("Source"): source or about.source,
        _("Folder"): dataset.folder.name,
        _("Fingerprint"): dataset.fingerprint,
    }
    given = [(name, text) for name, text in values.items() if text]
    frame = pd.DataFrame(given, columns=[_("Field"), _("Value")])
    return Table(frame, "tbl-card", _("The data card."))


def data_findings(dataset: Dataset) -> Prose:
    """List what the audit found, each with its number."""
    return _bullets(dataset.audit.findings())


def data_changes(dataset: Dataset) -> Prose:
    """List what was changed before training, and what must be said of the set."""
    return _bullets(dataset.notes())


def patients_table(dataset: Dataset) -> Table | Prose:
    """Count patients or slides per split, and those that two splits share."""
    frame = dataset.audit.group_table()
    if frame.empty:
        return Prose(
            _(
                "The files name no patient and no slide, so images of one patient may "
                "lie on both sides of a split: results can be too good, by an unknown "
                "amount."
            )
        )
    shown = frame.drop(columns="used").rename(columns=_heading)
    shown.iloc[:, 0] = shown.iloc[:, 0].map(_)
    caption = _(
        "Patients or slides per split, and how many occur in two splits, under each "
        "way to read the key from a file name; the first is the one used."
    )
    return Table(shown, "tbl-groups", caption, csv=frame, file="groups.csv")


def duplicates_table(dataset: Dataset) -> Table | Prose:
    """Name the groups of byte-identical files, or say that there is none."""
    frame = dataset.audit.duplicates()
    if frame.empty:
        return Prose(_("No two files are byte-identical."))
    first = frame.head(MOST_ROWS)
    shown = pd.DataFrame(
        {
            _("Where"): [_place(text) for text in first["where"]],
            _("Files"): first["files"],
            pgettext("names of files", "Images"): first["images"],
        }
    )
    text = _("Byte-identical files: {shown} of {all} groups.")
    caption = text.format(shown=len(shown), all=len(frame))
    return Table(shown, "tbl-duplicates", caption, csv=frame, file="duplicates.csv")


def files_table(dataset: Dataset) -> Table | Prose:
    """Name the files that were left out or converted, and why."""
    found = [part for part in (dataset.audit.bad(), dataset.audit.odd()) if len(part)]
    if not found:
        return Prose(_("No file is damaged, wrongly named or of an unusual mode."))
    frame = pd.concat(found, ignore_index=True).fillna("")
    shown = frame.head(MOST_ROWS).rename(columns=_heading)
    text = _(
        "Files that are damaged, not what their name says, or of an unusual mode: "
        "{shown} of {all}."
    )
    caption = text.format(shown=len(shown), all=len(frame))
    return Table(shown, "tbl-files", caption, csv=frame, file="files.csv")


def sizes_figure(dataset: Dataset) -> Figure | Prose:
    """Show width against height of the images as they came."""
    found = dataset.audit.sizes()
    if len(found) == 1:
        size, text = (
            found.iloc[0],
            _("All {all:,} images are {width} x {height} pixels."),
        )
        return Prose(text.format(**size))
    rows = found.melt(
        ["width", "height"], [name for name in dataset.classes if name in found]
    )
    rows = rows[rows["value"] > 0]
    names = [_("Width, px"), _("Height, px")]
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
        caption = _("Width and height of the images as they came, before resizing.")
        return Figure(drawing, "fig-sizes", caption)


def _bullets(lines: list[str]) -> Prose:
    return Prose("\n".join(f"- {escape_markdown(line)}" for line in lines))


def _heading(name: str) -> str:
    """Write the heading of a column: `Train`, or `In train and test`."""
    if not name.startswith("in "):
        return _(HEADINGS[name])
    one, other = map(_, name.removeprefix("in ").split(" and "))
    return _("In {one} and {other}").format(one=one, other=other)


def _place(text: str) -> str:
    """Say where files lie: `within train`, `across train and test`."""
    how, places = text.split(" ", maxsplit=1)
    said = _("within {places}") if how == "within" else _("across {places}")
    return said.format(places=_(" and ").join(map(_, places.split(" and "))))
