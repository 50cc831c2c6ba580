"""Grad-CAM: where the best network looked on test images."""

import math
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Drawing

from lightbox.comparison.gallery import BELOW, answers, describe, pixels_of, show
from lightbox.comparison.reliability import seeing_words
from lightbox.comparison.runs import check_same_data, finished_only
from lightbox.display.names import run_names
from lightbox.display.outputs import Callout, Figure, escape_markdown
from lightbox.display.style import MAX_HEIGHT, WIDTH, theme
from lightbox.evaluation.metrics import best_run

COLUMNS = 4
ERRORS = 4
MOST_CLASSES = 8
FEW = 16  # cells of a map, that of a usual network at 128 pixels
GAP = 0.05  # inches between an image and its map
OPACITY = 0.5  # of the map over the image
COLORS = "inferno"


@finished_only
def grad_cam(
    section: Any,
    runs: Sequence[Any],
    *,
    label: str = "fig-gradcam",
) -> Figure | Callout:
    """Show where the best run's network looked: right answers, then errors.

    Args:
        section: The section whose data the runs were made from.
        runs: Finished runs, at least one; the one with the lowest NLL on val is
            taken.
        label: The figure's label.

    Returns:
        Each image above its map for the class that was answered; a remark where
        the network has no convolution with maps to weigh.

    Raises:
        DataError: If there is no run, or runs and section differ in their data.
        StoreError: The run's weights are not in its folder.
    """
    # torch and captum take seconds to import, and only this figure needs them.
    from lightbox.comparison import attribution

    check_same_data(runs)
    terms, place = seeing_words(), best_run(runs)
    run, name = runs[place], run_names(list(runs))[place]
    classes = list(run.data.classes)
    chosen, errors = choose(answers(run), classes)
    pixels = pixels_of(section.data, run, list(chosen["image"]))
    network, head = attribution.rebuild(run)
    images = attribution.normalised(pixels, run)
    layer = attribution.last_convolution(network, head, images)
    if layer is None:
        return Callout(terms["no_convolution"].format(run=escape_markdown(name)))
    targets = [classes.index(answer) for answer in chosen["predicted"]]
    maps = attribution.class_maps(network, layer.name, images, targets)
    empty = int((maps.max(axis=(1, 2)) <= 0).sum())
    caption = terms["caption_gradcam"].format(
        run=name,
        layer=layer.name,
        height=layer.height,
        width=layer.width,
        coarse=terms["gradcam_coarse"] if layer.height * layer.width < FEW else "",
        chosen=_chosen(terms, errors),
        empty=terms["gradcam_empty"].format(count=empty, total=len(maps))
        if empty
        else "",
    )
    with theme(*terms.values(), *chosen.drop(columns="sure").to_numpy().ravel()):
        return Figure(_draw(chosen, pixels, maps, terms), label, caption)


def choose(test: pd.DataFrame, classes: list[str]) -> tuple[pd.DataFrame, int]:
    """Choose images: the surest right answers of each class, and the surest errors.

    Args:
        test: From `answers`.
        classes: The class names, in order.

    Returns:
        Two right answers a class with two classes, else one (of at most eight
        classes, those with the most images), then at most four errors; and how
        many errors these are.
    """
    right = test["label"] == test["predicted"]
    most = test["label"].value_counts().reindex(classes, fill_value=0)
    kept = set(most.sort_values(ascending=False, kind="stable").index[:MOST_CLASSES])
    each = 2 if len(classes) <= 2 else 1
    parts = [
        test[right & (test["label"] == name)].head(each)
        for name in classes
        if name in kept
    ]
    errors = test[~right].head(ERRORS)
    return pd.concat([*parts, errors], ignore_index=True), len(errors)


def overlay(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Lay a map over an image.

    Args:
        image: (H, W, C), uint8, 1 or 3 channels.
        heat: (H, W), at least 0; scaled to its own maximum.

    Returns:
        (H, W, 3), uint8; the image in grey where the map is empty.
    """
    grey = np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2)
    top = float(heat.max())
    if top <= 0:
        return grey.astype(np.uint8)
    colors = 255 * mpl.colormaps[COLORS](heat / top)[..., :3]
    return ((1 - OPACITY) * grey + OPACITY * colors).astype(np.uint8)


def _draw(
    chosen: pd.DataFrame, pixels: np.ndarray, maps: np.ndarray, terms: Any
) -> Drawing:
    """Draw the pairs, four beside each other."""
    rows = math.ceil(len(chosen) / COLUMNS)
    side = min(WIDTH / COLUMNS - 0.3, (MAX_HEIGHT / rows - BELOW - GAP) / 2)
    block = 2 * side + GAP + BELOW
    height = rows * block
    figure = Drawing(figsize=(WIDTH, height))
    for k, row in enumerate(chosen.itertuples(index=False)):
        line, column = divmod(k, COLUMNS)
        shown = (pixels[k], overlay(pixels[k], maps[k]))
        for part, image in enumerate(shown):
            bottom = line * block + (part + 1) * side + part * GAP
            box = (column / COLUMNS, 1 - bottom / height, side / WIDTH, side / height)
            axis = figure.add_axes(box)
            show(axis, image)
        describe(axis, row, terms)
    return figure


def _chosen(terms: Any, errors: int) -> str:
    """Say which images are shown."""
    if not errors:
        return terms["gradcam_right"] + terms["gradcam_no_wrong"]
    return terms["gradcam_right"] + terms["gradcam_wrong"].format(count=errors)
