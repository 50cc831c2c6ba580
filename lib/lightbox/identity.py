"""What a run is a function of, and the name that follows from it."""

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from lightbox import paths

# What a result depends on: editing one of these makes new runs, editing a figure
# does not.
CODE = (
    "architectures.py",
    "augmentation.py",
    "data/cache.py",
    "data/decode.py",
    "devices.py",
    "examples.py",
    "features.py",
    "freezing.py",
    "gradients.py",
    "inference.py",
    "losses.py",
    "models.py",
    "optimizers.py",
    "preparation.py",
    "scoring.py",
    "training.py",
    "trial.py",
    "weights.py",
)
ID_LENGTH = 16  # hex digits: 64 bits, no collision among any number of course runs


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
