"""A run: configuration and data in, a folder of the store out.

Frozen, in eval mode and without augmentation, the input of the head is a constant
of each image, so feature extraction costs one forward pass over the data.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from lightbox.base import paths
from lightbox.base.errors import ParameterError
from lightbox.base.files import StoreError
from lightbox.base.progress import Progress
from lightbox.data.dataset import Dataset
from lightbox.networks import anatomy, models
from lightbox.networks.freezing import (
    fingerprint,
    freeze,
    frozen_tensors,
    trainable_layers,
)
from lightbox.networks.weights import preprocessing
from lightbox.runs import store
from lightbox.runs.config import PROCEDURE, digest, run_id
from lightbox.runs.environment import PeakMemory, environment
from lightbox.runs.plan import configurations
from lightbox.runs.store import Run, find, forget_unfinished, locked
from lightbox.settings.parameters import RunSettings, TrainingParameters
from lightbox.training import losses
from lightbox.training.batches import Examples, Images, Vectors, light
from lightbox.training.devices import Compute, seed_everything
from lightbox.training.features import ends_in, extract
from lightbox.training.inference import predict
from lightbox.training.loop import DivergenceError, Recipe, TrainingError, fit


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
    config: RunSettings, dataset: Dataset, *, weights: str, compute: Compute
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
    config: RunSettings,
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


def vectors(
    config: RunSettings,
    dataset: Dataset,
    network: nn.Module,
    head: str,
    images: Images,
    compute: Compute,
) -> tuple[Vectors, float]:
    """Compute or read a run's features; their file's name is what they depend on.

    Args:
        config: The run's configuration.
        dataset: The data.
        network: The frozen network, on the device.
        head: The name of its head.
        images: All images.
        compute: Device and precision.

    Returns:
        Vectors to train the head on, and the seconds that those of train and val
        took to compute.
    """
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
        "procedure": PROCEDURE,
    }
    values, seconds = extract(
        network,
        head,
        images,
        compute=compute,
        batch_size=config.batch_size,
        cache=paths.data() / "features" / f"{config.model}-{digest(key)}.npy",
        label=f"{config.model} features",
    )
    # The test images' share of the pass is no cost of training.
    share = 1 - len(dataset.subset("test")) / len(values)
    return Vectors(values, images.labels, device=compute.device), seconds * share


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


def label(config: RunSettings) -> str:
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


def train(identity: str, config: RunSettings, dataset: Dataset, *, weights: str) -> Run:
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
    if constant and ends_in(network, head, made.images, compute):
        examples, feature_seconds = vectors(
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
        "config": config.model_dump(),
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
    config: RunSettings,
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
        seconds = run.result.train_seconds
        state = "reused, trained earlier" if run.reused else "trained"
        print(f"{label(config)}: {state} in {seconds:.1f} s ({run.id})")
        if run.diverged:
            print(f"{label(config)}: diverged: {run.result.message}")
        runs.append(run)
    return runs


def run_one(config: RunSettings, dataset: Dataset, *, weights: str) -> Run:
    """Give a run, from the store or by training it.

    Args:
        config: The configuration.
        dataset: The data.
        weights: The weights as typed; `config.weights` is their full name.

    Returns:
        The finished run.
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


def check_output(config: RunSettings, dataset: Dataset) -> None:
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
