"""Read a table's file as text, digit for digit."""

import warnings
from io import StringIO
from pathlib import Path

import pandas as pd

from lightbox.errors import DataError

ENCODINGS = ("utf-8-sig", "big5")  # Excel in Taiwan saves the second


def load(path: Path) -> pd.DataFrame:
    """Read a file as text, digit for digit.

    Args:
        path: A CSV, comma, semicolon or tab between cells, or a Markdown table.

    Returns:
        Its cells.

    Raises:
        DataError: It is missing, empty or no table.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        reason = error.strerror or error
        raise DataError(f"{path} cannot be read ({reason}); give a CSV") from None
    for encoding in ENCODINGS:
        try:
            text = raw.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
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
