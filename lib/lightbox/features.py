"""Features of a frozen backbone: computed once, then every head trains on vectors.

Frozen, in eval mode and without augmentation, the input of the head is a constant
of each image, so feature extraction costs one forward pass over the data.
"""

import json
import time
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor, nn

from lightbox.devices import Compute
from lightbox.examples import Images
from lightbox.progress import Progress


class _Captured(Exception):  # noqa: N818 - control flow, not an error
    """Leaves the forward pass once the head's input is known."""


def ends_in(network: nn.Module, head: str, images: Images, compute: Compute) -> bool:
    """Tell whether the head's output is the network's: only then do vectors do.

    Args:
        network: The network, on the device.
        head: The name of its head.
        images: Where to take two images from.
        compute: Device and precision.

    Returns:
        False for SqueezeNet, say, which pools after its last convolution.
    """
    network.eval()
    seen: list[Tensor] = []
    hook = network.get_submodule(head).register_forward_hook(
        lambda module, inputs, output: seen.append(output)
    )
    with torch.inference_mode(), compute.autocast():
        output = network(images.batch(torch.arange(min(2, len(images.labels)))))
    hook.remove()
    return len(seen) == 1 and seen[0].ndim == 2 and torch.equal(seen[0], output)


def extract(
    network: nn.Module,
    head: str,
    images: Images,
    *,
    compute: Compute,
    batch_size: int,
    cache: Path,
    label: str,
) -> tuple[np.ndarray, float]:
    """Give the head's input for every image, from the cache where it is there.

    Args:
        network: The frozen network, on the device.
        head: The name of its head.
        images: All images.
        compute: Device and precision.
        batch_size: Images at a time.
        cache: The `.npy` file to keep them in; its name must say everything
            that the features depend on.
        label: What the progress bar says.

    Returns:
        Features (N, D), float32, and the seconds that they took to compute when
        they were computed.
    """
    sidecar = cache.with_suffix(".json")
    cache.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{cache}.lock"):
        if cache.exists() and sidecar.exists():
            features = np.load(cache, mmap_mode="r")
            return features, json.loads(sidecar.read_text())["seconds"]
        started = time.perf_counter()
        features = _forward(network, head, images, compute, batch_size, label)
        seconds = time.perf_counter() - started
        temporary = cache.with_suffix(".tmp.npy")
        np.save(temporary, features)
        temporary.replace(cache)
        sidecar.write_text(json.dumps({"seconds": seconds}))
    return features, seconds


def _forward(
    network: nn.Module,
    head: str,
    images: Images,
    compute: Compute,
    batch_size: int,
    label: str,
) -> np.ndarray:
    """Run every image through the backbone and keep what reaches the head."""
    network.eval()
    parts: list[np.ndarray] = []

    def capture(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        parts.append(inputs[0].float().cpu().numpy())
        raise _Captured

    hook = network.get_submodule(head).register_forward_pre_hook(capture)
    positions = torch.arange(len(images.labels))
    with Progress(label, len(positions), "images") as progress, torch.inference_mode():
        for chunk in positions.split(batch_size):
            try:
                with compute.autocast():
                    network(images.batch(chunk))
            except _Captured:
                progress.advance(len(chunk))
    hook.remove()
    return np.concatenate(parts)
