"""A run: configuration and data in, a folder of the store out.

Five stages, each handing a frozen value on: prepare, features, fit, score, write.
"""

import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from lightbox.base import paths
from lightbox.base.errors import ParameterError
from lightbox.base.files import StoreError
from lightbox.base.progress import Progress
from lightbox.base.words import said_in
from lightbox.data.dataset import Dataset
from lightbox.networks import models
from lightbox.networks.anatomy import anatomy
from lightbox.networks.freezing import (
    fingerprint,
    freeze,
    frozen_tensors,
    trainable_layers,
)
from lightbox.networks.weights import preprocessing
from lightbox.runs import store
from lightbox.runs.config import PROCEDURE, digest
from lightbox.runs.environment import PeakMemory, environment
from lightbox.runs.store import DataRecord, Result, Run
from lightbox.settings.parameters import RunSettings
from lightbox.training import loop, losses
from lightbox.training.batches import Examples, Images, Vectors
from lightbox.training.devices import Compute, resolve, seed_everything
from lightbox.training.features import ends_in, extract
from lightbox.training.inference import predict

FACTS = ("split", "image", "group", "label", "predicted")


@dataclass(frozen=True)
class Prepared:
    """What a training loop starts from."""

    network: nn.Module  # on the device, its frozen parts without gradients
    head: str  # the name of its head
    training: set[str]  # names of the modules that train
    images: Images  # normalised as the weights expect
    compute: Compute


def build(
    config: RunSettings, *, weights: str, classes: int, channels: int
) -> tuple[nn.Module, str, set[str]]:
    """Build a run's network; give it, its head's name and the modules that train."""
    network, head = models.build(
        config.model,
        weights,
        num_classes=1 if config.output == "sigmoid" else classes,
        channels=channels,
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
    return network, head, training


def prepare(config: RunSettings, dataset: Dataset, *, weights: str) -> Prepared:
    """Build the network under its seed, freeze it, and decode or map the images.

    Args:
        weights: The weights as typed; `config.weights` is their full name.

    Raises:
        WeightsError: The weights cannot be had.
        ParameterError: The head does not fit the network, or the output the data.
    """
    if config.output == "sigmoid" and len(dataset.classes) != 2:
        raise ParameterError(
            f"output = 'sigmoid' answers one question, {dataset.card.name} has "
            f"{len(dataset.classes)} classes: use output 'softmax'"
        )
    seed_everything(config.seed)
    classes, channels = len(dataset.classes), dataset.channels
    network, head, training = build(
        config, weights=weights, classes=classes, channels=channels
    )
    freeze(network, training)
    compute = resolve(config.device, config.precision)
    network = network.to(compute.device, memory_format=torch.channels_last)
    expected = preprocessing(config.model, weights, channels)
    images = Images(
        dataset.pixels(config.image_size, config.resize, expected.interpolation),
        dataset.labels(),
        expected,
        train=dataset.subset("train"),
        device=compute.device,
    )
    return Prepared(network, head, training, images, compute)


@dataclass(frozen=True)
class Inputs:
    """What the loop trains: the whole network on images, or the head on features."""

    network: nn.Module  # maps a batch of `examples` to logits
    examples: Examples
    training: set[str]  # names of its modules that train
    seconds: float  # that the features of train and val took to compute, once


def features(config: RunSettings, dataset: Dataset, made: Prepared) -> Inputs:
    """Give features where they are constants of the images, else the images.

    Frozen, in eval mode and without augmentation, the input of the head is a constant
    of each image: one forward pass over the data, kept in a file whose name says all
    that it depends on.
    """
    constant = config.strategy == "feature_extraction" and config.augmentation == "none"
    network, head, images = made.network, made.head, made.images
    if not (constant and ends_in(network, head, images, made.compute)):
        return Inputs(network, images, made.training, 0.0)
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
        "compute": asdict(made.compute),
        "procedure": PROCEDURE,
    }
    values, seconds = extract(
        network,
        head,
        images,
        compute=made.compute,
        batch_size=config.batch_size,
        cache=paths.data() / "features" / f"{config.model}-{digest(key)}.npy",
        label=f"{config.model} features",
    )
    trained = network.get_submodule(head)
    return Inputs(
        trained,
        Vectors(values, images.labels, device=made.compute.device),
        {name for name, _ in trained.named_modules()},
        # The test images' share of the pass is no cost of training.
        seconds * (1 - len(dataset.subset("test")) / len(values)),
    )


def label(config: RunSettings) -> str:
    """Name a run in progress lines, by its set or by a loss that is not the usual."""
    words = [config.model, config.strategy, config.name]
    if not config.name and config.loss != "cross_entropy":
        words.append(config.loss + (f" {config.gamma:g}" if config.gamma else ""))
    return " ".join(filter(None, words))


def fit(
    config: RunSettings, dataset: Dataset, inputs: Inputs, *, unfinished: Path
) -> loop.Fit:
    """Train under a progress bar, from the state in `unfinished` if there is one."""

    def on_epoch(row: dict[str, float]) -> None:
        progress.advance(
            note=f"val loss {row['val_loss']:.3f}, "
            f"val accuracy {row['val_accuracy']:.1%}"
        )

    with Progress(label(config), config.epochs, "epochs") as progress:
        try:
            return loop.fit(
                inputs.network,
                inputs.examples,
                config,
                train=dataset.subset("train"),
                val=dataset.subset("val"),
                training=inputs.training,
                on_epoch=on_epoch,
                unfinished=unfinished,
            )
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                raise
            raise loop.TrainingError(
                f"batch_size {config.batch_size}: {config.model} normalises over the "
                f"batch and has one value a channel at image_size {config.image_size}: "
                "use a batch_size of 2 or more"
            ) from None


@dataclass(frozen=True)
class Scored:
    """What the kept weights answered."""

    # A row per val and test image: `FACTS`, then `prob_<class>`, float32.
    predictions: pd.DataFrame
    speed: float | None  # images a second; None where nothing was scored
    message: str  # why the run diverged; "" where it did not


def score(
    config: RunSettings, dataset: Dataset, inputs: Inputs, outcome: loop.Fit
) -> Scored:
    """Score val and test once, with the best epoch's weights."""
    columns = [*FACTS, *(f"prob_{name}" for name in dataset.classes)]
    nothing = pd.DataFrame(columns=columns)
    if outcome.message:
        return Scored(nothing, None, outcome.message)
    started = time.perf_counter()
    predictions = pd.concat(
        [_score_split(config, dataset, inputs, split) for split in ("val", "test")],
        ignore_index=True,
    )
    speed = len(predictions) / (time.perf_counter() - started)
    if np.isfinite(predictions.filter(like="prob_")).all(axis=None):
        return Scored(predictions, speed, "")
    message = (
        f"the probabilities of epoch {outcome.best_epoch} are not finite: "
        "lower the learning rate tenfold, or set precision: float32"
    )
    return Scored(nothing, None, message)


def _score_split(
    config: RunSettings, dataset: Dataset, inputs: Inputs, split: str
) -> pd.DataFrame:
    """Answer for each image of a split."""
    positions = dataset.subset(split)
    logits = predict(
        inputs.network,
        inputs.examples,
        positions,
        compute=resolve(config.device, config.precision),
        batch_size=config.batch_size,
    )
    probabilities = losses.log_probabilities(logits).double().exp()
    probabilities = probabilities.float().cpu().numpy()
    rows = dataset.table.iloc[positions]
    names = np.array(dataset.classes, dtype=object)
    frame = rows[["image", "group", "label"]].reset_index(drop=True)
    frame.insert(0, "split", split)
    frame["predicted"] = names[probabilities.argmax(axis=1)]
    for k, name in enumerate(dataset.classes):
        frame[f"prob_{name}"] = probabilities[:, k]
    return frame


def train(identity: str, config: RunSettings, dataset: Dataset, *, weights: str) -> Run:
    """Train, test the best epoch's weights once, and write everything down.

    A loss that is not finite ends the run, not the study: it is written down as
    diverged, with the epochs before and no predictions.

    Args:
        weights: The weights as typed; `config.weights` is their full name.

    Raises:
        StoreError: The disk is full or gone.
        TrainingError: The data cannot be trained on.
    """
    made = prepare(config, dataset, weights=weights)
    before = fingerprint(frozen_tensors(made.network, made.training))
    memory = PeakMemory(made.compute.device)
    inputs = features(config, dataset, made)
    unfinished = store.unfinished_path(identity)
    outcome = fit(config, dataset, inputs, unfinished=unfinished)
    scored = score(config, dataset, inputs, outcome)

    network = made.network.cpu()
    frozen = frozen_tensors(network, made.training)
    after = fingerprint(frozen)
    if before != after:
        raise StoreError(
            f"{config.model} {config.strategy}: frozen layers moved during training; "
            "this is a defect of Lightbox, the run was not kept"
        )
    result = _result(config, dataset, network, inputs.seconds, outcome, scored)
    record = {
        "id": identity,
        "config": config.model_dump(),
        "data": asdict(_data(dataset)),
        "result": asdict(result) | {"peak_memory_bytes": memory.read()},
        "frozen": {"tensors": len(frozen), "before": before, "after": after},
        "input": {"mean": made.images.mean, "std": made.images.std},
        "environment": environment(made.compute.device),
    }
    state = None if scored.message else network.state_dict()
    return store.write(identity, record, outcome.history, scored.predictions, state)


def _result(
    config: RunSettings,
    dataset: Dataset,
    network: nn.Module,
    feature_seconds: float,
    outcome: loop.Fit,
    scored: Scored,
) -> Result:
    """Sum up what the run came to; its memory is read last."""
    seen = len(outcome.history) * len(dataset.subset("train"))
    seconds = feature_seconds + outcome.step_seconds
    shape = anatomy(network, config.image_size, dataset.channels)
    counts = [(p.numel(), p.requires_grad) for p in network.parameters()]
    return Result(
        best_epoch=0 if scored.message else outcome.best_epoch,
        epochs_run=len(outcome.history),
        stopped="divergence" if scored.message else outcome.stopped,
        diverged=bool(scored.message),
        message=scored.message,
        train_seconds=feature_seconds + float(outcome.history["seconds"].sum()),
        feature_seconds=feature_seconds,
        micro_batch=outcome.micro_batch,
        train_images_per_second=seen / seconds if seen and seconds else None,
        inference_images_per_second=scored.speed,
        flops=shape.flops,
        depth=shape.depth,
        parameters=sum(size for size, _ in counts),
        trainable_parameters=sum(size for size, trains in counts if trains),
    )


def _data(dataset: Dataset) -> DataRecord:
    """Say what the run saw."""
    counts = dataset.table.groupby(["split", "label"]).size()
    return DataRecord(
        fingerprint=dataset.fingerprint,
        classes=dataset.classes,
        positive=dataset.positive,
        channels=dataset.channels,
        counts={
            split: {name: int(counts.get((split, name), 0)) for name in dataset.classes}
            for split in ("train", "val", "test")
        },
        notes=tuple(said_in("en", dataset.notes)),  # whatever the reader's language
    )
