"""One look for every figure, at the size at which it is printed."""

import math
import textwrap
from functools import cache
from typing import Any

import matplotlib as mpl
import seaborn as sns
from matplotlib import font_manager

WIDTH = 160 / 25.4  # inches: the text width of an A4 page
MAX_HEIGHT = 235 / 25.4  # inches: what a page holds above a caption
POINTS = 8  # smallest text at printed size
PALETTE = sns.color_palette("colorblind")
TRAIN, VAL, GREY = PALETTE[0], PALETTE[1], "0.35"
CJK_START = 0x2E80  # first CJK block; what is below, DejaVu Sans has


def theme(*texts: str) -> Any:
    """Set the look of a figure while it is drawn.

    Args:
        texts: Texts from outside (class names, captions in the figure). Where one
            holds Chinese, the bundled Chinese font comes first: behind another
            it is not found for text with formulas.

    Returns:
        A context manager.
    """
    families = ["DejaVu Sans"]
    if any(ord(char) >= CJK_START for text in texts for char in text):
        families.insert(0, _cjk_family())
    settings = sns.axes_style("ticks") | {
        "font.family": families,
        "font.size": POINTS,
        "axes.titlesize": POINTS,
        "axes.labelsize": POINTS,
        "xtick.labelsize": POINTS,
        "ytick.labelsize": POINTS,
        "legend.fontsize": POINTS,
        "figure.titlesize": POINTS,
        "axes.linewidth": 0.6,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "xtick.major.size": 2.5,
        "ytick.major.size": 2.5,
        "axes.edgecolor": GREY,
        "figure.facecolor": "white",
        "axes.facecolor": "white",
        "legend.frameon": False,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.unicode_minus": False,
    }
    return mpl.rc_context(settings)


@cache
def _cjk_family() -> str:
    """Register the bundled Chinese font with matplotlib and name it."""
    from lightbox.display.fonts.files import CJK_REGULAR

    font_manager.fontManager.addfont(str(CJK_REGULAR))
    return font_manager.FontProperties(fname=str(CJK_REGULAR)).get_name()


def columns_of(count: int, most: int) -> int:
    """Spread panels evenly: five at most four wide are three and two.

    Args:
        count: How many panels there are.
        most: How many fit beside each other.

    Returns:
        Panels a row.
    """
    return math.ceil(count / math.ceil(count / most))


def titles_of(names: list[str], width: int) -> list[str]:
    """Break the names of panels, all of them in the same way.

    Args:
        names: Names with middle dots, where they break first.
        width: What a line holds, in Latin letters.

    Returns:
        The names, of one or of several lines.
    """
    if all(letters(name) <= width for name in names):
        return names
    parts = [name.split(" · ") for name in names]
    return ["\n".join(wrapped(part, width) for part in name) for name in parts]


def letters(text: str) -> int:
    """Measure a text in Latin letters; a Chinese character is two wide.

    Args:
        text: One line.

    Returns:
        Its width in letters.
    """
    return sum(2 if ord(char) >= CJK_START else 1 for char in text)


def wrapped(name: str, width: int) -> str:
    """Break a name at spaces and underscores.

    Args:
        name: A class or strategy.
        width: What a line holds, in Latin letters.

    Returns:
        The name, of one or of several lines; a longer word stays whole.
    """
    if letters(name) <= width:
        return name
    spaced = name.replace("_", "_ ")
    lines = textwrap.wrap(spaced, width, break_long_words=False)
    return "\n".join(lines).replace("_ ", "_") or name
