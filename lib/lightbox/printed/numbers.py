"""Numbers, headings and files as they are printed."""

import difflib
import math
import re
import unicodedata
import warnings
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pandas as pd
import yaml

from lightbox.base.errors import DataError
from lightbox.base.words import N_, _

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
        """List every k in 0 to `total` whose k / total rounds to this number."""
        first = max(math.ceil(self.low * total), 0)
        return range(first, min(math.floor(self.high * total), total) + 1)


def parse(text: str, *, where: str, scale: int = 1, count: bool = False):
    """Read a cell.

    Args:
        text: What is printed: `0.87`, `87.3 %`, `87,3`, `87.3 (84–90)`, `0.8 ± 0.1`.
        scale: What the number is divided by, 100 for a column of per cents.

    Returns:
        The number; None where the cell is empty or says that there is none.

    Raises:
        DataError: The cell holds no number, or a count that is not whole.
    """
    shown = text.replace("\uff05", "%").replace("−", "-").strip()
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


ENCODINGS = ("utf-8-sig", "big5")  # Excel in Taiwan saves the second


def load(path: Path) -> pd.DataFrame:
    """Read a file as text, digit for digit.

    Raises:
        DataError: It is missing, empty or no table.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        reason = error.strerror or error
        raise DataError(f"{path} cannot be read ({reason}); give a CSV") from None
    for encoding in ENCODINGS:
        with suppress(UnicodeDecodeError):
            text = raw.decode(encoding)
            break
    else:
        raise DataError(f"{path} is no text in UTF-8; save it as CSV (UTF-8)")
    lines = [line.strip("\r") for line in text.split("\n") if line.strip()]
    if not lines or "\0" in text:
        raise DataError(f"{path} holds no table; it needs a line of headings and rows")
    mark = max(",;\t|", key=lines[0].count)
    if mark == "|":
        lines = [line.strip().strip("|") for line in lines]
        lines = [line for line in lines if set(line) - set("|-: ")]
    try:
        with warnings.catch_warnings():
            # Else pandas drops what stands to the right of the last heading.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                StringIO("\n".join(lines)),
                sep=mark,
                dtype=str,
                keep_default_na=False,
                skipinitialspace=True,
                index_col=False,
            )
    except pd.errors.ParserWarning:
        raise DataError(
            f"{path}: a row has more cells than headings; write 84.84 for 84,84, or "
            "put quotes around a cell with a comma"
        ) from None
    except (ValueError, pd.errors.ParserError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path} is no table ({reason})") from None
    return frame.rename(columns=lambda heading: str(heading).strip())


HEADINGS = yaml.safe_load(
    Path(__file__).with_name("headings.yaml").read_text(encoding="utf-8")
)
COUNTS = ("images", "positives", "negatives", "tp", "fn", "fp", "tn")
# What a metric is called in a sentence.
METRICS = {
    "accuracy": N_("accuracy"),
    "recall": N_("recall"),
    "precision": N_("precision"),
    "specificity": N_("specificity"),
    "npv": N_("negative predictive value"),
    "f1": N_("F1"),
    "balanced_accuracy": N_("balanced accuracy"),
    "auroc": N_("AUROC"),
    "loss": N_("loss"),
}
_KNOWN = {
    alias: name for name, all_ in HEADINGS["quantities"].items() for alias in all_
}
_SPLIT_OF = {
    word: split for split, words in HEADINGS["splits"].items() for word in words
}
_AVERAGED, _STAGES, _NOISE = (HEADINGS[k] for k in ("averaged", "stages", "noise"))
NEAR = 0.85  # of difflib: a slip of the keyboard, not another word


@dataclass(frozen=True)
class Column:
    """What a heading stands for: a key of the quantities in `headings.yaml`."""

    heading: str
    quantity: str
    split: str = "test"
    stage: str = ""
    averaged: bool = False
    percent: bool = False


def read_heading(heading: str) -> Column | None:
    """Understand a heading such as `Test acc. (%)`; None: of no concern to an audit.

    Raises:
        DataError: It is a slip of a known one.
    """
    text = unicodedata.normalize("NFKC", str(heading)).lower()
    bracketed = re.findall(r"\(([^)]*)\)|\[([^\]]*)\]", text)
    bare = re.sub(r"\([^)]*\)|\[[^\]]*\]", " ", text)
    units = {"".join(pair).strip() for pair in bracketed}
    percent = "%" in bare or bool(units & {"%", "in %", "percent", "per cent"})
    bare = re.sub(r"[%_,.:/\-\"'“”*]", " ", bare)
    for word in (*_SPLIT_OF, *_AVERAGED, *_STAGES, *_NOISE):
        if not word.isascii():
            bare = bare.replace(word, f" {word} ")
    split, stages, averaged, kept = "test", [], False, []
    for token in bare.split():
        if token in _SPLIT_OF:
            split = _SPLIT_OF[token]
        elif token in _AVERAGED or token in _STAGES:
            averaged |= token in _AVERAGED
            stages.append(token)
        elif token not in _NOISE:
            kept.append(token)
    rest = " ".join(kept)
    if rest not in _KNOWN:
        near = difflib.get_close_matches(rest, _KNOWN, n=1, cutoff=NEAR)
        # Short words are near to each other by chance.
        if near and len(rest) > 4:
            raise DataError(
                f"the heading {heading!r} is not known; did you mean {near[0]!r}?"
            )
        return None
    return Column(
        str(heading), _KNOWN[rest], split, " ".join(stages), averaged, percent
    )


def metric_name(quantity: str) -> str:
    """Name a metric in a sentence."""
    return _(METRICS[quantity])
