"""A study that trains in seconds, each attempt in a process of its own.

The processes are forked from one that has imported torch already: starting Python
anew would take longer than all that is to be disturbed.
"""

import os
import signal
import sys
import time
import traceback
import warnings
from pathlib import Path

from lightbox.base.errors import LightboxError
from lightbox.data import dataset, pixels
from lightbox.runs.plan import run_all
from lightbox.runs.store import Run
from lightbox.settings.parameters import validate

# How an attempt ended, as an exit status.
FINISHED, REFUSED, BROKEN = 0, 3, 4
EPOCHS = 5


def train(images: Path) -> list[Run]:
    """Train the study in this process."""
    values = {
        "dataset": "folder",
        "data_dir": str(images),
        "image_size": 16,
        "models": ["conv_model"],
        "strategies": ["feature_extraction", "fine_tuning"],
        "epochs": EPOCHS,
        "batch_size": 8,
        "patience": 0,
        "schedule": "cosine",
        "device": "cpu",
        "precision": "float32",
    }
    pixels._verified.clear()  # a new process would know nothing
    found = dataset.open_dataset("folder", images, seed=0)
    return run_all(validate("01_feature_extraction_vs_fine_tuning", values), found)


def begin(images: Path, home: Path, log: Path) -> int:
    """Train the study in a process of its own.

    Args:
        images: The data folder.
        home: LIGHTBOX_HOME.
        log: Where its output goes, at the end.

    Returns:
        The process, the leader of a group.
    """
    sys.stdout.flush()
    process = os.fork()
    if process:
        return process
    status = BROKEN
    try:
        os.setsid()
        # Python's own, too: the test runner has put its capture in their place.
        sys.stdout = sys.stderr = log.open("a", buffering=1)
        os.environ["LIGHTBOX_HOME"] = str(home)
        warnings.simplefilter("always")
        warnings.showwarning = lambda message, *_, **__: print(f"warning: {message}")
        train(images)
        status = FINISHED
    except LightboxError as error:
        print(f"refused: {error}")
        status = REFUSED
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def attempt(images: Path, home: Path, log: Path, *, kill_after: float = -1) -> int:
    """Train the study, and kill it after some seconds.

    Returns:
        The exit status; -9 where it was killed in time.
    """
    process, started = begin(images, home, log), time.monotonic()
    while kill_after >= 0:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() - started >= kill_after:
            try:
                os.killpg(process, signal.SIGKILL)
            except ProcessLookupError:  # it leads no group yet
                os.kill(process, signal.SIGKILL)
            break
        time.sleep(0.001)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def predictions(home: Path) -> dict[str, bytes]:
    """Read every finished run's predictions, byte for byte."""
    return {
        path.parent.name: path.read_bytes()
        for path in sorted((home / "runs").glob("[!.]*/predictions.csv"))
    }
