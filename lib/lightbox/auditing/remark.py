"""What the audit says: one sentence, the entries it is about, the numbers behind it."""

from dataclasses import dataclass

from lightbox.findings.base import Finding

IMPOSSIBLE, INCONSISTENT, RENAMED = "impossible", "inconsistent", "renamed"
AVERAGES = "averages"  # of several classes, or inconsistent: it cannot be told
# These are wrong whatever was meant; the others are claims that go too far.
WRONG = (IMPOSSIBLE, INCONSISTENT, RENAMED)
MOST_NAMED = 8  # rows in a sentence; the CSV has them all


@dataclass(frozen=True)
class Remark(Finding):
    """One finding of the audit.

    Its rule is `impossible`, `inconsistent`, `renamed`, `averages`, `tie`, `majority`,
    `imbalance`, `below`, `gap`, `small` or `losses`.

    Attributes:
        entries: Row name and heading of each entry that it is about.
    """

    entries: tuple[tuple[str, str], ...]

    @property
    def wrong(self) -> bool:
        """Whether no data could have given these entries."""
        return self.rule in WRONG


def listed(texts: list[str], language: str = "en") -> str:
    """Join clauses, the first few of many.

    Args:
        texts: The clauses.
        language: `"en"` or `"zh"`.

    Returns:
        `a; b; c`, with the number of those left out.
    """
    shown = ("；" if language == "zh" else "; ").join(texts[:MOST_NAMED])
    more = len(texts) - MOST_NAMED
    if more > 0:
        shown += f"；另 {more} 項" if language == "zh" else f"; and {more} more"
    return shown
