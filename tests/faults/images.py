"""Forty small images of two classes, for whatever needs a data folder."""

from pathlib import Path

import numpy as np
from PIL import Image


def make_folder(root: Path, *, train: int = 20, test: int = 6, side: int = 16) -> Path:
    """Draw images of two classes that differ in which half is bright.

    Args:
        root: Where.
        train: Images of each class to train on.
        test: Images of each class to test on.
        side: Pixels.

    Returns:
        `root`, with `<split>/<class>/*.png` in it.
    """
    draw = np.random.default_rng(0)
    for split, count in {"train": train, "test": test}.items():
        for label in ("dark", "light"):
            (root / split / label).mkdir(parents=True)
            for i in range(count):
                pixels = draw.integers(0, 120, (side, side), dtype=np.uint8)
                pixels[: side // 2] += 100 if label == "light" else 0
                Image.fromarray(pixels).save(root / split / label / f"{label}{i}.png")
    return root
