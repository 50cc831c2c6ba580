"""Progress on long work: one live line, a widget, or a few plain lines."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

from tqdm.auto import tqdm

PLAIN_STEPS = 4  # lines that a whole piece of work may print where nothing is live


def is_live() -> bool:
    """Tell whether somebody watches: a terminal, or a notebook with a front end.

    A kernel is asked for input only by front ends with a person before them
    (`allow_stdin` of the Jupyter message protocol); papermill and nbclient
    switch it off, so their executed notebooks keep a few lines, not a dead bar.
    """
    if "IPython" in sys.modules:
        shell = sys.modules["IPython"].get_ipython()
        kernel = getattr(shell, "kernel", None)
        if kernel is not None:
            request = kernel.get_parent("shell").get("content", {})
            return bool(request.get("allow_stdin", False))
    return sys.stderr.isatty()


class Progress:
    """A bar that is one line in a terminal, a widget in Jupyter, else few lines.

    Args:
        label: What is being done, shown before the bar.
        total: How many steps the whole has.
        unit: What one step is called.
    """

    def __init__(self, label: str, total: int, unit: str = "it"):
        self.label, self.total, self.unit = label, total, unit
        self.done, self.started, self._printed = 0, time.perf_counter(), 0
        live = is_live()
        self._bar = (
            tqdm(total=total, desc=label, unit=unit, leave=False) if live else None
        )

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Count steps as done; a note such as `"val loss 0.41"` stands behind them."""
        self.done += steps
        if self._bar is not None:
            if note:
                self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(steps)
            return
        quarter = self.done * PLAIN_STEPS // max(self.total, 1)
        if quarter > self._printed:
            self._printed = quarter
            seconds = time.perf_counter() - self.started
            line = (
                f"{self.label}: {self.done}/{self.total} {self.unit}, {seconds:.0f} s"
            )
            print(f"{line}, {note}" if note else line, flush=True)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()


def track(
    items: Iterable[Any], label: str, total: int, unit: str = "it"
) -> Iterator[Any]:
    """Yield items one by one while a progress bar counts them."""
    with Progress(label, total, unit) as progress:
        for item in items:
            yield item
            progress.advance()
