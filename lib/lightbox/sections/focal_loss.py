"""Section 03: losses on one yardstick, and whether the classes are imbalanced."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Drawing

from lightbox.base.words import N_, _, joined, ngettext, pgettext
from lightbox.comparison.conclusions import limits
from lightbox.comparison.runs import Runs, as_runs, finished_only
from lightbox.data.dataset import Dataset
from lightbox.display.cells import METRICS, SPREAD, accuracies, spread
from lightbox.display.names import model_name, run_names, setting, strategy_name
from lightbox.display.outputs import Callout, Figure, Prose, Table, escape_markdown
from lightbox.display.sentences import p_text, percent
from lightbox.display.style import PALETTE, WIDTH, theme
from lightbox.evaluation.calibration import BINS
from lightbox.evaluation.pairs import nll_differences
from lightbox.evaluation.predictions import patients, right
from lightbox.evaluation.significance import ALPHA, mcnemar
from lightbox.evaluation.thresholds import (
    USUAL,
    moved,
    positive_class,
    score_moved,
    threshold_of,
)
from lightbox.runs.store import Run
from lightbox.sections.families import Pair, family

# Images of the largest class for each of the smallest one. With two classes these
# are minority shares of 40, 20 and 1 per cent.
GRADES = {
    N_("balanced, or nearly so"): 1.5,
    N_("mildly imbalanced"): 4.0,
    N_("moderately imbalanced"): 99.0,
    N_("extremely imbalanced"): np.inf,
}
BALANCED = next(iter(GRADES))


def grade(largest: int, smallest: int) -> str:
    """Grade an imbalance.

    Source:
        The grades of Google's Machine Learning Crash Course, "Imbalanced data".
    """
    ratio = largest / smallest if smallest else np.inf
    return next(name for name, bound in GRADES.items() if ratio <= bound)


def imbalance(dataset: Dataset) -> Prose:
    """Say how imbalanced the training images are, and what that does to accuracy."""
    counts = pd.crosstab(dataset.table["label"], dataset.table["split"]).reindex(
        index=list(dataset.classes), columns=["train", "test"], fill_value=0
    )
    train, test = counts["train"], counts["test"]
    most, least = train.idxmax(), train.idxmin()
    balance = grade(train[most], train[least])
    names = {name: escape_markdown(name) for name in train.index}
    weights = train.sum() / (len(train) * train)
    facts = _(
        "The training images are {balance}: {most:,} of {total:,} ({share} %) are "
        "{frequent}, the most frequent class, {least:,} are {rare}, {ratio:.1f} to 1."
    )
    if train[most] == train[least]:
        facts = _(
            "The training images are balanced: {most:,} of {total:,} of each of the "
            "{classes} classes."
        )
    majority = weighted = turned = ""
    if test.sum():
        majority = _(
            "Always answering {frequent} is right on {right:,} of {tested:,} test "
            "images ({accuracy} %), so an accuracy counts only by what it has above "
            "that."
        )
    if 0 < train[least] < train[most]:
        weighted = _(
            "Balanced weights, N over K times a class's images, would be: {weights}."
        )
    if dataset.positive == most and balance != BALANCED:
        turned = _(
            "The positive class is the majority here, so weighting turns {frequent} "
            "down, not up."
        )
    text = joined([facts, majority, weighted, turned]).format(
        balance=_(balance),
        most=train[most],
        total=train.sum(),
        share=percent(train[most] / train.sum()),
        frequent=names[most],
        least=train[least],
        rare=names[least],
        ratio=(train[most] / train)[least],
        classes=len(train),
        right=test[most],
        tested=test.sum(),
        accuracy=percent(test[most] / max(test.sum(), 1)),
        weights=pgettext("list", ", ").join(
            f"{names[name]} {weight:.2f}" for name, weight in weights.items()
        ),
    )
    return Prose(text)


def _by_loss(
    runs: Runs, full: pd.DataFrame, columns: dict[str, tuple[str, int, int]]
) -> pd.DataFrame:
    """Write the numbers of each loss, of several seeds their mean and deviation."""
    rows = []
    for group in runs.groups:
        config, row = group[0].config, {}
        if len({run.config.model for run in runs}) > 1:
            row[_("Model")] = model_name(config.model)
        if len({run.config.strategy for run in runs}) > 1:
            row[_("Strategy")] = strategy_name(config.strategy)
        row[pgettext("column", "Loss")] = setting(group[0], "loss")
        lines = full[full["run_id"].isin([run.id for run in group])]
        for key, (title, factor, places) in columns.items():
            row[title] = spread(factor * lines[key], places)
        rows.append(row)
    return pd.DataFrame(rows)


@finished_only
def yardstick(runs: Runs) -> Table:
    """Score runs of different losses by measures that depend on no loss.

    Runs that differ in their seed alone share a row; `yardstick.csv` has one a run.
    """
    keys = ("model", "strategy", "loss", "gamma", "seed")
    names = ("accuracy", "balanced_accuracy", "auroc", "nll", "brier", "ece")
    full = pd.DataFrame(
        {"run_id": run.id}
        | {key: getattr(run.config, key) for key in keys}
        | {f"test_{name}": runs.scores(run)[name] for name in names}
        for group in runs.groups
        for run in group
    )
    accuracy = _("Accuracy, % (95 % interval)")
    if runs.several:
        accuracy = _("Accuracy, %")
    columns = {
        f"test_{name}": (_(METRICS[name]), 1, 3)
        for name in ("auroc", "nll", "brier", "ece")
    }
    columns = {"test_accuracy": (accuracy, 100, 1)} | columns
    shown = _by_loss(runs, full, columns)
    # Of a single run with its interval.
    shown[accuracy] = [accuracies(list(map(runs.scores, g))) for g in runs.groups]
    caption = _(
        "Losses on one yardstick, on the {images} test images: NLL in nats, Brier "
        "score, and expected calibration error (ECE, {bins} equal bins of confidence) "
        "need no loss of training. Lower is better in these three."
    ).format(images=runs.num_images, bins=BINS)
    caption = joined([caption, _(SPREAD) if runs.several else ""])
    return Table(shown, "tbl-yardstick", caption, csv=full, file="yardstick.csv")


@finished_only
def threshold_table(runs: Runs) -> Table:
    """Show the recall of each class at 0.5 and at the threshold chosen on val.

    Runs that differ in their seed alone share a row; `thresholds.csv` has one a run.
    With more than two classes it has the recalls of the likeliest class alone.

    Raises:
        DataError: Val has images of one class only.
    """
    positive, classes = positive_class(runs[0]), runs[0].data.classes
    usual, after, accuracy = "{name}", _("{name}, moved"), _("Accuracy, %")
    caption = _(
        "Recall of each class and accuracy, in per cent, on the {images} test images, "
        "answering with the likeliest class. With more than two classes there is no "
        "single threshold to move."
    )
    if positive:
        usual, accuracy = _("{name} at {usual}"), _("Accuracy at {usual}, %")
        caption = _(
            "Recall of each class and accuracy, in per cent, on the {images} test "
            "images, at the usual threshold of 0.5 and at the one with the highest "
            "Youden's J on val, frozen before test. A threshold is on the probability "
            "of {positive}. The row of cross-entropy, moved, is the control that "
            "retrains nothing."
        )
    columns = {
        f"recall_{name}_usual": (usual.format(name=name, usual=USUAL), 100, 1)
        for name in classes
    }
    columns["accuracy_usual"] = (accuracy.format(usual=USUAL), 100, 1)
    if positive:
        columns["threshold"] = (_("Threshold"), 1, 2)
        for name in classes:
            columns[f"recall_{name}_moved"] = (after.format(name=name), 100, 1)
        columns["accuracy_moved"] = (_("Accuracy, moved, %"), 100, 1)
    full = pd.DataFrame(
        _at_thresholds(runs, run) for group in runs.groups for run in group
    )
    caption = caption.format(images=runs.num_images, positive=positive)
    return Table(
        _by_loss(runs, full, columns),
        "tbl-thresholds",
        joined([caption, _(SPREAD) if runs.several else ""]),
        csv=full,
        file="thresholds.csv",
    )


def _at_thresholds(runs: Runs, run: Run) -> dict[str, Any]:
    """Score one run at the usual threshold, and at its own where there is one."""
    scores, line = {"usual": runs.scores(run)}, {"run_id": run.id}
    chosen = threshold_of(run)
    if chosen is not None:
        line |= {"threshold": chosen.value, "val_youden": chosen.youden}
        scores["moved"] = score_moved(run, chosen.value)
    for kind, each in scores.items():
        recalls = each.per_class.set_index("class")["sensitivity"]
        line |= {f"recall_{name}_{kind}": value for name, value in recalls.items()}
        line[f"accuracy_{kind}"] = each["accuracy"]
    return line


def focal_curves(gammas: Sequence[float]) -> Figure:
    """Draw the loss of one image against the probability of its true class.

    Args:
        gammas: Besides 0, which is cross-entropy.

    Source:
        Lin et al. 2017, arXiv 1708.02002, figure 1, without the class weights.
    """
    p = np.linspace(0.01, 1, 200)
    with theme():
        figure = Drawing(figsize=(WIDTH, 2.8), layout="constrained")
        axis = figure.subplots()
        for place, gamma in enumerate(sorted({0.0, *gammas})):
            axis.plot(
                p,
                -((1 - p) ** gamma) * np.log(p),
                color=PALETTE[place % len(PALETTE)],
                linewidth=1.3,
                label=f"γ = {gamma:g}" if gamma else _("γ = 0 (cross-entropy)"),
            )
        axis.set(
            xlabel=_("Probability of the true class, p"),
            ylabel=_("Loss of one image, nats"),
            xlim=(0, 1),
            ylim=(0, 4.7),
        )
        axis.legend()
        caption = _(
            "The focal loss of one image against the probability p of its true class, "
            "class weights aside. Gamma 0 is cross-entropy; the larger gamma, the less "
            "an image counts that is already classified well."
        )
        return Figure(figure, "fig-focal", caption)


def compare_losses(runs: Sequence[Run]) -> list[Pair]:
    """Test each run against the cross-entropy run, `base`, that is otherwise alike."""
    runs = as_runs(runs)
    plain = {"loss": "cross_entropy", "gamma": 0.0, "name": ""}
    rest = [run.config.model_copy(update=plain) for run in runs]
    bases = {
        rest[k]: k for k, run in enumerate(runs) if run.config.loss == plain["loss"]
    }
    pairs = [(bases[key], k) for k, key in enumerate(rest) if key in bases]
    return family(runs, [pair for pair in pairs if len(set(pair)) == 2])


@finished_only
def losses_warning(runs: Runs) -> Callout:
    """Warn, with the runs' own numbers, that values of two losses do not compare."""
    pairs = compare_losses(runs)
    if not pairs:
        return Callout(
            _("No run here has a cross-entropy run beside it: nothing is compared.")
        )
    pair = min(pairs, key=lambda pair: pair.other.history["val_loss"].min())
    facts = _(
        "The heights of these loss curves cannot be compared. The lowest val loss is "
        "{base_loss:.3f} under cross-entropy and {loss:.3f} under {name}, yet on the "
        "one yardstick, test NLL, the two have {base_nll:.3f} and {nll:.3f}."
    ).format(
        base_loss=pair.base.history["val_loss"].min(),
        loss=pair.other.history["val_loss"].min(),
        name=setting(pair.other, "loss"),
        base_nll=runs.scores(pair.base)["nll"],
        nll=runs.scores(pair.other)["nll"],
    )
    smaller = ""
    if pair.other.config.loss == "focal":
        smaller = _(
            "Class weights aside, whose mean over the training images is 1, a focal "
            "loss multiplies each image's cross-entropy by a factor of at most 1, and "
            "so is smaller by construction."
        )
    return Callout(joined([facts, smaller]), "warning")


def against_cross_entropy(runs: Runs, pairs: list[Pair]) -> str:
    """State how many losses are tied with cross-entropy, then each in an item."""
    ties = sum(pair.tied for pair in pairs)
    comparisons = ngettext("{count} comparison", "{count} comparisons", len(pairs))
    head = ngettext(
        "**Against cross-entropy.** {ties} of {comparisons} is a tie.",
        "**Against cross-entropy.** {ties} of {comparisons} are ties.",
        ties,
    ).format(ties=ties, comparisons=comparisons.format(count=len(pairs)))
    sentences = {
        "tied": _("- {name}: tied with cross-entropy: {facts}"),
        "better": _("- {name}: better than cross-entropy: {facts}"),
        "worse": _("- {name}: worse than cross-entropy: {facts}"),
    }
    facts = _(
        "{other.num_correct} against {base.num_correct} of {base.num_images} test "
        "images right, {test.only_second} it alone, {test.only_first} cross-entropy "
        "alone (exact McNemar p {p}{holm}); test NLL {gap} ({low} to {high})."
    )
    holm = _(" after Holm") if len(pairs) > 1 else ""
    places = {run.id: place for place, run in enumerate(runs)}
    compared = [(places[pair.other.id], places[pair.base.id]) for pair in pairs]
    names = run_names([pair.other for pair in pairs])
    items = []
    for name, pair, gaps in zip(
        names, pairs, nll_differences(runs, compared, runs.patients), strict=True
    ):
        gap, low, high = (f"{value:+.3f}".replace("-", "−") for value in gaps[:3])
        said = facts.format(
            other=runs.scores(pair.other),
            base=runs.scores(pair.base),
            test=pair.test,
            p=p_text(pair.adjusted),
            holm=holm,
            gap=gap,
            low=low,
            high=high,
        )
        items.append(sentences[pair.verdict].format(name=name, facts=said))
    return "\n\n".join([head, "\n".join(items)])


def control(runs: Runs, pairs: list[Pair]) -> str:
    """Set a moved threshold of cross-entropy against the loss that val prefers."""
    base = pairs[0].base
    chosen = threshold_of(base)
    if chosen is None:
        return ""
    other = max(
        (pair.other for pair in pairs if pair.base is base),
        key=lambda run: runs.scores(run, "val")["balanced_accuracy"],
    )
    hits = right(base, moved(base, chosen.value))
    test = mcnemar(hits, right(other), patients(other))
    if not test.pvalue < ALPHA:
        verdict = _("the two are tied in accuracy")
    elif test.only_first > test.only_second:
        verdict = _("the moved threshold is more accurate")
    else:
        verdict = _("the {name} is more accurate").format(name=setting(other, "loss"))
    balanced = [
        percent(scores["balanced_accuracy"])
        for scores in (
            runs.scores(base),
            score_moved(base, chosen.value),
            runs.scores(other),
        )
    ]
    return _(
        "**Without retraining.** Moving the threshold of cross-entropy from 0.5 to "
        "{threshold:.2f}, chosen on val, takes its balanced accuracy on test from "
        "{usual} % to {moved} %. The other loss that val prefers, {name}, has {rival} "
        "% at 0.5; {verdict} (exact McNemar p {p})."
    ).format(
        threshold=chosen.value,
        usual=balanced[0],
        moved=balanced[1],
        rival=balanced[2],
        name=setting(other, "loss"),
        verdict=verdict,
        p=p_text(test.pvalue),
    )


def lowest_scores(runs: Runs) -> str:
    """Name the lowest NLL, Brier score and calibration error."""
    lowest = {}
    for key in ("nll", "brier", "ece"):
        values = [runs.scores(run)[key] for run in runs]
        lowest[key] = min(values)
        lowest[f"{key}_run"] = runs.names[values.index(lowest[key])]
    return _(
        "**One yardstick.** The lowest on test: NLL {nll:.3f}, {nll_run}; Brier "
        "{brier:.3f}, {brier_run}; ECE {ece:.3f}, {ece_run}."
    ).format(**lowest)


@finished_only
def focal_conclusion(runs: Runs) -> Prose:
    """Write the conclusion on losses."""
    pairs = compare_losses(runs)
    parts = [against_cross_entropy(runs, pairs), control(runs, pairs)] if pairs else []
    parts += [lowest_scores(runs), limits(runs).text]
    return Prose("\n\n".join(filter(None, parts)))
