"""What a rule says, in both languages, with the numbers that it rests on."""

from dataclasses import dataclass
from typing import Any

from lightbox.base.words import language, words


@dataclass(frozen=True)
class Finding:
    """One statement that a rule made from numbers.

    Attributes:
        rule: The rule's name.
        text_en: The statement in English, as markdown.
        text_zh: The same in Traditional Chinese.
        evidence: The numbers behind it, by name.
    """

    rule: str
    text_en: str
    text_zh: str
    evidence: dict[str, Any]

    def say(self) -> str:
        """Say it in one language.

        Returns:
            Markdown.
        """
        words()
        return self.text_zh if language() == "zh" else self.text_en


def percent(fraction: float) -> str:
    """Write a fraction as per cent with one decimal: 0.8733 is `87.3`."""
    return f"{100 * fraction:.1f}"


def interval(low: float, high: float) -> str:
    """Write an interval of fractions in per cent: `83.1–90.6`."""
    return f"{percent(low)}–{percent(high)}"


def p_text(pvalue: float) -> str:
    """Write a p-value with its sign: `= 0.021`, `< 0.001`."""
    return "< 0.001" if pvalue < 0.001 else f"= {pvalue:.3f}"


def plural(count: int, noun: str) -> str:
    """Count a noun: `1 epoch`, `1,204 images`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
