"""The audit of a printed table: impossible, inconsistent, or claimed too boldly."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from lightbox.base.errors import ParameterError, did_you_mean
from lightbox.base.words import N_, _, ngettext
from lightbox.display.outputs import Prose, escape_markdown
from lightbox.display.provenance import report_context
from lightbox.printed.claims import (
    below,
    gaps,
    losses,
    majority,
    read_published,
    small,
    ties,
)
from lightbox.printed.confusion import impossible, inconsistent
from lightbox.printed.numbers import load
from lightbox.printed.table import (
    IMPOSSIBLE,
    RENAMED,
    SPLITS,
    Counts,
    PrintedTable,
    Published,
    Remark,
    beside,
    checked,
    join,
    read_counts,
    understand,
)
from lightbox.sections.section import Section

# In the order in which they are told.
RULES = (impossible, inconsistent, ties, majority, below, gaps, small, losses)


@dataclass(frozen=True)
class Examined:
    """A table and what the audit found in it, what is wrong first."""

    table: PrintedTable
    remarks: tuple[Remark, ...]

    @property
    def wrong(self) -> tuple[Remark, ...]:
        """The findings that no data could explain."""
        return tuple(remark for remark in self.remarks if remark.wrong)

    def frame(self) -> pd.DataFrame:
        """Give the findings as rows, to be kept as CSV."""
        printed = {
            (row.name, column.heading): value.text
            for row in self.table.rows
            for column, value in row.values.items()
        }
        rows = [
            (remark.rule, *entry, printed.get(entry, ""), remark.text)
            for remark in self.remarks
            for entry in remark.entries or [("", "")]
        ]
        return pd.DataFrame(
            rows, columns=["rule", "row", "column", "printed", "finding"]
        )


def examine(
    source: str | Path | pd.DataFrame,
    *,
    counts: Mapping[str, Counts] | None = None,
    published: tuple[Published, ...] = (),
    name: str = "table",
) -> Examined:
    """Audit a table.

    Args:
        source: A file (CSV, or a Markdown table), or a frame.
        counts: Images and positives by split, for every row; what the table or a
            file beside it says is added.
        published: What others reached on the same images; a `published.csv` beside
            a file is added.

    Raises:
        DataError: The table cannot be read, has no metric, holds a cell that is no
            number, or contradicts the counts.
    """
    given = dict(counts or {})
    if isinstance(source, pd.DataFrame):
        frame = source
    else:
        path = Path(source).expanduser()
        frame, name = load(path), str(path)
        if (found := beside(path)) is not None:
            given = merge(given, read_counts(found), str(found))
        published += read_published(path)
    table = replace(understand(frame, given, name), published=published)
    found = [each for rule in RULES for each in rule(table)]
    # Under its right name an entry is possible after all.
    explained = {e for each in found if each.rule == RENAMED for e in each.entries}
    kept = [
        each
        for each in found
        if each.rule != IMPOSSIBLE or not explained.issuperset(each.entries)
    ]
    return Examined(table, tuple(kept))


def merge(
    one: Mapping[str, Counts], other: Mapping[str, Counts], where: str
) -> dict[str, Counts]:
    """Put counts by split from two sources together.

    Raises:
        DataError: They contradict each other; `where` names the second.
    """
    empty = Counts()
    return {
        split: join(one.get(split, empty), other.get(split, empty), f"{where}, {split}")
        for split in {**one, **other}
    }


def stated(
    images: Mapping[str, int], positives: Mapping[str, int]
) -> dict[str, Counts]:
    """Make counts by split of numbers by split that were given by hand.

    Raises:
        DataError: More positives than images.
    """
    return {
        split: checked(Counts(images.get(split), positives.get(split)), split)
        for split in {**images, **positives}
    }


REFERENCE = "reference.csv"

# How a finding of a rule is headed.
TITLES = {
    "impossible": N_("Impossible"),
    "inconsistent": N_("Inconsistent"),
    "renamed": N_("Another name"),
    "averages": N_("Averages or wrong"),
    "tie": N_("Tie"),
    "majority": N_("Majority"),
    "imbalance": N_("Imbalance"),
    "below": N_("Below what is published"),
    "gap": N_("Val above test"),
    "small": N_("Too small"),
    "losses": N_("Losses"),
}


def metric_audit(
    source: str | Path | pd.DataFrame,
    *,
    images: int | Mapping[str, int] | None = None,
    positives: int | Mapping[str, int] | None = None,
) -> Prose:
    """Say what is wrong with a printed table of metrics.

    Args:
        source: A file (CSV, or a Markdown table) or a frame; columns or rows such
            as accuracy, recall, precision, specificity, F1, AUROC, loss.
        images: How many test images, or a number for each split; needed where
            neither the table nor a `counts.csv` beside it says so.

    Raises:
        DataError: The table cannot be read or understood.
        ParameterError: A split that is not known.
    """
    counts = stated(by_split(images, "images"), by_split(positives, "positives"))
    return _prose(examine(source, counts=counts))


def reference_audit(section: Section) -> Prose | None:
    """Audit the values that a study's source printed for this section.

    None where the study has no printed values for it.
    """
    folder = report_context().study
    path = Path(folder) / REFERENCE
    if not folder or not path.is_file():
        return None
    printed = load(path)  # as text: 0.930 says more than 0.93
    rows = printed[printed["notebook"] == section.name]
    if rows.empty:
        return None
    known = beside(path)
    counts = read_counts(known) if known else {}
    found = examine(rows, counts=counts, published=read_published(path), name=REFERENCE)
    asked = _(
        "The printed values are audited like any other table: could whole images have "
        "given them, and all of them at once?"
    )
    return Prose(f"{asked}\n\n{_prose(found).markdown}")


def by_split(given: int | Mapping[str, int] | None, name: str) -> dict[str, int]:
    """Read a number of images that may be given for each split.

    Raises:
        ParameterError: An unknown split, or no whole number.
    """
    if given is None:
        return {}
    found = dict(given) if isinstance(given, Mapping) else {"test": given}
    for split, number in found.items():
        if split not in SPLITS:
            raise ParameterError(
                f"{name}: split {split!r}; there are {', '.join(SPLITS)}"
                f"{did_you_mean(str(split), SPLITS)}"
            )
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise ParameterError(f"{name}: {number!r} is no number of images")
    return found


def _prose(found: Examined) -> Prose:
    if not found.remarks:
        return Prose(nothing(found))
    line = _("- **{title}.** {text}")
    return Prose(
        "\n".join(
            line.format(title=_(TITLES[r.rule]), text=escape_markdown(r.text))
            for r in found.remarks
        )
    )


def nothing(found: Examined) -> str:
    """Say what was tested where nothing was found."""
    entries = sum(len(row.values) for row in found.table.rows)
    rows = len(found.table.rows)
    values = ngettext("{count:,} value", "{count:,} values", entries)
    said = ngettext(
        "The audit of {values} in {rows:,} row found nothing wrong.",
        "The audit of {values} in {rows:,} rows found nothing wrong.",
        rows,
    ).format(values=values.format(count=entries), rows=rows)
    if not any(row.counts for row in found.table.rows):
        said += _(
            " The number of images is not known, so that only ranges and identities "
            "were tested."
        )
    return said
