"""Section 05: what the sections of one report found together."""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lightbox.base import paths
from lightbox.base.errors import ReportError
from lightbox.base.words import N_, _, joined, ngettext, pgettext
from lightbox.comparison.conclusions import limits
from lightbox.comparison.results import results_frame
from lightbox.comparison.runs import Runs
from lightbox.display.cells import decimals
from lightbox.display.outputs import Callout, Prose, Table, escape_markdown
from lightbox.display.provenance import report_context
from lightbox.display.sentences import interval, percent
from lightbox.evaluation.significance import tied_with
from lightbox.report import blocks, book
from lightbox.runs import store
from lightbox.runs.store import Run
from lightbox.sections.section import Section

RESULTS = "results.csv"
TITLES = {
    "00_data": N_("Data"),
    "01_feature_extraction_vs_fine_tuning": N_("Feature extraction or fine-tuning"),
    "02_hyperparameters": N_("Hyper-parameters"),
    "03_focal_loss": N_("Losses"),
    "04_model_zoo": N_("Networks"),
    "store": N_("Store"),
}


@dataclass(frozen=True)
class Summary:
    """The sections that could be read.

    Attributes:
        runs: Per notebook stem, in reading order, its runs; without any, no entry.
        missing: Per stem that could not be read, why.
        section: The section that asked.
        in_report: Whether it is part of a report; else the runs are the store's.
        labels: Of the figures and tables that the report's other sections show.
    """

    runs: dict[str, Runs]
    missing: dict[str, str]
    section: Section
    in_report: bool
    labels: frozenset[str] = frozenset()

    @property
    def all_runs(self) -> list[Run]:
        """Every run once, whichever sections show it."""
        return list({r.id: r for runs in self.runs.values() for r in runs}.values())


def collect_sections(section: Section) -> Summary:
    """Read the sections of the report that this notebook is executed for."""
    folder = report_context().folder
    if not folder:
        folders = sorted(paths.runs().glob("[!.]*"))
        known = _on_these_images([folder.name for folder in folders], section)
        return Summary({"store": Runs(known)} if known else {}, {}, section, False)
    shown = _shown_by_others(Path(folder), section)
    runs: dict[str, Runs] = {}
    missing: dict[str, str] = {}
    for stem in section.settings.sections or shown:
        if stem not in shown:
            missing[stem] = _("it was not executed")
            continue
        ids = _run_ids(shown[stem])
        known = _on_these_images(ids, section)
        if lost := len(ids) - len(known):
            said = ngettext(
                "{lost} of {runs} is on other images, or no longer in the store",
                "{lost} of {runs} are on other images, or no longer in the store",
                lost,
            )
            missing[stem] = said.format(lost=lost, runs=count_runs(len(ids)))
        if known:
            runs[stem] = Runs(known)
    labels = {
        block.label
        for each in shown.values()
        for block in each
        if isinstance(block, blocks.Figure | blocks.Table)
    }
    return Summary(runs, missing, section, True, frozenset(labels))


def _shown_by_others(
    folder: Path, section: Section
) -> dict[str, tuple[blocks.Block, ...]]:
    """Read what the executed notebooks show; nothing of one that cannot be read."""
    shown: dict[str, tuple[blocks.Block, ...]] = {}
    for path in sorted(folder.glob("*/*.ipynb")):
        if path.parent.name == path.stem != section.name:
            try:
                shown[path.stem] = book.read(path).blocks
            except ReportError:
                shown[path.stem] = ()
    return shown


def _run_ids(shown: Sequence[blocks.Block]) -> list[str]:
    """Read the runs of a notebook off its table of results."""
    for block in shown:
        if isinstance(block, blocks.Table) and block.file == RESULTS:
            frame = pd.read_csv(io.StringIO(block.csv), dtype={"run_id": str})
            return list(frame.get("run_id", pd.Series(dtype=str)).dropna())
    return []


def _on_these_images(ids: list[str], section: Section) -> list[Run]:
    """Find runs in the store; those on other images are left out."""
    found = [run for run in map(store.find, ids) if run is not None]
    return [r for r in found if r.data.fingerprint == section.data.fingerprint]


def summary_remarks(found: Summary) -> Callout | None:
    """Say what the summary could not read; None where nothing is missing."""
    if not found.in_report:
        text = _(
            "This page is not part of a report, so it lists every finished run on "
            "these images that the store has. `lightbox report params/<study>` puts "
            "the sections of one study together here."
        )
        return Callout(text, "note")
    if not found.missing:
        return None
    line = _("- `{stem}`: {reason}.")
    lines = [line.format(stem=stem, reason=why) for stem, why in found.missing.items()]
    head = _("Not, or not wholly, part of this summary:")
    return Callout("\n".join([head, "", *lines]), "warning")


def summary_table(found: Summary) -> Table | Prose:
    """Put the runs of every section into one table."""
    if not found.runs:
        said = _(
            "No section has trained anything yet, so there is nothing to sum up: run "
            "the other sections first."
        )
        return Prose(said)
    rows, frames = [], []
    for stem, runs in found.runs.items():
        frames.append(results_frame(runs).assign(section=stem))
        for number, (run, name) in enumerate(zip(runs, runs.names, strict=True)):
            scores = runs.scores(run)
            rows.append(
                {
                    _("Section"): _title(stem) if number == 0 else "",
                    _("Run"): name,
                    _("Accuracy, % (95 % interval)"): (
                        _("diverged")
                        if run.diverged or not scores.num_images
                        else f"{percent(scores['accuracy'])} "
                        f"({interval(scores.low, scores.high)})"
                    ),
                    _("NLL, nats"): decimals(scores["nll"], 3),
                    _("Time, s"): decimals(run.result.train_seconds, 1),
                }
            )
    caption = _(
        "Every run of every section, on the same test images, with 95 % Wilson "
        "intervals. A run that several sections show was trained once."
    )
    csv = pd.concat(frames, ignore_index=True)
    return Table(pd.DataFrame(rows), "tbl-summary", caption, csv=csv, file=RESULTS)


def best_table(found: Summary) -> Prose:
    """Name the most accurate run of each section, and what is tied with it."""
    lines = []
    for stem, all_runs in found.runs.items():
        if len(all_runs.diverged) == len(all_runs):
            continue
        runs = all_runs.finished
        names, scores = runs.names, [runs.scores(run) for run in runs]
        top = max(range(len(runs)), key=lambda k: scores[k]["accuracy"])
        said = _("- **{section}.** {name}, {accuracy} % ({interval}).").format(
            section=_title(stem),
            name=names[top],
            accuracy=percent(scores[top]["accuracy"]),
            interval=interval(scores[top].low, scores[top].high),
        )
        tied = tied_with(runs, top) if len(runs) > 1 else []
        if tied:
            others = pgettext("list", "; ").join(names[k] for k in tied)
            text = _("Tied with it (exact McNemar, Holm): {names}.")
            said = joined([said, text.format(names=others)])
        elif len(runs) > 1:
            said = joined([said, _("Every other run is worse.")])
        lines.append(said)
    return Prose("\n".join(lines))


def summary_limits(found: Summary) -> Prose:
    """Say what all sections together cannot show."""
    runs, lines = found.all_runs, []
    if runs:
        lines.append(limits([run for run in runs if not run.diverged] or runs).text)
        blind = sum(run.config.weights == "none" for run in runs)
        if blind:
            said = ngettext(
                "{blind} of {runs} began from random weights and says nothing about "
                "transfer from ImageNet.",
                "{blind} of {runs} began from random weights and say nothing about "
                "transfer from ImageNet.",
                blind,
            )
            lines.append(said.format(blind=blind, runs=count_runs(len(runs))))
        said = ngettext(
            "One test set judged {count:,} model: p-values are adjusted within a "
            "section, not across sections.",
            "One test set judged {count:,} models: p-values are adjusted within a "
            "section, not across sections.",
            len(runs),
        )
        lines.append(said.format(count=len(runs)))
    if found.section.data.card.synthetic:
        lines.append(_("The images are synthetic: no number here is about medicine."))
    return Prose("\n".join(f"- {line}" for line in lines))


def sources(found: Summary) -> Prose:
    """Cite the data and the papers: citation and licence, then the references."""
    card = found.section.data.card
    data = str(card.citation or _("{title}.").format(title=_(card.title)))
    said = _("**Data.** {citation}").format(citation=escape_markdown(data))
    said += f" doi:{card.doi}." if card.doi else ""
    if card.licence:
        licence = escape_markdown(_(str(card.licence)))
        said += _(" Licence: {licence}.").format(licence=licence)
    papers = "\n".join(f"1. {paper}" for paper in cited(found.all_runs))
    return Prose(f"{said}\n\n{papers}")


def how_to_repeat(found: Summary) -> Prose:
    """Give the command, and what makes its answer the same."""
    said = _(
        "Typed in a clone of the project, this makes the report again. On the same "
        "machine the predictions are the same to the byte; another processor, GPU or "
        "release rounds otherwise, and results move within their intervals."
    )
    return Prose(f"{said}\n\n```sh\n{found.section.provenance().command}\n```")


def cited(runs: Sequence[Run]) -> list[str]:
    """List the papers on what runs used, and on how they were judged."""
    papers = _papers()
    kinds = ("always", "runs", "weights", "model", "loss", "optimizer")
    named = {
        kind: {name for name, paper in papers.items() if paper["keywords"] == kind}
        for kind in kinds
    }
    used = named["always"] | (named["runs"] if runs else set())
    for config in (run.config for run in runs):
        fitting = [name for name in named["model"] if config.model.startswith(name)]
        used |= {max(fitting, key=len)} if fitting else set()
        used |= {config.loss} & named["loss"]
        used |= {config.optimizer} & named["optimizer"]
        used |= named["weights"] if "IMAGENET" in config.weights else set()
    return sorted((_reference(papers[name]) for name in used), key=str.casefold)


def _papers() -> dict[str, dict[str, str]]:
    """Read references.bib: the fields of each entry, by its key."""
    text = Path(__file__).with_name("references.bib").read_text(encoding="utf-8")
    entries = re.findall(r"^@\w+\{(\w+),\n(.*?)^\}", text, re.M | re.S)
    return {
        key: {
            name: " ".join(value.split()).replace("--", "–")
            for name, value in re.findall(r"(\w+) = \{(.*?)\},$", body, re.M | re.S)
        }
        for key, body in entries
    }


def _reference(paper: dict[str, str]) -> str:
    """Write a reference in the manner of Vancouver."""
    authors = paper["author"].replace(",", "").replace(" and ", ", ")
    authors = authors.replace(", others", ", et al")
    year, pages, volume = paper["year"], paper.get("pages"), paper.get("volume")
    if "journal" in paper:
        number = f"({paper['number']})" if "number" in paper else ""
        place = f"{paper['journal']} {volume}{number}:{pages}, {year}"
    elif "howpublished" in paper:
        place = f"{paper['howpublished']}, {year}"
    else:
        place = paper.get("booktitle", "")
        place += f" {volume}, {year}" if volume else f" {year}"
        place += f", {pages}" if pages else ""
    links = {"doi": "doi", "eprint": "arXiv"}
    found = [f"{links[k]}:{paper[k]}" for k in links if k in paper]
    parts = [authors, paper["title"], place.strip(), *found]
    return " ".join(f"{part}." for part in parts)


def _title(stem: str) -> str:
    """Write a notebook's stem as the name of its section."""
    return _(TITLES[stem]) if stem in TITLES else stem


def count_runs(runs: int) -> str:
    """Count runs in words."""
    return ngettext("{count:,} run", "{count:,} runs", runs).format(count=runs)
