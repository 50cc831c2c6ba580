"""The figure of a learning-rate range test."""

import math

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Drawing
from numpy.typing import ArrayLike

from lightbox.display import Figure, Prose
from lightbox.model_names import model_name
from lightbox.style import PALETTE, WIDTH, theme
from lightbox.words import words

SMOOTHING = 5  # points of the moving average; batches are noisy
CEILING = 3  # times the first loss: above it the divergence hides the descent


def steepest(rates: ArrayLike, losses: ArrayLike) -> float:
    """Find the learning rate at which the smoothed loss falls fastest.

    Args:
        rates: Learning rates, (N,), rising.
        losses: The loss at each, (N,); the first that is not finite ends the test.

    Returns:
        The rate; NaN where the loss never falls or fewer than three points remain.

    Source:
        Smith 2017, arXiv 1506.01186; the slope is taken over the logarithm of the
        rate, and only up to the lowest loss.
    """
    x, y = np.log10(np.asarray(rates, float)), np.asarray(losses, float)
    finite = np.isfinite(y)
    length = len(y) if finite.all() else int(np.argmin(finite))
    if length < 3:
        return math.nan
    smooth = pd.Series(y[:length]).rolling(SMOOTHING, center=True, min_periods=1).mean()
    slope = np.gradient(smooth.to_numpy(), x[:length])[: int(smooth.argmin()) + 1]
    place = int(np.argmin(slope))
    return float(10 ** x[place]) if slope[place] < 0 else math.nan


def range_figure(
    frame: pd.DataFrame | None, language: str = "en", *, label: str = "fig-range"
) -> Figure | Prose:
    """Draw a learning-rate range test with its steepest descent marked.

    Args:
        frame: Columns `learning_rate` and `loss`, and `model` where there are
            several; or None where no test was asked for.
        language: `"en"` or `"zh"`.
        label: The figure's label.

    Returns:
        The figure, a line a model; or a sentence where there is no test.
    """
    terms = words(language)
    if frame is None:
        return Prose(terms["no_range"])
    models = frame["model"] if "model" in frame else pd.Series("", index=frame.index)
    with theme(*terms.values()):
        figure = Drawing(figsize=(WIDTH, 2.8), layout="constrained")
        axis = figure.subplots()
        highest = 0.0
        for color, (name, part) in zip(
            PALETTE * len(models), frame.groupby(models, sort=False), strict=False
        ):
            rate = steepest(part["learning_rate"], part["loss"])
            parts = [model_name(str(name))] if name else []
            if not math.isnan(rate):
                parts.append(terms["steepest"].format(rate=f"{rate:.1e}"))
                axis.axvline(rate, color=color, linewidth=0.8, linestyle=":")
            axis.plot(
                part["learning_rate"],
                part["loss"],
                color=color,
                linewidth=1.3,
                label=", ".join(parts) or terms["loss"],
            )
            finite = part["loss"][np.isfinite(part["loss"])]
            if len(finite):
                bound = CEILING * finite.iloc[0]
                highest = max(highest, min(float(finite.max()), bound))
        axis.set_xscale("log")
        if highest > 0:
            axis.set_ylim(0, 1.05 * highest)
        axis.set(xlabel=terms["rate_axis"], ylabel=terms["loss"])
        axis.legend()
        return Figure(figure, label, terms["caption_range"])
