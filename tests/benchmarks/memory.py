"""A set larger than the memory it may take: one epoch, and what it took.

    .venv/bin/python tests/benchmarks/memory.py                  # 100,000 images
    .venv/bin/python tests/benchmarks/memory.py --images 2000 --limit 0

Phantoms are drawn once and repeated into a decoded array on the disk, as Lightbox's
cache has it. A second process normalises, augments, trains and validates on all of
it. Where the system lets us make a control group (root, cgroup 1 or 2), that process
runs under a hard memory limit that is smaller than the array, file pages included;
everywhere the peak of its anonymous memory is reported. What is allowed is the
model with its optimizer, two batches, and 500 MB, above a process that has only
imported its libraries. The network is small, so that its activations do not hide
what the data take.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

SOURCE = 400  # phantoms that are drawn
ALLOWED = 500_000_000  # bytes, beside the model and two batches


def anonymous() -> int:
    """Read the process's anonymous memory, bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    found = next(line for line in lines if line.startswith("RssAnon"))
    return int(found.split()[1]) * 1024


class Peak(threading.Thread):
    """Watches the process's anonymous memory fifty times a second."""

    def __init__(self):
        super().__init__(daemon=True)
        self.highest = 0

    def run(self) -> None:
        while True:
            self.highest = max(self.highest, anonymous())
            time.sleep(0.02)


def write(path: Path, count: int, size: int) -> None:
    """Repeat drawn phantoms, each time with another brightness, into an array."""
    from lightbox.data import pixels as decode
    from lightbox.data.phantoms import generation

    array = np.lib.format.open_memmap(
        path, mode="w+", dtype=np.uint8, shape=(count, size, size, 1)
    )
    with tempfile.TemporaryDirectory() as folder:
        root = generation.generate("phantom-chest", Path(folder) / "set", scale=0.3)
        files = sorted(item for item in root.rglob("*.*") if item.parent != root)
        drawn = np.stack(
            [
                np.asarray(
                    decode.decode(file, 1).resize(
                        (size, size), decode.FILTERS["bilinear"]
                    )
                )
                for file in files[:SOURCE]
            ]
        )[..., None]
    for start in range(0, count, len(drawn)):
        part = drawn[: count - start]
        array[start : start + len(part)] = part - np.minimum(part, start % 31)
    array.flush()


def train(path: Path, batch: int) -> None:
    """Train an epoch on the array and report the memory that it took."""
    import torch
    from torch import nn

    from lightbox.networks.weights import Preprocessing
    from lightbox.settings.parameters import RunSettings
    from lightbox.training.batches import Images
    from lightbox.training.loop import fit

    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 8, 8, stride=8), nn.ReLU(), nn.AdaptiveAvgPool2d(1)
    ).append(nn.Flatten())
    network.append(nn.Linear(8, 2))
    nn.Conv2d(1, 1, 3)(torch.rand(1, 1, 8, 8)).sum().backward()  # loads the kernels
    before, peak = anonymous(), Peak()
    peak.start()
    pixels = np.load(path, mmap_mode="r")
    positions = np.arange(len(pixels))
    validates = positions % 10 == 0
    started = time.perf_counter()
    images = Images(
        pixels,
        positions % 2,
        Preprocessing(None, None, "bilinear"),
        train=positions[~validates],
        device="cpu",
    )
    outcome = fit(
        network,
        images,
        RunSettings(
            model="a convolution",
            strategy="fine_tuning",
            epochs=1,
            batch_size=batch,
            learning_rate=1e-4,
            patience=0,
            augmentation="light",
            device="cpu",
            precision="float32",
        ),
        train=positions[~validates],
        val=positions[validates],
        training={name for name, _ in network.named_modules()},
        on_epoch=lambda row: None,
        unfinished=path.with_suffix(".pt"),
    )
    seconds = time.perf_counter() - started
    model = sum(p.numel() * p.element_size() for p in network.parameters())
    inputs = batch * int(np.prod(pixels.shape[1:])) * 4
    facts = {
        "images": len(pixels),
        "array_bytes": pixels.nbytes,
        "allowed_bytes": 4 * model + 2 * inputs + ALLOWED,
        "peak_anonymous_bytes": peak.highest - before,
        "imports_bytes": before,
        "seconds": seconds,
        "train_loss": float(outcome.history["train_loss"][0]),
    }
    print(json.dumps(facts))


def group(limit: int) -> Path | None:
    """Make a control group below our own, or give None where we may not."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, ours = line.split(":", 2)
        if "memory" in controllers.split(","):
            root, name = Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"
        elif not controllers:
            root, name = Path("/sys/fs/cgroup"), "memory.max"
        else:
            continue
        folder = root / ours.lstrip("/") / f"lightbox-memory-{os.getpid()}"
        try:
            folder.mkdir()
        except OSError:
            continue
        if (folder / name).exists():
            (folder / name).write_text(str(limit))
            return folder
        folder.rmdir()
    return None


def main() -> None:
    """Write the array, train in a process of its own, print what it took."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--size", type=int, default=128, help="pixels [128]")
    parser.add_argument("--batch", type=int, default=32, help="images a step [32]")
    parser.add_argument("--limit", type=int, default=1200, help="MB; 0: none [1200]")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        train(given.inside, given.batch)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pixels.npy"
        write(path, given.images, given.size)
        limited = group(given.limit * 1_000_000) if given.limit else None

        def enter() -> None:
            if limited is not None:
                (limited / "cgroup.procs").write_text(str(os.getpid()))

        command = [sys.executable, __file__, "--inside", str(path)]
        command += ["--batch", str(given.batch)]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, preexec_fn=enter
        )
        if limited is not None:
            limited.rmdir()
    if done.returncode:
        raise SystemExit(f"the process ended with {done.returncode}: out of memory?")
    facts = json.loads(done.stdout.splitlines()[-1])
    names = ("array_bytes", "allowed_bytes", "peak_anonymous_bytes", "imports_bytes")
    array, allowed, peak, imports = (facts[name] / 1e6 for name in names)
    kept = f"{given.limit} MB" if limited is not None else "none could be set"
    print(
        f"{facts['images']:,} images, {array:,.0f} MB decoded; memory limit: {kept}\n"
        f"anonymous memory above the imports' {imports:.0f} MB: {peak:.0f} MB, allowed "
        f"{allowed:.0f} MB\n{facts['seconds']:.0f} s, "
        f"{facts['images'] / facts['seconds']:.0f} images/s"
    )
    if peak > allowed:
        raise SystemExit("more than is allowed")


if __name__ == "__main__":
    main()
