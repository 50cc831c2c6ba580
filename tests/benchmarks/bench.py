"""How close to its limit this machine trains: the limit, Lightbox, a plain loop."""

import copy
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click
import numpy as np
import torch
from limit import RATE, step_limit, synchronize
from plain_loop import plain_epoch
from rich.console import Console
from rich.table import Table
from torch import nn

from lightbox.base.progress import Progress, track
from lightbox.data import pixels as decode
from lightbox.data.phantoms import generation
from lightbox.networks import models
from lightbox.networks.weights import Preprocessing
from lightbox.runs.environment import hardware
from lightbox.settings.parameters import RunSettings
from lightbox.training import features
from lightbox.training.batches import Examples, Images, Vectors
from lightbox.training.devices import Compute, resolve
from lightbox.training.loop import batches, fit

SET, SCALE = "phantom-chest", 0.3  # a few hundred images, drawn in seconds
MODEL, SIZE, BATCH = "resnet18", 224, 32
COUNT = 160  # images, every fifth of them to validate on
SECONDS = 60.0  # after which no further turn begins
MOST_TURNS = 5
# An epoch shorter than this would measure the checkpoint, not the training: fast
# machines see the training images as often as it takes.
EPOCH_SECONDS, MOST_REPEATS = 2.0, 40
FROZEN_EPOCHS = 10


@dataclass(frozen=True)
class Measured:
    """What a machine does.

    Attributes:
        hardware: Device and precision, one line.
        images: That an epoch trains and validates on.
        limit: Seconds of an epoch on a batch that is in memory, one a turn.
        lightbox: Seconds of Lightbox's epoch, one a turn.
        plain: Seconds of the plain loop's epoch, one a turn.
        frozen: Seconds of `FROZEN_EPOCHS` epochs of Lightbox's frozen backbone on
            those images, the features included.
        decoded: Images a second that one process decodes.
    """

    hardware: str
    images: int
    limit: list[float]
    lightbox: list[float]
    plain: list[float]
    frozen: float
    decoded: float

    def ratio(self, over: str, under: str) -> float:
        """Give the median over turns of the ratio of two systems' seconds."""
        pairs = zip(getattr(self, over), getattr(self, under), strict=True)
        return statistics.median(a / b for a, b in pairs)


def measure(*, seconds: float = SECONDS, size: int = SIZE) -> Measured:
    """Let the three take turns on generated radiographs.

    Args:
        seconds: After which no further turn begins; at least one is taken.
        size: Side of the images, pixels.

    Returns:
        The measurements.
    """
    compute = resolve()
    with tempfile.TemporaryDirectory() as place:
        root = generation.generate(SET, Path(place) / "images", scale=SCALE) / "train"
        files = sorted(path for path in root.rglob("*") if path.is_file())
        # Evenly spaced: both classes, whatever their order.
        chosen = np.linspace(0, len(files) - 1, min(COUNT, len(files)))
        files = [files[i] for i in chosen.round().astype(int)]
        images, decoded = _decoded(files, size, compute)
        validates = np.arange(len(files)) % 5 == 0
        train, val = np.flatnonzero(~validates), np.flatnonzero(validates)
        once = _limit(images, train, val, compute)
        repeats = min(MOST_REPEATS, max(1, round(EPOCH_SECONDS / once)))
        train = np.tile(train, repeats)
        systems = {
            "limit": partial(_limit, images, train, val, compute),
            # Two epochs, the first of which writes a checkpoint, halved.
            "lightbox": lambda: _lightbox(images, train, val, compute, 2) / 2,
            "plain": lambda: plain_epoch(
                _network(compute)[0].to(memory_format=torch.contiguous_format),
                root,
                train=[files[i] for i in train],
                val=[files[i] for i in val],
                size=size,
                batch_size=BATCH,
                device=compute.device,
            ),
        }
        found = _turns(systems, seconds)
        frozen = _frozen(images, train, val, compute, Path(place) / "features.npy")
    line = f"{hardware(compute.device)}, {compute.precision}"
    return Measured(
        line, len(train) + len(val), **found, frozen=frozen, decoded=decoded
    )


def _turns(
    systems: dict[str, Callable[[], float]], seconds: float
) -> dict[str, list[float]]:
    """Time all systems again and again, each turn beginning with another."""
    names = list(systems)
    found: dict[str, list[float]] = {name: [] for name in names}
    started = time.perf_counter()
    with Progress("Training", MOST_TURNS * len(names), "runs") as progress:
        for turn in range(MOST_TURNS):
            if turn and time.perf_counter() - started > seconds:
                break
            shift = turn % len(names)
            for name in (*names[shift:], *names[:shift]):
                found[name].append(systems[name]())
                progress.advance(note=f"{name} {found[name][-1]:.1f} s")
    return found


def _decoded(files: list[Path], size: int, compute: Compute) -> tuple[Images, float]:
    """Decode the files one by one, and say how many in a second."""
    pixels = np.empty((len(files), size, size, 1), dtype=np.uint8)
    started = time.perf_counter()
    for row, path in enumerate(track(files, "Decoding", len(files), "images")):
        image = decode.decode(path, 1).resize((size, size), decode.FILTERS["bilinear"])
        pixels[row] = np.asarray(image)[..., None]
    rate = len(files) / (time.perf_counter() - started)
    classes = sorted({path.parent.name for path in files})
    images = Images(
        pixels,
        np.array([classes.index(path.parent.name) for path in files]),
        Preprocessing(None, None, "bilinear"),
        train=np.arange(len(files)),
        device=compute.device,
    )
    return images, rate


def _network(compute: Compute) -> tuple[nn.Module, str]:
    """Build the network that all systems train, with the same random weights."""
    torch.manual_seed(0)
    network, head = models.build(MODEL, "none", num_classes=2, channels=1)
    return network.to(compute.device, memory_format=torch.channels_last), head


def _limit(
    images: Images, train: np.ndarray, val: np.ndarray, compute: Compute
) -> float:
    """Time as many steps as an epoch has, on one batch."""
    return step_limit(
        _network(compute)[0],
        images.batch(torch.arange(BATCH)),
        images.labels[:BATCH],
        compute=compute,
        steps=len(batches(torch.from_numpy(train), BATCH)),
        eval_steps=-(-len(val) // BATCH),
    )


def _lightbox(
    images: Images, train: np.ndarray, val: np.ndarray, compute: Compute, epochs: int
) -> float:
    """Time Lightbox's own loop on a whole network."""
    network = _network(compute)[0]
    return timed_fit(
        network, images, train=train, val=val, compute=compute, epochs=epochs
    )


def timed_fit(
    network: nn.Module,
    examples: Examples,
    *,
    train: np.ndarray,
    val: np.ndarray,
    compute: Compute,
    epochs: int,
    batch: int = BATCH,
) -> float:
    """Time Lightbox's loop, the checkpoint behind every epoch included.

    Args:
        network: On the device; all of it is put into train mode.
        examples: Inputs and labels by position.
        train: Positions to train on.
        val: Positions to validate on.
        compute: Device and precision.
        epochs: How many.
        batch: Images a step.

    Returns:
        Seconds.
    """
    with tempfile.TemporaryDirectory() as place:
        started = time.perf_counter()
        fit(
            network,
            examples,
            RunSettings(
                model="any",
                strategy="fine_tuning",
                epochs=epochs,
                batch_size=batch,
                learning_rate=RATE,
                patience=0,
                device=compute.device,
                precision=compute.precision,
            ),
            train=train,
            val=val,
            training={name for name, _ in network.named_modules()},
            on_epoch=lambda row: None,
            unfinished=Path(place) / "state.pt",
        )
        synchronize(compute.device)
        return time.perf_counter() - started


def _frozen(
    images: Images, train: np.ndarray, val: np.ndarray, compute: Compute, cache: Path
) -> float:
    """Time the features of all images and the head's epochs."""
    network, head = _network(compute)
    started = time.perf_counter()
    values, _ = features.extract(
        network,
        head,
        images,
        compute=compute,
        batch_size=BATCH,
        cache=cache,
        label="Features",
    )
    vectors = Vectors(values, images.labels, device=compute.device)
    last = copy.deepcopy(network.get_submodule(head))
    timed_fit(
        last, vectors, train=train, val=val, compute=compute, epochs=FROZEN_EPOCHS
    )
    return time.perf_counter() - started


@click.command()
@click.option(
    "--seconds",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    help="After which no further turn begins.",
)
@click.option(
    "--size",
    type=click.IntRange(32, 512),
    default=224,
    show_default=True,
    help="Side of the images, pixels.",
)
def main(seconds: float, size: int) -> None:
    """Time training on this machine, in about two minutes.

    ResNet-18 on generated radiographs: steps on a batch that is in memory already
    (the limit), Lightbox with its data, validation and checkpoints, and the loop of
    PyTorch's tutorial. They take turns; medians are shown.
    """
    console = Console(highlight=False)
    found = measure(seconds=seconds, size=size)
    table = Table(title=found.hardware, title_justify="left")
    table.add_column("system", no_wrap=True)
    for heading in ("s/epoch", "images/s", "to limit", "to Lightbox"):
        table.add_column(heading, justify="right")
    titles = {
        "limit": "limit, batch in memory",
        "lightbox": "Lightbox",
        "plain": "PyTorch tutorial loop",
    }
    for name, title in titles.items():
        middle = statistics.median(getattr(found, name))
        table.add_row(
            title,
            f"{middle:.2f}",
            f"{found.images / middle:.0f}",
            f"{found.ratio(name, 'limit'):.2f} x",
            f"{found.ratio(name, 'lightbox'):.2f} x",
        )
    console.print(table)
    epochs = FROZEN_EPOCHS
    plain = epochs * statistics.median(found.plain)
    console.print(
        f"Lightbox trains within {found.ratio('lightbox', 'limit'):.2f} x of what this "
        f"machine can do, {found.ratio('plain', 'lightbox'):.1f} x as fast as the "
        f"plain loop (medians of {len(found.limit)} turns, {found.images} images an "
        f"epoch). {epochs} epochs with a frozen backbone take {found.frozen:.1f} s; "
        f"training all layers for as long in the plain loop takes {plain:.0f} s. One "
        f"process decodes {found.decoded:.0f} images a second."
    )


if __name__ == "__main__":
    main()
