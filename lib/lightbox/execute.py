"""Run one notebook from parameters, in a real kernel, by papermill."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightbox.errors import ReportError
from lightbox.translation import translated

ENVIRONMENT_KERNEL = "python3"  # the one of the interpreter that runs `lightbox`


@dataclass(frozen=True)
class Execution:
    """How a notebook ended.

    Attributes:
        notebook: The executed notebook; up to the failed cell where one failed.
        error: One line on what failed, or None.
    """

    notebook: Path
    error: str | None


class _Lines:
    """Hands the kernel's output on, line by line, as papermill writes it."""

    def __init__(self, on_line: Callable[[str], None]):
        self._on_line, self._rest = on_line, ""

    def write(self, text: str) -> None:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._on_line(line)

    def flush(self) -> None:
        """Nothing is held back."""


def execute(
    notebook: Path,
    values: dict[str, Any],
    out: Path,
    *,
    on_line: Callable[[str], None],
) -> Execution:
    """Execute a notebook with parameters.

    Args:
        notebook: The source.
        values: Its parameters.
        out: Where the executed notebook goes.
        on_line: Called with every line that the kernel prints.

    Returns:
        The executed notebook and its error, if any.

    Raises:
        ReportError: The notebook is missing, or its kernel does not start.
    """
    # Slow to import, and not needed by commands that run nothing.
    import nbformat
    import papermill
    from jupyter_client.kernelspec import NoSuchKernel
    from nbclient.exceptions import DeadKernelError

    if not notebook.is_file():
        raise ReportError(f"{notebook} does not exist: run from a clone of Lightbox")
    out.parent.mkdir(parents=True, exist_ok=True)
    # papermill writes what it is given into the notebook's metadata: a path, not
    # the whole of a translated notebook.
    source = notebook
    if (language := values.get("language", "en")) != "en":
        source = out
        original = nbformat.read(notebook, as_version=4)
        nbformat.write(translated(original, notebook, language), source)
    # Names were validated already; papermill would warn of the untyped ones.
    logging.getLogger("papermill").setLevel(logging.ERROR)
    try:
        papermill.execute_notebook(
            str(source),
            str(out),
            parameters=values,
            kernel_name=ENVIRONMENT_KERNEL,
            progress_bar=False,
            stdout_file=_Lines(on_line),
            # The kernel warns of TCP at every start; ours is a local one.
            extra_arguments=["--log-level=ERROR"],
        )
    except papermill.PapermillExecutionError as error:
        return Execution(out, f"{error.ename}: {error.evalue}")
    except DeadKernelError:
        return Execution(out, "the kernel died: out of memory, or killed")
    except NoSuchKernel as error:
        raise ReportError(
            f"no Jupyter kernel {error.name!r}: install ipykernel into this environment"
        ) from None
    return Execution(out, None)
