"""A configuration and data made ready to train: network, frozen parts, images."""

from dataclasses import dataclass

import torch
from torch import nn

from lightbox import models
from lightbox.data import Dataset
from lightbox.devices import Compute, seed_everything
from lightbox.examples import Images
from lightbox.freezing import freeze, trainable_layers
from lightbox.store import Config
from lightbox.weights import preprocessing


@dataclass(frozen=True)
class Prepared:
    """What a training loop starts from.

    Attributes:
        network: On the device, its frozen parts without gradients.
        head: The name of its head.
        training: Names of the modules that train.
        images: All images, normalised as the weights expect.
    """

    network: nn.Module
    head: str
    training: set[str]
    images: Images


def prepare(
    config: Config, dataset: Dataset, *, weights: str, compute: Compute
) -> Prepared:
    """Build the network under its seed, freeze it, and decode or map the images.

    Args:
        config: The configuration.
        dataset: The data.
        weights: The weights as typed; `config.weights` is their full name.
        compute: Device and precision.

    Returns:
        All that training needs.

    Raises:
        WeightsError: The weights cannot be had.
        ParameterError: The head does not fit the network.
    """
    seed_everything(config.seed)
    network, head = models.build(
        config.model,
        weights,
        num_classes=1 if config.output == "sigmoid" else len(dataset.classes),
        channels=dataset.channels,
        image_size=config.image_size,
        first_layer=config.first_layer,
        head_kind=config.head,
    )
    training = trainable_layers(
        network,
        config.strategy,
        head=head,
        first_trainable=config.first_trainable,
        frozen=config.frozen,
    )
    freeze(network, training)
    network = network.to(compute.device, memory_format=torch.channels_last)
    expected = preprocessing(config.model, weights, dataset.channels)
    images = Images(
        dataset.pixels(config.image_size, config.resize, expected.interpolation),
        dataset.labels(),
        expected,
        train=dataset.subset("train"),
        device=compute.device,
    )
    return Prepared(network, head, training, images)
