"""`lightbox runs`: what the store holds, whether it is whole, what can go."""

import shutil
import time
from pathlib import Path

import click
from filelock import Timeout
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lightbox.base import paths
from lightbox.base.errors import ParameterError, did_you_mean
from lightbox.base.files import DAMAGED, writing
from lightbox.runs import store

SECONDS_PER_DAY = 86_400
# Leftovers beside the runs and in the caches, and what each kind is.
LEFTOVERS = {
    f"{DAMAGED}*": "set aside, damaged",
    ".*.partial": "broken off while it was written",
    ".*.tmp": "broken off while it was written",
    "*.partial": "broken off while it was written",
    "*.partial.npy": "broken off while it was written",
    ".*.unfinished.pt": "unfinished, would be resumed",
}


@click.group()
def runs() -> None:
    """The runs that are kept: list, show, verify, gc."""


@runs.command(name="list")
def list_() -> None:
    """One row a run, the newest first."""
    facts = ("run", "finished", "data", "model", "strategy", "set")
    table = _table(*facts, "epochs", "seconds", "MB", "state")
    kept = [run for path in _folders() if (run := store.find(path.name)) is not None]
    when = {run.id: run.record["environment"]["finished"] for run in kept}
    for run in sorted(kept, key=lambda run: when[run.id], reverse=True):
        config, result = run.config, run.result
        row = [run.id, when[run.id][:16].replace("T", " ")]
        row += [config.dataset, config.model, config.strategy, config.name]
        row += [str(result.epochs_run), f"{result.train_seconds:.1f}"]
        row += [_megabytes(run.folder), "diverged" if run.diverged else "finished"]
        table.add_row(*map(escape, row))
    for path in sorted(paths.runs().glob(".*.unfinished.pt")):
        blank = [""] * 7
        table.add_row(path.name.split(".")[1], *blank, _megabytes(path), "unfinished")
    _print(table, f"{table.row_count} runs in {paths.runs()}")


@runs.command()
@click.argument("identity", metavar="RUN")
def show(identity: str) -> None:
    """What a run was made from, and what it came to; RUN may be shortened."""
    fitting = [path.name for path in _folders() if path.name.startswith(identity)]
    if len(fitting) != 1:
        few = f"{len(fitting)} runs begin so" if fitting else "there is none"
        hint = did_you_mean(identity, [path.name for path in _folders()])
        raise ParameterError(
            f"{identity!r} names no one run: {few}{hint}; see `lightbox runs list`"
        )
    run = store.find(fitting[0])
    if run is None:
        raise ParameterError(
            f"run {identity} was damaged and is set aside: run its section again"
        )
    table = Table(box=None, pad_edge=False, show_header=False)
    for part in ("config", "result", "environment"):
        for key, value in run.record[part].items():
            table.add_row(part, key, escape(str(value)))
            part = ""
    _print(table, f"{run.folder}")
    if len(run.history):
        print(run.history.to_string(index=False))


@runs.command()
@click.pass_context
def verify(ctx: click.Context) -> None:
    """Compare every file of every run, weights included, with its checksum."""
    table, damaged = _table("run", "state"), 0
    for folder in _folders():
        with writing(f"run {folder.name}", folder, verb="read from"):
            wrong = store.problem(folder)
        damaged += bool(wrong)
        table.add_row(folder.name, escape(wrong or "whole"))
    _print(table, f"{table.row_count} runs, {damaged} damaged")
    if damaged:
        click.echo("A damaged run is set aside and trained again by its section.")
        ctx.exit(1)


@runs.command()
@click.option(
    "--older-than",
    type=click.IntRange(min=0),
    metavar="DAYS",
    help="Finished runs older than so many days go too.",
)
@click.option("--delete", is_flag=True, help="Delete; without it, only list.")
def gc(older_than: int | None, delete: bool) -> None:
    """List, and with --delete remove, what broken-off processes left behind."""
    table, total = _table("what", "MB", "why"), 0
    for path, why in _garbage(older_than).items():
        total += _size(path)
        size = "" if delete else _megabytes(path)
        table.add_row(escape(path.name), size, _remove(path, why) if delete else why)
    what = "removed" if delete else "could go: run again with --delete"
    _print(table, f"{table.row_count} items, {total / 1e6:.1f} MB {what}")


def _garbage(older_than: int | None) -> dict[Path, str]:
    """Find what can go and why, leftovers first."""
    found: dict[Path, str] = {}
    for folder in (paths.runs(), *(paths.data() / n for n in ("cache", "features"))):
        for pattern, why in LEFTOVERS.items():
            for path in sorted(folder.glob(pattern)):
                found.setdefault(path, why)
    if older_than is not None:
        limit = time.time() - older_than * SECONDS_PER_DAY
        old = [folder for folder in _folders() if folder.stat().st_mtime < limit]
        found |= dict.fromkeys(old, f"older than {older_than} days")
    return found


def _remove(path: Path, why: str) -> str:
    """Remove an item, unless a process holds its run; say what was done."""

    def delete() -> None:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    with writing(str(path), path.parent):
        if path.parent != paths.runs() or path.name.startswith(DAMAGED):
            delete()
            return f"removed ({why})"
        try:
            # A run's id, or a hidden name: `.<id>.<process>.partial` and the like.
            with store.locked(path.name.strip(".").split(".")[0], timeout=0):
                delete()
        except Timeout:
            return "in use, kept"
    return f"removed ({why})"


def _folders() -> list[Path]:
    """List the folders of runs, damaged or not."""
    return sorted(path for path in paths.runs().glob("[!.]*") if path.is_dir())


def _size(path: Path) -> int:
    """Sum a file's or a folder's bytes."""
    parts = [path, *path.rglob("*")] if path.is_dir() else [path]
    return sum(part.stat().st_size for part in parts if part.is_file())


def _megabytes(path: Path) -> str:
    return f"{_size(path) / 1e6:.1f}"


def _table(*columns: str) -> Table:
    """Begin a table: numbers to the right, ids never broken."""
    table = Table(box=None, pad_edge=False)
    for name in columns:
        justify = "right" if name in {"epochs", "seconds", "MB"} else "left"
        table.add_column(name, no_wrap=name == "run", justify=justify)
    return table


def _print(table: Table, summary: str) -> None:
    """Print a table, as wide as it needs where no terminal limits it."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=200)
    if table.row_count:
        console.print(table)
    console.print(summary, markup=False, soft_wrap=True)
