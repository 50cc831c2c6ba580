"""What a run is a function of, and the name that follows from it."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

# The version of the training procedure. Whoever changes what a run computes (its
# data pipeline, network, loop, loss or scores) raises it, with a line of history;
# the golden predictions in tests/runs say when that was forgotten. A comment, a
# name or a figure changes nothing, and retrains nothing.
#   1  the procedure of the first ten rounds, until then named by a hash of sources
PROCEDURE = 1
ID_LENGTH = 16  # hex digits: 64 bits, no collision among any number of course runs


@dataclass(frozen=True)
class Config:
    """Everything a run is a function of, besides the data and the procedure.

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
    return digest({**settings, "data": fingerprint, "procedure": PROCEDURE})


def digest(key: dict[str, Any]) -> str:
    """Hash what something is a function of.

    Args:
        key: Names and values that JSON can write; their order does not matter.

    Returns:
        Hex digits.
    """
    text = json.dumps(key, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:ID_LENGTH]
