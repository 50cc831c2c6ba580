"""`lightbox audit`: the audit on the terminal."""

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from lightbox.base.errors import ParameterError
from lightbox.base.words import LANGUAGES, _, set_language
from lightbox.printed.audit import (
    TITLES,
    Examined,
    by_split,
    examine,
    merge,
    nothing,
    stated,
)
from lightbox.printed.table import WRONG, Counts, read_counts

MARKS = {"impossible": "✗", "inconsistent": "≠", "renamed": "→"}
WIDTH = 100  # where the terminal does not say, as in a file


@click.command()
@click.argument("table", type=click.Path(path_type=Path))
@click.option(
    "--images",
    multiple=True,
    metavar="[SPLIT=]N",
    help="How many test images, such as 624, or val=16; may be given again.",
)
@click.option(
    "--positives",
    multiple=True,
    metavar="[SPLIT=]N",
    help="How many of them are of the positive class.",
)
@click.option(
    "--counts",
    type=click.Path(path_type=Path, dir_okay=False),
    help="CSV with split, class, images, positive [counts.csv beside TABLE].",
)
@click.option(
    "--language", type=click.Choice(LANGUAGES), default="en", show_default=True
)
@click.option(
    "--csv",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Keep the findings as a CSV file.",
)
@click.pass_context
def audit(
    context: click.Context,
    table: Path,
    images: tuple[str, ...],
    positives: tuple[str, ...],
    counts: Path | None,
    language: str,
    csv: Path | None,
) -> None:
    """Say which numbers of a printed TABLE cannot be true.

    TABLE is a CSV or Markdown file with columns, or rows, such as accuracy, recall,
    precision, specificity, F1, AUROC and loss, as fractions or in per cent. The exit
    status is 1 if an entry is impossible or inconsistent, 2 if TABLE cannot be read.
    """
    set_language(language)
    given: dict[str, Counts] = stated(
        by_split(_numbers(images, "--images"), "--images"),
        by_split(_numbers(positives, "--positives"), "--positives"),
    )
    if counts is not None:
        given = merge(given, read_counts(counts), str(counts))
    found = examine(table, counts=given)
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, WIDTH)
    console.print(_grid(found))
    marks = "  ".join(f"{MARKS[rule]} {_(TITLES[rule])}" for rule in WRONG)
    console.print(marks, style="dim", markup=False)
    console.print()
    for number, remark in enumerate(found.remarks, start=1):
        line = _("{number}. {title}: {text}")
        text = line.format(
            number=number, title=_(TITLES[remark.rule]), text=remark.text
        )
        console.print(text, markup=False, style="red" if remark.wrong else None)
    if not found.remarks:
        console.print(nothing(found), markup=False)
    if csv is not None:
        try:
            csv.parent.mkdir(parents=True, exist_ok=True)
            # With the mark by which Excel tells UTF-8.
            found.frame().to_csv(csv, index=False, encoding="utf-8-sig")
        except OSError as error:
            raise ParameterError(f"--csv {csv}: {error.strerror}") from None
        console.print(f"\n{csv}", markup=False)
    context.exit(1 if found.wrong else 0)


def _numbers(given: tuple[str, ...], option: str) -> dict[str, int] | None:
    """Read `624` and `val=16`."""
    found = {}
    for text in given:
        split, _equals, number = text.rpartition("=")
        split = split.strip() or "test"
        if not number.strip().isdigit():
            raise ParameterError(
                f"{option} {text!r}: write a number of test images, such as 624, or "
                "of another split, such as val=16"
            )
        if split in found:
            raise ParameterError(f"{option}: {split} is given twice")
        found[split] = int(number)
    return found or None


def _grid(found: Examined) -> Table:
    """Draw the audited columns with a mark at each entry that is wrong."""
    # The first finding of an entry marks it.
    wrong = reversed(found.wrong)
    marks = {entry: MARKS[each.rule] for each in wrong for entry in each.entries}
    grid = Table(title=click.format_filename(found.table.source), title_justify="left")
    grid.add_column(_("Row"), overflow="fold")
    for column in found.table.columns:
        # A heading of one long word would be broken inside it.
        words = column.heading.replace("_", " ")
        grid.add_column(_plain(words), justify="right", overflow="fold")
    for row in found.table.rows:
        cells = [row.name]
        for column in found.table.columns:
            printed = row.values.get(column)
            mark = marks.get((row.name, column.heading))
            text = printed.text if printed else "–"
            cells.append(f"{mark} {text}" if mark else text)
        grid.add_row(*map(_plain, cells))
    return grid


def _plain(text: str) -> str:
    """Keep rich from reading a name as markup."""
    return text.replace("[", r"\[")
