"""The figure of the most confident errors, as the images that they are."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Drawing
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from lightbox.base.errors import DataError
from lightbox.comparison.reliability import seeing_words
from lightbox.comparison.runs import check_same_data, finished_only
from lightbox.display.names import literal, run_names, shortened
from lightbox.display.outputs import Figure, Prose, escape_markdown
from lightbox.display.style import POINTS, WIDTH, theme
from lightbox.evaluation.metrics import best_run

COLUMNS = 4
SHOWN = 8
LARGEST = 256  # pixels of a tile's side; more, print does not show
LINE = 72 * (WIDTH / COLUMNS - 0.04)  # points that a line below a tile may take
BELOW = 0.78  # inches of the text below a tile


@finished_only
def error_gallery(
    section: Any,
    runs: Sequence[Any],
    *,
    shown: int = SHOWN,
    label: str = "fig-errors",
) -> Figure | Prose:
    """Show the most confident errors of the best run on the test images.

    Args:
        section: The section whose data the runs were made from.
        runs: Finished runs, at least one; the one with the lowest NLL on val is
            taken.
        shown: How many images at most.
        label: The figure's label.

    Returns:
        The images with file, patient, true class, answer and its probability; a
        sentence where there is no error.

    Raises:
        DataError: If there is no run, or runs and section differ in their data.
    """
    check_same_data(runs)
    terms, place = seeing_words(), best_run(runs)
    run, name = runs[place], run_names(list(runs))[place]
    test = answers(run)
    errors = test[test["label"] != test["predicted"]]
    if not len(errors):
        text = terms["no_errors"].format(run=escape_markdown(name), images=len(test))
        return Prose(text)
    chosen = errors.head(shown)
    tiles = pixels_of(section.data, run, list(chosen["image"]))
    with theme(*terms.values(), *chosen.drop(columns="sure").to_numpy().ravel()):
        rows = math.ceil(len(chosen) / COLUMNS)
        tile = WIDTH / COLUMNS - 0.06
        height = rows * (tile + BELOW)
        figure = Drawing(figsize=(WIDTH, height))
        for k, (row, image) in enumerate(
            zip(chosen.itertuples(index=False), tiles, strict=True)
        ):
            line, column = divmod(k, COLUMNS)
            bottom = line * (tile + BELOW) + tile
            axis = figure.add_axes(
                (column / COLUMNS, 1 - bottom / height, tile / WIDTH, tile / height)
            )
            show(axis, image)
            describe(axis, row, terms)
        kind = "caption_gallery" + ("" if len(chosen) < len(errors) else "_all")
        caption = terms[kind].format(
            run=name, shown=len(chosen), errors=len(errors), images=len(test)
        )
        return Figure(figure, label, caption)


def answers(run: Any) -> pd.DataFrame:
    """Give a run's test images, the surest answer first.

    Args:
        run: A finished run.

    Returns:
        Columns image, group, label, predicted, sure (the probability of the
        answer, in [0, 1]).
    """
    test = run.predictions[run.predictions["split"] == "test"]
    columns = [test[f"prob_{name}"] for name in run.data.classes]
    test = test[["image", "group", "label", "predicted"]].assign(
        sure=np.max(columns, axis=0)
    )
    return test.sort_values(
        ["sure", "image"], ascending=[False, True], kind="stable", ignore_index=True
    )


def pixels_of(dataset: Any, run: Any, images: list[str]) -> np.ndarray:
    """Read images at the size that a run saw them.

    Args:
        dataset: The data that the run was made from.
        run: The run.
        images: Names, as in `dataset.table`.

    Returns:
        (N, size, size, C), uint8, from the decoded cache.

    Raises:
        DataError: If the run was made from other data, or an image is not in it.
    """
    if dataset.fingerprint != run.data.fingerprint:
        raise DataError(
            f"run {run.id} was made from other images or another split than this "
            "section's; train it here, or open the data that it was made from"
        )
    places = {name: row for row, name in enumerate(dataset.table["image"])}
    missing = [name for name in images if name not in places]
    if missing:
        raise DataError(
            f"image {missing[0]!r} of run {run.id} is not in the data set; run again"
        )
    config = run.config
    decoded = dataset.pixels(config.image_size, config.resize, _filter(config))
    return np.asarray(decoded[[places[name] for name in images]])


def _filter(config: Any) -> str:
    """Name the interpolation that training decoded with, as the weights have it."""
    from lightbox.networks.weights import preprocessing

    # A weights file is recorded with its hash, and its network's own preset holds.
    weights = config.weights.partition("@sha256:")
    given = "DEFAULT" if weights[1] else weights[0]
    return preprocessing(config.model, given, channels=3).interpolation


def show(axis: Any, image: np.ndarray) -> None:
    """Draw an image without a frame.

    Args:
        axis: Where.
        image: (H, W, C), uint8, one channel in grey.
    """
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


def describe(axis: Any, row: Any, terms: Any) -> None:
    """Write below an image what it is and what was answered.

    Args:
        axis: The image's.
        row: A row of `answers`.
        terms: From `seeing_words`.
    """
    named = [("patient", row.group)] if row.group else []
    named += [("is", row.label), ("said", row.predicted)]
    lines = [_within("{name}", Path(row.image).stem)]
    lines += [] if row.group else [terms["no_patient"]]
    lines += [_within(terms[key], name) for key, name in named]
    lines.append(probability(row.sure))
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
        width, _, _ = text_to_path.get_text_width_height_descent(line, font, False)
        return width <= LINE

    return literal(pattern.format(name=shortened(name, fits)))


def probability(value: float) -> str:
    """Write a probability with three digits, and never as a certainty.

    Args:
        value: In [0, 1].

    Returns:
        Such as `p = 0.987`; `p > 0.999` where rounding would say 1.
    """
    return "p > 0.999" if value > 0.9995 else f"p = {value:.3f}"
