"""The provenance of a section: from what it was made, and how to make it again."""

import html
import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lightbox.base import paths
from lightbox.base.words import _, in_language, joined, pgettext

MIME = "application/vnd.lightbox.provenance+json"
CONTEXT = "LIGHTBOX_REPORT"  # how `lightbox report` speaks to its kernels
# A path of two parts or more inside a text, such as a list written as YAML.
INSIDE = re.compile(
    r"""(?<![^\s\[({,='"])(/|[A-Z]:\\)[^\s\])},'"/\\]+[/\\][^\])},'"]*"""
)


@dataclass(frozen=True)
class ReportContext:
    """The report for which a notebook is executed; all empty outside of one.

    Attributes:
        command: How to make the report again.
        study: Folder of the study's YAML files.
        folder: Where the report goes.
    """

    command: str = ""
    study: str = ""
    folder: str = ""

    def announce(self) -> None:
        """Tell the kernels that this process starts from now on."""
        os.environ[CONTEXT] = json.dumps(asdict(self))


def report_context() -> ReportContext:
    """Read what `lightbox report` announced to this kernel."""
    return ReportContext(**json.loads(os.environ.get(CONTEXT) or "{}"))


def portable(value: Any, name: str) -> Any:
    """Write a value without this machine's folders, which a reader does not have."""
    if isinstance(value, dict):
        return {key: portable(inner, name) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [portable(inner, name) for inner in value]
    if not isinstance(value, str):
        return value

    def place(text: str) -> str:
        path, project = Path(text), paths.project()
        inside = path.is_relative_to(project)
        return path.relative_to(project).as_posix() if inside else f"<{name}>"

    if Path(value).is_absolute():
        return place(value)
    return INSIDE.sub(lambda found: place(found[0]), value)


def notice(*, synthetic: bool = False) -> str:
    """Say what stands on every report, whatever else its notebook says."""
    return joined(
        [
            _("For teaching and research, not for clinical use."),
            _("The images are synthetic.") if synthetic else "",
        ]
    )


@dataclass(frozen=True)
class Provenance:
    """Facts for the provenance box and the title page.

    Attributes:
        title, author, course, date: Words of the title page, as given.
        language: One of `LANGUAGES`.
        notice: What the reader must know first.
        facts: Pairs of label and value.
        command: What to type to make it again.
    """

    title: str
    author: str
    course: str
    date: str
    language: str
    notice: str
    facts: list[list[str]]
    command: str

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        with in_language(self.language):
            rows = [*self.facts, [pgettext("provenance", "command"), self.command]]
        cells = "".join(
            f"<tr><th style='text-align:left'>{html.escape(label)}</th>"
            f"<td style='text-align:left'>{html.escape(value)}</td></tr>"
            for label, value in rows
        )
        page = f"<p><em>{html.escape(self.notice)}</em></p><table>{cells}</table>"
        data = {
            MIME: asdict(self),
            "text/html": page,
            "text/plain": "\n".join(f"{label}: {value}" for label, value in rows),
        }
        return data, {"lightbox": {"kind": "provenance"}}
