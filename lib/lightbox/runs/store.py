"""The run store: a folder per run, the only truth that tables are made from.

`runs/<id>/` holds `run.json` (configuration, data, result, environment),
`history.csv` (a row per epoch), `predictions.csv` (a row per val and test image)
and `model.safetensors`. The folder appears whole or not at all: it is written
beside its place, synced and renamed. `run.json` holds the checksums of the
others and its own; what does not match is set aside, never read as truth.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock, Timeout

from lightbox.base import paths
from lightbox.base.files import StoreError, checksum, set_aside, sync_folder, writing
from lightbox.settings.parameters import RunSettings

RECORD, HISTORY, PREDICTIONS, MODEL = (
    "run.json",
    "history.csv",
    "predictions.csv",
    "model.safetensors",
)
OWN = "checksum"  # of run.json, in itself: of everything else that it says


def problem(folder: Path, *, weights: bool = True) -> str:
    """Compare a run's files with their checksums; say what is wrong, or ""."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return f"{RECORD} is missing"
    except ValueError:
        return f"{RECORD} is no JSON"
    if not isinstance(record, dict) or record.pop(OWN, None) != _own(record):
        return f"{RECORD} does not match its checksum"
    for name, expected in record["sha256"].items():
        if name == MODEL and not weights:
            continue
        try:
            if checksum(folder / name) != expected:
                return f"{name} does not match its checksum"
        except FileNotFoundError:
            return f"{name} is missing"
    return ""


def _own(record: dict[str, Any]) -> str:
    """Hash what a record says, whatever its layout."""
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def read_predictions(path: Path) -> pd.DataFrame:
    """Read `predictions.csv`; names of groups and classes stay text."""
    text = ["split", "image", "group", "label", "predicted"]
    return pd.read_csv(
        path, dtype=dict.fromkeys(text, str), keep_default_na=False, na_values=[]
    )


@dataclass(frozen=True)
class DataRecord:
    """What data a run saw."""

    fingerprint: str  # of files, labels and split
    classes: tuple[str, ...]  # in the order of the outputs
    positive: str | None  # the class that is looked for
    channels: int  # 1 or 3
    counts: dict[str, dict[str, int]]  # images by split, then by class
    notes: tuple[str, ...] = ()  # what was noticed when they were read


@dataclass(frozen=True)
class Result:
    """What a run came to; None where it was not measured, as in older records."""

    best_epoch: int = 0  # whose weights were tested, from 1; 0 of a diverged run
    epochs_run: int = 0  # finished ones
    stopped: str = "epochs"  # or "patience", "divergence"
    diverged: bool = False  # its loss left the finite numbers: nothing was tested
    message: str = ""  # why it diverged, and what to do
    train_seconds: float = 0.0  # of features and epochs
    feature_seconds: float = 0.0  # of the features of train and val
    micro_batch: int | None = None  # the most images in the network at once
    train_images_per_second: float | None = None  # without validation
    # Of vectors where the features are constants: the head alone.
    inference_images_per_second: float | None = None
    peak_memory_bytes: int | None = None  # of the process or the GPU
    flops: int | None = None  # of one image, a multiply-add as 2
    depth: int | None = None  # convolution and linear layers on the longest path
    parameters: int = 0
    trainable_parameters: int = 0


@dataclass(frozen=True, eq=False)  # one is itself: comparing would compare frames
class Run:
    """A finished run, read from its folder.

    Attributes:
        id: The hash of configuration, data and procedure.
        folder: Where it lies.
        config: What it was made from.
        data: The data that it saw.
        result: What it came to.
        history: One row per epoch; none where the first epoch diverged.
        predictions: One row per val and test image; none of a diverged run.
        record: `run.json` as it was read, for the rest: frozen, input, environment.
        reused: Whether it was in the store already.
    """

    id: str
    folder: Path
    config: RunSettings
    data: DataRecord
    result: Result
    history: pd.DataFrame
    predictions: pd.DataFrame
    record: dict[str, Any]
    reused: bool = False

    @classmethod
    def from_record(
        cls,
        identity: str,
        folder: Path,
        record: dict[str, Any],
        history: pd.DataFrame,
        predictions: pd.DataFrame,
        *,
        reused: bool = False,
    ) -> "Run":
        """Give `run.json` its types; what an older one lacks takes its default.

        Raises:
            ValueError: The record holds what no version of Lightbox has written.
        """
        data = record["data"]
        data = data | {key: tuple(data.get(key, ())) for key in ("classes", "notes")}
        return cls(
            identity,
            folder,
            RunSettings(**record["config"]),
            DataRecord(**data),
            Result(**record["result"]),
            history,
            predictions,
            record,
            reused,
        )

    @property
    def diverged(self) -> bool:
        """Whether its loss left the finite numbers: then nothing was tested."""
        return self.result.diverged


def find(identity: str) -> Run | None:
    """Read a finished run, if every file that is read is what was written.

    A damaged one is set aside with a warning and counts as none.

    Raises:
        StoreError: The folder is there but the disk does not let it be read.
    """
    folder = paths.runs() / identity
    try:
        if not folder.is_dir():
            return None
        # The weights are as large as all else is small: see `read_weights`.
        wrong = problem(folder, weights=False)
        if not wrong:
            record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
            history = pd.read_csv(folder / HISTORY)
            if history.empty:  # of which pandas cannot tell that they are numbers
                history = history.astype(float)
            predictions = read_predictions(folder / PREDICTIONS)
            return Run.from_record(
                identity, folder, record, history, predictions, reused=True
            )
    except FileNotFoundError:
        return None  # another process has just set it aside
    except (OSError, ValueError) as error:
        raise StoreError(
            f"the run {folder} cannot be read ({error}): is the disk or Drive still "
            "there, and yours to read? Then run again"
        ) from None
    _set_aside(folder, wrong)
    return None


def _set_aside(folder: Path, reason: str) -> None:
    then = "its section trains it again when it is run"
    set_aside(folder, what=f"run {folder.name}", reason=reason, then=then)


def read_weights(run: Run) -> dict[str, Any]:
    """Read the best epoch's weights, tensors by name, if they are what was written.

    Raises:
        StoreError: The run diverged and kept none; or the file is damaged, and the
            run was set aside: its section trains it again.
    """
    if run.diverged:
        raise StoreError(f"run {run.id} diverged, so it kept no weights")
    path = run.folder / MODEL
    with writing(f"the weights of run {run.id}", path.parent, verb="read from"):
        whole = path.is_file() and checksum(path) == run.record["sha256"].get(MODEL)
    if not whole:
        _set_aside(run.folder, f"{MODEL} is missing or does not match its checksum")
        raise StoreError(
            f"the weights of run {run.id} were damaged and it was set aside: run its "
            "section again"
        )
    from safetensors.torch import load_file

    return load_file(path)


@contextmanager
def locked(name: str, *, timeout: float = -1) -> Iterator[None]:
    """Hold a lock of the store, which ends with the process that holds it.

    Args:
        timeout: Seconds to wait; -1 waits for ever.

    Raises:
        StoreError: The folder cannot be written.
        filelock.Timeout: Another process holds it.
    """
    folder = paths.runs()
    lock = FileLock(folder / f".{name}.lock", timeout=timeout)
    busy = None
    with writing("a lock", folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire()
        except Timeout as error:  # an OSError too, but no fault of the disk
            busy = error
    if busy:
        raise busy
    try:
        yield
    finally:
        lock.release()


def unfinished_path(identity: str) -> Path:
    """Give the file, beside a run's folder, of its state while it is not finished."""
    return paths.runs() / f".{identity}.unfinished.pt"


def forget_unfinished(identity: str) -> None:
    """Remove the state of a run that is finished; the caller holds its lock."""
    with writing("the end of a run", paths.runs()):
        unfinished_path(identity).unlink(missing_ok=True)


def write(
    identity: str,
    record: dict[str, Any],
    history: pd.DataFrame,
    predictions: pd.DataFrame,
    state: dict[str, Any] | None,
) -> Run:
    """Put a finished run into the store, whole or not at all.

    Args:
        record: For `run.json`.
        state: The best epoch's weights, tensors by name; None of a diverged run.

    Raises:
        StoreError: The disk is full or the folder cannot be written.
    """
    final = paths.runs() / identity
    partial = final.with_name(f".{identity}.partial")
    with writing(f"run {identity}", paths.runs()):
        try:
            if partial.exists():  # a killed process left it
                shutil.rmtree(partial)
            partial.mkdir(parents=True)
            history.to_csv(partial / HISTORY, index=False)
            # Nine digits name every float32 exactly.
            predictions.to_csv(partial / PREDICTIONS, index=False, float_format="%.9g")
            if state is not None:
                _write_weights(partial / MODEL, state)
            sums = {path.name: checksum(path) for path in sorted(partial.iterdir())}
            # Tuples become lists before they are hashed, as they do in the file.
            record = json.loads(json.dumps({**record, "sha256": sums}))
            whole = {**record, OWN: _own(record)}
            text = json.dumps(whole, indent=1, ensure_ascii=False)
            (partial / RECORD).write_text(text, encoding="utf-8")
            for path in partial.iterdir():
                with path.open("rb+") as file:
                    os.fsync(file.fileno())
            sync_folder(partial)
            partial.rename(final)
            sync_folder(final.parent)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
    run = find(identity)
    if run is None:
        raise StoreError(
            f"run {identity} was written to {paths.runs()} and is not there, or not "
            "whole: is the disk or Drive still there? Then run again"
        )
    return replace(run, reused=False)


def _write_weights(path: Path, state: dict[str, Any]) -> None:
    """Write tensors; a full disk is an OSError as it is anywhere else."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    tensors = {k: v.detach().cpu().contiguous() for k, v in state.items()}
    try:
        save_file(tensors, path)
    except SafetensorError as error:
        raise OSError(None, str(error)) from error
