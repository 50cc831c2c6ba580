"""The audit in a notebook, as sentences."""

import os
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from lightbox.auditing.counts import SPLITS, beside, read_counts
from lightbox.auditing.examine import Examined, examine, stated
from lightbox.auditing.files import load
from lightbox.auditing.published import read_published
from lightbox.display import Prose, escape_markdown
from lightbox.errors import ParameterError, did_you_mean
from lightbox.findings.base import plural
from lightbox.section import STUDY, Section
from lightbox.words import words

REFERENCE = "reference.csv"
RULES = {
    "impossible": ("Impossible", "不可能"),
    "inconsistent": ("Inconsistent", "互相矛盾"),
    "renamed": ("Another name", "名稱有誤"),
    "averages": ("Averages or wrong", "平均或有誤"),
    "tie": ("Tie", "平手"),
    "majority": ("Majority", "多數類別"),
    "imbalance": ("Imbalance", "類別不平衡"),
    "below": ("Below what is published", "低於已發表的結果"),
    "gap": ("Val above test", "驗證高於測試"),
    "small": ("Too small", "樣本過少"),
    "losses": ("Losses", "損失函數"),
}

ASKED = {
    "en": "The printed values are audited like any other table: could whole images "
    "have given them, and all of them at once?",
    "zh": "印出的數值與其他表格一樣接受稽核：整數張影像能否得出這些數值，"
    "又能否同時成立？",
}


def metric_audit(
    source: str | Path | pd.DataFrame,
    language: str = "en",
    *,
    images: int | Mapping[str, int] | None = None,
    positives: int | Mapping[str, int] | None = None,
) -> Prose:
    """Say what is wrong with a printed table of metrics.

    Args:
        source: A file (CSV, or a Markdown table) or a frame; columns or rows such
            as accuracy, recall, precision, specificity, F1, AUROC, loss.
        language: `"en"` or `"zh"`.
        images: How many test images, or a number for each split; needed where
            neither the table nor a `counts.csv` beside it says so.
        positives: How many of them are positive, likewise.

    Returns:
        A bullet a finding; one sentence where there is none.

    Raises:
        DataError: The table cannot be read or understood.
        ParameterError: A split or language that is not known.
    """
    words(language)
    counts = stated(by_split(images, "images"), by_split(positives, "positives"))
    return _prose(examine(source, counts=counts), language)


def reference_audit(section: Section, language: str = "en") -> Prose | None:
    """Audit the values that a study's source printed for this section.

    Args:
        section: The section, for its study's `reference.csv`.
        language: `"en"` or `"zh"`.

    Returns:
        What is asked of them, and a bullet a finding; None where the study has no
        printed values for it.
    """
    words(language)
    folder = os.environ.get(STUDY, "")
    path = Path(folder) / REFERENCE
    if not folder or not path.is_file():
        return None
    printed = load(path)  # as text: 0.930 says more than 0.93
    rows = printed[printed["notebook"] == section.name]
    if rows.empty:
        return None
    known = beside(path)
    counts = read_counts(known) if known else {}
    found = examine(rows, counts=counts, published=read_published(path), name=REFERENCE)
    return Prose(ASKED[language] + "\n\n" + _prose(found, language).markdown)


def by_split(given: int | Mapping[str, int] | None, name: str) -> dict[str, int]:
    """Read a number of images that may be given for each split.

    Args:
        given: One number, for test, or a mapping from split to number.
        name: What it is called, for the error.

    Returns:
        Numbers by split.

    Raises:
        ParameterError: An unknown split, or no whole number.
    """
    if given is None:
        return {}
    found = dict(given) if isinstance(given, Mapping) else {"test": given}
    for split, number in found.items():
        if split not in SPLITS:
            raise ParameterError(
                f"{name}: split {split!r}; there are {', '.join(SPLITS)}"
                f"{did_you_mean(str(split), SPLITS)}"
            )
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise ParameterError(f"{name}: {number!r} is no number of images")
    return found


def _prose(found: Examined, language: str) -> Prose:
    zh = language == "zh"
    if not found.remarks:
        return Prose(nothing(found, language))
    lines = [
        f"- **{RULES[r.rule][zh]}{'**：' if zh else '.** '}"
        f"{escape_markdown(r.say(language))}"
        for r in found.remarks
    ]
    return Prose("\n".join(lines))


def nothing(found: Examined, language: str) -> str:
    """Say what was tested where nothing was found.

    Args:
        found: The audited table.
        language: `"en"` or `"zh"`.

    Returns:
        A sentence with its numbers.
    """
    entries = sum(len(row.values) for row in found.table.rows)
    rows, bare = len(found.table.rows), not any(r.counts for r in found.table.rows)
    if language == "zh":
        text = f"稽核 {rows} 列共 {entries} 個數值，未發現矛盾。"
        return text + "影像數未知，因此只檢查了範圍與彼此的關係。" * bare
    text = (
        f"The audit of {plural(entries, 'value')} in {plural(rows, 'row')} found "
        "nothing wrong."
    )
    unknown = (
        " The number of images is not known, so that only ranges and identities were "
        "tested."
    )
    return text + unknown * bare
