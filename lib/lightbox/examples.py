"""Batches straight from memory: no worker process, no per-image transform."""

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from lightbox.weights import Preprocessing

CHUNK = 512  # images converted at a time where the mean is taken; bounds memory


class Examples(Protocol):
    """What a training loop reads: inputs and labels by position."""

    labels: Tensor

    def batch(self, positions: Tensor) -> Tensor:
        """Give the inputs at `positions` (B,), on the device."""
        ...


class Images:
    """Normalised image batches gathered from the decoded uint8 array.

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

    def batch(self, positions: Tensor) -> Tensor:
        """Gather and normalise.

        Args:
            positions: (B,), int64, on the CPU.

        Returns:
            Images (B, C, H, W), float32, channels last, on the device.
        """
        chunk = torch.from_numpy(self.pixels[positions.numpy()])
        chunk = chunk.to(self.device, non_blocking=True)
        # The array is NHWC already, so the permuted view is channels_last.
        images = chunk.permute(0, 3, 1, 2).to(torch.float32)
        return images.mul_(self._scale).add_(self._shift)


class Vectors:
    """Features in memory, read like images.

    Args:
        features: (N, D), float32.
        labels: (N,), int64, on the device.
        device: Where batches go.
    """

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
        train: Positions of the training images.

    Returns:
        Means and standard deviations, each of length C, in [0, 1]; a constant
        channel gets a deviation of 1/255, so that nothing is divided by zero.
    """
    total = squares = np.zeros(pixels.shape[-1])
    for start in range(0, len(train), CHUNK):
        chunk = pixels[train[start : start + CHUNK]] / 255.0
        total = total + chunk.sum(axis=(0, 1, 2))
        squares = squares + np.square(chunk).sum(axis=(0, 1, 2))
    count = len(train) * pixels.shape[1] * pixels.shape[2]
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, (1 / 255) ** 2))
    return tuple(map(float, mean)), tuple(map(float, std))
