"""The figures of a data set: its images and their counts."""

import math
from typing import Any

import matplotlib.ticker as ticker
import numpy as np
import seaborn as sns
from matplotlib.figure import Figure as Drawing

from lightbox.display import Figure
from lightbox.errors import DataError
from lightbox.style import MAX_HEIGHT, WIDTH, letters, theme, wrapped
from lightbox.words import words

LARGEST_TILE = 1.3  # inches


def sample_grid(
    dataset: Any,
    language: str = "en",
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
        language: `"en"` or `"zh"`.
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
    terms, classes = words(language), list(dataset.classes)
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


def split_counts(
    dataset: Any, language: str = "en", *, label: str = "fig-splits"
) -> Figure:
    """Draw how many images each class has in each split.

    Args:
        dataset: The data set.
        language: `"en"` or `"zh"`.
        label: The figure's label.

    Returns:
        The figure: horizontal bars with their numbers, a group a split.
    """
    terms, classes = words(language), list(dataset.classes)
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
