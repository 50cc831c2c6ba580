"""Chest radiographs in the layout of the Kermany set: NORMAL or PNEUMONIA."""

import math

import numpy as np
from PIL import Image

from lightbox.data.phantoms import thorax
from lightbox.data.phantoms.textures import (
    Canvas,
    Field,
    Item,
    grid,
    noise,
    resize,
)

# Per kind: class folder, file name, and (split, images, images per patient) in
# the order in which the numbers are given out. Proportions, images per patient
# and the overlap of bare numbers follow the published set: bacterial and viral
# patients are counted apart, so `person12` in train and in test are two people.
KINDS = {
    "IM": (
        "NORMAL",
        "IM-{n:04d}-0001{more}",
        (("test", 35, 1.06), ("train", 153, 1.15)),
    ),
    "NORMAL2-IM": (
        "NORMAL",
        "NORMAL2-IM-{n:04d}-0001{more}",
        (("test", 82, 1.03), ("train", 185, 1.07), ("val", 8, 1.0)),
    ),
    "bacteria": (
        "PNEUMONIA",
        "person{n}_bacteria_{k}",
        (("train", 625, 1.87), ("test", 121, 3.0), ("val", 8, 1.0)),
    ),
    "virus": (
        "PNEUMONIA",
        "person{n}_virus_{k}",
        (("test", 74, 1.17), ("train", 337, 1.23)),
    ),
}
DUPLICATES_PER_IMAGE = 1 / 150  # byte-identical pairs, train and test
WORK_WIDTH = 128  # pixels; drawn at this width, then resampled


def plan(rng: np.random.Generator, scale: float) -> list[Item]:
    """Lay out patients and files.

    Args:
        rng: Source of randomness.
        scale: Multiplies the images of train and test; val always has 8 + 8.

    Returns:
        The images to draw; `spec` is (kind,), `subject` the patient.
    """
    items: list[Item] = []
    patient = 0
    for kind, (label, name, splits) in KINDS.items():
        number, image = 0, 0
        for split, count, per_patient in splits:
            left = count if split == "val" else max(round(count * scale), 1)
            copies = 0 if split == "val" else round(left * DUPLICATES_PER_IMAGE)
            while left:
                number += 1 + (rng.random() < 0.1)  # some numbers are missing
                patient += 1
                images = min(1 + rng.poisson(per_patient - 1), left)
                left -= images
                first = len(items)
                for nth in range(images):
                    image += 1
                    more = f"-{nth + 1:04d}" if nth else ""
                    stem = name.format(n=number, k=image, more=more)
                    stream = len(items)
                    if copies and nth == 1:
                        stream, copies = first, copies - 1
                    path = f"{split}/{label}/{stem}.jpeg"
                    items.append(Item(path, stream, patient, (kind,)))
    return items


def draw(
    item: Item, subject: np.random.Generator, rng: np.random.Generator
) -> Image.Image:
    """Draw one frontal radiograph.

    Anatomy (proportions, heart, ribs) belongs to the patient; position,
    inspiration, exposure, grain and the disease belong to the image.

    Args:
        item: What to draw.
        subject: The patient's random stream.
        rng: The image's random stream.

    Returns:
        Mode L, 160 to 224 px wide, of varying aspect.
    """
    width = int(rng.integers(160, 225))
    height = int(np.clip(width * rng.uniform(0.72, 1.0), 160, 224))
    shape = (round(WORK_WIDTH * height / width), WORK_WIDTH)
    (kind,) = item.spec

    y, x = grid(shape)
    angle = rng.normal(0, 0.045)
    size = rng.uniform(0.88, 1.12) * subject.uniform(0.94, 1.06)
    x, y = x - rng.normal(0, 0.07), y - rng.normal(0.10, 0.06)
    cos, sin = math.cos(angle), math.sin(angle)
    u = (cos * x + sin * y) / (size * rng.uniform(0.95, 1.08))
    v = (cos * y - sin * x) / size

    lungs, abdomen = thorax.lungs(u, v, subject, rng)
    body = thorax.body(u, v, subject, rng)
    bones = thorax.bones(u, v, lungs, subject)
    heart = thorax.heart(u, v, subject)
    inside = thorax.markings(u, v, rng)
    if KINDS[kind][0] == "PNEUMONIA":
        # A consolidated lung is as dense as soft tissue, never denser.
        inside = np.minimum(inside + thorax.pneumonia(kind, u, v, rng), 0.95)

    air = lungs * (1 - 0.75 * heart)
    scatter = 0.10 * noise(rng, shape, 70)
    soft = body * (1.25 + 0.35 * abdomen + 0.30 * heart + scatter)
    attenuation = soft - air * (0.88 - inside) + bones * body
    shade = 1 - np.exp(-1.05 * np.clip(attenuation, 0, None))
    return _expose(shade, (height, width), rng)


def _expose(
    shade: Field, size: tuple[int, int], rng: np.random.Generator
) -> Image.Image:
    """Turn shade in [0, 1] into a film: marker, leads, exposure, grain."""
    extras = Canvas(shade.shape)
    h, w = shade.shape
    at = np.array([rng.uniform(0.02, 0.06) * w, rng.uniform(0.05, 0.6) * h])
    letter = np.array([[0, 6], [0, 0], [3, 0], [4, 1.5], [3, 3], [0, 3], [4, 6]])
    extras.stroke(at + letter * rng.uniform(0.9, 1.5), 1.0)
    if rng.random() < 0.3:
        t = np.linspace(0, 1, 12)
        ends = rng.uniform(0, 1, (2, 2)) * (w, h)
        wave = np.sin(t * rng.uniform(2, 6))[:, None] * rng.normal(0, 9, 2)
        extras.stroke(ends[0] + (ends[1] - ends[0]) * t[:, None] + wave, 1, 0.7)
    shade = np.maximum(shade, 0.9 * extras.field())
    low, high = rng.uniform(0.0, 0.12), rng.uniform(0.86, 1.08)
    film = np.clip((shade - low) / (high - low), 0, 1) ** rng.uniform(0.75, 1.5)
    film = resize(film, size) * rng.uniform(0.82, 1.0) + rng.uniform(0, 0.06)
    film = film + rng.uniform(0.006, 0.02) * rng.standard_normal(size, np.float32)
    return Image.fromarray((np.clip(film, 0, 1) * 255).astype(np.uint8))
