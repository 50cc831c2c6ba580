"""A run: configuration and data in, a folder of the store out."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from lightbox import anatomy, features, losses, store
from lightbox.augmentation import light
from lightbox.data import Dataset
from lightbox.devices import Compute
from lightbox.environment import PeakMemory, environment
from lightbox.examples import Examples
from lightbox.freezing import fingerprint, frozen_tensors
from lightbox.preparation import prepare
from lightbox.progress import Progress
from lightbox.scoring import score_images, scored_nothing
from lightbox.store import Config, Run, StoreError
from lightbox.training import DivergenceError, Recipe, TrainingError, fit

# A row of `history.csv`.
EPOCH = (
    "epoch",
    "train_loss",
    "train_accuracy",
    "val_loss",
    "val_accuracy",
    "learning_rate",
    "seconds",
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


def train(identity: str, config: Config, dataset: Dataset, *, weights: str) -> Run:
    """Train, test the best epoch's weights once, and write everything down.

    A loss that is not finite ends the run, not the study: it is written down as
    diverged, with the epochs before and no predictions.

    Args:
        identity: The run's id, whose lock the caller holds.
        config: The configuration.
        dataset: The data.
        weights: The weights as typed; `config.weights` is their full name.

    Returns:
        The run as the store has it.

    Raises:
        StoreError: The disk is full or gone.
        TrainingError: The data cannot be trained on.
    """
    compute = Compute(config.device, config.precision)
    made = prepare(config, dataset, weights=weights, compute=compute)
    network, head, training = made.network, made.head, made.training
    before = fingerprint(frozen_tensors(network, training))
    memory = PeakMemory(compute.device)

    feature_seconds = 0.0
    trained, examples, inside = network, made.images, training
    # An image that is changed at every epoch has no constant features.
    constant = config.strategy == "feature_extraction" and config.augmentation == "none"
    if constant and features.ends_in(network, head, made.images, compute):
        examples, feature_seconds = features.vectors(
            config, dataset, network, head, made.images, compute
        )
        trained = network.get_submodule(head)
        inside = {name for name, _ in trained.named_modules()}
    unfinished = store.unfinished_path(identity)
    outcome = _fit(trained, examples, config, dataset, inside, compute, unfinished)
    predictions, speed = scored_nothing(dataset.classes), None
    if not outcome.message:
        started = time.perf_counter()
        predictions = score_images(trained, examples, config, dataset, compute)
        speed = len(predictions) / (time.perf_counter() - started)
        if not np.isfinite(predictions.filter(like="prob_")).all(axis=None):
            predictions, speed = scored_nothing(dataset.classes), None
            outcome.message = (
                f"the probabilities of epoch {outcome.best_epoch} are not finite: "
                "lower the learning rate tenfold, or set precision: float32"
            )
    if outcome.message:
        outcome.best_epoch, outcome.stopped = 0, "divergence"

    network = network.cpu()
    after = fingerprint(frozen_tensors(network, training))
    if before != after:
        raise StoreError(
            f"{config.model} {config.strategy}: frozen layers moved during training; "
            "this is a defect of Lightbox, the run was not kept"
        )
    size = (config.image_size, dataset.channels)
    seconds = feature_seconds + outcome.step_seconds
    seen = len(outcome.history) * len(dataset.subset("train"))
    record = {
        "id": identity,
        "config": asdict(config),
        "data": _data_record(dataset),
        "result": {
            "best_epoch": outcome.best_epoch,
            "epochs_run": len(outcome.history),
            "stopped": outcome.stopped,
            "diverged": bool(outcome.message),
            "message": outcome.message,
            "train_seconds": feature_seconds + float(outcome.history["seconds"].sum()),
            "feature_seconds": feature_seconds,
            "micro_batch": outcome.micro_batch,
            "train_images_per_second": seen / seconds if seen and seconds else None,
            # Of vectors where the features are constants: the head alone.
            "inference_images_per_second": speed,
            "peak_memory_bytes": memory.read(),
            "flops": anatomy.flops(network, *size),
            "depth": anatomy.depth(network, *size),
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
        "input": {"mean": made.images.mean, "std": made.images.std},
        "environment": environment(config.device),
    }
    state = None if outcome.message else network.state_dict()
    return store.write(identity, record, outcome.history, predictions, state)


@dataclass
class _Outcome:
    """How training ended; `message` says why it diverged, "" where it did not."""

    history: pd.DataFrame
    best_epoch: int = 0
    stopped: str = "divergence"
    step_seconds: float = 0.0
    micro_batch: int | None = None
    message: str = ""


def _fit(
    network: nn.Module,
    examples: Examples,
    config: Config,
    dataset: Dataset,
    training: set[str],
    compute: Compute,
    unfinished: Path,
) -> _Outcome:
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
    rows: list[dict[str, float]] = []

    def on_epoch(row: dict[str, float]) -> None:
        rows.append(row)
        progress.advance(
            note=f"val loss {row['val_loss']:.3f}, "
            f"val accuracy {row['val_accuracy']:.1%}"
        )

    with Progress(label(config), config.epochs, "epochs") as progress:
        try:
            done = fit(
                network,
                examples,
                recipe,
                train=dataset.subset("train"),
                val=dataset.subset("val"),
                training=training,
                compute=compute,
                unfinished=unfinished,
                on_epoch=on_epoch,
            )
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                raise
            raise TrainingError(
                f"batch_size {config.batch_size}: {config.model} normalises over the "
                f"batch and has one value a channel at image_size {config.image_size}: "
                "use a batch_size of 2 or more"
            ) from None
        except DivergenceError as error:
            history = pd.DataFrame(rows, columns=list(EPOCH), dtype=float)
            seconds = float(history["seconds"].sum())
            return _Outcome(history, step_seconds=seconds, message=str(error))
    return _Outcome(
        done.history,
        done.best_epoch,
        done.stopped,
        done.step_seconds,
        done.micro_batch,
    )


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
