"""The run store: a folder per run, the only truth that tables are made from.

`runs/<id>/` holds `run.json` (configuration, data, result, environment),
`history.csv` (a row per epoch), `predictions.csv` (a row per val and test image)
and `model.safetensors`. The folder appears whole or not at all: it is written
beside its place and renamed.
"""

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from lightbox import paths
from lightbox.errors import LightboxError

RECORD, HISTORY, PREDICTIONS, MODEL = (
    "run.json",
    "history.csv",
    "predictions.csv",
    "model.safetensors",
)
# What a result depends on: editing one of these makes new runs, editing a figure
# does not.
CODE = (
    "architectures.py",
    "augmentation.py",
    "data/cache.py",
    "checkpoint.py",
    "data/decode.py",
    "devices.py",
    "examples.py",
    "features.py",
    "freezing.py",
    "losses.py",
    "models.py",
    "optimizers.py",
    "preparation.py",
    "runs.py",
    "training.py",
    "weights.py",
)
ID_LENGTH = 16  # hex digits: 64 bits, no collision among any number of course runs


class StoreError(LightboxError):
    """A run folder that is damaged or cannot be written."""


@dataclass(frozen=True)
class Config:
    """Everything a run is a function of, besides the data and the code.

    The fields are those of the parameters, with no `auto` left in them, `weights`
    named in full, and `name` the label of a set, which the id does not depend on.
    """

    dataset: str
    model: str
    strategy: str
    first_trainable: str | None
    frozen: tuple[str, ...]
    first_layer: str
    head: str
    output: str
    weights: str
    image_size: int
    resize: str
    loss: str
    gamma: float
    optimizer: str
    momentum: float
    schedule: str
    augmentation: str
    sampling: str
    epochs: int
    batch_size: int
    learning_rate: float
    patience: int
    seed: int
    device: str
    precision: str
    name: str = ""


@dataclass(frozen=True)
class Run:
    """A finished run, read from its folder.

    Attributes:
        id: The hash of configuration, data and code.
        folder: Where it lies.
        record: `run.json`: config, data, result, frozen, environment.
        history: One row per epoch.
        predictions: One row per val and test image.
        reused: Whether it was in the store already.
    """

    id: str
    folder: Path
    record: dict[str, Any]
    history: pd.DataFrame
    predictions: pd.DataFrame
    reused: bool = False


@cache
def code_version() -> str:
    """Hash the sources that a result depends on.

    Returns:
        SHA-256, in hex.
    """
    sources = hashlib.sha256()
    for name in CODE:
        sources.update((paths.PACKAGE / name).read_bytes())
    return sources.hexdigest()


def run_id(config: Config, fingerprint: str) -> str:
    """Name a run by what it is a function of.

    Args:
        config: The configuration.
        fingerprint: Of the data.

    Returns:
        Hex digits.
    """
    settings = asdict(config)
    del settings["name"]
    return digest({**settings, "data": fingerprint, "code": code_version()})


def digest(key: dict[str, Any]) -> str:
    """Hash what something is a function of.

    Args:
        key: Names and values that JSON can write; their order does not matter.

    Returns:
        Hex digits.
    """
    text = json.dumps(key, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:ID_LENGTH]


def find(identity: str) -> Run | None:
    """Read a finished run.

    Args:
        identity: Its id.

    Returns:
        The run, or None where the store has none.

    Raises:
        StoreError: The folder is there but cannot be read.
    """
    folder = paths.runs() / identity
    if not (folder / RECORD).exists():
        return None
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        history = pd.read_csv(folder / HISTORY)
        predictions = read_predictions(folder / PREDICTIONS)
    except (OSError, ValueError) as error:
        raise StoreError(
            f"the run {folder} is damaged ({error}): delete the folder and run again"
        ) from None
    return Run(identity, folder, record, history, predictions, reused=True)


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


def lock_path(identity: str) -> Path:
    """Give the lock file of a run, so that two processes train it once.

    Args:
        identity: The run's id.

    Returns:
        A file beside its folder.
    """
    paths.runs().mkdir(parents=True, exist_ok=True)
    return paths.runs() / f".{identity}.lock"


def unfinished_path(identity: str) -> Path:
    """Give the file that holds the state of a run which is not finished.

    Args:
        identity: The run's id.

    Returns:
        A file beside its folder, there only while the run is under way or broken
        off.
    """
    paths.runs().mkdir(parents=True, exist_ok=True)
    return paths.runs() / f".{identity}.unfinished.pt"


def write(
    identity: str,
    record: dict[str, Any],
    history: pd.DataFrame,
    predictions: pd.DataFrame,
    state: dict[str, Any],
) -> Run:
    """Put a finished run into the store, whole or not at all.

    Args:
        identity: Its id.
        record: For `run.json`.
        history: One row per epoch.
        predictions: One row per val and test image.
        state: The best epoch's weights, tensors by name.

    Returns:
        The run as the store has it.

    Raises:
        StoreError: The disk is full or the folder cannot be written.
    """
    from safetensors.torch import save_file

    final = paths.runs() / identity
    partial = final.with_name(f".{identity}.{os.getpid()}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        history.to_csv(partial / HISTORY, index=False)
        # Nine digits name every float32 exactly.
        predictions.to_csv(partial / PREDICTIONS, index=False, float_format="%.9g")
        tensors = {k: v.detach().cpu().contiguous() for k, v in state.items()}
        save_file(tensors, partial / MODEL)
        files = {
            name: hashlib.sha256((partial / name).read_bytes()).hexdigest()
            for name in (HISTORY, PREDICTIONS, MODEL)
        }
        text = json.dumps({**record, "sha256": files}, indent=1, ensure_ascii=False)
        (partial / RECORD).write_text(text, encoding="utf-8")
        shutil.rmtree(final, ignore_errors=True)
        partial.rename(final)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise StoreError(f"the run could not be written to {final}: {error}") from None
    run = find(identity)
    assert run is not None
    return Run(run.id, run.folder, run.record, run.history, run.predictions)
