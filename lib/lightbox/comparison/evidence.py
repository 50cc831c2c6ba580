"""Every metric with its interval, and runs against each other: what claims rest on."""

import math
from typing import Any

import pandas as pd

from lightbox.base.words import _, joined, ngettext, pgettext
from lightbox.comparison.runs import Runs, finished_only
from lightbox.display.cells import ABSENT, METRICS, metric
from lightbox.display.names import short_names
from lightbox.display.outputs import Prose, Table
from lightbox.display.sentences import p_text
from lightbox.evaluation.bootstrap import (
    NAMES,
    RESAMPLES,
    Evidence,
    Patients,
    weigh,
)
from lightbox.evaluation.calibration import BINS
from lightbox.evaluation.metrics import majority_answer
from lightbox.evaluation.pairs import all_pairs, ranking_of
from lightbox.evaluation.significance import tie_letters
from lightbox.runs.store import Run

MOST_RUNS = 6  # more have too many pairs for a page: the best one's are shown


@finished_only
def evidence_table(runs: Runs) -> Table:
    """Show seven metrics of each run on test with 95 % intervals over patients.

    Runs that differ in their seed alone share a row.

    Returns:
        The table, the majority answer last. `evidence.csv` has a row a run, a row
        for the mean of several seeds (its `run_id` is empty), and the majority's.
    """
    patients = runs.patients
    named = short_names(runs.firsts, seeds=False)
    rows, full, missing = [], [], False
    for name, group in zip(named, runs.groups, strict=True):
        found = weigh(group, patients)
        missing |= any(
            math.isnan(found.bounds[n][0]) and not math.isnan(found.values[n])
            for n in NAMES
        )
        cells = {_(METRICS[n]): _cell(found, n) for n in NAMES}
        rows.append({pgettext("column", "Run"): name} | cells)
        for run in group:
            one = weigh([run], patients) if len(group) > 1 else found
            full.append(_line(run, one, patients) | {"seeds": 1})
        if len(group) > 1:
            mean = {"run_id": "", "seed": None, "seeds": len(group)}
            full.append(_line(group[0], found, patients) | mean)
    base = runs.majority
    always = _("always {answer}").format(answer=majority_answer(runs[0]))
    last = {pgettext("column", "Run"): f"{_('Majority answer')}\n({always})"}
    rows.append(last | {_(METRICS[n]): metric(base[n], n) for n in NAMES})
    full.append(
        {"run_id": "majority", "images": base.num_images, "patients": patients.count}
        | {f"test_{n}": base[n] for n in NAMES}
    )
    shown, csv = pd.DataFrame(rows).fillna(ABSENT), pd.DataFrame(full)
    caption = _caption(runs, missing)
    return Table(shown, "tbl-evidence", caption, csv=csv, file="evidence.csv")


def _caption(runs: Runs, missing: bool) -> str:
    """Say how the intervals were made; `missing`: of a metric that never varied."""
    data = runs[0].data
    if data.positive and len(data.classes) == 2:
        positive = _(" of {name}").format(name=data.positive)
    else:
        positive = _(", mean over classes")
    said = _(
        "Test scores with 95 % intervals. {whose} Below each: bias-corrected and "
        "accelerated bootstrap over patients, {resamples:,} resamples, the same ones "
        "for every row. AP: average precision{positive}. ECE: {bins} bins; its "
        "interval is corrected for the noise that raises it. The last row is what the "
        "class frequencies of train score."
    ).format(
        whose=_whose(runs.patients), resamples=RESAMPLES, positive=positive, bins=BINS
    )
    seeds = _(
        "Rows of several seeds give their mean, its interval (other patients, the same "
        "weights) and ± the standard deviation over seeds (the same patients)."
    )
    alike = _("No interval stands where every resample scores the same.")
    return joined([said, seeds if runs.several else "", alike if missing else ""])


def _whose(patients: Patients) -> str:
    """Say how many patients stand behind the test images."""
    if patients.count < patients.num_images:
        said = _("{images:,} test images of {patients:,} patients or slides.")
    else:
        said = _(
            "{images:,} test images; as no name gives a patient, each counts as its "
            "own."
        )
    return said.format(images=patients.num_images, patients=patients.count)


def _cell(found: Evidence, name: str) -> str:
    """Write a metric over its interval over the spread of seeds."""
    text = metric(found.values[name], name)
    low, high = found.bounds[name]
    if not math.isnan(low):
        text += f"\n{metric(low, name)}–{metric(high, name)}"
    if not math.isnan(found.deviations[name]):
        text += f"\n± {metric(found.deviations[name], name)}"
    return text


def _line(run: Run, found: Evidence, patients: Patients) -> dict[str, Any]:
    """Write a row at full precision."""
    keys = ("name", "model", "strategy", "weights", "loss", "seed")
    line = {"run_id": run.id} | {key: getattr(run.config, key) for key in keys}
    line |= {"images": patients.num_images, "patients": patients.count}
    for name in NAMES:
        line[f"test_{name}"] = found.values[name]
        line[f"test_{name}_low"], line[f"test_{name}_high"] = found.bounds[name]
        line[f"test_{name}_seed_sd"] = found.deviations[name]
    return line


@finished_only
def pairs_table(runs: Runs) -> Table | Prose:
    """Test every two runs against each other, by answers, ranking and likelihood.

    Returns:
        The table, of the pairs with the best run where there are more than six;
        `pairs.csv` has all pairs, with raw and adjusted p-values. An empty text
        where there is a single run.
    """
    if len(runs) < 2:
        return Prose("")
    # The better run of a pair comes first.
    patients, runs = runs.patients, Runs([runs[k] for k in ranking_of(runs)])
    frame, names = all_pairs(runs, patients), runs.short_names
    said = _(
        "Runs against each other. {whose} McNemar: exact, patients as units. DeLong: "
        "for images of patients (Obuchowski). NLL: paired bootstrap of {resamples:,} "
        "resamples of patients. All p after Holm over {pairs}. Differences: first less "
        "second; their intervals are of one pair. Needed: the lead from which one pair "
        "alone would have p < 0.05."
    ).format(whose=_whose(patients), resamples=RESAMPLES, pairs=_counted(frame))
    shown = frame
    if len(runs) > MOST_RUNS:
        shown = frame[frame["first"] == 0]
        best = _(
            "Shown are the pairs with {name}, which is right most often; the CSV file "
            "has all {pairs}."
        ).format(name=names[0], pairs=len(frame))
        said = joined([said, best])
    rows = [_row(line, names) for line in shown.to_dict("records")]
    csv = frame.assign(
        first=[runs[k].id for k in frame["first"]],
        second=[runs[k].id for k in frame["second"]],
    )
    table = pd.DataFrame(rows).fillna(ABSENT)
    return Table(table, "tbl-pairs", said, csv=csv, file="pairs.csv")


def _row(line: dict[str, Any], names: list[str]) -> dict[str, str]:
    """Write one pair."""
    needed = ABSENT if pd.isna(line["needed"]) else f"{line['needed']:.0f}"
    row = {
        _("First"): names[line["first"]],
        _("Second"): names[line["second"]],
        _("Only first / second correct"): (
            f"{line['only_first']:,.0f} / {line['only_second']:,.0f}"
        ),
        _("Lead, images (needed)"): f"{_signed(line['lead'], 0)} ({needed})",
        _("McNemar p"): _p(line["adjusted"]),
    }
    if not math.isnan(line["auroc_gap"]):
        row[_("AUROC difference")] = _signed(line["auroc_gap"], 3)
        row[_("DeLong p")] = _p(line["delong_adjusted"])
    gap, low, high = (_signed(line[f"nll_{k}"], 3) for k in ("gap", "low", "high"))
    row[_("NLL difference (95 % interval)")] = f"{gap}\n({low}, {high})"
    row[_("Bootstrap p")] = _p(line["nll_adjusted"])
    return row


def _counted(pairs: pd.DataFrame) -> str:
    """Count pairs."""
    count = len(pairs)
    return ngettext("{count:,} pair", "{count:,} pairs", count).format(count=count)


def _signed(value: float, places: int) -> str:
    """Write a difference with its sign."""
    return f"{value:+,.{places}f}".replace("-", "−")


def _p(value: float) -> str:
    """Write a p-value for a cell."""
    return p_text(value).removeprefix("= ")


@finished_only
def ties_table(runs: Runs) -> Table | Prose:
    """Rank runs by test accuracy, with a letter for each group of ties.

    Returns:
        The table, with `ties.csv`; an empty text where there is a single run.
    """
    if len(runs) < 2:
        return Prose("")
    order, names = ranking_of(runs), runs.short_names
    letters = tie_letters(order, runs.pairs)
    scores = [runs.scores(runs[place]) for place in order]
    correct = [each.num_correct for each in scores]
    csv = pd.DataFrame(
        {
            # Runs with the same number of right answers share a rank.
            "rank": [correct.index(count) + 1 for count in correct],
            "run_id": [runs[place].id for place in order],
            "correct": correct,
            "images": [each.num_images for each in scores],
            "test_accuracy": [each["accuracy"] for each in scores],
            "letters": [letters[place] for place in order],
        }
    )
    shown = pd.DataFrame(
        {
            _("Rank"): csv["rank"],
            pgettext("column", "Run"): [names[place] for place in order],
            _("Correct"): [f"{count:,}" for count in correct],
            _("Accuracy, %"): [metric(each["accuracy"], "accuracy") for each in scores],
            _("Ties"): csv["letters"],
        }
    )
    said = _(
        "Runs by test accuracy. {whose} Runs that share a letter are tied: exact "
        "McNemar with patients as units, Holm over {pairs}, p ≥ 0.05."
    ).format(whose=_whose(runs.patients), pairs=_counted(runs.pairs))
    said = joined([said, _smallest(runs.pairs, runs.num_images)])
    return Table(shown, "tbl-ties", said, csv=csv, file="ties.csv")


def _smallest(pairs: pd.DataFrame, images: int) -> str:
    """Say which lead the pair of median dispute would have taken."""
    middle = pairs.sort_values("discordant", kind="stable").iloc[len(pairs) // 2]
    discordant = int(middle["discordant"])
    if pd.isna(middle["needed"]):
        return _(
            "With {discordant} images in dispute, as in the median pair, no lead could "
            "be shown."
        ).format(discordant=discordant)
    lead = int(middle["needed"])
    return _(
        "With {discordant} images in dispute, as in the median pair, a lead of {lead} "
        "({points:.1f} points) is the smallest that one test could show."
    ).format(discordant=discordant, lead=lead, points=100 * lead / images)
