"""Runs that stand in one table: of the same data, the diverged left out and named."""

import html
import inspect
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from lightbox.base.errors import DataError
from lightbox.base.words import language
from lightbox.display.names import run_names
from lightbox.display.outputs import Figure, Prose, Table, escape_markdown


def check_same_data(runs: Sequence[Any]) -> None:
    """Refuse runs that cannot stand in one table.

    Args:
        runs: Finished runs.

    Raises:
        DataError: If there is none, or their data differ.
    """
    if not runs:
        raise DataError("no run to compare; train at least one model and strategy")
    prints = {run.data.fingerprint for run in runs}
    if len(prints) > 1:
        raise DataError(
            f"runs on {len(prints)} different data sets cannot be compared; choose "
            "those of one dataset, data_dir and on_bad_image"
        )


Given = ParamSpec("Given")
Shown = TypeVar("Shown", bound=Figure | Prose | Table)

SENTENCES = {
    "out": (
        " Left out, because training diverged: {names}.",
        "未列出（訓練發散）：{names}。",
    ),
    "none": (
        "Nothing can be shown here, because training diverged in every run: {lines}.",
        "所有訓練皆發散，此處無可呈現：{lines}。",
    ),
}


def has_diverged(run: Any) -> bool:
    """Say whether a run's loss left the finite numbers, so that nothing was tested.

    Args:
        run: A run of the store.

    Returns:
        What its record says.
    """
    return run.diverged


def finished(runs: Sequence[Any]) -> list[Any]:
    """Leave out the runs that diverged.

    Args:
        runs: Runs of the store.

    Returns:
        The others, in their order.
    """
    return [run for run in runs if not has_diverged(run)]


def finished_only(
    display: Callable[Given, Shown],
) -> Callable[Given, Shown | Prose]:
    """Give a display the runs that were tested, and name the others below it.

    Args:
        display: Takes `runs`.

    Returns:
        The display; a sentence where every run diverged.
    """
    return _wrapped(display, keep=False)


def unless_all_diverged(
    display: Callable[Given, Shown],
) -> Callable[Given, Shown | Prose]:
    """Show a sentence in place of a display where every run diverged.

    Args:
        display: Takes `runs`; tells of diverged runs itself.

    Returns:
        The display.
    """
    return _wrapped(display, keep=True)


def _wrapped(display: Any, *, keep: bool) -> Any:
    """Wrap a display; `keep` hands it the diverged runs too."""
    signature = inspect.signature(display)

    @wraps(display)
    def shown(*given: Any, **options: Any) -> Any:
        bound = signature.bind(*given, **options)
        bound.apply_defaults()
        runs = list(bound.arguments["runs"])
        lost = [run for run in runs if has_diverged(run)]
        if lost and len(lost) == len(runs):
            return Prose(_say("none", lines=_lines(runs)))
        if not lost or keep:
            return display(*given, **options)
        names = [
            name
            for run, name in zip(runs, run_names(runs), strict=True)
            if has_diverged(run)
        ]
        note = _say("out", names=_joined(names))
        bound.arguments["runs"] = finished(runs)
        return _noted(display(*bound.args, **bound.kwargs), note)

    return shown


def _say(key: str, **values: str) -> str:
    """Fill a sentence in."""
    return SENTENCES[key][language() == "zh"].format(**values)


def _joined(texts: Sequence[str]) -> str:
    """List texts that may hold commas."""
    return ("；" if language() == "zh" else "; ").join(texts)


def _lines(runs: Sequence[Any]) -> str:
    """Name the runs, then their messages, each once."""
    names = _joined(run_names(list(runs)))
    messages = {run.record["result"].get("message", "") for run in runs} - {""}
    said = f" ({_joined(sorted(messages))})" if messages else ""
    return escape_markdown(names + said)


def _noted(shown: Any, note: str) -> Any:
    """Put a sentence behind a caption or a text."""
    if isinstance(shown, Prose):
        shown.markdown = f"{shown.markdown}\n\n{escape_markdown(note.strip())}"
        return shown
    shown.caption += note
    if isinstance(shown, Table):
        shown.styler.set_caption(html.escape(shown.caption))
    return shown
