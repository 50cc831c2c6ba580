"""Runs that stand in one table: of the same data, each named and scored once."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, wraps
from typing import Any, TypeVar, overload

import pandas as pd

from lightbox.base.errors import DataError
from lightbox.base.words import _
from lightbox.display.names import run_names, seed_groups, short_names
from lightbox.display.outputs import Figure, Prose, Table, escape_markdown
from lightbox.evaluation.bootstrap import Patients, resample_patients
from lightbox.evaluation.metrics import Scores, best_run, score_majority, score_run
from lightbox.evaluation.significance import pairwise
from lightbox.runs.store import Run

Shown = TypeVar("Shown", bound=Figure | Prose | Table)


class Runs(Sequence[Run]):
    """The runs of a section, in its order; what they share is computed once.

    Args:
        runs: Runs of the store, at least one.

    Raises:
        DataError: There is none, or their data differ.
    """

    def __init__(self, runs: Sequence[Run]):
        self._runs = tuple(runs)
        if not self._runs:
            raise DataError("no run to compare; train at least one model and strategy")
        prints = {run.data.fingerprint for run in self._runs}
        if len(prints) > 1:
            raise DataError(
                f"runs on {len(prints)} different data sets cannot be compared; choose "
                "those of one dataset, data_dir and on_bad_image"
            )
        self._scores: dict[tuple[str, str], Scores] = {}

    def __len__(self) -> int:
        return len(self._runs)

    @overload
    def __getitem__(self, place: int) -> Run: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Run, ...]: ...
    def __getitem__(self, place: int | slice) -> Run | tuple[Run, ...]:
        return self._runs[place]

    def __iter__(self) -> Iterator[Run]:
        return iter(self._runs)

    @cached_property
    def diverged(self) -> list[Run]:
        """Those whose loss left the finite numbers, so that nothing was tested."""
        return [run for run in self if run.diverged]

    @cached_property
    def finished(self) -> "Runs":
        """Those that were tested; at least one, see `finished_only`."""
        return (
            Runs([run for run in self if not run.diverged]) if self.diverged else self
        )

    @property
    def firsts(self) -> list[Run]:
        """The first run of each group, which names it."""
        return [group[0] for group in self.groups]

    @property
    def several(self) -> bool:
        """Whether any runs differ in their seed alone, and share a row or a line."""
        return len(self.groups) < len(self)

    @property
    def num_images(self) -> int:
        """How many test images were scored."""
        return self.scores(self[0]).num_images

    @property
    def names(self) -> list[str]:
        """A name a run, no two alike, in the reader's language."""
        return run_names(self)

    @property
    def short_names(self) -> list[str]:
        """The same without what all of them share."""
        return short_names(self)

    @cached_property
    def groups(self) -> list[list[Run]]:
        """Runs that differ in their seed alone, by the place of the first."""
        return seed_groups(self)

    def scores(self, run: Run, split: str = "test") -> Scores:
        """Score a run once, however often it is asked for."""
        key = run.id, split
        if key not in self._scores:
            self._scores[key] = score_run(run, split)
        return self._scores[key]

    @cached_property
    def majority(self) -> Scores:
        """The majority-class baseline on the test images."""
        return score_majority(self[0])

    @cached_property
    def best(self) -> Run:
        """The run that may be chosen: the one with the lowest NLL on val."""
        return self[best_run(self)]

    @cached_property
    def patients(self) -> Patients:
        """The bootstrap resamples of the test images' patients."""
        return resample_patients(self[0])

    @cached_property
    def pairs(self) -> pd.DataFrame:
        """McNemar's test of every two runs, adjusted over all of them."""
        return pairwise(self)


def as_runs(runs: Sequence[Run]) -> Runs:
    """Take runs as a section gives them, or any sequence of them."""
    return runs if isinstance(runs, Runs) else Runs(runs)


def finished_only(display: Callable[..., Shown]) -> Callable[..., Shown | Prose]:
    """Give a display the runs that were tested, as `Runs`, and name the others below.

    Where every run diverged, a sentence stands in its place. The display raises a
    DataError where there is no run, or runs differ in their data.
    """
    return _wrapped(display, keep=False)


def unless_all_diverged(display: Callable[..., Shown]) -> Callable[..., Shown | Prose]:
    """Give a display all `Runs`, and show a sentence where every one diverged."""
    return _wrapped(display, keep=True)


def _wrapped(display: Callable[..., Any], *, keep: bool) -> Callable[..., Any]:
    """Wrap a display; `keep` hands it the diverged runs too."""
    signature = inspect.signature(display)

    @wraps(display)
    def shown(*given: Any, **options: Any) -> Any:
        bound = signature.bind(*given, **options)
        bound.arguments["runs"] = runs = as_runs(bound.arguments["runs"])
        if len(runs.diverged) == len(runs):
            said = _(
                "Nothing can be shown here, because training diverged in every "
                "run: {lines}."
            )
            return Prose(said.format(lines=_lines(runs)))
        if keep or not runs.diverged:
            return display(*bound.args, **bound.kwargs)
        bound.arguments["runs"] = runs.finished
        names = [n for run, n in zip(runs, runs.names, strict=True) if run.diverged]
        note = _(" Left out, because training diverged: {names}.")
        said = note.format(names=_joined(names))
        return _noted(display(*bound.args, **bound.kwargs), said)

    return shown


def _joined(texts: Sequence[str]) -> str:
    """List texts that may hold commas."""
    return _("; ").join(texts)


def _lines(runs: Runs) -> str:
    """Name the runs, then their messages, each once."""
    names = _joined(runs.names)
    messages = {run.result.message for run in runs} - {""}
    said = f" ({_joined(sorted(messages))})" if messages else ""
    return escape_markdown(names + said)


def _noted(shown: Any, note: str) -> Any:
    """Put a sentence behind a caption or a text."""
    if isinstance(shown, Prose):
        shown.markdown = f"{shown.markdown}\n\n{escape_markdown(note.strip())}"
        return shown
    shown.caption += note
    return shown
