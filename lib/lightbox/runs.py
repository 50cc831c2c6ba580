"""A run: configuration and data in, a folder of the store out."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from filelock import FileLock
from torch import nn

from lightbox import anatomy, features, losses, paths, store
from lightbox.augmentation import light
from lightbox.data import Dataset
from lightbox.devices import Compute
from lightbox.environment import PeakMemory, environment
from lightbox.errors import ParameterError
from lightbox.examples import Examples, Images, Vectors
from lightbox.freezing import fingerprint, frozen_tensors
from lightbox.params import TrainingParameters
from lightbox.plan import configurations
from lightbox.preparation import prepare
from lightbox.progress import Progress
from lightbox.store import Config, Run, StoreError
from lightbox.training import Fit, Recipe, fit, predict


def run_all(settings: TrainingParameters, dataset: Dataset) -> list[Run]:
    """Train what the store does not have yet, and say what it has.

    Args:
        settings: A training section's parameters.
        dataset: The data.

    Returns:
        One run per configuration of the plan, in its order.
    """
    runs = []
    for config, weights in configurations(settings):
        check_output(config, dataset)
        run = run_one(config, dataset, weights=weights)
        seconds = run.record["result"]["train_seconds"]
        state = "reused, trained earlier" if run.reused else "trained"
        print(f"{label(config)}: {state} in {seconds:.1f} s ({run.id})")
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
        run = store.find(identity)
        if run is None:
            # Two runs at a time on the same cores take longer than one by one.
            with FileLock(store.lock_path("training")):
                run = _train(identity, config, dataset, weights)
    # A run may be kept under another set's label: the id does not depend on it.
    run.record["config"]["name"] = config.name
    return run


def check_output(config: Config, dataset: Dataset) -> None:
    """Refuse a single output where there are not two classes.

    Args:
        config: The configuration.
        dataset: The data.

    Raises:
        ParameterError: A sigmoid for more than two classes.
    """
    if config.output == "sigmoid" and len(dataset.classes) != 2:
        raise ParameterError(
            f"output = 'sigmoid' answers one question, {dataset.card.name} has "
            f"{len(dataset.classes)} classes: use output 'softmax'"
        )


def label(config: Config) -> str:
    """Name a run in progress lines.

    Args:
        config: The configuration.

    Returns:
        Model, strategy, and the set's label or the loss where it is another.
    """
    words = [config.model, config.strategy, config.name]
    if not config.name and config.loss != "cross_entropy":
        words.append(config.loss + (f" {config.gamma:g}" if config.gamma else ""))
    return " ".join(filter(None, words))


def _train(identity: str, config: Config, dataset: Dataset, weights: str) -> Run:
    """Train, test the best epoch's weights once, and write everything down."""
    compute = Compute(config.device, config.precision)
    made = prepare(config, dataset, weights=weights, compute=compute)
    network, head, training, images = (
        made.network,
        made.head,
        made.training,
        made.images,
    )
    before = fingerprint(frozen_tensors(network, training))
    size = (config.image_size, dataset.channels)
    memory = PeakMemory(compute.device)

    feature_seconds = 0.0
    trained, examples, inside = network, images, training
    # An image that is changed at every epoch has no constant features.
    constant = config.strategy == "feature_extraction" and config.augmentation == "none"
    if constant and features.ends_in(network, head, images, compute):
        examples, feature_seconds = _vectors(
            config, dataset, network, head, images, compute
        )
        trained = network.get_submodule(head)
        inside = {name for name, _ in trained.named_modules()}
    unfinished = store.unfinished_path(identity)
    outcome = _fit(trained, examples, config, dataset, inside, compute, unfinished)
    started = time.perf_counter()
    predictions = _predictions(trained, examples, config, dataset, compute)
    inference_seconds = time.perf_counter() - started

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
            "train_images_per_second": len(outcome.history)
            * len(dataset.subset("train"))
            / (feature_seconds + outcome.step_seconds),
            # Of vectors where the features are constants: the head alone.
            "inference_images_per_second": len(predictions) / inference_seconds,
            "peak_memory_bytes": memory.read(),
            "flops": anatomy.flops(network, *size),
            "depth": anatomy.depth(network, *size),
            "diverged": False,
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
    run = store.write(
        identity, record, outcome.history, predictions, network.state_dict()
    )
    unfinished.unlink(missing_ok=True)
    return run


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
        if not name.startswith(f"{head}.")
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
    unfinished: Path,
) -> Fit:
    """Train under a progress bar."""
    counts = torch.bincount(
        examples.labels.cpu()[torch.from_numpy(dataset.subset("train"))],
        minlength=len(dataset.classes),
    )
    recipe = Recipe(
        epochs=config.epochs,
        batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        patience=config.patience,
        seed=config.seed,
        optimizer=config.optimizer,
        momentum=config.momentum,
        schedule=config.schedule,
        loss=losses.make(config.loss, gamma=config.gamma, counts=counts),
        balanced=config.sampling == "balanced",
        augment=light if config.augmentation == "light" else None,
    )
    with Progress(label(config), config.epochs, "epochs") as progress:
        return fit(
            network,
            examples,
            recipe,
            train=dataset.subset("train"),
            val=dataset.subset("val"),
            training=training,
            compute=compute,
            unfinished=unfinished,
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
