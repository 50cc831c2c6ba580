"""Section 01: strategies against each other, and what a leaking split promises."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import pandas as pd

from lightbox.base.words import N_, _, joined
from lightbox.comparison.conclusions import (
    against_majority,
    agreement,
    limits,
    random_features,
)
from lightbox.comparison.runs import Runs, as_runs, finished_only
from lightbox.display.cells import accuracies
from lightbox.display.names import model_name, run_names, strategy_name
from lightbox.display.outputs import Prose, Table
from lightbox.display.sentences import Finding, interval, p_text, percent
from lightbox.evaluation.metrics import score_run
from lightbox.evaluation.significance import ALPHA
from lightbox.runs.plan import run_one
from lightbox.runs.store import Run
from lightbox.sections.families import Pair, family
from lightbox.sections.section import Section
from lightbox.settings.parameters import TransferParameters


def compare_strategies(runs: Sequence[Run]) -> list[Pair]:
    """Pair the strategies of each model and test each pair.

    Returns:
        A pair for every two runs that differ in their strategy alone; its `base` is
        the one that trains fewer parameters.

    Raises:
        DataError: Two runs did not predict the same test images.
    """
    runs, places = as_runs(runs), []
    for one, two in combinations(range(len(runs)), 2):
        first, second = runs[one].config, runs[two].config
        alike = first.model_copy(update={"strategy": second.strategy})
        if first != second and alike == second:
            trained = [runs[k].result.trainable_parameters for k in (one, two)]
            places.append((one, two) if trained[0] <= trained[1] else (two, one))
    return family(runs, places)


def gain(runs: Runs, pair: Pair) -> float:
    """Subtract the accuracy of the cheaper strategy from the other's, in points."""
    cheap, costly = (runs.scores(run)["accuracy"] for run in (pair.base, pair.other))
    return 100 * (costly - cheap)


def difference(runs: Runs, pair: Pair, num_pairs: int) -> Finding:
    """State both accuracies and whether their difference is more than chance."""
    test, points = pair.test, gain(runs, pair)
    costly, cheap = runs.scores(pair.other), runs.scores(pair.base)
    names = [strategy_name(run.config.strategy) for run in (pair.other, pair.base)]
    better = names[0] if points > 0 else names[1]
    facts = _(
        "**{model}.** {Costly_name} classified {costly.num_correct} of "
        "{costly.num_images} test images correctly ({costly_percent} %, 95 % interval "
        "{costly_interval}), {cheap_name} {cheap.num_correct} ({cheap_percent} %, "
        "{cheap_interval})."
    )
    alone = _(
        "{Costly_name} alone was right on {test.only_second} of the test images, "
        "{cheap_name} alone on {test.only_first} (exact McNemar p {p})."
    )
    if num_pairs > 1:
        alone = _(
            "{Costly_name} alone was right on {test.only_second} of the test images, "
            "{cheap_name} alone on {test.only_first} (exact McNemar p {p}, {adjusted} "
            "after Holm over {pairs} pairs)."
        )
    text = joined([facts, alone, _verdict(pair)]).format(
        model=model_name(pair.base.config.model),
        Costly_name=names[0].capitalize(),
        cheap_name=names[1],
        costly=costly,
        costly_percent=percent(costly["accuracy"]),
        costly_interval=interval(costly.low, costly.high),
        cheap=cheap,
        cheap_percent=percent(cheap["accuracy"]),
        cheap_interval=interval(cheap.low, cheap.high),
        test=test,
        p=p_text(test.pvalue),
        adjusted=p_text(pair.adjusted),
        pairs=num_pairs,
        Better_name=better.capitalize(),
        points=f"{abs(points):.1f}",
        needed_points=f"{100 * (test.needed or 0) / costly.num_images:.1f}",
        alpha=ALPHA,
    )
    return Finding("difference", text, {"p": test.pvalue, "p_holm": pair.adjusted})


def _verdict(pair: Pair) -> str:
    """Word a lead or a tie, with the smallest lead that this test set could show."""
    if not pair.tied:
        return _(
            "{Better_name} is better on this test set, by {points} points of accuracy."
        )
    if pair.test.needed is None:
        return _(
            "The two are tied: with {test.discordant} images on which they differ, no "
            "lead could reach p < {alpha}."
        )
    return _(
        "The two are tied: the gap of {points} points may be chance, and with "
        "{test.discordant} images on which they differ, a single test needs a lead of "
        "{test.needed} images ({needed_points} points) for p < {alpha}."
    )


def cost(runs: Runs, pair: Pair) -> Finding:
    """Set what the costlier strategy cost against what it gained."""
    cheap, costly = pair.base.result, pair.other.result
    times = chance = ""
    if cheap.train_seconds > 0:
        times = _(", {ratio:.1f} times as long").format(
            ratio=costly.train_seconds / cheap.train_seconds
        )
    if pair.tied:
        chance = _(" that may be chance")
    text = _(
        "{model} took {costly.train_seconds:,.1f} s under {costly_name} and "
        "{cheap.train_seconds:,.1f} s under {cheap_name}{times}; "
        "{costly.trainable_parameters:,} against {cheap.trainable_parameters:,} "
        "trainable parameters bought {gain} points{chance}."
    ).format(
        model=model_name(pair.base.config.model),
        costly=costly,
        costly_name=strategy_name(pair.other.config.strategy),
        cheap=cheap,
        cheap_name=strategy_name(pair.base.config.strategy),
        gain=f"{gain(runs, pair):+.1f}".replace("-", "−"),
        times=times,
        chance=chance,
    )
    return Finding("cost", text, {"gain": gain(runs, pair)})


def conclude(runs: Sequence[Run]) -> list[Finding]:
    """Compute every finding on strategies from finished runs.

    Raises:
        DataError: There is no run, or runs differ in data or test images.
    """
    runs = as_runs(runs)
    pairs, names = compare_strategies(runs), runs.names
    found: list[Finding | None] = [
        *(difference(runs, pair, len(pairs)) for pair in pairs),
        against_majority(runs, names),
        *(cost(runs, pair) for pair in pairs),
        *(agreement(runs, *each) for each in zip(runs, names, strict=True)),
        random_features(runs),
        limits(runs),
    ]
    return [finding for finding in found if finding is not None]


# Paragraphs on strategies have none: they open with the name of their model.
HEADINGS = {
    "against_majority": N_("**Against the majority answer.**"),
    "cost": N_("**Cost against gain.**"),
    "agreement": N_("**Val against test.**"),
    "random_features": N_("**Random features.**"),
    "limits": N_("**Limits.**"),
}


@finished_only
def conclusion(runs: Runs) -> Prose:
    """Write the conclusion on feature extraction and fine-tuning."""
    groups: dict[str, list[str]] = {}
    for finding in conclude(runs):
        groups.setdefault(finding.rule, []).append(finding.text)
    parts = groups.pop("difference", [])
    for rule, texts in groups.items():
        heading = _(HEADINGS[rule])
        if len(texts) == 1:
            parts.append(joined([heading, *texts]))
        else:
            parts += [heading, "\n".join(f"- {text}" for text in texts)]
    return Prose("\n\n".join(parts))


def shared_images(table: pd.DataFrame, split: str) -> int:
    """Count the images of a split whose patient or slide is in train too.

    Args:
        table: A data set's `split` and `group`; an empty group is nobody's.
    """
    train = set(table.loc[table["split"] == "train", "group"]) - {""}
    return int(table.loc[table["split"] == split, "group"].isin(train).sum())


def leakage_table(section: Section, runs: Sequence[Run]) -> Table | Prose:
    """Train the best run again after a split by image, and show both.

    Where train and test are published, only val leaks: then val promises what test
    does not keep (course report S4). Where no test split is published, test leaks
    as well and shows nothing amiss. Unless the parameter `leakage` asks for this and
    the images name a patient or slide, a sentence says so.
    """
    settings, data = section.settings, section.data
    assert isinstance(settings, TransferParameters)
    if not (data.table["group"] != "").any():
        return Prose(
            _(
                "The files name no patient or slide, so a split by image and one by "
                "patient cannot be told apart here: 0 of {images:,} images have a "
                "group."
            ).format(images=len(data.table))
        )
    if not settings.leakage:
        return Prose(
            _(
                "No leaking split was asked for; `leakage: true` trains the best run "
                "again on one. In the split used here {shared} of {images:,} val "
                "images share a patient or slide with train."
            ).format(
                shared=shared_images(data.table, "val"),
                images=(data.table["split"] == "val").sum(),
            )
        )
    runs = as_runs(runs)
    if len(runs.diverged) == len(runs):
        return Prose(
            _("Every run diverged, so there is none to train again on a leaking split.")
        )
    best = runs.finished.best
    leaking = section.opened(settings.model_copy(update={"split_by": "image"}))
    again = run_one(best.config, leaking, weights=settings.weights)
    lines = [
        _measured(best, data.table, settings.split_by),
        _measured(again, leaking.table, "image"),
    ]
    caption = _(
        "Leakage on purpose: {run}, trained again with the same settings after a split "
        "by image. Shared: images whose patient or slide is in train too. Wilson "
        "intervals."
    ).format(run=run_names([best])[0])
    rows, full = (pd.DataFrame(each) for each in zip(*lines, strict=True))
    return Table(rows, "tbl-leakage", caption, csv=full, file="leakage.csv")


def _measured(
    run: Run, table: pd.DataFrame, by: str
) -> tuple[dict[str, str], dict[str, Any]]:
    """Measure a run on its split, by the group or by the image: a row, its numbers."""
    numbers: dict[str, Any] = {"run_id": run.id, "split_by": by}
    written = {}
    for split in ("val", "test"):
        scores = score_run(run, split)
        numbers |= {
            f"{split}_images": scores.num_images,
            f"{split}_shared": shared_images(table, split) / scores.num_images,
            f"{split}_accuracy": scores["accuracy"],
            f"{split}_accuracy_low": scores.low,
            f"{split}_accuracy_high": scores.high,
        }
        written[split] = accuracies([scores])
    gap = 100 * (numbers["val_accuracy"] - numbers["test_accuracy"])
    row = {
        _("Split by"): _("patient or slide") if by == "group" else _("image"),
        _("Val shared, %"): percent(numbers["val_shared"]),
        _("Test shared, %"): percent(numbers["test_shared"]),
        _("Val accuracy, % (95 % interval)"): written["val"],
        _("Test accuracy, % (95 % interval)"): written["test"],
        _("Val − test, points"): f"{gap:+.1f}".replace("-", "−"),
    }
    return row, numbers
