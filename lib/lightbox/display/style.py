"""One look for every figure, at the size at which it is printed."""

import math
import textwrap
from contextlib import AbstractContextManager
from functools import cache

import matplotlib as mpl
import seaborn as sns
from matplotlib import font_manager

from lightbox.base.words import is_cjk, language

WIDTH = 160 / 25.4  # inches: the text width of an A4 page
MAX_HEIGHT = 235 / 25.4  # inches: what a page holds above a caption
POINTS = 8  # smallest text at printed size
PALETTE = sns.color_palette("colorblind")
TRAIN, VAL, GREY = PALETTE[0], PALETTE[1], "0.35"
LOOK = {
    "font.size": POINTS,
    **{f"axes.{text}size": POINTS for text in ("title", "label")},
    **{f"{text}.labelsize": POINTS for text in ("xtick", "ytick")},
    "legend.fontsize": POINTS,
    "figure.titlesize": POINTS,
    "axes.linewidth": 0.6,
    **{f"{axis}tick.major.width": 0.6 for axis in "xy"},
    **{f"{axis}tick.major.size": 2.5 for axis in "xy"},
    "axes.edgecolor": GREY,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": False,
}


def theme(*texts: str) -> AbstractContextManager[None]:
    """Set the look of a figure while it is drawn.

    Args:
        texts: Texts from outside, such as class names. Where one holds Chinese, or
            the reader's language does, the bundled Chinese font comes first: behind
            another it is not found for text with formulas.
    """
    families = ["DejaVu Sans"]
    if language() == "zh" or any(map(is_cjk, "".join(texts))):
        families.insert(0, _cjk_family())
    return mpl.rc_context(sns.axes_style("ticks") | {"font.family": families} | LOOK)


@cache
def _cjk_family() -> str:
    """Register the bundled Chinese font with matplotlib and name it."""
    from lightbox.display.fonts.files import CJK_REGULAR

    font_manager.fontManager.addfont(str(CJK_REGULAR))
    return font_manager.FontProperties(fname=str(CJK_REGULAR)).get_name()


def columns_of(count: int, most: int) -> int:
    """Spread panels evenly: five at most four wide are three and two."""
    return math.ceil(count / math.ceil(count / most))


def letters(text: str) -> int:
    """Measure a line in Latin letters; a Chinese character is two wide."""
    return sum(2 if is_cjk(character) else 1 for character in text)


def wrapped(name: str, width: int) -> str:
    """Break a name at spaces and underscores; a longer word stays whole."""
    if letters(name) <= width:
        return name
    spaced = name.replace("_", "_ ")
    lines = textwrap.wrap(spaced, width, break_long_words=False)
    return "\n".join(lines).replace("_ ", "_") or name


def titles_of(names: list[str], width: int) -> list[str]:
    """Break the names of panels, all of them in the same way."""
    if all(letters(name) <= width for name in names):
        return names
    parts = [name.split(" · ") for name in names]
    return ["\n".join(wrapped(part, width) for part in name) for name in parts]
