"""`lightbox runs`: what the store holds, whether it is whole, what can go."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    table = Table(box=None, pad_edge=False)
    for name in ("run", "finished", "data", "model", "strategy", "set"):
        table.add_column(name, no_wrap=name == "run")
    for name in ("epochs", "seconds", "MB"):
        table.add_column(name, justify="right")
    table.add_column("state")
    for run in _all():
        config, result = run.config, run.result
        row = [run.id, run.record["environment"]["finished"][:16].replace("T", " ")]
        row += [config.dataset, config.model, config.strategy, config.name]
        row += [str(result.epochs_run), f"{result.train_seconds:.1f}"]
        row += [f"{_size(run.folder) / 1e6:.1f}"]
        row += ["diverged" if run.diverged else "finished"]
        table.add_row(*map(escape, row))
    for path in _unfinished():
        identity = path.name.split(".")[1]
        blank = [""] * 7
        table.add_row(identity, *blank, f"{_size(path) / 1e6:.1f}", "unfinished")
    _print(table, f"{table.row_count} runs in {paths.runs()}")


@runs.command()
@click.argument("identity", metavar="RUN")
def show(identity: str) -> None:
    """What a run was made from, and what it came to; RUN may be shortened."""
    run = store.find(_folder(identity).name)
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
    table = Table(box=None, pad_edge=False)
    for name in ("run", "state"):
        table.add_column(name)
    found = {}
    for folder in _folders():
        with writing(f"run {folder.name}", folder, verb="read from"):
            found[folder.name] = store.problem(folder)
        table.add_row(folder.name, escape(found[folder.name] or "whole"))
    damaged = sum(map(bool, found.values()))
    _print(table, f"{len(found)} runs, {damaged} damaged")
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
    table = Table(box=None, pad_edge=False)
    table.add_column("what")
    table.add_column("MB", justify="right")
    table.add_column("why")
    total = 0
    for item in _garbage(older_than):
        total += _size(item.path)
        state = _remove(item) if delete else item.why
        size = f"{_size(item.path) / 1e6:.1f}" if not delete else ""
        table.add_row(escape(item.path.name), size, state)
    what = "removed" if delete else "could go: run again with --delete"
    _print(table, f"{table.row_count} items, {total / 1e6:.1f} MB {what}")


@dataclass(frozen=True)
class _Item:
    """Something that can go; `lock` names the lock of who may be using it."""

    path: Path
    why: str
    lock: str


def _garbage(older_than: int | None) -> list[_Item]:
    """Find what can go, leftovers first."""
    found: dict[Path, _Item] = {}
    for folder in (paths.runs(), *(paths.data() / n for n in ("cache", "features"))):
        for pattern, why in LEFTOVERS.items():
            for path in sorted(folder.glob(pattern)):
                # Hidden names are `.<id>.<process>.partial` and the like.
                own = folder == paths.runs() and not path.name.startswith(DAMAGED)
                lock = path.name.strip(".").split(".")[0] if own else ""
                found.setdefault(path, _Item(path, why, lock))
    if older_than is not None:
        limit = time.time() - older_than * SECONDS_PER_DAY
        for folder in _folders():
            if folder.stat().st_mtime < limit:
                why = f"older than {older_than} days"
                found[folder] = _Item(folder, why, folder.name)
    return list(found.values())


def _remove(item: _Item) -> str:
    """Remove an item, unless a process holds its run; say what was done."""
    with writing(str(item.path), item.path.parent):
        try:
            if item.lock:
                with store.locked(item.lock, timeout=0):
                    _delete(item.path)
            else:
                _delete(item.path)
        except Timeout:
            return "in use, kept"
    return f"removed ({item.why})"


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _folders() -> list[Path]:
    """List the folders of runs, damaged or not."""
    return sorted(path for path in paths.runs().glob("[!.]*") if path.is_dir())


def _unfinished() -> list[Path]:
    """List the states of unfinished runs."""
    return sorted(paths.runs().glob(".*.unfinished.pt"))


def _all() -> list[Any]:
    """Read every run, the newest first."""
    found = [run for path in _folders() if (run := store.find(path.name)) is not None]
    return sorted(
        found, key=lambda run: run.record["environment"]["finished"], reverse=True
    )


def _folder(identity: str) -> Path:
    """Find a run's folder by the beginning of its id."""
    fitting = [path for path in _folders() if path.name.startswith(identity)]
    if len(fitting) != 1:
        names = [path.name for path in _folders()]
        few = f"{len(fitting)} runs begin so" if fitting else "there is none"
        raise ParameterError(
            f"{identity!r} names no one run: {few}{did_you_mean(identity, names)}; see "
            "`lightbox runs list`"
        )
    return fitting[0]


def _size(path: Path) -> int:
    """Sum a file's or a folder's bytes."""
    parts = [path, *path.rglob("*")] if path.is_dir() else [path]
    return sum(part.stat().st_size for part in parts if part.is_file())


def _print(table: Table, summary: str) -> None:
    """Print a table, as wide as it needs where no terminal limits it."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=200)
    if table.row_count:
        console.print(table)
    console.print(summary, markup=False, soft_wrap=True)
