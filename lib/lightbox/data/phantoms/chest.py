"""Chest radiographs in the layout of the Kermany set: NORMAL or PNEUMONIA.

Each part of the body is a field (H, W) over `u`, sideways from the spine, and `v`,
downwards from the middle of the chest, 1 being about the chest's half-width. What is
drawn from the random stream `patient` all images of a patient share.
"""

import math
from collections import Counter

import numpy as np
from PIL import Image

from lightbox.data.phantoms.drawing import (
    Canvas,
    Field,
    Item,
    Rng,
    grid,
    noise,
    resize,
    step,
)


def draw_lungs(u: Field, v: Field, patient: Rng, image: Rng) -> tuple[Field, Field]:
    """Return the masks of the lungs and of the abdomen below them, [0, 1]."""
    top = patient.normal(-0.80, 0.03)
    wide = patient.normal(0.80, 0.025)
    breath = image.normal(0.0, 0.06)  # inspiration moves the diaphragm
    narrow = patient.normal(0.15, 0.02)
    air = np.zeros_like(u)
    below = np.zeros_like(u)
    for side in (-1, 1):
        p = u * side
        base = 0.56 + breath + 0.05 * side + patient.normal(0, 0.02)
        q = np.clip((v - top) / (base - top), 0, 1.4)
        outer = 0.30 + (wide - 0.30) * np.sqrt(q * (1.75 - 0.75 * np.minimum(q, 1)))
        inner = 0.30 - (0.30 - narrow) * np.sqrt(q)
        dome = base - 0.16 * (1 - ((p - 0.36) / 0.42) ** 2)
        under = step((v - dome) / 0.025)
        mask = step((outer - p) / 0.035) * step((p - inner) / 0.05)
        air += mask * (1 - under) * step((v - top) / 0.05)
        below += under * (p >= 0)
    return air, below


def draw_body(u: Field, v: Field, patient: Rng, image: Rng) -> Field:
    """Return the thickness of trunk, arms, neck and chin, about 1 in the trunk."""
    waist = patient.normal(0.90, 0.025) + patient.uniform(0.0, 0.06)
    edge = waist + 0.05 * np.sin(2.2 * v + 0.5)
    p = np.abs(u)
    thick = np.clip(1 - (p / edge) ** 4, 0, 1)
    # The shoulders slope from the neck down to the arms.
    slope = -1.02 + 0.42 * p * p + 0.5 * np.clip(0.22 - p, 0, 1)
    trunk = step((edge - p) / 0.03) * (0.55 + 0.45 * thick) * step((v - slope) / 0.04)
    neck = step((0.26 - p) / 0.05) * step((-0.75 - v) / 0.1)
    tissue = np.maximum(trunk, 0.85 * neck)
    lift = image.uniform(-1.2, 0.7)  # arms hang, or are held up
    for side in (-1, 1):
        turn = lift + image.normal(0, 0.15)
        du, dv = u - side * 0.74, v + 0.66
        cos, sin = side * math.cos(turn), -math.sin(turn)
        along = np.clip(du * cos + dv * sin, 0, 1.2)
        away = np.hypot(du - along * cos, dv - along * sin)
        girth = 0.19 - 0.04 * along
        arm = 0.50 * step((girth - away) / 0.03) * (1 - 0.25 * (away / girth) ** 2)
        arm += 0.16 * step((0.055 - away) / 0.02) * step((along - 0.04) / 0.05)
        tissue = np.maximum(tissue, arm)
    chin = np.hypot(u / 0.34, (v + 1.36 + patient.uniform(-0.05, 0.12)) / 0.30)
    return np.maximum(tissue, 1.15 * step((1 - chin) / 0.1))


def draw_bones(u: Field, v: Field, air: Field, patient: Rng) -> Field:
    """Return what spine, ribs and collar bones attenuate on top of the soft tissue."""
    gap = patient.normal(0.150, 0.008)
    shift = patient.uniform(0, 1)
    p = np.abs(u)
    disc = 0.75 + 0.25 * np.cos(2 * np.pi * (v / (0.8 * gap) + shift))
    spine = step((0.105 - p) / 0.03) * disc * 0.5
    cage = step((0.86 - p) / 0.03) * step((v + 0.92) / 0.1) * step((0.75 - v) / 0.2)
    cage *= step((p - 0.08) / 0.04) * (0.35 + 0.65 * np.clip(air + p * p, 0, 1))
    back = np.cos(2 * np.pi * ((v + 0.16 * p - 0.62 * p * p) / gap + shift))
    ribs = step((back - 0.45) / 0.35) * (0.22 + 0.28 * p * p)
    front = np.cos(2 * np.pi * ((v + 0.50 * p) / (1.25 * gap) + shift))
    ribs += step((front - 0.6) / 0.3) * 0.07 * step((p - 0.35) / 0.1)
    slope = patient.normal(0.22, 0.05)
    collar = step((0.030 - np.abs(v + 0.74 + slope * (p - 0.1) * (1.2 - p))) / 0.015)
    collar *= step((p - 0.10) / 0.03) * step((0.72 - p) / 0.05) * 0.28
    return spine + ribs * cage + collar


def draw_heart(u: Field, v: Field, patient: Rng) -> Field:
    """Return the mask of the heart and the great vessels, [0, 1]."""
    size = patient.normal(1.0, 0.09)
    du, dv = u - 0.12, v - 0.22
    tilt = patient.normal(0.75, 0.1)
    cos, sin = math.cos(tilt), math.sin(tilt)
    a = (du * cos + dv * sin) / (0.50 * size)
    b = (dv * cos - du * sin) / (0.33 * size)
    muscle = step((1 - np.hypot(a, b)) / 0.12)
    arch = np.hypot((u - 0.04) / 0.24, (v + 0.30) / 0.42)
    return np.maximum(muscle, 0.9 * step((1 - arch) / 0.15))


def markings(u: Field, v: Field, image: Rng) -> Field:
    """Return what the lungs' vessels attenuate, strongest at the hila."""
    reach = np.hypot((np.abs(u) - 0.22) / 0.28, (v + 0.02) / 0.32)
    web = np.abs(noise(image, u.shape, 5)) * 0.6
    web = web + np.abs(noise(image, u.shape, 2.5)) * 0.5
    near = np.exp(-reach * reach * 0.7)
    return (0.05 + 0.14 * image.uniform(0.6, 1.3) * near) * web + 0.10 * near


def pneumonia(kind: str, u: Field, v: Field, image: Rng) -> Field:
    """Return an opacity's attenuation: lobar or patchy (bacteria), diffuse (virus)."""
    rough = noise(image, u.shape, 9)
    fine = noise(image, u.shape, 3.5)
    if kind == "virus":
        reach = np.hypot((np.abs(u) - 0.32) / 0.36, (v + 0.02) / 0.45)
        sides = step((u * _side(image) + image.uniform(-0.1, 0.9)) / 0.3)
        haze = np.exp(-reach * reach) * (0.48 + 0.20 * rough) + 0.10 * np.abs(fine)
        return np.clip(haze, 0, None) * sides * image.uniform(0.85, 1.35)
    side = _side(image)
    cu, cv = side * image.uniform(0.28, 0.58), image.uniform(-0.45, 0.42)
    if image.random() < 0.55:
        far = np.hypot((u - cu) / image.uniform(0.8, 1.3), v - cv)
        edge = image.uniform(0.23, 0.40) - far + 0.06 * rough
        dense = step(edge / image.uniform(0.06, 0.14)) * (0.85 + 0.12 * fine)
        return dense * image.uniform(0.62, 0.95)
    patches = np.zeros_like(u)
    for _ in range(image.integers(3, 8)):
        du, dv = image.normal(cu, 0.17), image.normal(cv, 0.24)
        r = image.uniform(0.09, 0.17)
        patches += np.exp(-((u - du) ** 2 + (v - dv) ** 2) / (r * r))
    solid = np.clip(patches, 0, 1.2) * (0.8 + 0.25 * rough)
    return np.clip(solid, 0, None) * image.uniform(0.70, 1.1)


def _side(image: Rng) -> int:
    """Choose left (-1) or right (1); a plain int keeps arrays float32."""
    return 1 - 2 * int(image.integers(2))


# Class folder and file name.
KINDS = {
    "IM": ("NORMAL", "IM-{n:04d}-0001{more}"),
    "NORMAL2-IM": ("NORMAL", "NORMAL2-IM-{n:04d}-0001{more}"),
    "bacteria": ("PNEUMONIA", "person{n}_bacteria_{k}"),
    "virus": ("PNEUMONIA", "person{n}_virus_{k}"),
}
# Kind, split, images, images per patient, in the order in which the numbers are
# given out. Proportions, images per patient and the overlap of bare numbers follow
# the published set: bacterial and viral patients are counted apart, so `person12`
# in train and in test are two people.
COUNTS = (
    ("IM", "test", 35, 1.06),
    ("IM", "train", 153, 1.15),
    ("NORMAL2-IM", "test", 82, 1.03),
    ("NORMAL2-IM", "train", 185, 1.07),
    ("NORMAL2-IM", "val", 8, 1.0),
    ("bacteria", "train", 625, 1.87),
    ("bacteria", "test", 121, 3.0),
    ("bacteria", "val", 8, 1.0),
    ("virus", "test", 74, 1.17),
    ("virus", "train", 337, 1.23),
)
DUPLICATES_PER_IMAGE = 1 / 150  # byte-identical pairs, train and test
WORK_WIDTH = 128  # pixels; drawn at this width, then resampled


def plan(rng: Rng, scale: float) -> list[Item]:
    """Lay out patients and files; val always has 8 + 8 images."""
    items: list[Item] = []
    patient, numbers, drawn = 0, Counter(), Counter()
    for kind, split, count, per_patient in COUNTS:
        label, name = KINDS[kind]
        left = count if split == "val" else max(round(count * scale), 1)
        copies = 0 if split == "val" else round(left * DUPLICATES_PER_IMAGE)
        while left:
            numbers[kind] += 1 + (rng.random() < 0.1)  # some numbers are missing
            patient += 1
            images = min(1 + rng.poisson(per_patient - 1), left)
            left -= images
            first = len(items)
            for nth in range(images):
                drawn[kind] += 1
                more = f"-{nth + 1:04d}" if nth else ""
                stem = name.format(n=numbers[kind], k=drawn[kind], more=more)
                stream = len(items)
                if copies and nth == 1:
                    stream, copies = first, copies - 1
                path = f"{split}/{label}/{stem}.jpeg"
                items.append(Item(path, stream, patient, (kind,)))
    return items


def draw(item: Item, subject: Rng, rng: Rng) -> Image.Image:
    """Draw one frontal radiograph of mode L, 160 to 224 px wide, of varying aspect.

    Anatomy (proportions, heart, ribs) belongs to the patient; position,
    inspiration, exposure, grain and the disease belong to the image.
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

    lungs, abdomen = draw_lungs(u, v, subject, rng)
    body = draw_body(u, v, subject, rng)
    bones = draw_bones(u, v, lungs, subject)
    heart = draw_heart(u, v, subject)
    inside = markings(u, v, rng)
    if KINDS[kind][0] == "PNEUMONIA":
        # A consolidated lung is as dense as soft tissue, never denser.
        inside = np.minimum(inside + pneumonia(kind, u, v, rng), 0.95)

    air = lungs * (1 - 0.75 * heart)
    scatter = 0.10 * noise(rng, shape, 70)
    soft = body * (1.25 + 0.35 * abdomen + 0.30 * heart + scatter)
    attenuation = soft - air * (0.88 - inside) + bones * body
    shade = 1 - np.exp(-1.05 * np.clip(attenuation, 0, None))
    return _expose(shade, (height, width), rng)


def _expose(shade: Field, size: tuple[int, int], rng: Rng) -> Image.Image:
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
