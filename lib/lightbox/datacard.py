"""The data card: what a set is, what the audit found, what was done about it."""

from collections.abc import Mapping

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure as Drawing

from lightbox.data import Dataset, Note
from lightbox.datacard_words import PAIRS
from lightbox.display import Figure, Prose, Table, escape_markdown
from lightbox.figures import WIDTH, theme
from lightbox.words import look_up

MOST_ROWS = 12  # of a listing on the page; its CSV has them all


def card(dataset: Dataset, language: str = "en") -> Table:
    """Say what the set is: task, source, licence, citation.

    Args:
        dataset: The data set.
        language: `en` or `zh`.

    Returns:
        A table of fields and values.
    """
    terms = look_up(PAIRS, language)
    about = dataset.card
    source = about.doi and f"https://doi.org/{about.doi}"
    values = {
        "title": about.title,
        "task": about.task,
        "classes": ", ".join(dataset.classes),
        "positive": dataset.positive or "",
        "channels": str(dataset.channels),
        "group": " ".join(filter(None, [about.group, about.group_key])),
        "licence": about.licence,
        "citation": about.citation,
        "source": source or about.source,
        "folder": dataset.folder.name,
        "fingerprint": dataset.fingerprint,
    }
    frame = pd.DataFrame(
        [
            {
                terms["field"]: terms[key],
                terms["value"]: text,
            }
            for key, text in values.items()
            if text
        ]
    )
    return Table(frame, "tbl-card", terms["caption_card"])


def findings(dataset: Dataset, language: str = "en") -> Prose:
    """List what the audit found, each with its number.

    Args:
        dataset: The data set.
        language: `en` or `zh`.

    Returns:
        A bulleted list.
    """
    return _bullets(dataset.audit.findings(language))


def changes(dataset: Dataset, language: str = "en") -> Prose:
    """List what was changed before training, and what must be said of the set.

    Args:
        dataset: The data set.
        language: `en` or `zh`.

    Returns:
        A bulleted list.
    """
    return _bullets([note.say(language) for note in dataset.notes])


def groups(dataset: Dataset, language: str = "en") -> Table | Prose:
    """Count patients or slides per split, and those that two splits share.

    Args:
        dataset: The data set.
        language: `en` or `zh`.

    Returns:
        A row per way to read the key, or a sentence where there is no key.
    """
    terms = look_up(PAIRS, language)
    frame = dataset.audit.tables().get("groups")
    if frame is None:
        return Prose(terms["none_groups"])
    known = dataset.card.group_key, dataset.card.alternative_key
    shown = frame.drop(columns="used")
    shown["key"] = shown["key"].map(
        {str(key): key.say(language) if isinstance(key, Note) else key for key in known}
    )
    shown = shown.rename(columns=lambda name: _title(name, terms))
    caption = terms["caption_groups"]
    return Table(shown, "tbl-groups", caption, csv=frame, file="groups.csv")


def duplicates(dataset: Dataset, language: str = "en") -> Table | Prose:
    """Name the groups of byte-identical files.

    Args:
        dataset: The data set.
        language: `en` or `zh`.

    Returns:
        A row per group, or a sentence where there is none.
    """
    terms = look_up(PAIRS, language)
    frame = dataset.audit.tables().get("duplicates")
    if frame is None:
        return Prose(terms["none_duplicates"])
    shown = frame[["where", "files", "images"]].head(MOST_ROWS)
    shown = shown.assign(where=[_place(text, terms) for text in shown["where"]])
    shown = shown.rename(columns=terms)
    caption = terms["caption_duplicates"].format(shown=len(shown), all=len(frame))
    return Table(shown, "tbl-duplicates", caption, csv=frame, file="duplicates.csv")


def files(dataset: Dataset, language: str = "en") -> Table | Prose:
    """Name the files that were left out or converted, and why.

    Args:
        dataset: The data set.
        language: `en` or `zh`.

    Returns:
        A row per file, or a sentence where there is none.
    """
    terms = look_up(PAIRS, language)
    tables = dataset.audit.tables()
    found = [tables[name] for name in ("bad_files", "odd_files") if name in tables]
    if not found:
        return Prose(terms["none_files"])
    frame = pd.concat(found, ignore_index=True).fillna("")
    shown = frame.head(MOST_ROWS).rename(columns=terms)
    caption = terms["caption_files"].format(shown=len(shown), all=len(frame))
    return Table(shown, "tbl-files", caption, csv=frame, file="files.csv")


def sizes(dataset: Dataset, language: str = "en") -> Figure | Prose:
    """Show width against height of the images as they came.

    Args:
        dataset: The data set.
        language: `en` or `zh`.

    Returns:
        A scatter, or a sentence where all images have one size.
    """
    terms = look_up(PAIRS, language)
    found = dataset.audit.tables()["sizes"]
    if len(found) == 1:
        size = found.iloc[0]
        return Prose(
            terms["one_size"].format(
                count=size["all"], width=size["width"], height=size["height"]
            )
        )
    rows = found.melt(
        ["width", "height"], [name for name in dataset.classes if name in found]
    )
    rows = rows[rows["value"] > 0]
    names = [terms["width"], terms["height"]]
    with theme(*names, *dataset.classes):
        drawing = Drawing(figsize=(WIDTH, WIDTH * 0.42), layout="constrained")
        axis = drawing.subplots()
        # Thousands of sizes would be thousands of shapes: pixels do for the dots.
        sns.scatterplot(
            rows,
            x="width",
            y="height",
            hue="variable",
            size="value",
            sizes=(6, 60),
            size_norm=(1, max(20, int(rows["value"].max()))),
            alpha=0.45,
            linewidth=0,
            palette="colorblind",
            rasterized=True,
            ax=axis,
        )
        axis.set(xlabel=names[0], ylabel=names[1])
        keep = len(set(rows["variable"])) + 1
        handles, labels = axis.get_legend_handles_labels()
        axis.legend(handles[1:keep], labels[1:keep], frameon=False)
        sns.despine(ax=axis)
        return Figure(drawing, "fig-sizes", terms["caption_sizes"])


def _bullets(lines: list[str]) -> Prose:
    return Prose("\n".join(f"- {escape_markdown(line)}" for line in lines))


def _title(name: str, terms: Mapping[str, str]) -> str:
    """Write a heading: a split, or `in train and test`."""
    if not name.startswith("in "):
        return terms.get(name, name)
    return terms["in_two"].format(places=_splits(name.removeprefix("in "), terms))


def _place(text: str, terms: Mapping[str, str]) -> str:
    """Write where files lie: `within train`, `across train and test`."""
    how, _, places = text.partition(" ")
    return terms[how].format(places=_splits(places, terms))


def _splits(places: str, terms: Mapping[str, str]) -> str:
    """Name splits within a phrase; `the set` is a set without any."""
    names = [terms[name].lower() for name in places.split(" and ")]
    return terms["and"].join(names)
