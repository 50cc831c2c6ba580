"""A run: configuration and data in, a folder of the store out."""

import platform
import subprocess
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import torch
from filelock import FileLock
from torch import nn

from lightbox import features, models, paths, store
from lightbox.data import Dataset
from lightbox.devices import Compute, hardware, resolve, seed_everything
from lightbox.examples import Examples, Images, Vectors
from lightbox.freezing import (
    fingerprint,
    freeze,
    frozen_tensors,
    trainable_layers,
)
from lightbox.params import TrainingParameters
from lightbox.progress import Progress
from lightbox.store import Config, Run, StoreError
from lightbox.training import Fit, Recipe, fit, predict

PACKAGES = ("lightbox", "torch", "torchvision", "numpy", "pandas", "scikit-learn")


def check(settings: TrainingParameters) -> None:
    """Refuse models, weights and devices that cannot be had, before slow work.

    Args:
        settings: A training section's parameters.

    Raises:
        ParameterError: One of them does not exist.
        WeightsError: A weights file does not exist.
    """
    resolve(settings.device, settings.precision)
    for model in settings.models:
        models.check(model, settings.weights, settings.image_size)
    if "partial" in settings.strategies:
        for model in settings.models:
            network, head = models.build(
                model, models.NO_WEIGHTS, num_classes=2, channels=3
            )
            trainable_layers(
                network, "partial", head=head, first_trainable=settings.first_trainable
            )


def configurations(settings: TrainingParameters) -> list[Config]:
    """List the runs of a section: every model under every strategy.

    Args:
        settings: A training section's parameters.

    Returns:
        One configuration per run, with no `auto` left in it.
    """
    compute = resolve(settings.device, settings.precision)
    return [
        Config(
            dataset=settings.dataset,
            model=model,
            strategy=strategy,
            first_trainable=(
                settings.first_trainable if strategy == "partial" else None
            ),
            weights=models.weights_name(model, settings.weights),
            image_size=settings.image_size,
            resize=settings.resize,
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            patience=settings.patience,
            seed=settings.seed,
            device=compute.device,
            precision=compute.precision,
        )
        for model, strategy in product(settings.models, settings.strategies)
    ]


def run_all(settings: TrainingParameters, dataset: Dataset) -> list[Run]:
    """Train what the store does not have yet, and say what it has.

    Args:
        settings: A training section's parameters.
        dataset: The data.

    Returns:
        One run per model and strategy, in that order.
    """
    runs = []
    for config in configurations(settings):
        run = run_one(config, dataset, weights=settings.weights)
        seconds = run.record["result"]["train_seconds"]
        state = "reused, trained earlier" if run.reused else "trained"
        print(
            f"{config.model} {config.strategy}: {state} in {seconds:.1f} s ({run.id})"
        )
        runs.append(run)
    return runs


def run_one(config: Config, dataset: Dataset, *, weights: str) -> Run:
    """Give a run, from the store or by training it.

    Args:
        config: The configuration.
        dataset: The data.
        weights: The weights as typed; `config.weights` is their full name.

    Returns:
        The finished run.
    """
    identity = store.run_id(config, dataset.fingerprint)
    with FileLock(store.lock_path(identity)):
        return store.find(identity) or _train(identity, config, dataset, weights)


def _train(identity: str, config: Config, dataset: Dataset, weights: str) -> Run:
    """Train, test the best epoch's weights once, and write everything down."""
    compute = Compute(config.device, config.precision)
    seed_everything(config.seed)
    network, head = models.build(
        config.model,
        weights,
        num_classes=len(dataset.classes),
        channels=dataset.channels,
    )
    training = trainable_layers(
        network, config.strategy, head=head, first_trainable=config.first_trainable
    )
    freeze(network, training)
    before = fingerprint(frozen_tensors(network, training))
    network = network.to(compute.device, memory_format=torch.channels_last)
    images = _images(config, dataset, weights, compute)

    feature_seconds = 0.0
    trained, examples, inside = network, images, training
    if config.strategy == "feature_extraction" and features.ends_in(
        network, head, images, compute
    ):
        examples, feature_seconds = _vectors(
            config, dataset, network, head, images, compute
        )
        trained, inside = network.get_submodule(head), {""}
    outcome = _fit(trained, examples, config, dataset, inside, compute)
    predictions = _predictions(trained, examples, config, dataset, compute)

    network = network.cpu()
    after = fingerprint(frozen_tensors(network, training))
    if before != after:
        raise StoreError(
            f"{config.model} {config.strategy}: frozen layers moved during training; "
            "this is a defect of Lightbox, the run was not kept"
        )
    record = {
        "id": identity,
        "config": asdict(config),
        "data": _data_record(dataset),
        "result": {
            "best_epoch": outcome.best_epoch,
            "epochs_run": len(outcome.history),
            "stopped": outcome.stopped,
            "train_seconds": feature_seconds + float(outcome.history["seconds"].sum()),
            "feature_seconds": feature_seconds,
            "parameters": sum(p.numel() for p in network.parameters()),
            "trainable_parameters": sum(
                p.numel() for p in network.parameters() if p.requires_grad
            ),
        },
        "frozen": {
            "tensors": len(frozen_tensors(network, training)),
            "before": before,
            "after": after,
        },
        "input": {"mean": images.mean, "std": images.std},
        "environment": environment(config.device),
    }
    return store.write(
        identity, record, outcome.history, predictions, network.state_dict()
    )


def _images(config: Config, dataset: Dataset, weights: str, compute: Compute) -> Images:
    """Decode (or map) the images and fix their normalisation."""
    preprocessing = models.preprocessing(config.model, weights, dataset.channels)
    pixels = dataset.pixels(
        config.image_size, config.resize, preprocessing.interpolation
    )
    return Images(
        pixels,
        dataset.labels(),
        preprocessing,
        train=dataset.subset("train"),
        device=compute.device,
    )


def _vectors(
    config: Config,
    dataset: Dataset,
    network: nn.Module,
    head: str,
    images: Images,
    compute: Compute,
) -> tuple[Examples, float]:
    """Compute or read the features; their file's name is what they depend on."""
    backbone = {
        name: tensor
        for name, tensor in network.state_dict().items()
        if name.rpartition(".")[0] != head
    }
    key = {
        "backbone": fingerprint(backbone),
        "data": dataset.fingerprint,
        "size": config.image_size,
        "resize": config.resize,
        "input": [images.mean, images.std],
        "compute": asdict(compute),
        "code": store.code_version(),
    }
    name = f"{config.model}-{store.digest(key)}.npy"
    values, seconds = features.extract(
        network,
        head,
        images,
        compute=compute,
        batch_size=config.batch_size,
        cache=paths.data() / "features" / name,
        label=f"{config.model} features",
    )
    # The test images' share of the pass is no cost of training.
    share = 1 - len(dataset.subset("test")) / len(values)
    return Vectors(values, images.labels, device=compute.device), seconds * share


def _fit(
    network: nn.Module,
    examples: Examples,
    config: Config,
    dataset: Dataset,
    training: set[str],
    compute: Compute,
) -> Fit:
    """Train under a progress bar."""
    label = f"{config.model} {config.strategy}"
    recipe = Recipe(
        config.epochs,
        config.batch_size,
        config.learning_rate,
        config.patience,
        config.seed,
    )
    with Progress(label, config.epochs, "epochs") as progress:
        return fit(
            network,
            examples,
            recipe,
            train=dataset.subset("train"),
            val=dataset.subset("val"),
            training=training,
            compute=compute,
            on_epoch=lambda row: progress.advance(
                note=f"val loss {row['val_loss']:.3f}, "
                f"val accuracy {row['val_accuracy']:.1%}"
            ),
        )


def _predictions(
    network: nn.Module,
    examples: Examples,
    config: Config,
    dataset: Dataset,
    compute: Compute,
) -> pd.DataFrame:
    """Score val and test once, with the best epoch's weights."""
    parts = []
    for split in ("val", "test"):
        positions = dataset.subset(split)
        logits = predict(
            network, examples, positions, compute=compute, batch_size=config.batch_size
        )
        probabilities = torch.softmax(logits.double().cpu(), dim=1).float().numpy()
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


def _data_record(dataset: Dataset) -> dict[str, Any]:
    """Say what the run saw."""
    counts = dataset.table.groupby(["split", "label"]).size()
    return {
        "fingerprint": dataset.fingerprint,
        "classes": list(dataset.classes),
        "positive": dataset.positive,
        "channels": dataset.channels,
        "counts": {
            split: {name: int(counts.get((split, name), 0)) for name in dataset.classes}
            for split in ("train", "val", "test")
        },
        "notes": list(dataset.notes),
    }


def environment(device: str) -> dict[str, Any]:
    """Say where and with what a run was made.

    Args:
        device: What it computed on.

    Returns:
        Commit, packages, Python, platform, hardware, UTC time.
    """
    return {
        "commit": commit(),
        "packages": {name: version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "hardware": hardware(device),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def commit() -> str:
    """Name the project's commit, with a mark where files were changed since.

    Returns:
        Twelve hex digits, `+` behind them where the tree differs, or `unknown`.
    """
    command = ["git", "-C", str(paths.project()), "describe", "--always", "--dirty=+"]
    command += ["--abbrev=12", "--exclude=*"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return answer.stdout.strip()
