"""What a run is a function of, and the name that follows from it."""

import hashlib
import json
from typing import Any

from lightbox.settings.parameters import RunSettings

# The version of the training procedure. Whoever changes what a run computes or records
# (its data pipeline, network, loop, loss or scores; also its anatomy, which gives FLOPs
# and depth) raises it, with a line of history; the golden predictions in tests/runs say
# when that was forgotten. A comment, a name or a figure changes nothing, and retrains
# nothing.
#   1  the procedure of the first ten rounds, until then named by a hash of sources
PROCEDURE = 1
ID_LENGTH = 16  # hex digits: 64 bits, no collision among any number of course runs


def run_id(config: RunSettings, fingerprint: str) -> str:
    """Name a run by what it is a function of; `fingerprint` is the data's."""
    settings = config.model_dump(exclude={"name"})
    return digest({**settings, "data": fingerprint, "procedure": PROCEDURE})


def digest(key: dict[str, Any]) -> str:
    """Hash names and values that JSON can write, whatever their order."""
    text = json.dumps(key, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:ID_LENGTH]
