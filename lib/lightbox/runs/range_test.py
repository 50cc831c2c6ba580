"""The learning-rate range test: the loss while the rate grows from step to step."""

import numpy as np
import pandas as pd
import torch

from lightbox.base.progress import track
from lightbox.data.dataset import Dataset
from lightbox.networks.freezing import train_mode
from lightbox.runs.train import prepare
from lightbox.settings.parameters import RunSettings
from lightbox.training.loop import Gradients
from lightbox.training.optimizers import make_optimizer

LOWEST, HIGHEST, STEPS = 1e-6, 1.0, 60
DIVERGED = 4.0  # times the lowest loss so far: beyond it nothing is learnt


def range_test(config: RunSettings, dataset: Dataset, *, weights: str) -> pd.DataFrame:
    """Train for one short pass while the rate grows geometrically.

    Returns:
        Columns model, learning_rate and loss (smoothed over the steps so far, bias
        corrected); it ends early where the loss has grown fourfold.

    Source: Smith, arXiv 1506.01186, section 3.3; smoothing as in Adam's averages.
    """
    made = prepare(config, dataset, weights=weights)
    train = dataset.subset("train")
    gradients = Gradients(
        made.network, made.images, config, train=train, compute=made.compute
    )
    optimizer = make_optimizer(config, made.network.parameters())
    rates = np.geomspace(LOWEST, HIGHEST, STEPS)
    train_mode(made.network, made.training)
    rows, average, lowest = [], 0.0, np.inf
    for step, rate in enumerate(track(rates, f"{config.model} range", STEPS, "steps")):
        optimizer.param_groups[0]["lr"] = rate
        drawn = torch.randint(len(train), (config.batch_size,))
        gradients.start_epoch()
        gradients.of(torch.from_numpy(train)[drawn])
        gradients.scaler.step(optimizer)
        gradients.scaler.update()
        average = 0.9 * average + 0.1 * gradients.loss_sum.item() / config.batch_size
        smoothed = average / (1 - 0.9 ** (step + 1))
        lowest = min(lowest, smoothed)
        if not np.isfinite(smoothed) or smoothed > DIVERGED * lowest:
            break
        rows.append({"model": config.model, "learning_rate": rate, "loss": smoothed})
    return pd.DataFrame(rows)
