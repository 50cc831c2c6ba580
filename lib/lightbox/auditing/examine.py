"""Audit a printed table: what is impossible, inconsistent, or claimed too boldly."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from lightbox.auditing.claims import gaps, losses, small, ties
from lightbox.auditing.counts import Counts, beside, checked, join, read_counts
from lightbox.auditing.files import load
from lightbox.auditing.majorities import majority
from lightbox.auditing.published import below, read_published
from lightbox.auditing.remark import IMPOSSIBLE, RENAMED, Remark
from lightbox.auditing.single import impossible
from lightbox.auditing.table import PrintedTable, Published, understand
from lightbox.auditing.together import inconsistent

# In the order in which they are told.
RULES = (impossible, inconsistent, ties, majority, below, gaps, small, losses)


@dataclass(frozen=True)
class Examined:
    """A table and what the audit found in it.

    Attributes:
        table: As it was understood.
        remarks: The findings, what is wrong first.
    """

    table: PrintedTable
    remarks: tuple[Remark, ...]

    @property
    def wrong(self) -> tuple[Remark, ...]:
        """The findings that no data could explain."""
        return tuple(remark for remark in self.remarks if remark.wrong)

    def frame(self, language: str = "en") -> pd.DataFrame:
        """Give the findings as rows, to be kept as CSV.

        Args:
            language: `"en"` or `"zh"`.

        Returns:
            A row for each entry that a finding is about: rule, row, column,
            printed, finding.
        """
        printed = {
            (row.name, column.heading): value.text
            for row in self.table.rows
            for column, value in row.values.items()
        }
        rows = [
            (remark.rule, *entry, printed.get(entry, ""), remark.say(language))
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
        name: What errors call a frame.

    Returns:
        The table and the findings.

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
    """Put counts from two sources together.

    Args:
        one: By split; it may say less than the other.
        other: By split.
        where: Name of the second, for the error.

    Returns:
        All that is known.

    Raises:
        DataError: They contradict each other.
    """
    empty = Counts()
    return {
        split: join(one.get(split, empty), other.get(split, empty), f"{where}, {split}")
        for split in {**one, **other}
    }


def stated(
    images: Mapping[str, int], positives: Mapping[str, int]
) -> dict[str, Counts]:
    """Make counts of what was given by hand.

    Args:
        images: Number of images by split.
        positives: Number of them that are positive, by split.

    Returns:
        Counts by split.

    Raises:
        DataError: More positives than images.
    """
    found = {}
    for split in {**images, **positives}:
        counts = Counts(images.get(split), positives.get(split))
        found[split] = checked(counts, split)
    return found
