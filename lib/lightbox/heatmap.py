"""A map of the grid: val accuracy over the two settings that vary most."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure as Drawing

from lightbox.cells import ABSENT
from lightbox.display import Figure, Prose
from lightbox.divergence import unless_all_diverged
from lightbox.grids import kept_val_accuracy
from lightbox.model_names import model_name
from lightbox.results import check_same_data
from lightbox.style import MAX_HEIGHT, POINTS, WIDTH, letters, theme, wrapped
from lightbox.words import (
    set_names,
    setting,
    setting_title,
    strategy_name,
    varying,
    words,
)

# Points of accuracy that the colours span at least: a gap of one looks like one.
SHADES = 20.0


@dataclass(frozen=True)
class Axis:
    """A setting, or several that vary together, with its value for each run."""

    title: str
    values: tuple[str, ...]

    @property
    def levels(self) -> list[str]:
        """The different values, in the order of the runs."""
        return list(dict.fromkeys(self.values))


def axes_of(runs: Sequence[Any], language: str = "en") -> list[Axis]:
    """Find what varies; settings that only vary together are one axis.

    Args:
        runs: Finished runs.
        language: `"en"` or `"zh"`.

    Returns:
        The axes, without the seed. The label of sets stands for what it names.
    """
    terms = words(language)
    configs = [run.record["config"] for run in runs]
    strategies = [strategy_name(c["strategy"], language) for c in configs]
    candidates = {
        terms["model"]: [model_name(config["model"]) for config in configs],
        terms["strategy"]: strategies,
        terms["set"]: set_names(runs) or [""] * len(runs),
    }
    for key in varying(runs):
        if key != "seed":
            values = [setting(run, key, language) or ABSENT for run in runs]
            candidates[setting_title(key, language)] = values
    merged: dict[tuple[int, ...], Axis] = {}
    for title, values in candidates.items():
        if len(set(values)) < 2:
            continue
        partition = tuple(values.index(value) for value in values)
        known = merged.get(partition)
        if known is None:
            merged[partition] = Axis(title, tuple(values))
        elif known.title not in (terms["set"], terms["model"]):
            pairs = zip(known.values, values, strict=True)
            joined = tuple(f"{one}, {two}" for one, two in pairs)
            merged[partition] = Axis(f"{known.title}, {title}", joined)
    return list(merged.values())


def grid_axes(runs: Sequence[Any], language: str = "en") -> tuple[Axis, Axis] | None:
    """Choose the two axes of the map: those that vary most.

    Args:
        runs: Finished runs.
        language: `"en"` or `"zh"`.

    Returns:
        Rows and columns, or None where no two settings vary independently. One
        that another already determines (a set, by the optimizer) is no second axis.
    """
    best, most = None, 0
    for one, two in combinations(axes_of(runs, language), 2):
        sizes = len(one.levels), len(two.levels)
        cells = len(set(zip(one.values, two.values, strict=True)))
        if cells > max(sizes) and sum(sizes) > most:
            best, most = (one, two), sum(sizes)
    return best


@unless_all_diverged
def grid_map(
    runs: Sequence[Any], language: str = "en", *, label: str = "fig-grid"
) -> Figure | Prose:
    """Draw the val accuracy of the best epoch over the two settings that vary most.

    Args:
        runs: Finished runs, at least one.
        language: `"en"` or `"zh"`.
        label: The figure's label.

    Returns:
        The heat map, or a sentence where no two settings vary independently.

    Raises:
        DataError: If there is no run, or runs differ in their data.
    """
    check_same_data(runs)
    terms, chosen = words(language), grid_axes(runs, language)
    if chosen is None:
        titles = [axis.title for axis in axes_of(runs, language)] or [terms["nothing"]]
        joined = ("、" if language == "zh" else "; ").join(titles)
        return Prose(terms["no_grid"].format(runs=len(runs), axes=joined))
    rows, columns = chosen
    frame = pd.DataFrame(
        {
            "row": rows.values,
            "column": columns.values,
            "value": [100 * kept_val_accuracy(run) for run in runs],
        }
    )
    table = frame.pivot_table(
        index="row", columns="column", values="value", aggfunc="mean"
    ).reindex(index=rows.levels, columns=columns.levels)
    count = int(frame.groupby(["row", "column"]).size().max())
    averaged = terms["grid_averaged"].format(count=count) if count > 1 else ""
    across = [wrapped(name, 84 // len(columns.levels)) for name in columns.levels]
    down = [wrapped(name, 24) for name in rows.levels]
    lines = max(name.count("\n") for name in across)
    with theme(*across, *down, rows.title, columns.title):
        side = max(letters(line) for name in down for line in name.split("\n"))
        width = min(WIDTH, 0.8 + 0.07 * side + 1.25 * len(across))
        height = min(MAX_HEIGHT, 0.8 + 0.15 * lines + 0.38 * len(down))
        figure = Drawing(figsize=(width, height), layout="constrained")
        axis = figure.subplots()
        sns.heatmap(
            table,
            annot=True,
            fmt=".1f",
            cmap=plt.get_cmap("Blues"),
            cbar=False,
            vmin=min(frame["value"].min(), frame["value"].max() - SHADES),
            vmax=frame["value"].max(),
            linewidths=0.5,
            linecolor="white",
            xticklabels=across,
            yticklabels=down,
            annot_kws={"fontsize": POINTS},
            ax=axis,
        )
        axis.tick_params(length=0)
        axis.tick_params(axis="y", labelrotation=0)
        axis.set(xlabel=columns.title, ylabel=rows.title)
        return Figure(figure, label, terms["caption_grid"].format(averaged=averaged))
