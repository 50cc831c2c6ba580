"""What the audit says: one sentence, the entries it is about, the numbers behind it."""

from dataclasses import dataclass, field
from typing import Any

IMPOSSIBLE, INCONSISTENT, RENAMED = "impossible", "inconsistent", "renamed"
AVERAGES = "averages"  # of several classes, or inconsistent: it cannot be told
# These are wrong whatever was meant; the others are claims that go too far.
WRONG = (IMPOSSIBLE, INCONSISTENT, RENAMED)
MOST_NAMED = 8  # rows in a sentence; the CSV has them all


@dataclass(frozen=True)
class Remark:
    """One finding of the audit.

    Attributes:
        rule: `impossible`, `inconsistent`, `renamed`, `averages`, `tie`, `majority`,
            `imbalance`, `gap`, `small` or `losses`.
        entries: Row name and heading of each entry that it is about.
        text_en: The sentence in English.
        text_zh: The same in Traditional Chinese.
        evidence: The numbers behind it, by name.
    """

    rule: str
    entries: tuple[tuple[str, str], ...]
    text_en: str
    text_zh: str
    evidence: dict[str, Any] = field(default_factory=dict)

    @property
    def wrong(self) -> bool:
        """Whether no data could have given these entries."""
        return self.rule in WRONG

    def say(self, language: str = "en") -> str:
        """Say it in one language, `"en"` or `"zh"`."""
        return self.text_zh if language == "zh" else self.text_en


def plural(count: int, noun: str) -> str:
    """Count a noun: `1 value`, `8 values`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


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
