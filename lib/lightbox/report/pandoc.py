"""Run pandoc, and turn what it says into errors that a user can act on."""

import json
import re
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from lightbox.base.errors import ReportError

READER = Path(__file__).with_name("report.lua")
INSTALL = "install it with: pip install 'pypandoc_binary==1.17.*'"


def run(
    document: dict[str, Any], to: str, folder: Path, options: Sequence[str] = ()
) -> bytes:
    """Write the document with pandoc.

    Args:
        document: From `document.compose`.

    Raises:
        ReportError: pandoc is missing, a formula cannot be converted, or a
            reference points nowhere.
    """
    source = json.dumps(document, ensure_ascii=False)
    (folder / "document.json").write_text(source, encoding="utf-8")
    files = ["--output", "document.out", "document.json"]
    done = subprocess.run(
        [_program(), "--from", str(READER), "--to", to, *options, *files],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if formulas := re.findall(r"Could not convert TeX math (.*?), rend", done.stderr):
        formula = formulas[0]
        for macro in document["macros"]:
            formula = formula.replace(macro["tex"], "")
        raise ReportError(
            f"the formula {formula} has a command that is not known; "
            r"define it in a Markdown cell with \newcommand, or spell it out"
        )
    if ours := re.search(r"LIGHTBOX:(.*):XOBTHGIL", done.stderr, flags=re.S):
        raise ReportError(" ".join(ours[1].split()))
    if done.returncode:
        raise ReportError(f"pandoc failed: {' '.join(done.stderr.split())[:500]}")
    return (folder / "document.out").read_bytes()


def read_html(source: str) -> dict[str, Any]:
    """Read HTML into pandoc's document; scripts and style sheets are left out."""
    reader = "html-native_divs-native_spans"
    done = subprocess.run(
        [_program(), "--sandbox", "--from", reader, "--to", "json"],
        input=source.encode("utf-8"),
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise ReportError(f"a table is no readable HTML: {done.stderr.decode()[:500]}")
    return json.loads(done.stdout)


@cache
def _program() -> str:
    """The program of the `pypandoc_binary` wheel."""
    try:
        import pypandoc

        path, version = pypandoc.get_pandoc_path(), pypandoc.get_pandoc_version()
    except (ImportError, OSError) as error:
        raise ReportError(
            f"reports need pandoc, which is missing; {INSTALL}"
        ) from error
    if not version.startswith("3."):
        raise ReportError(f"reports need pandoc 3, found {version}; {INSTALL}")
    return path
