"""The four files of a run's folder: their layout, and whether they are whole."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pandas as pd

from lightbox.durable import checksum

RECORD, HISTORY, PREDICTIONS, MODEL = (
    "run.json",
    "history.csv",
    "predictions.csv",
    "model.safetensors",
)
OWN = "checksum"  # of run.json, in itself: of everything else that it says


def problem(folder: Path, *, weights: bool = True) -> str:
    """Compare a run's files with their checksums.

    Args:
        folder: The run's.
        weights: Whether to read the weights too, the largest file by far.

    Returns:
        What is wrong, or "".

    Raises:
        OSError: The disk cannot be read.
    """
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
    """Read `predictions.csv`; names of groups and classes stay text.

    Args:
        path: The file.

    Returns:
        Columns split, image, group, label, predicted (text) and `prob_<class>`
        (float in [0, 1]).
    """
    text = ["split", "image", "group", "label", "predicted"]
    return pd.read_csv(
        path, dtype=dict.fromkeys(text, str), keep_default_na=False, na_values=[]
    )


def write_files(
    folder: Path,
    record: dict[str, Any],
    history: pd.DataFrame,
    predictions: pd.DataFrame,
    state: dict[str, Any] | None,
) -> None:
    """Write the files of a run and their checksums, and sync them.

    Args:
        folder: An empty folder.
        record: For `run.json`.
        history: One row per epoch.
        predictions: One row per val and test image.
        state: Weights, tensors by name; None where none were kept.

    Raises:
        OSError: The disk is full or the folder cannot be written.
    """
    history.to_csv(folder / HISTORY, index=False)
    # Nine digits name every float32 exactly.
    predictions.to_csv(folder / PREDICTIONS, index=False, float_format="%.9g")
    if state is not None:
        _write_weights(folder / MODEL, state)
    sums = {path.name: checksum(path) for path in sorted(folder.iterdir())}
    # Tuples become lists before they are hashed, as they do in the file.
    record = json.loads(json.dumps({**record, "sha256": sums}))
    text = json.dumps({**record, OWN: _own(record)}, indent=1, ensure_ascii=False)
    (folder / RECORD).write_text(text, encoding="utf-8")
    for path in folder.iterdir():
        with path.open("rb+") as file:
            os.fsync(file.fileno())


def _write_weights(path: Path, state: dict[str, Any]) -> None:
    """Write tensors; a full disk is an OSError as it is anywhere else."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    tensors = {k: v.detach().cpu().contiguous() for k, v in state.items()}
    try:
        save_file(tensors, path)
    except SafetensorError as error:
        raise OSError(None, str(error)) from error
