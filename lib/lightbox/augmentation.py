"""Light augmentation, drawn per image and done in one pass on the device."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

DEGREES, SHIFT, ZOOM, BRIGHTNESS = 7.0, 0.04, 0.05, 0.10


def light(images: Tensor) -> Tensor:
    """Turn, shift, zoom, mirror and brighten each image a little, each differently.

    Up to 7 degrees, 4 % of the side, 5 % of the size, a mirror image in half of the
    cases, and 10 % of a standard deviation of brightness: what a radiograph or a
    tile may show without changing its diagnosis. Borders repeat.

    Args:
        images: (N, C, H, W), normalised.

    Returns:
        (N, C, H, W), new values; the dice are torch's, so a seed fixes them.
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
