"""The bundled fonts; everything that draws or sets text takes them from here.

`NotoSansCJKtc-*.otf` are subsets of Noto Sans CJK TC (SIL Open Font License),
`latinmodern-math.woff2` is Latin Modern Math (GUST Font License); the licences
lie beside them. `build.py` cuts them anew.
"""

from pathlib import Path

from lightbox.base import paths

FOLDER = Path(__file__).resolve().parent
CJK_REGULAR = FOLDER / "NotoSansCJKtc-Regular.otf"
CJK_BOLD = FOLDER / "NotoSansCJKtc-Bold.otf"
CJK_FAMILY = "Noto Sans CJK TC"
MATH_WOFF2 = FOLDER / "latinmodern-math.woff2"


def own_folder() -> Path:
    """Where users drop fonts with characters that the bundled ones lack."""
    return paths.home() / "fonts"


def own() -> list[Path]:
    """The users' own fonts that the report can take (.otf and .ttf), sorted."""
    return sorted(
        path
        for path in own_folder().rglob("*")
        if path.suffix.lower() in (".otf", ".ttf")
    )
