"""Batches straight from memory, and their light augmentation on the device."""

import math
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lightbox.networks.weights import Preprocessing

DEGREES, SHIFT, ZOOM, BRIGHTNESS = 7.0, 0.04, 0.05, 0.10


def light(images: Tensor) -> Tensor:
    """Turn, shift, zoom, mirror and brighten each image a little, each differently.

    Up to 7 degrees, 4 % of the side, 5 % of the size, a mirror image in half of the
    cases, and 10 % of a standard deviation of brightness: what a radiograph or a
    tile may show without changing its diagnosis. Borders repeat.

    Args:
        images: (N, C, H, W), normalised. The dice are torch's, so a seed fixes them.
    """
    count, draw = len(images), torch.rand(len(images), 6) * 2 - 1
    angle = draw[:, 0] * math.radians(DEGREES)
    zoom = 1 + draw[:, 1] * ZOOM
    mirror = torch.where(draw[:, 2] < 0, -1.0, 1.0)
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0], theta[:, 0, 1] = mirror * zoom * angle.cos(), -zoom * angle.sin()
    theta[:, 1, 0], theta[:, 1, 1] = mirror * zoom * angle.sin(), zoom * angle.cos()
    theta[:, :, 2] = draw[:, 3:5] * 2 * SHIFT  # coordinates run from -1 to 1
    grid = F.affine_grid(theta.to(images.device), list(images.shape), False)
    moved = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    brightness = draw[:, 5].view(-1, 1, 1, 1) * BRIGHTNESS
    moved = moved + brightness.to(images.device)
    return moved.contiguous(memory_format=torch.channels_last)


CHUNK = 64  # images read at a time outside of batches; bounds memory
# Of a GPU's free memory that the images may take: network, activations and the
# optimizer need the rest.
RESIDENT_SHARE = 0.3


class Examples(Protocol):
    """What a training loop reads: inputs and labels by position."""

    labels: Tensor

    def batch(self, positions: Tensor) -> Tensor:
        """Give the inputs at `positions` (B,), on the device."""
        ...


class Images:
    """Normalised image batches gathered from the decoded uint8 array.

    Nothing but a batch is held in memory: the array may be larger than it. On a
    GPU with room, the bytes are copied there once and gathered there; otherwise a
    batch travels from page-locked memory while the device computes.

    Args:
        pixels: (N, H, W, C), uint8, memory-mapped or not.
        labels: (N,), int64 class indices.
        preprocessing: Mean and standard deviation; where they are None, those of
            the training images are used.
        train: Positions of the training images, for that.
        device: Where batches go.
    """

    def __init__(
        self,
        pixels: np.ndarray,
        labels: np.ndarray,
        preprocessing: Preprocessing,
        *,
        train: np.ndarray,
        device: str,
    ):
        self.pixels, self.device = pixels, device
        self.labels = torch.tensor(labels, dtype=torch.int64).to(device)
        mean, std = preprocessing.mean, preprocessing.std
        if mean is None or std is None:
            mean, std = channel_statistics(pixels, train)
        self.mean, self.std = tuple(mean), tuple(std)
        # (x / 255 - mean) / std as one multiply and one add.
        scale = 1.0 / (255.0 * torch.tensor(self.std))
        shift = -torch.tensor(self.mean) / torch.tensor(self.std)
        self._scale = scale.view(1, -1, 1, 1).to(device)
        self._shift = shift.view(1, -1, 1, 1).to(device)
        self._resident = _resident(pixels) if device == "cuda" else None

    def batch(self, positions: Tensor) -> Tensor:
        """Gather and normalise images at `positions` (B,), which are on the CPU.

        Returns:
            (B, C, H, W), float32, channels last, on the device.
        """
        if self._resident is not None:
            chunk = self._resident[positions.to(self.device, non_blocking=True)]
        else:
            chunk = torch.from_numpy(self.pixels[positions.numpy()])
            if self.device == "cuda":
                chunk = chunk.pin_memory()  # else the copy waits for the device
            chunk = chunk.to(self.device, non_blocking=True)
        # The array is NHWC already, so the permuted view is channels_last.
        images = chunk.permute(0, 3, 1, 2).to(torch.float32)
        return images.mul_(self._scale).add_(self._shift)


class Vectors:
    """Features (N, D) in memory, read like images."""

    def __init__(self, features: np.ndarray, labels: Tensor, *, device: str):
        self.labels = labels
        self._features = torch.from_numpy(np.array(features)).to(device)

    def batch(self, positions: Tensor) -> Tensor:
        """Give the features (B, D) at `positions` (B,)."""
        return self._features[positions.to(self._features.device)]


def channel_statistics(
    pixels: np.ndarray, train: np.ndarray
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Take each channel's mean and standard deviation over the training images.

    Args:
        pixels: (N, H, W, C), uint8.

    Returns:
        Means and standard deviations, each of length C, in [0, 1]; a constant
        channel gets a deviation of 1/255, so that nothing is divided by zero.
    """
    channels = pixels.shape[-1]
    counts = np.zeros((channels, 256), dtype=np.int64)
    for start in range(0, len(train), CHUNK):
        chunk = pixels[train[start : start + CHUNK]]
        for channel in range(channels):
            values = chunk[..., channel].ravel()
            counts[channel] += np.bincount(values, minlength=256)
    # Sums over counted bytes are exact and need no image in floating point.
    share = counts / counts.sum(axis=1, keepdims=True)
    levels = np.arange(256) / 255
    mean = share @ levels
    std = np.sqrt(np.maximum(share @ levels**2 - mean**2, (1 / 255) ** 2))
    return tuple(map(float, mean)), tuple(map(float, std))


def _resident(pixels: np.ndarray) -> Tensor | None:
    """Copy the images to the GPU, or give None where they would crowd it."""
    free, _ = torch.cuda.mem_get_info()
    if pixels.nbytes > RESIDENT_SHARE * free:
        return None
    there = torch.empty(pixels.shape, dtype=torch.uint8, device="cuda")
    for start in range(0, len(pixels), CHUNK):
        chunk = np.ascontiguousarray(pixels[start : start + CHUNK])
        there[start : start + CHUNK] = torch.tensor(chunk)
    return there
