"""Numbers as they are printed: each stands for an interval, not for a point."""

import math
import re
from dataclasses import dataclass
from decimal import Decimal

from lightbox.errors import DataError

# Frameworks print float32 means, whose error is larger than a double's last digit.
SLACK = 1e-6
MISSING = {"", "-", "–", "—", "n/a", "na", "nan", "none", "null", "/"}
_NUMBER = re.compile(
    r"[*_†‡~≈]*\s*(?P<number>[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?)\s*(?P<unit>%)?\s*"
    r"(?P<more>±.*|\+/-.*|[(\[].*)?[*_†‡]*",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Printed:
    """A printed number.

    Attributes:
        text: As printed, without what follows the number.
        value: A fraction for metrics; the number itself for counts and losses.
        half: Half a unit of the last printed digit, on the same scale.
        averaged: Whether it is a mean of several, printed with its spread.
    """

    text: str
    value: float
    half: float
    averaged: bool = False

    @property
    def low(self) -> float:
        """The smallest number that is printed so."""
        return self.value - self.half - SLACK

    @property
    def high(self) -> float:
        """The largest number that is printed so."""
        return self.value + self.half + SLACK

    def counts(self, total: int) -> range:
        """List the counts out of a total that are printed so.

        Args:
            total: What the count is divided by.

        Returns:
            Every k in 0 to `total` whose k / total rounds to this number.
        """
        first = max(math.ceil(self.low * total), 0)
        return range(first, min(math.floor(self.high * total), total) + 1)


def parse(text: str, *, where: str, scale: int = 1, count: bool = False):
    """Read a cell.

    Args:
        text: What is printed: `0.87`, `87.3 %`, `87,3`, `87.3 (84–90)`, `0.8 ± 0.1`.
        where: Row and column, for the error.
        scale: What the number is divided by, 100 for a column of per cents.
        count: Whether it is a whole number, in which a comma parts thousands.

    Returns:
        The number; None where the cell is empty or says that there is none.

    Raises:
        DataError: The cell holds no number, or a count that is not whole.
    """
    shown = text.replace("％", "%").replace("−", "-").strip()
    if shown.lower() in MISSING:
        return None
    match = _NUMBER.fullmatch(shown)
    if (
        not match
        or len(re.sub(r"\D", "", match["number"].lower().partition("e")[2])) > 2
    ):
        raise DataError(
            f"{where}: {text!r} is no number; write one such as 0.873 or 87.3, or "
            "leave the cell empty"
        )
    number = match["number"]
    if count or number.count(",") > 1 or re.search(r",.*\.", number):
        number = number.replace(",", "")
    value = Decimal(number.replace(",", "."))
    if count and (value != value.to_integral_value() or value < 0):
        raise DataError(f"{where}: {text!r} is no count; a whole number is needed")
    divisor = 100 if match["unit"] else scale
    half = 0.0 if count else 0.5 * 10.0 ** value.as_tuple().exponent
    spread = (match["more"] or "").startswith(("±", "+/-"))
    unit = " %" if match["unit"] else ""
    return Printed(
        match["number"] + unit, float(value) / divisor, half / divisor, spread
    )


def whole(printed: Printed | None) -> int | None:
    """Read a count."""
    return None if printed is None else round(printed.value)
