"""Building blocks of the generated images: soft edges, noise, strokes, encoding."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Field = NDArray[np.float32]  # (H, W) unless said otherwise
Rng = np.random.Generator

# TIFF tiles stay uncompressed like the published ones; PNG at level 1 because
# grain does not compress and the level is paid in time.
ENCODING: dict[str, dict[str, Any]] = {
    ".jpeg": {"quality": 92},
    ".tif": {},
    ".png": {"compress_level": 1},
}


@dataclass(frozen=True)
class Item:
    """One image to draw.

    Attributes:
        path: Where it goes, relative to the set's folder.
        stream: Number of its random stream; two items with the same stream,
            subject and spec are the same picture.
        subject: Number of the random stream that it shares with the other
            images of its patient, slide or camera.
        spec: What is to be drawn: kind, class name, conditions or size.
    """

    path: str
    stream: int
    subject: int
    spec: tuple[Any, ...]


def save(image: Image.Image, path: Path) -> None:
    """Write an image in the format that its suffix names."""
    image.save(path, **ENCODING[path.suffix])


def step(x: Field) -> Field:
    """Rise smoothly from 0 to 1 while `x` goes from -1 to 1: smoothstep."""
    t = np.clip(x * 0.5 + 0.5, 0, 1)
    return t * t * (3 - 2 * t)


def resize(field: Field, shape: tuple[int, int]) -> Field:
    """Resample a field (H, W) of any range with bicubic interpolation, float32."""
    source = Image.fromarray(np.asarray(field, np.float32))
    return np.asarray(source.resize(shape[::-1], Image.Resampling.BICUBIC))


def noise(rng: Rng, shape: tuple[int, int], cell: float, stretch: float = 1.0) -> Field:
    """Draw smooth noise of about unit variance and grains of `cell` pixels, float32."""
    rows = int(shape[0] / cell) + 3
    columns = int(shape[1] / (cell * stretch)) + 3
    coarse = rng.standard_normal((rows, columns), dtype=np.float32)
    # Bicubic interpolation of white noise keeps about 0.6 of its variance.
    return resize(coarse, shape) * np.float32(1.3)


def grid(shape: tuple[int, int]) -> tuple[Field, Field]:
    """Return centred pixel coordinates, one unit being half the image's height.

    Returns:
        `y` (H, 1) in [-1, 1] downwards and `x` (1, W) rightwards, float32.
    """
    height, width = shape
    y = (np.arange(height, dtype=np.float32) + 0.5) * 2 / height - 1
    x = (np.arange(width, dtype=np.float32) * 2 + 1 - width) / height
    return y[:, None], x[None, :]


class Canvas:
    """Hard shapes drawn at twice the resolution and averaged down.

    Points are (N, 2) as x, y, and widths, in pixels of the result; levels in [0, 1].
    """

    def __init__(self, shape: tuple[int, int]):
        self._image = Image.new("L", (shape[1] * 2, shape[0] * 2))
        self._draw = ImageDraw.Draw(self._image)

    def polygon(self, points: NDArray[Any], value: float = 1.0) -> None:
        """Fill a closed outline."""
        self._draw.polygon((points * 2).ravel().tolist(), fill=round(value * 255))

    def stroke(self, points: NDArray[Any], width: float, value: float = 1.0) -> None:
        """Draw a line through points."""
        flat = (points * 2).ravel().tolist()
        thick = max(round(width * 2), 1)
        self._draw.line(flat, fill=round(value * 255), width=thick, joint="curve")

    def field(self) -> Field:
        """Return what was drawn, (H, W) float32 in [0, 1]."""
        return np.asarray(self._image.reduce(2), np.float32) / np.float32(255)


def blob(
    rng: Rng,
    centre: tuple[float, float],
    radii: tuple[float, float],
    angle: float,
    ragged: float = 0.1,
) -> NDArray[Any]:
    """Outline an ellipse with a wavy edge, (16, 2) corners; all as x, y in pixels."""
    turn = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    wave = 1 + ragged * np.sin(turn * rng.integers(2, 5) + rng.uniform(0, 6.28))
    x, y = radii[0] * wave * np.cos(turn), radii[1] * wave * np.sin(turn)
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([centre[0] + x * cos - y * sin, centre[1] + x * sin + y * cos], 1)
