"""What a run will cost, told before it is trained."""

import time
from dataclasses import dataclass

import torch

from lightbox.data.dataset import Dataset
from lightbox.networks.anatomy import anatomy
from lightbox.networks.freezing import train_mode
from lightbox.runs import store
from lightbox.runs.config import run_id
from lightbox.runs.train import prepare
from lightbox.settings.parameters import RunSettings
from lightbox.training.loop import Gradients

TIMED = 32  # images of a timed step, at most: enough to keep two cores busy
TIMES = 2  # steps that are timed, the faster one counts


@dataclass(frozen=True)
class Cost:
    """What a run trains and takes."""

    trainable: int  # parameters that take gradients
    parameters: int
    flops: int  # of one image's forward pass, a multiply-add as 2
    seconds: float  # of all epochs on this machine, if none is saved by early stopping


def cost(config: RunSettings, dataset: Dataset, *, weights: str) -> Cost:
    """Tell a run's cost: by a kept run's own speed, else by one timed step."""
    kept = store.find(run_id(config, dataset.fingerprint))
    if kept is not None and kept.result.train_images_per_second:
        result = kept.result
        epoch = (result.train_seconds - result.feature_seconds) / result.epochs_run
        seconds = result.feature_seconds + epoch * config.epochs
        counts = result.trainable_parameters, result.parameters, result.flops
        return Cost(*counts, seconds)
    made = prepare(config, dataset, weights=weights)
    positions = torch.from_numpy(
        dataset.subset("train")[: min(TIMED, config.batch_size)]
    )
    gradients = Gradients(
        made.network,
        made.images,
        config,
        train=dataset.subset("train"),
        compute=made.compute,
    )
    train_mode(made.network, made.training)
    seconds = []
    with store.locked("training"):  # beside another training it would take far longer
        gradients.of(positions)  # the first step also chooses kernels
        for _step in range(TIMES):
            started = time.perf_counter()
            gradients.of(positions)
            seconds.append(time.perf_counter() - started)
    step = min(seconds) / len(positions)
    # Frozen features need one pass over the images, without gradients: a third.
    once = config.strategy == "feature_extraction" and config.augmentation == "none"
    passes = 1 / 3 if once else config.epochs
    trainable = sum(p.numel() for p in made.network.parameters() if p.requires_grad)
    network = made.network.cpu()
    return Cost(
        trainable,
        sum(p.numel() for p in network.parameters()),
        anatomy(network, config.image_size, dataset.channels).flops,
        step * passes * len(dataset.subset("train")),
    )
