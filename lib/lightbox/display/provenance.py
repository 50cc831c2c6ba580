"""The provenance of a section: from what it was made, and how to make it again."""

import html
from dataclasses import asdict, dataclass
from typing import Any

MIME = "application/vnd.lightbox.provenance+json"
# What stands on every report, whatever else its notebook says.
NOTICE = {
    "en": "For teaching and research, not for clinical use.",
    "zh": "僅供教學與研究，不得用於臨床。",
}
SYNTHETIC = {"en": " The images are synthetic.", "zh": "影像為合成影像。"}


@dataclass(frozen=True)
class Provenance:
    """Facts for the provenance box and the title page.

    Attributes:
        title: Of the report.
        author: Who hands it in.
        course: For which course.
        date: As it should be printed.
        language: `en` or `zh`.
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
        rows = [*self.facts, ["command", self.command]]
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
