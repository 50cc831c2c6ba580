"""What a rule says, with the numbers that it rests on, and how they are written."""

from typing import Any

from lightbox.base.words import language


class Finding:
    """One statement that a rule made from numbers, in the reader's language.

    Args:
        rule: The rule's name.
        text: The statement, as markdown.
        evidence: The numbers behind it, by name.
    """

    def __init__(self, rule: str, text: str, *rest: Any):
        # Transitional: (rule, English, Chinese, evidence) until every rule says `_`.
        if len(rest) == 2:
            text = rest[0] if language() == "zh" else text
        self.rule, self.text, self.evidence = rule, text, rest[-1]

    def say(self) -> str:
        """Say it."""
        return self.text


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
