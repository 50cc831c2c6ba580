"""Histology tiles in the layout of the Kather set: eight tissue textures."""

import math
from collections.abc import Callable

import numpy as np
from PIL import Image
from scipy.ndimage import map_coordinates
from scipy.spatial import cKDTree

from lightbox.data.phantoms.drawing import (
    Canvas,
    Field,
    Item,
    Rng,
    blob,
    grid,
    noise,
    resize,
    step,
)

Stains = tuple[Field, Field]
SIDE = 150  # pixels
SHAPE = (SIDE, SIDE)


def _nuclei(
    rng: Rng,
    gap: float,
    radius: float,
    *,
    long: float = 1.0,
    along: float | None = None,
    where: Field | None = None,
) -> Field:
    """Scatter nuclei on a jittered lattice, (H, W) in [0, 1]; lengths in pixels.

    They point `along` an angle, None for any; `where` is their chance (H, W) to stay.
    """
    canvas = Canvas(SHAPE)
    lattice = np.arange(-gap / 2, SIDE + gap, gap)
    for nth, y0 in enumerate(lattice):
        for x0 in lattice + (nth % 2) * gap / 2:
            x, y = np.array([x0, y0]) + rng.normal(0, 0.22 * gap, 2)
            chance = rng.random()
            row, column = np.clip([y, x], 0, SIDE - 1).astype(int)
            if where is not None and chance > where[row, column]:
                continue
            angle = rng.uniform(0, 3.14) if along is None else rng.normal(along, 0.2)
            width = radius * rng.uniform(0.75, 1.25)
            outline = blob(rng, (x, y), (width * long, width), angle, 0.08)
            canvas.polygon(outline, rng.uniform(0.7, 1.0))
    return canvas.field()


def front(rng: Rng, share: float) -> Field:
    """Return 1 behind the wavy border of a tissue that takes a share of the tile."""
    y, x = grid(SHAPE)
    angle = rng.uniform(0, 2 * math.pi)
    depth = x * math.cos(angle) + y * math.sin(angle) + 0.25 * noise(rng, SHAPE, 30)
    return step((depth - np.quantile(depth, 1 - share)) / 0.03)


def _fibres(rng: Rng, angle: float, cell: float = 2.6) -> Field:
    """Return wavy parallel fibres, (H, W) of about unit variance."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    bend = 6 * noise(rng, SHAPE, 60)
    across = (x * np.sin(angle) - y * np.cos(angle) + bend) / cell
    along = (x * np.cos(angle) + y * np.sin(angle)) / (14 * cell)
    sheet = rng.standard_normal((256, 64), np.float32)
    return map_coordinates(sheet, [across, along], order=1, mode="grid-wrap") * 1.4


def _cells(rng: Rng, gap: float) -> tuple[Field, Field]:
    """Return the depth inside round cells and a level per cell, (H, W) each.

    The depth is 0 on the walls between neighbours and grows inwards, pixels.
    """
    lattice = np.stack(np.meshgrid(*[np.arange(-gap, SIDE + 2 * gap, gap)] * 2), -1)
    points = lattice.reshape(-1, 2) + rng.normal(0, 0.25 * gap, (lattice.size // 2, 2))
    # Looked up at half the resolution: the search is the slowest step.
    half = (SIDE // 2, SIDE // 2)
    y, x = np.mgrid[:SIDE:2, :SIDE:2]
    pixels = [x + noise(rng, half, 6), y + noise(rng, half, 6)]
    far, nearest = cKDTree(points).query(np.stack(pixels, -1), k=2)
    level = rng.random(len(points), np.float32)[nearest[..., 0]]
    depth = resize((far[..., 1] - far[..., 0]) / 2, SHAPE)
    return depth, level.repeat(2, 0).repeat(2, 1)


def _tumor(rng: Rng) -> Stains:
    crowd = np.clip(0.95 + 0.25 * noise(rng, SHAPE, 40), 0.3, 1)
    gap = rng.uniform(14, 19)
    nuclei = _nuclei(rng, gap, 0.40 * gap, long=1.35, where=crowd)
    grain = 0.75 + 0.3 * noise(rng, SHAPE, 2.5)
    gland = step((noise(rng, SHAPE, 45) - rng.uniform(1.0, 2.5)) / 0.1)
    blue = (0.30 + 0.85 * nuclei * grain) * (1 - gland)
    return blue, (0.42 + 0.08 * noise(rng, SHAPE, 6)) * (1 - 0.9 * gland)


def _stroma(rng: Rng) -> Stains:
    angle = rng.uniform(0, 3.14)
    fibres = _fibres(rng, angle)
    nuclei = _nuclei(
        rng, rng.uniform(24, 34), 3.2, long=2.8, along=angle, where=np.full(SHAPE, 0.7)
    )
    cleft = step((-fibres + noise(rng, SHAPE, 25) - 2.3) / 0.4)
    blue = (0.10 + 0.05 * fibres + 0.85 * nuclei) * (1 - cleft)
    return blue, np.clip(0.62 + 0.17 * fibres, 0.1, None) * (1 - 0.9 * cleft)


def _complex(rng: Rng) -> Stains:
    angle = rng.uniform(0, 3.14)
    fibres = _fibres(rng, angle, 3.5)
    crowd = np.clip(0.45 + 0.35 * noise(rng, SHAPE, 35), 0.05, 1)
    small = _nuclei(rng, rng.uniform(12, 16), 3.6, where=crowd)
    large = _nuclei(rng, 30, 6.5, long=1.4, where=1 - crowd)
    nuclei = np.maximum(small, 0.6 * large)
    blue = 0.18 + 0.06 * fibres + 0.9 * nuclei
    return blue, 0.5 + 0.12 * fibres


def _lympho(rng: Rng) -> Stains:
    gap = rng.uniform(9.5, 12)
    crowd = np.clip(1.05 + 0.2 * noise(rng, SHAPE, 30), 0.4, 1)
    nuclei = _nuclei(rng, gap, 0.43 * gap, where=crowd)
    open_ground = np.clip(0.55 + 0.4 * noise(rng, SHAPE, 20), 0.05, 1)
    blue = 0.20 * open_ground + nuclei * (0.95 + 0.15 * noise(rng, SHAPE, 3))
    return blue, 0.25 * open_ground + 0.1 * nuclei


def _debris(rng: Rng) -> Stains:
    ragged = _fibres(rng, rng.uniform(0, 3.14), 4.5)
    lumps = noise(rng, SHAPE, 28) + 0.5 * noise(rng, SHAPE, 9)
    solid = step((lumps + rng.uniform(-0.3, 0.9)) / 0.35)
    dots = _nuclei(rng, 20, 2.6, long=1.5, where=0.5 * solid)
    blue = solid * (0.16 + 0.10 * np.abs(noise(rng, SHAPE, 5))) + 0.9 * dots
    return blue, 0.05 + solid * (0.5 + 0.13 * ragged + 0.12 * noise(rng, SHAPE, 7))


def _mucosa(rng: Rng) -> Stains:
    depth, level = _cells(rng, rng.uniform(24, 36))
    goblet = step((depth - 2.6) / 1.2) * (level < rng.uniform(0.6, 0.95))
    web = np.abs(noise(rng, SHAPE, 3))
    wall = 1 - goblet
    nuclei = _nuclei(rng, 13, 4.0, long=1.5, where=0.8 * wall)
    blue = 0.12 + 0.24 * wall + goblet * 0.10 * web + 0.8 * nuclei * wall
    return blue, 0.40 * wall + goblet * (0.10 + 0.07 * web)


def _adipose(rng: Rng) -> Stains:
    depth, level = _cells(rng, rng.uniform(48, 85))
    wall = step((rng.uniform(1.2, 3.0) * (0.6 + level) - depth) / 1.2)
    fold = step((noise(rng, SHAPE, 40) - 1.5) / 0.15)
    nuclei = _nuclei(rng, 26, 2.8, long=2.2, where=0.6 * wall)
    blue = 0.10 * wall + 0.06 * fold + 0.8 * nuclei
    return blue, 0.01 + 0.20 * wall * (1 + 0.4 * noise(rng, SHAPE, 8)) + 0.08 * fold


def _empty(rng: Rng) -> Stains:
    specks = _nuclei(rng, 45, 1.3, where=np.full(SHAPE, 0.25))
    film = np.clip(noise(rng, SHAPE, 70), 0, None)
    return 0.25 * specks, 0.012 * film + 0.1 * specks


# Each draws the densities of haematoxylin and eosin.
TISSUES: dict[str, Callable[[Rng], Stains]] = {
    "01_TUMOR": _tumor,
    "02_STROMA": _stroma,
    "03_COMPLEX": _complex,
    "04_LYMPHO": _lympho,
    "05_DEBRIS": _debris,
    "06_MUCOSA": _mucosa,
    "07_ADIPOSE": _adipose,
    "08_EMPTY": _empty,
}
CLASSES = tuple(TISSUES)
TILES_PER_CLASS = 60
SLIDES = 10
MIXED = 0.5  # share of the tiles that show two tissues
# Optical density per unit of stain and channel (red, green, blue), near those of
# Ruifrok and Johnston 2001, the eosin as red as in the published tiles; every
# slide turns them a little.
HAEMATOXYLIN = np.array([0.65, 0.70, 0.29], np.float32)
EOSIN = np.array([0.16, 0.92, 0.42], np.float32)


def plan(rng: Rng, scale: float) -> list[Item]:
    """Lay out slides and tiles: every slide has tiles of every class."""
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


def draw(item: Item, subject: Rng, rng: Rng) -> Image.Image:
    """Draw one RGB tile stained with haematoxylin and eosin.

    Stain colour and strength belong to the slide; texture and staining depth
    of the spot belong to the tile.
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
