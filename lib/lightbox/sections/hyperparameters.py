"""Section 02: what settings came to, which val chose, and the learning rates tried."""

import math
from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure as Drawing
from numpy.typing import ArrayLike

from lightbox.base.words import _, joined, ngettext, pgettext
from lightbox.comparison.conclusions import against_majority, limits
from lightbox.comparison.runs import Runs, finished_only, unless_all_diverged
from lightbox.display.cells import ABSENT, decimals, heads
from lightbox.display.names import (
    model_name,
    set_names,
    setting,
    setting_title,
    strategy_name,
    varying,
)
from lightbox.display.outputs import Figure, Prose, Table
from lightbox.display.sentences import Finding, interval, p_text, percent
from lightbox.display.style import (
    MAX_HEIGHT,
    PALETTE,
    POINTS,
    WIDTH,
    letters,
    theme,
    wrapped,
)
from lightbox.runs.store import Run
from lightbox.sections.families import family


def kept_val_accuracy(run: Run) -> float:
    """Look up the val accuracy, a fraction, of the epoch whose weights were kept.

    NaN where none was, because training diverged.
    """
    accuracies = run.history.set_index("epoch")["val_accuracy"]
    return float(accuracies.get(run.result.best_epoch, math.nan))


@unless_all_diverged
def training_table(runs: Runs) -> Table:
    """Show what each run's training came to; in `training.csv` at full precision."""
    full = pd.DataFrame(
        {
            "run_id": run.id,
            "seed": run.config.seed,
            "best_epoch": run.result.best_epoch,
            "epochs_run": run.result.epochs_run,
            "stopped": run.result.stopped,
            "seconds_per_epoch": run.history["seconds"].mean(),
            "mean_train_accuracy": run.history["train_accuracy"].mean(),
            "mean_val_accuracy": run.history["val_accuracy"].mean(),
            "best_val_accuracy": kept_val_accuracy(run),
        }
        for run in runs
    )
    stopped = {
        "patience": _("early stopping"),
        "epochs": _("limit of epochs"),
        "divergence": _("diverged"),
    }
    shown = pd.DataFrame(heads(runs)).fillna(ABSENT)
    if "seed" in varying(runs):
        shown[_("Seed")] = full["seed"].map(str)
    shown[_("Best epoch")] = [str(epoch or ABSENT) for epoch in full["best_epoch"]]
    shown[_("Epochs run")] = full["epochs_run"].map(str)
    shown[_("Stopped by")] = full["stopped"].map(stopped)
    seconds = full["seconds_per_epoch"]
    shown[_("s per epoch")] = [decimals(value, 1) for value in seconds]
    for key, title in (
        ("mean_train_accuracy", _("Mean train acc., %")),
        ("mean_val_accuracy", _("Mean val acc., %")),
        ("best_val_accuracy", _("Best-epoch val acc., %")),
    ):
        shown[title] = [decimals(100 * value, 1) for value in full[key]]
    caption = _(
        "How training went. The means are over all epochs that were run, as course "
        "reports print them; the last column is of the epoch whose weights were kept."
    )
    return Table(shown, "tbl-training", caption, csv=full, file="training.csv")


@unless_all_diverged
def epoch_table(runs: Runs) -> Table:
    """Print the history of every run, which the first of its rows names."""
    columns = {
        "train_loss": (_("Train loss"), 1, 3),
        "val_loss": (_("Val loss"), 1, 3),
        "train_accuracy": (_("Train acc., %"), 100, 1),
        "val_accuracy": (_("Val acc., %"), 100, 1),
        "seconds": (_("Time, s"), 1, 1),
    }
    full = pd.concat(
        [run.history.assign(run_id=run.id) for run in runs], ignore_index=True
    )
    ids = full.pop("run_id")
    full.insert(0, "run_id", ids)
    names = {run.id: name for run, name in zip(runs, runs.names, strict=True)}
    shown = pd.DataFrame(
        {pgettext("column", "Run"): ids.map(names).where(~ids.duplicated(), "")}
    )
    shown[_("Epoch")] = full["epoch"].map("{:.0f}".format)
    for key, (title, factor, places) in columns.items():
        shown[title] = [decimals(factor * value, places) for value in full[key]]
    best = {run.id: run.result.best_epoch for run in runs}
    bold = pd.DataFrame(dict.fromkeys(shown, full["epoch"] == ids.map(best)))
    bold.iloc[:, 0] = False
    caption = _(
        "Every epoch of every run. Bold marks the epoch whose weights were kept."
    )
    return Table(shown, "tbl-epochs", caption, csv=full, file="epochs.csv", bold=bold)


SAME = 0.001  # of accuracy: two values that a table with one decimal may not part


@finished_only
def mean_versus_best(runs: Runs) -> Prose:
    """Say from the numbers why the best epoch's val accuracy is the better figure."""
    means = np.array([run.history["val_accuracy"].mean() for run in runs])
    kept = np.array([kept_val_accuracy(run) for run in runs])
    widest = int(np.abs(kept - means).argmax())
    by_mean, by_kept = int(means.argmax()), int(kept.argmax())
    gap, history = kept[widest] - means[widest], runs[widest].history["val_accuracy"]
    quoted = _(
        "The figure to quote is the val accuracy of the kept epoch, because those "
        "weights are the ones tested."
    )
    compared = _(
        "A mean over the epochs belongs to no network: for {name} it is {mean} %, the "
        "kept epoch {best} has {kept} % ({gap} points), since the mean counts all "
        "{epochs:,} epochs alike, the first with {first} % included, and changes with "
        "the number of epochs."
    ).format(
        name=runs.names[widest],
        mean=percent(means[widest]),
        best=runs[widest].result.best_epoch,
        kept=percent(kept[widest]),
        gap=f"{100 * gap:+.1f}".replace("-", "−"),
        epochs=len(history),
        first=percent(history.iloc[0]),
    )
    if abs(gap) < SAME:
        compared = _(
            "A mean over the epochs belongs to no network; here the two differ by less "
            "than {points:g} points in every run."
        ).format(points=100 * SAME)
    ranked = ""
    if kept[by_kept] > kept[by_mean]:  # equal values rank neither above the other
        ranked = _(
            "It also ranks otherwise: the highest mean is that of {by_mean} ({mean} "
            "%), the highest kept epoch that of {by_kept} ({kept} %)."
        ).format(
            by_mean=runs.names[by_mean],
            mean=percent(means[by_mean]),
            by_kept=runs.names[by_kept],
            kept=percent(kept[by_kept]),
        )
    return Prose(joined([quoted, compared, ranked]))


def chosen_by_val(runs: Runs) -> int:
    """Choose a run as a user of the grid may: by val, without a look at test.

    Returns:
        The position of the run whose kept epoch has the highest val accuracy; of
        several, the one that gives the val images the highest probability (NLL).
    """
    return max(
        range(len(runs)),
        key=lambda k: (kept_val_accuracy(runs[k]), -runs.scores(runs[k], "val")["nll"]),
    )


def choice(runs: Runs) -> Finding:
    """State the run that val chose, and which others test cannot tell from it."""
    names, chosen = runs.names, chosen_by_val(runs)
    scores = runs.scores(runs[chosen])
    val = ngettext(
        "**Choice.** Of {count:,} run, val accuracy chose {name} ({accuracy} % on val "
        "at its kept epoch).",
        "**Choice.** Of {count:,} runs, val accuracy chose {name} ({accuracy} % on val "
        "at its kept epoch).",
        len(runs),
    ).format(
        count=len(runs),
        name=names[chosen],
        accuracy=percent(kept_val_accuracy(runs[chosen])),
    )
    test = _(
        "On test it is right on {scores.num_correct} of {scores.num_images} images "
        "({accuracy} %, 95 % interval {interval})."
    ).format(
        scores=scores,
        accuracy=percent(scores["accuracy"]),
        interval=interval(scores.low, scores.high),
    )
    others = [place for place in range(len(runs)) if place != chosen]
    pairs = family(runs, [(chosen, place) for place in others])
    mcnemar = _("exact McNemar p {p}")
    if len(others) > 1:
        mcnemar = _("exact McNemar, p {p} after Holm over {pairs} pairs")
    said = [val, test]
    for verdict, sentence in (
        ("worse", _("It is better than {names} ({test}).")),
        ("tied", _("It is tied with {names} ({test}).")),
        ("better", _("It is worse than {names} ({test}).")),
    ):
        group = {
            names[place]: pair.adjusted
            for place, pair in zip(others, pairs, strict=True)
            if pair.verdict == verdict
        }
        if group:
            p = _bounded(list(group.values()), above=verdict == "tied")
            told = mcnemar.format(p=p, pairs=len(pairs))
            said.append(
                sentence.format(names=pgettext("list", "; ").join(group), test=told)
            )
    return Finding("choice", joined(said), {"chosen": chosen, "pairs": pairs})


def _bounded(pvalues: list[float], *, above: bool) -> str:
    """Write the p-value of a group by the one that is nearest to the threshold."""
    if len(pvalues) == 1:
        return p_text(pvalues[0])
    sign, bound = ("≥", min(pvalues)) if above else ("≤", max(pvalues))
    return f"{sign} {max(bound, 0.001):.3f}"


@finished_only
def grid_conclusion(runs: Runs) -> Prose:
    """Write the conclusion of a grid: the choice, the majority answer, the limits."""
    found = [choice(runs), against_majority(runs, runs.names), limits(runs)]
    return Prose("\n\n".join(finding.text for finding in found))


# Points of accuracy that the colours span at least: a gap of one looks like one.
SHADES = 20.0


def axes_of(runs: Runs) -> list[pd.Series]:
    """Find what varies, but the seed; settings that only vary together are one axis."""
    columns = {
        _("Model"): [model_name(run.config.model) for run in runs],
        _("Strategy"): [strategy_name(run.config.strategy) for run in runs],
        _("Set"): set_names(runs) or [""] * len(runs),
    }
    for key in varying(runs):
        if key != "seed":
            columns[setting_title(key)] = [setting(run, key) or ABSENT for run in runs]
    merged: dict[tuple[int, ...], pd.Series] = {}
    for title, values in columns.items():
        partition = tuple(values.index(value) for value in values)
        known = merged.get(partition)
        if known is None:
            merged[partition] = pd.Series(values, name=title)
        elif known.name not in (_("Set"), _("Model")):
            pairs = known + ", " + pd.Series(values)
            merged[partition] = pairs.rename(f"{known.name}, {title}")
    return [axis for axis in merged.values() if axis.nunique() > 1]


def grid_axes(runs: Runs) -> tuple[pd.Series, pd.Series] | None:
    """Choose the rows and columns of the map: the two axes that vary most.

    Returns:
        None where no two settings vary independently. One that another already
        determines (a set, by the optimizer) is no second axis.
    """
    best, most = None, 0
    for one, two in combinations(axes_of(runs), 2):
        sizes = one.nunique(), two.nunique()
        cells = len(set(zip(one, two, strict=True)))
        if cells > max(sizes) and sum(sizes) > most:
            best, most = (one, two), sum(sizes)
    return best


@unless_all_diverged
def grid_map(runs: Runs) -> Figure | Prose:
    """Draw the val accuracy of the best epoch over the two settings that vary most."""
    chosen = grid_axes(runs)
    if chosen is None:
        titles = [axis.name for axis in axes_of(runs)] or [_("nothing")]
        said = _(
            "No map is drawn: it needs two settings that vary independently, and these "
            "{runs} runs vary in {axes}."
        )
        return Prose(
            said.format(runs=len(runs), axes=pgettext("list", "; ").join(titles))
        )
    rows, columns = chosen
    values = pd.Series([100 * kept_val_accuracy(run) for run in runs])
    cells = values.groupby([rows, columns])
    table = (
        cells.mean().unstack().reindex(index=rows.unique(), columns=columns.unique())
    )
    caption = _(
        "Val accuracy of the best epoch in per cent, over the two settings that vary "
        "most."
    )
    averaged = _("A cell averages up to {count} runs that differ in other settings.")
    most = cells.size().max()
    averaged = averaged.format(count=most) if most > 1 else ""
    caption = joined([caption, averaged, _("An empty cell was not run.")])
    across = [wrapped(name, 84 // table.shape[1]) for name in table.columns]
    down = [wrapped(name, 24) for name in table.index]
    lines = max(name.count("\n") for name in across)
    side = max(letters(line) for name in down for line in name.split("\n"))
    width = min(WIDTH, 0.8 + 0.07 * side + 1.25 * len(across))
    height = min(MAX_HEIGHT, 0.8 + 0.15 * lines + 0.38 * len(down))
    with theme(*across, *down):
        figure = Drawing(figsize=(width, height), layout="constrained")
        axis = figure.subplots()
        sns.heatmap(
            table,
            annot=True,
            fmt=".1f",
            cmap=plt.get_cmap("Blues"),
            cbar=False,
            vmin=min(values.min(), values.max() - SHADES),
            vmax=values.max(),
            linewidths=0.5,
            linecolor="white",
            xticklabels=across,
            yticklabels=down,
            annot_kws={"fontsize": POINTS},
            ax=axis,
        )
        axis.tick_params(length=0)
        axis.tick_params(axis="y", labelrotation=0)
        axis.set(xlabel=columns.name, ylabel=rows.name)
        return Figure(figure, "fig-grid", caption)


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


def range_figure(tested: pd.DataFrame | None) -> Figure | Prose:
    """Draw a learning-rate range test, a line a model, its steepest descent marked.

    Args:
        tested: As `Section.range_test` gives it; None where no test was asked for.
    """
    if tested is None:
        return Prose(
            _(
                "No learning-rate range test was asked for (`range_test: true` makes "
                "one)."
            )
        )
    with theme():
        figure = Drawing(figsize=(WIDTH, 2.8), layout="constrained")
        axis, highest = figure.subplots(), 0.0
        for place, (model, part) in enumerate(tested.groupby("model", sort=False)):
            rates, losses = part["learning_rate"], part["loss"]
            line = {"color": PALETTE[place % len(PALETTE)]}
            name, rate = model_name(str(model)), steepest(rates, losses)
            if not math.isnan(rate):
                name += _(", steepest descent at {rate:.1e}").format(rate=rate)
                axis.axvline(rate, linewidth=0.8, linestyle=":", **line)
            axis.plot(rates, losses, linewidth=1.3, label=name, **line)
            finite = losses[np.isfinite(losses)]
            if len(finite):
                highest = max(highest, min(finite.max(), CEILING * finite.iloc[0]))
        axis.set_xscale("log")
        if highest > 0:
            axis.set_ylim(0, 1.05 * highest)
        axis.set(xlabel=_("Learning rate (log scale)"), ylabel=pgettext("axis", "Loss"))
        axis.legend()
        caption = _(
            "Learning-rate range test: the train loss of a batch while the rate rises "
            "step by step. The vertical line is where the smoothed loss falls fastest; "
            "a rate near it, or a little lower, is a start and no optimum."
        )
        return Figure(figure, "fig-range", caption)
