"""What a trained network answers on val and test: the rows of `predictions.csv`."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from torch import nn

from lightbox import losses
from lightbox.data import Dataset
from lightbox.devices import Compute
from lightbox.examples import Examples
from lightbox.inference import predict
from lightbox.store import Config

FACTS = ("split", "image", "group", "label", "predicted")


def scored_nothing(classes: Sequence[str]) -> pd.DataFrame:
    """Give the predictions of a run that was not tested.

    Args:
        classes: The data's.

    Returns:
        The columns without a row.
    """
    return pd.DataFrame(columns=[*FACTS, *(f"prob_{name}" for name in classes)])


def score_images(
    network: nn.Module,
    examples: Examples,
    config: Config,
    dataset: Dataset,
    compute: Compute,
) -> pd.DataFrame:
    """Score val and test once, with the weights that the network holds.

    Args:
        network: Maps a batch of `examples` to logits.
        examples: Inputs by position.
        config: The configuration, for its batch size.
        dataset: The data.
        compute: Device and precision.

    Returns:
        A row per val and test image: `FACTS`, then `prob_<class>`, float32.
    """
    parts = []
    for split in ("val", "test"):
        positions = dataset.subset(split)
        logits = predict(
            network, examples, positions, compute=compute, batch_size=config.batch_size
        )
        probabilities = losses.log_probabilities(logits).double().exp()
        probabilities = probabilities.float().cpu().numpy()
        rows = dataset.table.iloc[positions]
        names = np.array(dataset.classes, dtype=object)
        frame = pd.DataFrame(
            {
                "split": split,
                "image": rows["image"].to_numpy(),
                "group": rows["group"].to_numpy(),
                "label": rows["label"].to_numpy(),
                "predicted": names[probabilities.argmax(axis=1)],
            }
        )
        for k, name in enumerate(dataset.classes):
            frame[f"prob_{name}"] = probabilities[:, k]
        parts.append(frame)
    return pd.concat(parts, ignore_index=True)
