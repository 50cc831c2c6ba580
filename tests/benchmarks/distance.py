"""Where an epoch's time goes, beside the limit: one line a part.

    .venv/bin/python tests/benchmarks/distance.py
    OMP_NUM_THREADS=1 .venv/bin/python tests/benchmarks/distance.py --cpu --train 64

Random images of the size asked for (what they show does not matter here), ResNet-18,
the machine's own precision. `--cpu` counts the seconds of the processor and not those
on the clock: with one thread, they hold on a machine that does other things too. On a
GPU the parts wait for the device, so that their sum is more than the epoch's.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from bench import timed_fit
from limit import step_limit, synchronize
from torch import nn

from lightbox.networks import models
from lightbox.networks.weights import Preprocessing
from lightbox.runs.environment import hardware
from lightbox.training import checkpoint, loop
from lightbox.training.batches import Images
from lightbox.training.devices import Compute, resolve
from lightbox.training.loop import Gradients, batches


class Stopwatch:
    """Adds up the seconds of wrapped functions, by the name of their part."""

    def __init__(self, clock: Callable[[], float], device: str):
        self.clock, self.device = clock, device
        self.seconds: dict[str, float] = defaultdict(float)

    def wrap(self, holder: Any, name: str, part: str) -> None:
        """Replace `holder.name` by one that is timed."""
        inner = getattr(holder, name)

        def timed(*args: Any, **kwargs: Any) -> Any:
            synchronize(self.device)
            started = self.clock()
            result = inner(*args, **kwargs)
            synchronize(self.device)
            self.seconds[part] += self.clock() - started
            return result

        setattr(holder, name, timed)


def build(compute: Compute) -> nn.Module:
    """Make the network, the same each time."""
    torch.manual_seed(0)
    network, _ = models.build("resnet18", "none", num_classes=2, channels=1)
    return network.to(compute.device, memory_format=torch.channels_last)


def main() -> None:
    """Take turns between the limit and the epoch, then print medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--train", type=int, default=512)
    parser.add_argument("--val", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--cpu", action="store_true")
    given = parser.parse_args()
    compute, count = resolve(), given.train + given.val
    draw = np.random.default_rng(0)
    images = Images(
        draw.integers(0, 256, (count, given.size, given.size, 1), dtype=np.uint8),
        np.arange(count) % 2,
        Preprocessing((0.5,), (0.25,), "bilinear"),
        train=np.arange(given.train),
        device=compute.device,
    )
    train, val = np.arange(given.train), np.arange(given.train, count)
    clock = time.process_time if given.cpu else time.perf_counter
    watch = Stopwatch(clock, compute.device)
    # `step_limit` is timed by its own clock; steps alone, then validation alone.
    time.perf_counter, wall = clock, time.perf_counter
    measured: dict[str, list[float]] = defaultdict(list)
    inputs, labels = images.batch(torch.arange(given.batch)), images.labels
    labels = labels[: given.batch]
    steps = len(batches(torch.from_numpy(train), given.batch))
    checks = -(-given.val // given.batch)
    for _ in range(given.repeats):
        for part, counts in {"steps": (steps, 0), "validation": (0, checks)}.items():
            seconds = step_limit(
                build(compute),
                inputs,
                labels,
                compute=compute,
                steps=counts[0],
                eval_steps=counts[1],
            )
            measured[f"limit: {part}"].append(seconds)
        original = (Images.batch, Gradients.of, loop.evaluate, checkpoint.save)
        step = torch.optim.Adam.step
        watch.seconds.clear()
        watch.wrap(torch.optim.Adam, "step", "optimizer")
        watch.wrap(Images, "batch", "batches")
        watch.wrap(Gradients, "of", "gradients")
        watch.wrap(loop, "evaluate", "validation")
        watch.wrap(checkpoint, "save", "checkpoint")
        started = clock()
        timed_fit(
            build(compute),
            images,
            train=train,
            val=val,
            compute=compute,
            epochs=1,
            batch=given.batch,
        )
        whole = clock() - started
        torch.optim.Adam.step = step
        Images.batch, Gradients.of, loop.evaluate, checkpoint.save = original
        parts = dict(watch.seconds)
        known = ("gradients", "optimizer", "validation", "checkpoint")
        measured["epoch: forward, backward, batches"].append(parts["gradients"])
        measured["   of the epoch: gathering batches"].append(parts["batches"])
        measured["epoch: optimizer"].append(parts["optimizer"])
        measured["epoch: validation"].append(parts["validation"])
        measured["epoch: checkpoint"].append(parts["checkpoint"])
        rest = whole - sum(parts[name] for name in known)
        measured["epoch: rest (order, best weights, sums)"].append(rest)
        measured["epoch: whole"].append(whole)
    time.perf_counter = wall
    medians = {name: float(np.median(values)) for name, values in measured.items()}
    limit = medians["limit: steps"] + medians["limit: validation"]
    kind = "processor seconds" if given.cpu else "seconds"
    print(
        f"{hardware(compute.device)}, {compute.precision}; {kind}, share of the limit"
    )
    for name, value in medians.items():
        print(f"{name:42}{value:9.3f}{value / limit:9.1%}")


if __name__ == "__main__":
    main()
