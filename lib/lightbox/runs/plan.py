"""Which runs a section makes: models, strategies, sets, grids, losses and seeds."""

from itertools import product
from typing import Any

from lightbox.networks import models
from lightbox.networks.freezing import trainable_layers
from lightbox.networks.weights import NO_WEIGHTS, weights_name
from lightbox.settings.parameters import (
    FocalParameters,
    HyperParameters,
    RunSettings,
    TrainingParameters,
    TrainingSettings,
    vary,
)
from lightbox.training.devices import resolve


def variants(settings: TrainingParameters) -> list[tuple[str, TrainingParameters]]:
    """Lay each set, grid point or loss over the section's own settings.

    Args:
        settings: A training section's parameters.

    Returns:
        Pairs of a label (empty where the section has no sets) and parameters, at
        least one.

    Raises:
        ParameterError: A set's value is wrong.
    """
    changes: list[dict[str, Any]] = [{}]
    if isinstance(settings, HyperParameters) and (settings.sets or settings.grid):
        points = product(*settings.grid.values()) if settings.grid else []
        changes = [
            *settings.sets,
            *(dict(zip(settings.grid, point, strict=True)) for point in points),
        ]
    if isinstance(settings, FocalParameters):
        changes = [
            {"loss": "cross_entropy"},
            {"loss": "weighted_cross_entropy"},
            *({"loss": "focal", "gamma": gamma} for gamma in settings.gammas),
        ]
    return [(str(c.get("name", "")), vary(settings, c)) for c in changes]


def configurations(settings: TrainingParameters) -> list[tuple[RunSettings, str]]:
    """List the runs of a section.

    Args:
        settings: A training section's parameters.

    Returns:
        Pairs of a configuration, with no `auto` left in it, and its weights as
        typed: every variant, model, strategy and seed, each run once.
    """
    found: dict[RunSettings, str] = {}
    for name, variant in variants(settings):
        compute = resolve(variant.device, variant.precision)
        shared = {key: getattr(variant, key) for key in TrainingSettings.model_fields}
        seeds = variant.seeds or [variant.seed]
        for model, strategy, seed in product(variant.models, variant.strategies, seeds):
            config = RunSettings(
                **shared
                | {
                    "model": model,
                    "strategy": strategy,
                    "name": name,
                    "weights": weights_name(model, variant.weights),
                    "seed": seed,
                    "device": compute.device,
                    "precision": compute.precision,
                }
            )
            found.setdefault(config, variant.weights)
    return list(found.items())


def check(settings: TrainingParameters) -> None:
    """Refuse models, weights, layers and devices that cannot be had.

    Args:
        settings: A training section's parameters.

    Raises:
        ParameterError: One of them does not exist.
        WeightsError: A weights file does not exist.
    """
    for _, variant in variants(settings):
        resolve(variant.device, variant.precision)
        for model in variant.models:
            models.check(model, variant.weights, variant.image_size)
            if "partial" in variant.strategies:
                network, head = models.build(
                    model,
                    NO_WEIGHTS,
                    num_classes=2,
                    channels=3,
                    image_size=variant.image_size,
                )
                trainable_layers(
                    network,
                    "partial",
                    head=head,
                    first_trainable=variant.first_trainable,
                    frozen=tuple(variant.frozen),
                )
