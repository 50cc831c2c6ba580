"""Which runs a section makes: models, strategies, sets, grids, losses and seeds."""

from dataclasses import replace
from itertools import product
from typing import Any

import torch

from lightbox.base.errors import ParameterError
from lightbox.data.dataset import Dataset
from lightbox.networks import models
from lightbox.networks.weights import NO_WEIGHTS, weights_name
from lightbox.runs.config import run_id
from lightbox.runs.store import Run, find, forget_unfinished, locked
from lightbox.runs.train import build, label, train
from lightbox.settings.checking import checked
from lightbox.settings.parameters import (
    FocalParameters,
    HyperParameters,
    RunSettings,
    TrainingParameters,
    TrainingSettings,
)
from lightbox.training.devices import resolve


def asked(settings: TrainingParameters) -> list[RunSettings]:
    """List a section's runs as typed: every variant, model, strategy and seed.

    Raises:
        ParameterError: A set's value is wrong.
    """
    shared = {key: getattr(settings, key) for key in TrainingSettings.model_fields}
    runs = []
    for change in _changes(settings):
        own = shared | change | {"name": str(change.get("name", ""))}
        for model, strategy, seed in product(
            [change["model"]] if "model" in change else settings.models,
            [change["strategy"]] if "strategy" in change else settings.strategies,
            settings.seeds or [settings.seed],
        ):
            given = own | {"model": model, "strategy": strategy, "seed": seed}
            runs.append(checked(RunSettings, given))
    return runs


def _changes(settings: TrainingParameters) -> list[dict[str, Any]]:
    """List what each set, grid point or loss lays over the section's own settings."""
    if isinstance(settings, HyperParameters) and (settings.sets or settings.grid):
        points = product(*settings.grid.values()) if settings.grid else []
        grid = [dict(zip(settings.grid, point, strict=True)) for point in points]
        return [*settings.sets, *grid]
    if isinstance(settings, FocalParameters):
        plain = [{"loss": "cross_entropy"}, {"loss": "weighted_cross_entropy"}]
        return [*plain, *({"loss": "focal", "gamma": g} for g in settings.gammas)]
    return [{}]


def configurations(settings: TrainingParameters) -> list[tuple[RunSettings, str]]:
    """List the runs of a section, each once, with its weights as typed.

    No `auto` is left in the configurations, and their weights are named in full.
    """
    found: dict[RunSettings, str] = {}
    for run in asked(settings):
        compute = resolve(run.device, run.precision)
        full = {
            "weights": weights_name(run.model, run.weights),
            "device": compute.device,
            "precision": compute.precision,
        }
        found.setdefault(run.model_copy(update=full), run.weights)
    return list(found.items())


def check(settings: TrainingParameters) -> None:
    """Refuse models, weights, layers and devices that cannot be had.

    Raises:
        ParameterError: One of them does not exist.
        WeightsError: A weights file does not exist.
    """
    resolve(settings.device, settings.precision)
    runs = asked(settings)
    for run in {(r.model, r.weights, r.image_size): r for r in runs}.values():
        models.check(run.model, run.weights, run.image_size)
    partial = [run for run in runs if run.strategy == "partial"]
    layers = {
        (r.model, r.head, r.image_size, r.first_trainable, r.frozen): r for r in partial
    }
    for run in layers.values():
        with torch.device("meta"):  # names only: nothing is initialised
            build(run, weights=NO_WEIGHTS, classes=2, channels=3)
    if isinstance(settings, HyperParameters) and settings.range_test:
        for run in runs:
            if run.batch_size == 1:
                raise ParameterError(
                    "range_test with batch_size = 1: a network that normalises over "
                    "the batch cannot train on one image; use 2 or more"
                )


def run_all(settings: TrainingParameters, dataset: Dataset) -> list[Run]:
    """Train what the store does not have yet, in the plan's order; say what it has."""
    runs = []
    for config, weights in configurations(settings):
        run = run_one(config, dataset, weights=weights)
        state = "reused, trained earlier" if run.reused else "trained"
        seconds = run.result.train_seconds
        print(f"{label(config)}: {state} in {seconds:.1f} s ({run.id})")
        if run.diverged:
            print(f"{label(config)}: diverged: {run.result.message}")
        runs.append(run)
    return runs


def run_one(config: RunSettings, dataset: Dataset, *, weights: str) -> Run:
    """Give a run, from the store or by training it.

    Args:
        weights: The weights as typed; `config.weights` is their full name.

    Raises:
        ParameterError: The configuration does not fit the data.
    """
    identity = run_id(config, dataset.fingerprint)
    with locked(identity):
        run = find(identity)
        if run is None:
            # Two runs at a time on the same cores take longer than one by one.
            with locked("training"):
                run = train(identity, config, dataset, weights=weights)
        # Also where a process was killed between the run's end and this line.
        forget_unfinished(identity)
    # A run may be kept under another set's label: the id does not depend on it.
    return replace(run, config=run.config.model_copy(update={"name": config.name}))
