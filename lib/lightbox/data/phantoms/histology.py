"""Histology tiles in the layout of the Kather set: eight tissue textures."""

import numpy as np
from PIL import Image

from lightbox.data.phantoms.textures import Item
from lightbox.data.phantoms.tissues import TISSUES, front

CLASSES = tuple(TISSUES)
TILES_PER_CLASS = 60
SLIDES = 10
MIXED = 0.5  # share of the tiles that show two tissues

# Optical density per unit of stain and channel (red, green, blue), near those of
# Ruifrok and Johnston 2001, the eosin as red as in the published tiles; every
# slide turns them a little.
HAEMATOXYLIN = np.array([0.65, 0.70, 0.29], np.float32)
EOSIN = np.array([0.16, 0.92, 0.42], np.float32)


def plan(rng: np.random.Generator, scale: float) -> list[Item]:
    """Lay out slides and tiles: every slide has tiles of every class.

    Args:
        rng: Source of randomness.
        scale: Multiplies the tiles per class.

    Returns:
        The images to draw; `spec` is (class,), `subject` the slide.
    """
    tiles = max(round(TILES_PER_CLASS * scale), 1)
    items = []
    for name in CLASSES:
        for nth in range(tiles):
            slide = (nth + CLASSES.index(name)) % SLIDES + 1
            code = 0x10A00 + len(items)
            row, column = (1 + 150 * rng.integers(0, 14, 2)).tolist()
            region = rng.integers(1, 33)
            file = f"{code:X}_CRC-Prim-HE-{slide:02d}_{region:03d}.tif"
            path = f"{name}/{file}_Row_{row}_Col_{column}.tif"
            items.append(Item(path, len(items), slide, (name,)))
    return items


def draw(
    item: Item, subject: np.random.Generator, rng: np.random.Generator
) -> Image.Image:
    """Draw one tile stained with haematoxylin and eosin.

    Stain colour and strength belong to the slide; texture and staining depth
    of the spot belong to the tile.

    Args:
        item: What to draw.
        subject: The slide's random stream.
        rng: The tile's random stream.

    Returns:
        Mode RGB, 150 x 150 px.
    """
    (name,) = item.spec
    blue, pink = TISSUES[name](rng)
    if rng.random() < MIXED:
        # A neighbouring tissue comes in from one side and stays the smaller part.
        other = TISSUES[CLASSES[rng.integers(len(CLASSES))]](rng)
        behind = front(rng, rng.uniform(0.05, 0.35))
        blue = blue + behind * (other[0] - blue)
        pink = pink + behind * (other[1] - pink)
    colours = np.stack([HAEMATOXYLIN, EOSIN])
    colours = colours * (1 + subject.normal(0, 0.10, (2, 3)))
    # Some slides are more violet, some more red.
    colours[1] += HAEMATOXYLIN * subject.uniform(-0.05, 0.30)
    colours = colours.astype(np.float32)
    strength = subject.uniform(0.8, 1.25, 2) * rng.uniform(0.5, 1.6, 2)
    stains = np.stack([blue, pink], -1) * strength
    density = np.clip(stains, 0, None) @ colours
    lamp = np.array([0.97, 0.965, 0.975]) - subject.uniform(0, 0.05, 3)
    tile = lamp * np.exp(-density)
    tile += 0.012 * rng.standard_normal(tile.shape, np.float32)
    return Image.fromarray((np.clip(tile, 0, 1) * 255).astype(np.uint8))
