"""What a rule says, with the numbers that it rests on, and how they are written."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Finding:
    """One statement that a rule made from numbers.

    Attributes:
        rule: The rule's name.
        text: The statement in the reader's language, as markdown.
        evidence: The numbers behind it, by name.
    """

    rule: str
    text: str
    evidence: dict[str, Any]


def percent(fraction: float) -> str:
    """Write a fraction as per cent with one decimal: 0.8733 is `87.3`."""
    return f"{100 * fraction:.1f}"


def interval(low: float, high: float) -> str:
    """Write an interval of fractions in per cent: `83.1–90.6`."""
    return f"{percent(low)}–{percent(high)}"


def p_text(pvalue: float) -> str:
    """Write a p-value with its sign: `= 0.021`, `< 0.001`."""
    return "< 0.001" if pvalue < 0.001 else f"= {pvalue:.3f}"
