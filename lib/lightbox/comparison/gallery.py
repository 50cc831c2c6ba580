"""The figure of the most confident errors, as the images that they are."""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Drawing
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from lightbox.base.errors import DataError
from lightbox.base.words import _, joined, ngettext
from lightbox.comparison.runs import Runs, finished_only
from lightbox.data.dataset import Dataset
from lightbox.display.names import literal, shortened
from lightbox.display.outputs import Figure, Prose, escape_markdown
from lightbox.display.style import POINTS, WIDTH, theme
from lightbox.runs.store import Run

COLUMNS = 4
SHOWN = 8
SHOWN_BELOW = ["image", "group", "label", "predicted"]
LARGEST = 256  # pixels of a tile's side; more, print does not show
LINE = 72 * (WIDTH / COLUMNS - 0.04)  # points that a line below a tile may take
BELOW = 0.78  # inches of the text below a tile
GAP = 0.05  # inches between an image and what is shown of it below


@finished_only
def error_gallery(section: Any, runs: Runs) -> Figure | Prose:
    """Show the most confident errors of the best run on the test images.

    Returns:
        The images with file, patient, true class, answer and its probability; a
        sentence where there is no error.

    Raises:
        DataError: There is no run, or runs and section differ in their data.
    """
    run, name = best_named(runs)
    test = answers(run)
    errors = test[test["label"] != test["predicted"]]
    if not len(errors):
        said = _(
            "{run}, the run with the lowest NLL on val, made 0 errors on the "
            "{images:,} test images: there is none to show."
        )
        return Prose(said.format(run=escape_markdown(name), images=len(test)))
    chosen = errors.head(SHOWN)
    pixels = pixels_of(section.data, run, list(chosen["image"]))
    caption = _caption(len(chosen), len(errors)).format(
        run=name, shown=len(chosen), errors=len(errors), images=len(test)
    )
    with theme_of(chosen):
        figure = drawn(chosen, [pixels], WIDTH / COLUMNS - 0.06)
        return Figure(figure, "fig-errors", caption)


def _caption(shown: int, errors: int) -> str:
    """Say which errors are shown, and how an image is read."""
    if shown < errors:
        which = _(
            "The {shown} most confident errors of {run} among its {errors} on the "
            "{images:,} test images; the run is the one with the lowest NLL on val."
        )
    else:
        which = ngettext(
            "The only error of {run} on the {images:,} test images; the run is the one "
            "with the lowest NLL on val.",
            "All {errors} errors of {run} on the {images:,} test images, the most "
            "confident first; the run is the one with the lowest NLL on val.",
            errors,
        )
    how = _(
        "Under each image: file, patient or slide, true class and answer, and the "
        "probability p of the answer. Images are shown as the network sees them."
    )
    return joined([which, how])


def best_named(runs: Runs) -> tuple[Run, str]:
    """Give the run with the lowest NLL on val, and its name."""
    named = zip(runs, runs.names, strict=True)
    return next((run, name) for run, name in named if run is runs.best)


def answers(run: Run) -> pd.DataFrame:
    """Give a run's test images, the surest answer first.

    Returns:
        `SHOWN_BELOW` and sure, the probability of the answer in [0, 1].
    """
    test = run.predictions[run.predictions["split"] == "test"]
    sure = test[[f"prob_{name}" for name in run.data.classes]].max(axis=1)
    return (
        test[SHOWN_BELOW]
        .assign(sure=sure)
        .sort_values(
            ["sure", "image"], ascending=[False, True], kind="stable", ignore_index=True
        )
    )


def pixels_of(dataset: Dataset, run: Run, images: list[str]) -> np.ndarray:
    """Read images, by their names, as a run saw them: (N, size, size, C), uint8.

    Raises:
        DataError: The run was made from other data.
    """
    if dataset.fingerprint != run.data.fingerprint:
        raise DataError(
            f"run {run.id} was made from other images or another split than this "
            "section's; train it here, or open the data that it was made from"
        )
    # torch takes seconds to import, and only these figures need it.
    from lightbox.networks.weights import preprocessing

    config = run.config
    # A weights file is recorded with its hash, and its network's own preset holds.
    weights = "DEFAULT" if "@sha256:" in config.weights else config.weights
    filter_ = preprocessing(config.model, weights, channels=3).interpolation
    decoded = dataset.pixels(config.image_size, config.resize, filter_)
    return np.asarray(decoded[pd.Index(dataset.table["image"]).get_indexer(images)])


def theme_of(chosen: pd.DataFrame) -> AbstractContextManager[None]:
    """Set the look of a figure that holds what is written below images."""
    return theme(_("patient not known"), *chosen[SHOWN_BELOW].to_numpy().ravel())


def drawn(chosen: pd.DataFrame, rows: Sequence[np.ndarray], side: float) -> Drawing:
    """Draw images, four beside each other, with what they are below them.

    Args:
        rows: What is shown of each, one below the other, each (N, H, W, C) of
            uint8, in grey if C is 1.
    """
    block = len(rows) * (side + GAP) - GAP + BELOW
    height = math.ceil(len(chosen) / COLUMNS) * block
    figure = Drawing(figsize=(WIDTH, height))
    for k, row in enumerate(chosen.itertuples(index=False)):
        line, column = divmod(k, COLUMNS)
        for part, images in enumerate(rows):
            bottom = line * block + (part + 1) * side + part * GAP
            box = (column / COLUMNS, 1 - bottom / height, side / WIDTH, side / height)
            axis = figure.add_axes(box)
            _show(axis, images[k])
        _describe(axis, row)
    return figure


def _show(axis: Any, image: np.ndarray) -> None:
    """Draw an image without a frame."""
    grey = image.shape[-1] == 1
    # A number of pixels left out evenly: averaged ones are no longer the network's.
    step = math.ceil(image.shape[0] / LARGEST)
    thinned = image[::step, ::step]
    axis.imshow(
        thinned[..., 0] if grey else thinned,
        cmap="gray" if grey else None,
        vmin=0,
        vmax=255,
        interpolation="none",  # the SVG holds the pixels themselves
    )
    axis.set_axis_off()


def _describe(axis: Any, row: Any) -> None:
    """Write below an image what it is and what was answered."""
    group = _("patient {name}") if row.group else _("patient not known")
    lines = [
        _within("{name}", Path(row.image).stem),
        _within(group, row.group),
        _within(_("true: {name}"), row.label),
        _within(_("said: {name}"), row.predicted),
        probability(row.sure),
    ]
    axis.text(
        0,
        -0.03,
        "\n".join(lines),
        transform=axis.transAxes,
        ha="left",
        va="top",
        linespacing=1.15,
    )


def _within(pattern: str, name: str) -> str:
    """Write a name into a line, its middle left out where the line is too long."""
    font = FontProperties(size=POINTS)

    def fits(shown: str) -> bool:
        line = literal(pattern.format(name=shown))
        width, *_rest = text_to_path.get_text_width_height_descent(line, font, False)
        return width <= LINE

    return literal(pattern.format(name=shortened(name, fits)))


def probability(value: float) -> str:
    """Write a probability, `p = 0.987`, and never as a certainty: `p > 0.999`."""
    return "p > 0.999" if value > 0.9995 else f"p = {value:.3f}"
