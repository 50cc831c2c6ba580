"""Grad-CAM: where the best network looked on test images."""

import math
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import pandas as pd

from lightbox.base.words import _, joined, ngettext
from lightbox.comparison.gallery import (
    BELOW,
    COLUMNS,
    GAP,
    answers,
    best_named,
    drawn,
    pixels_of,
    theme_of,
)
from lightbox.comparison.runs import Runs, finished_only
from lightbox.display.outputs import Callout, Figure, escape_markdown
from lightbox.display.style import MAX_HEIGHT, WIDTH

if TYPE_CHECKING:
    from lightbox.comparison.attribution import Layer

ERRORS = 4
MOST_CLASSES = 8
FEW = 16  # cells of a map, that of a usual network at 128 pixels
OPACITY = 0.5  # of the map over the image
COLORS = "inferno"


@finished_only
def grad_cam(section: Any, runs: Runs) -> Figure | Callout:
    """Show where the best run's network looked: right answers, then errors.

    Returns:
        Each image above its map for the class that was answered; a remark where
        the network has no convolution with maps to weigh.

    Raises:
        DataError: There is no run, or runs and section differ in their data.
        StoreError: The run's weights are not in its folder.
    """
    # torch and captum take seconds to import, and only this figure needs them.
    from lightbox.comparison import attribution

    run, name = best_named(runs)
    classes = list(run.data.classes)
    chosen, errors = choose(answers(run), classes)
    pixels = pixels_of(section.data, run, list(chosen["image"]))
    network, head = attribution.rebuild(run)
    images = attribution.normalised(pixels, run)
    layer = attribution.last_convolution(network, head, images)
    if layer is None:
        said = _(
            "Grad-CAM is not drawn for {run}, the run with the lowest NLL on val: it "
            "weighs the maps of a convolution, and this network has none beside the "
            "one that cuts the image into patches."
        )
        return Callout(said.format(run=escape_markdown(name)))
    targets = [classes.index(answer) for answer in chosen["predicted"]]
    maps = attribution.class_maps(network, layer.name, images, targets)
    caption = _caption(name, layer, errors, maps)
    rows = math.ceil(len(chosen) / COLUMNS)
    side = min(WIDTH / COLUMNS - 0.3, (MAX_HEIGHT / rows - BELOW - GAP) / 2)
    overlays = np.stack([overlay(*each) for each in zip(pixels, maps, strict=True)])
    with theme_of(chosen):
        figure = drawn(chosen, [pixels, overlays], side)
        return Figure(figure, "fig-gradcam", caption)


def _caption(name: str, layer: "Layer", errors: int, maps: np.ndarray) -> str:
    """Say what is shown, at which layer, and what it does not tell."""
    empty = int((maps.max(axis=(1, 2)) <= 0).sum())
    what = _(
        "Grad-CAM of {run}, the run with the lowest NLL on val, at layer {layer}: each "
        "test image, and beneath it where the layer's features spoke for the class "
        "that was answered. The layer sees {height} × {width} cells, enlarged here."
    )
    coarse = _("So few cells hardly place anything; larger images have more.")
    right = _(
        "Shown are the most confident right answers of each class; there are no errors."
    )
    both = ngettext(
        "Shown are the most confident right answers of each class and the {errors} "
        "most confident error.",
        "Shown are the most confident right answers of each class and the {errors} "
        "most confident errors.",
        errors,
    )
    scale = _(
        "Every map is scaled to its own maximum, so that the colours of two images do "
        "not compare."
    )
    blank = ngettext(
        "{empty} of the {total} maps is empty: no feature of the layer spoke for that "
        "answer.",
        "{empty} of the {total} maps are empty: no feature of the layer spoke for that "
        "answer.",
        empty,
    )
    limit = _(
        "A map says where a network looked, not why, and not whether it was right to."
    )
    coarse = coarse if layer.height * layer.width < FEW else ""
    shown = both if errors else right
    said = [what, coarse, shown, scale, blank if empty else "", limit]
    counts = {"errors": errors, "empty": empty, "total": len(maps)}
    size = {"height": layer.height, "width": layer.width}
    return joined(said).format(run=name, layer=layer.name, **size, **counts)


def choose(test: pd.DataFrame, classes: list[str]) -> tuple[pd.DataFrame, int]:
    """Choose images: the surest right answers of each class, and the surest errors.

    Args:
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
    """Lay a map over an image, which stays grey where the map is empty.

    Args:
        image: (H, W, C), uint8, 1 or 3 channels.
        heat: (H, W), at least 0; scaled to its own maximum.

    Returns:
        (H, W, 3), uint8.
    """
    grey = np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2)
    top = float(heat.max())
    if top <= 0:
        return grey.astype(np.uint8)
    colors = 255 * mpl.colormaps[COLORS](heat / top)[..., :3]
    return ((1 - OPACITY) * grey + OPACITY * colors).astype(np.uint8)
