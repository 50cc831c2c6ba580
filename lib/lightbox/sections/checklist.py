"""The reporting checklist, filled from what the report itself knows.

CLAIM is the 2024 update (Tejani et al., doi 10.1148/ryai.240300); TRIPOD+AI is
Collins et al. 2024, doi 10.1136/bmj-2023-078378. Their items are in checklist.yaml.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pandas as pd
import yaml

from lightbox.base.words import N_, _, ngettext, pgettext
from lightbox.comparison.runs import Runs
from lightbox.display.cells import ABSENT
from lightbox.display.names import model_name
from lightbox.display.outputs import Table
from lightbox.display.sentences import interval, percent
from lightbox.runs.store import Run
from lightbox.sections.section import Section
from lightbox.sections.summary import Summary, count_runs

SPLITS = (N_("train"), N_("val"), N_("test"))
GROUPS = (N_("patient"), N_("slide"), N_("group"), N_("image"))  # what splits keep
Answers = dict[str, str | None]  # by the key of an item; None where it is not known


@dataclass(frozen=True)
class Item:
    """A topic that a checklist asks for.

    Attributes:
        key: By which it is answered.
        topic: In English, as are the next two.
        answer: What is true of every report, or "".
        shown: What a figure or table answers, by the beginning of its label.
        claim: Number in CLAIM 2024, or "".
        tripod: Number in TRIPOD+AI, or "".
        needs: `runs` where it is not known before something was trained.
    """

    key: str
    topic: str
    answer: str = ""
    shown: dict[str, str] = field(default_factory=dict)
    claim: str = ""
    tripod: str = ""
    needs: str = ""


@cache
def items() -> tuple[Item, ...]:
    """Read checklist.yaml."""
    text = Path(__file__).with_name("checklist.yaml").read_text(encoding="utf-8")
    return tuple(Item(**entry) for entry in yaml.safe_load(text))


def checklist(found: Summary) -> Table:
    """Fill the items of CLAIM 2024 and TRIPOD+AI that apply to such a report.

    Nothing is guessed: what neither the data nor the runs say is "not known".

    Source:
        Tejani et al. 2024, doi 10.1148/ryai.240300 (CLAIM); Collins et al. 2024,
        doi 10.1136/bmj-2023-078378 (TRIPOD+AI).
    """
    said = answers(found)
    known = sum(said.get(item.key) is not None for item in items())
    rows = [
        (
            pgettext("checklist", item.topic),
            item.claim,
            item.tripod,
            said.get(item.key) or _("not known"),
        )
        for item in items()
    ]
    heads = [_("Topic"), _("CLAIM"), _("TRIPOD+AI"), _("This report")]
    frame = pd.DataFrame(rows, columns=heads)
    caption = _(
        "Reporting checklist: items of CLAIM (2024 update) and TRIPOD+AI that apply. "
        "{known} of {all} are filled from the data and {runs}; what they do not say "
        'is "not known", for the author to add.'
    ).format(known=known, all=len(items()), runs=count_runs(len(found.all_runs)))
    return Table(frame, "tbl-checklist", caption, csv=frame, file="checklist.csv")


def answers(found: Summary) -> Answers:
    """Answer what the report knows, by the keys of the items."""
    section, runs = found.section, found.all_runs
    said: Answers = {}
    named: dict[str, list[str]] = {}  # what the figures and tables are that answer
    for item in items():
        named[item.key] = [
            pgettext("checklist", words)
            for label, words in item.shown.items()
            if any(given.startswith(label) for given in found.labels)
        ]
        if item.needs and not runs:
            continue
        if item.answer:
            said[item.key] = pgettext("checklist", item.answer)
        elif named[item.key]:
            said[item.key] = _shown(named[item.key])
    stems = _joined(stem for stem in found.runs if stem != "store")
    text = _("the questions of the sections {stems}")
    said["objectives"] = text.format(stems=stems) if stems else None
    said |= _of_source(section) | _of_splits(section, runs)
    if runs:
        said |= _of_training(runs) | _of_results(runs, named)
    return said


def _shown(named: list[str]) -> str:
    return _("shown: {names}").format(names=pgettext("list", ", ").join(named))


def _joined(names: Iterable[str]) -> str:
    """List names, each once."""
    return ", ".join(dict.fromkeys(names))


def _of_source(section: Section) -> Answers:
    """Answer from the data card and the audit."""
    card, audit = section.data.card, section.data.audit
    design = reference = None
    if card.synthetic:
        design = _("synthetic images, drawn by a program")
        reference = _("the class that each image was drawn as")
    else:
        reference = _(
            "labels as published with the images; how they were obtained: not known"
        )
        if card.doi or card.source:
            design = _("retrospective: images that had been published before")
    parts = [_(card.title), card.citation, card.doi and f"doi:{card.doi}"]
    source = _("{source}. Licence: {licence}").format(
        source="; ".join(str(part).rstrip(".") for part in parts if part),
        licence=_(str(card.licence)) or ABSENT,
    )
    sizes, channels = len(audit.sizes()), section.data.channels
    bad = len(audit.bad())
    eligibility = _("of the source: not known; here every usable image")
    if bad:
        eligibility = ngettext(
            "of the source: not known; here every usable image, {count:,} file left "
            "out",
            "of the source: not known; here every usable image, {count:,} files left "
            "out",
            bad,
        ).format(count=bad)
    return {
        "title": _('"{title}"; supervised deep learning on images').format(
            title=section.settings.title
        ),
        "design": design,
        "source": source if card.citation or card.synthetic else None,
        "reference": reference,
        "eligibility": eligibility,
        "acquisition": _("{sizes}, {channels}; scanner and protocol: not known").format(
            sizes=ngettext(
                "{count:,} size in pixels", "{count:,} sizes in pixels", sizes
            ).format(count=sizes),
            channels=ngettext(
                "{count:,} channel", "{count:,} channels", channels
            ).format(count=channels),
        ),
        "availability": _(
            "data: {source}; code: Lightbox; made again by: {command}"
        ).format(
            source=f"doi:{card.doi}" if card.doi else str(card.source) or ABSENT,
            command=section.provenance().command,
        ),
    }


def _of_splits(section: Section, runs: list[Run]) -> Answers:
    """Answer from the table of images, their splits and their patients."""
    data, settings = section.data, section.settings
    table, kind, bad = data.table, data.card.group or "group", len(data.audit.bad())
    sizes = {split: int((table["split"] == split).sum()) for split in SPLITS}
    grouped = table[table["group"] != ""]
    spread = grouped.groupby("group")["split"].nunique()
    shared, nameless = int((spread > 1).sum()), len(table) - len(grouped)
    if nameless:
        missing = ngettext(
            "{bad:,} unusable file left out; no patient or slide known for "
            "{nameless:,} of {images:,} images",
            "{bad:,} unusable files left out; no patient or slide known for "
            "{nameless:,} of {images:,} images",
            bad,
        )
    else:
        missing = ngettext(
            "{bad:,} unusable file left out", "{bad:,} unusable files left out", bad
        )
    disjoint = _("{level}: {shared:,} of {groups} are in more than one split")
    flow = _("{images:,} images included, {bad:,} left out; {groups}")
    if grouped.empty:
        disjoint = _("image: no patient is known, so a patient may be in two splits")
        flow = _("{images:,} images included, {bad:,} left out; patients: not known")
    subsets = _("none; all {count} classes: {classes}")
    if settings.classes:
        subsets = _("chosen classes only: {classes}")
    assignment = {
        "group": _(
            "{sizes} images; as published where a split is, else stratified and "
            "grouped, seed {seed}"
        ),
        "image": _("{sizes} images; stratified, at random by image, seed {seed}"),
    }[settings.split_by]
    said = {
        "missing": missing,
        "disjoint": disjoint,
        "flow": flow,
        "subsets": subsets,
        "assignment": assignment,
        "size": _("not planned: the {test:,} test images that there are"),
    }
    fields = {
        "images": len(table),
        "bad": bad,
        "nameless": nameless,
        "level": _("image") if shared else _(kind),
        "shared": shared,
        "groups": _counted(kind, len(spread)),
        "count": len(data.classes),
        "classes": ", ".join(data.classes),
        "sizes": pgettext("list", ", ").join(f"{_(s)} {n:,}" for s, n in sizes.items()),
        "seed": settings.seed,
        "test": sizes["test"],
    }
    filled = {key: text.format(**fields) for key, text in said.items()}
    return {**filled, "imbalance": _imbalance(table, runs)}


def _counted(kind: str, count: int) -> str:
    """Count patients, slides or whatever else images may share."""
    said = {
        "patient": ngettext("{count:,} patient", "{count:,} patients", count),
        "slide": ngettext("{count:,} slide", "{count:,} slides", count),
        "group": ngettext("{count:,} group", "{count:,} groups", count),
    }
    return said[kind].format(count=count)


def _imbalance(table: pd.DataFrame, runs: list[Run]) -> str | None:
    """Say how far the largest class leads on train, and what was done about it."""
    labels = table.loc[table["split"] == "train", "label"].value_counts()
    if labels.empty:
        return None
    ways = {run.config.loss for run in runs}
    text = _("{sampling} sampling")
    ways |= {text.format(sampling=run.config.sampling) for run in runs}
    return _("{share:.1f} % of train is {most}; losses and sampling: {used}").format(
        share=100 * labels.iloc[0] / labels.sum(),
        most=labels.index[0],
        used=", ".join(sorted(ways)) or ABSENT,
    )


def _of_training(runs: list[Run]) -> Answers:
    """Answer from the runs' settings and the machines that made them."""
    keys = (
        *("strategy", "loss", "optimizer", "learning_rate", "schedule", "batch_size"),
        *("epochs", "patience", "image_size", "resize", "augmentation", "head"),
        *("output", "weights"),
    )
    used = {key: _joined(str(getattr(r.config, key)) for r in runs) for key in keys}
    made = [r.record["environment"] for r in runs if "environment" in r.record]
    inputs = [run.record["input"]["mean"] for run in runs if "input" in run.record]
    sizes = {model_name(run.config.model): run.result.parameters for run in runs}
    goal = ngettext(
        "comparison of {count:,} trained model for teaching",
        "comparison of {count:,} trained models for teaching",
        len(runs),
    )
    software = None
    if made:
        packages = made[0]["packages"].items()
        software = _joined([f"Python {made[0]['python']}", *map(" ".join, packages)])
    return {
        "goal": goal.format(count=len(runs)),
        "preprocessing": _(
            "{resize} to {image_size} px; normalised by mean {mean}; augmentation: "
            "{augmentation}"
        ).format(
            mean=_joined(" ".join(f"{v:.3f}" for v in mean) for mean in inputs)
            or ABSENT,
            **used,
        ),
        "model": _(
            "{models}, parameters in millions; head: {head}; output: {output}"
        ).format(
            models=", ".join(f"{n} ({c / 1e6:.1f} M)" for n, c in sizes.items()), **used
        ),
        "software": software,
        "initialisation": used["weights"].replace("none", _("none (random)")),
        "training": _(
            "strategies {strategy}; losses {loss}; optimizers {optimizer}; learning "
            "rates {learning_rate}; schedules {schedule}; batch sizes {batch_size}; "
            "epochs at most {epochs}; patience {patience}"
        ).format(**used),
        "protocol": _(
            "parameters in each section's provenance box; commit {commit}"
        ).format(commit=_joined(each["commit"] for each in made) or ABSENT),
    }


def _of_results(runs: list[Run], named: dict[str, list[str]]) -> Answers:
    """Answer from the scores, and from what is shown of them."""
    count = len({run.config.seed for run in runs})
    seeds = ngettext("{count:,} seed", "{count:,} seeds", count).format(count=count)
    robustness = [seeds] if count > 1 else []
    robustness += [_shown(named["robustness"])] if named["robustness"] else []
    common = _("accuracy, sensitivity, specificity, precision, F1, AUROC, NLL")
    semicolon = pgettext("clauses", "; ")
    return {
        "metrics": pgettext("list", ", ").join([common, *named["metrics"]]),
        "uncertainty": semicolon.join([*named["uncertainty"], seeds]),
        "robustness": semicolon.join(robustness)
        or _("not tested: one seed, one split"),
        "performance": _performance([run for run in runs if not run.diverged]),
    }


def _performance(tested: list[Run]) -> str | None:
    """Name the run with the highest accuracy."""
    if not tested:
        return None
    runs = Runs(tested)
    scores = [runs.scores(run) for run in runs]
    best = max(range(len(runs)), key=lambda k: scores[k]["accuracy"])
    return _("highest accuracy of {runs}: {name}, {accuracy} % ({interval})").format(
        runs=count_runs(len(runs)),
        name=runs.names[best],
        accuracy=percent(scores[best]["accuracy"]),
        interval=interval(scores[best].low, scores[best].high),
    )
