"""The learning-rate range test: the loss while the rate grows from step to step."""

import numpy as np
import pandas as pd
import torch

from lightbox.base.errors import ParameterError
from lightbox.base.progress import track
from lightbox.data.dataset import Dataset
from lightbox.networks.freezing import train_mode
from lightbox.runs.train import prepare
from lightbox.settings.parameters import RunSettings
from lightbox.training.devices import Compute
from lightbox.training.losses import Focal
from lightbox.training.optimizers import make_optimizer

LOWEST, HIGHEST, STEPS = 1e-6, 1.0, 60
DIVERGED = 4.0  # times the lowest loss so far: beyond it nothing is learnt


def range_test(config: RunSettings, dataset: Dataset, *, weights: str) -> pd.DataFrame:
    """Train for one short pass while the rate grows geometrically.

    Args:
        config: Whose model, strategy, optimizer and batch size are tried.
        dataset: The data; its training images are used.
        weights: The weights as typed.

    Returns:
        Columns model, learning_rate and loss (smoothed over the steps so far, bias
        corrected); it ends early where the loss has grown fourfold.

    Raises:
        ParameterError: The section trains no whole network.

    Source: Smith, arXiv 1506.01186, section 3.3; smoothing as in Adam's averages.
    """
    if config.output != "softmax":
        raise ParameterError("range_test needs output 'softmax'")
    compute = Compute(config.device, config.precision)
    made = prepare(config, dataset, weights=weights, compute=compute)
    network, images = made.network, made.images
    optimizer = make_optimizer(
        config.optimizer,
        [p for p in network.parameters() if p.requires_grad],
        learning_rate=LOWEST,
        momentum=config.momentum,
    )
    rates = np.geomspace(LOWEST, HIGHEST, STEPS)
    train = torch.from_numpy(dataset.subset("train"))
    train_mode(network, made.training)
    rows, average, lowest = [], 0.0, np.inf
    for step, rate in enumerate(track(rates, f"{config.model} range", STEPS, "steps")):
        optimizer.param_groups[0]["lr"] = rate
        chosen = train[torch.randint(len(train), (config.batch_size,))]
        with compute.autocast():
            logits = network(images.batch(chosen))
        labels = images.labels[chosen.to(images.labels.device)]
        loss = Focal()(logits.float(), labels).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        average = 0.9 * average + 0.1 * loss.item()
        smoothed = average / (1 - 0.9 ** (step + 1))
        lowest = min(lowest, smoothed)
        if not np.isfinite(smoothed) or smoothed > DIVERGED * lowest:
            break
        rows.append({"model": config.model, "learning_rate": rate, "loss": smoothed})
    return pd.DataFrame(rows)
