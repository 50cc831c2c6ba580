"""Lightbox and the limit, one measurement a process; prints one line of JSON."""

import argparse
import copy
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from bench import timed_fit
from limit import RATE, step_limit

from lightbox.data import dataset as data
from lightbox.data import pixels
from lightbox.networks import models
from lightbox.networks.weights import Preprocessing
from lightbox.runs import plan
from lightbox.runs.train import Prepared, prepare
from lightbox.settings.parameters import validate
from lightbox.training import features
from lightbox.training.batches import Images, Vectors
from lightbox.training.devices import Compute, resolve
from lightbox.training.loop import batches

SECTION = "01_feature_extraction_vs_fine_tuning"


def made_ready(given: argparse.Namespace, strategy: str) -> tuple:
    """Open, audit and decode the images, and build the network."""
    values = {
        "dataset": "folder",
        "data_dir": str(given.folder),
        "models": ["resnet18"],
        "weights": "none",
        "strategies": [strategy],
        "image_size": given.size,
        "batch_size": given.batch,
        "learning_rate": RATE,
    }
    config, weights = plan.configurations(validate(SECTION, values))[0]
    dataset = data.open_dataset("folder", given.folder, seed=0)
    made = prepare(config, dataset, weights=weights)
    return dataset, made.compute, made


def limit(
    made: Prepared, compute: Compute, given: argparse.Namespace, dataset: data.Dataset
) -> float:
    """Time the limit for the same network, batch, precision and number of steps."""
    train, val = dataset.subset("train"), dataset.subset("val")
    first = torch.from_numpy(train[: given.batch])
    return given.epochs * step_limit(
        made.network,
        made.images.batch(first),
        made.images.labels[first.to(made.images.labels.device)],
        compute=compute,
        steps=len(batches(torch.from_numpy(train), given.batch)),
        eval_steps=len(torch.from_numpy(val).split(given.batch)),
    )


def warm_up(made: Prepared, compute: Compute, given: argparse.Namespace) -> None:
    """Take one step on a copy, as every system does before it is timed."""
    inputs = made.images.batch(torch.arange(given.batch))
    labels = made.images.labels[: given.batch]
    network = copy.deepcopy(made.network).requires_grad_(True)
    step_limit(network, inputs, labels, compute=compute, steps=0, eval_steps=0)


def fine_tuning(given: argparse.Namespace) -> float:
    """Time the limit, the decoded run, or everything from the folder on."""
    started = time.perf_counter()
    dataset, compute, made = made_ready(given, "fine_tuning")
    before = time.perf_counter() - started
    if given.what == "limit":
        return limit(made, compute, given, dataset)
    if given.what == "lightbox":
        before = 0.0
        warm_up(made, compute, given)
    return before + timed_fit(
        made.network,
        made.images,
        compute=compute,
        batch=given.batch,
        epochs=given.epochs,
        train=dataset.subset("train"),
        val=dataset.subset("val"),
    )


def frozen(given: argparse.Namespace) -> float:
    """Time the features of all images, then the head's epochs."""
    dataset, compute, made = made_ready(given, "feature_extraction")
    warm_up(made, compute, given)
    train, val = dataset.subset("train"), dataset.subset("val")
    with tempfile.TemporaryDirectory() as kept:
        started = time.perf_counter()
        values, _ = features.extract(
            made.network,
            made.head,
            made.images,
            compute=compute,
            batch_size=given.batch,
            cache=Path(kept) / "features.npy",
            label="features",
        )
        head = made.network.get_submodule(made.head)
        timed_fit(
            head,
            Vectors(values, made.images.labels, device=compute.device),
            compute=compute,
            batch=given.batch,
            epochs=given.epochs,
            train=train,
            val=val,
        )
        return time.perf_counter() - started


def decode(given: argparse.Namespace) -> float:
    """Time the decoding of a folder of radiographs of their usual size."""
    images = sorted(path.name for path in given.folder.iterdir())
    with tempfile.TemporaryDirectory() as home:
        os.environ["LIGHTBOX_HOME"] = home
        started = time.perf_counter()
        pixels.pixels(
            pd.DataFrame({"image": images}),
            given.folder,
            size=given.size,
            resize="squash",
            channels=1,
            interpolation="bilinear",
            fingerprint="benchmark",
        )
        return time.perf_counter() - started


def growth(given: argparse.Namespace) -> float:
    """Time an epoch on as many random images as asked for."""
    draw = np.random.default_rng(0)
    shape = (given.images, given.size, given.size, 1)
    compute, train = resolve(), np.arange(given.images * 4 // 5)
    torch.manual_seed(0)
    network, head = models.build("resnet18", "none", num_classes=2, channels=1)
    network = network.to(compute.device, memory_format=torch.channels_last)
    images = Images(
        draw.integers(0, 256, shape, dtype=np.uint8),
        np.arange(given.images) % 2,
        Preprocessing((0.5,), (0.25,), "bilinear"),
        train=train,
        device=compute.device,
    )
    training = {name for name, _ in network.named_modules()}
    warm_up(Prepared(network, head, training, images, compute), compute, given)
    return timed_fit(
        network,
        images,
        compute=compute,
        batch=given.batch,
        epochs=given.epochs,
        train=train,
        val=np.arange(given.images * 4 // 5, given.images),
    )


MEASURED = {
    "limit": fine_tuning,
    "lightbox": fine_tuning,
    "first": fine_tuning,
    "frozen": frozen,
    "decode": decode,
    "growth": growth,
}


def main() -> None:
    """Take one measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=MEASURED)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--images", type=int, default=1000)
    given = parser.parse_args()
    seconds = MEASURED[given.what](given)
    compute = resolve()
    facts = {"device": compute.device, "precision": compute.precision}
    print(json.dumps({"seconds": seconds, **facts}))


if __name__ == "__main__":
    main()
