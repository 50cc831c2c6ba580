"""Fundus photographs in the layout of RFMiD: healthy or with a risk of disease."""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from lightbox.data.phantoms.drawing import (
    Canvas,
    Field,
    Item,
    Rng,
    blob,
    grid,
    noise,
    step,
)


@dataclass
class Eye:
    """What is to be seen in one eye; lengths in half image heights."""

    disc: np.ndarray
    macula: np.ndarray
    radius: float  # of the disc
    shape: tuple[int, int]
    blood: Canvas
    pale: Canvas
    cup: float  # of the disc's radius
    haze: float = 0.0
    tessellation: float = 0.0
    crescent: float = 0.0
    swelling: float = 0.0
    blister: float = 0.0

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """Turn centred coordinates (N, 2) into pixels of the canvases."""
        height, width = self.shape
        return points * (height / 2) + np.array([width / 2, height / 2])


def _blend(picture: Field, mask: Field, colour: tuple[float, float, float]) -> None:
    """Lay a colour over the picture where the mask is, in place."""
    if not mask.any():
        return
    picture += mask * (np.asarray(colour, np.float32)[:, None, None] - picture)


def paint(eye: Eye, rng: Rng) -> Field:
    """Colour background, macula, disc, vessels and lesions: (3, H, W), about [0, 1]."""
    y, x = grid(eye.shape)
    pigment = rng.uniform(0, 1)
    base = np.array([0.82, 0.40 - 0.14 * pigment, 0.18 - 0.10 * pigment], np.float32)
    mottle = 1 + 0.05 * noise(rng, eye.shape, 12) + 0.025 * noise(rng, eye.shape, 3)
    choroid = np.abs(noise(rng, eye.shape, 9, 1.8))
    mottle += eye.tessellation * 0.55 * (np.exp(-3 * choroid) - 0.4)
    picture = base[:, None, None] * mottle

    # Plain floats keep the arrays float32.
    (mx, my), (dx, dy) = eye.macula.tolist(), eye.disc.tolist()
    to_macula = np.hypot(x - mx, y - my)
    spot = np.exp(-((to_macula / 0.20) ** 2)) * rng.uniform(0.35, 0.65)
    _blend(picture, spot * (1 - 0.8 * eye.blister), (0.42, 0.12, 0.06))
    ring = step((0.27 - to_macula) / 0.06)
    _blend(picture, 0.5 * eye.blister * ring, (0.92, 0.62, 0.34))

    to_disc = np.hypot(x - dx, (y - dy) * 0.92) / eye.radius
    halo = step((1.75 * (1 + 0.1 * choroid) - to_disc) / 0.12)
    _blend(picture, 0.8 * eye.crescent * halo, (0.95, 0.80, 0.60))
    soft = 0.10 + 0.5 * eye.swelling
    rim = step((1 + 0.45 * eye.swelling - to_disc) / soft)
    _blend(picture, rim * 0.9, (0.97, 0.72 - 0.12 * eye.swelling, 0.42))
    cup = step((eye.cup * (1 - eye.swelling) - to_disc) / 0.12)
    _blend(picture, cup * rim, (1.0, 0.93, 0.76))

    vessels = _vessels(eye, rng)
    _blend(picture, vessels * (1 - 0.4 * cup) * 0.75, (0.42, 0.08, 0.06))
    _blend(picture, eye.pale.field() * 0.9, (0.98, 0.88, 0.52))
    _blend(picture, eye.blood.field() * 0.9, (0.33, 0.04, 0.03))
    fog = np.clip(eye.haze * (1 + 0.25 * noise(rng, eye.shape, 50)), 0, 0.9)
    # Fog of the retina's own colour, only paler: it takes contrast, not hue.
    _blend(picture, fog, tuple(picture.mean((1, 2)) * (1.0, 1.1, 1.2)))
    return picture


def _vessels(eye: Eye, rng: Rng) -> Field:
    """Draw the arcades that leave the disc and their branches, (H, W)."""
    canvas = Canvas(eye.shape)
    side = np.sign(eye.macula[0] - eye.disc[0])
    t = np.linspace(0, 1, 16)
    for up in (-1, 1):
        # End point and bulge of the temporal arcade, then of the nasal vessels.
        for far, high, bow, size in ((1.5, 0.35, 0.62, 2.6), (-0.7, 0.65, 0.1, 2.0)):
            for twin in (0.0, 0.10):  # artery and vein
                end = np.array([side * far, up * high]) * rng.normal(1, 0.1, 2)
                path = end * t[:, None]
                path[:, 1] += up * (bow + twin) * np.sin(np.pi * t**0.75)
                path[:, 0] -= side * twin * np.sin(np.pi * t)
                sway = 0.02 * np.sin(t * rng.uniform(8, 20) + rng.uniform(0, 6))
                path = eye.disc + path + sway[:, None]
                shade = 0.8 if twin else 1.0
                _taper(canvas, eye.pixels(path), size * (1.1 - twin), shade)
                for start in rng.integers(3, 13, 4):
                    way = path[start + 1] - path[start]
                    way = way / np.linalg.norm(way)
                    turn = rng.choice([-1, 1]) * rng.uniform(0.4, 1.0)
                    way = way @ _rotation(turn)
                    length = rng.uniform(0.2, 0.6) * t[:8, None] * 2
                    curl = np.array([-way[1], way[0]]) * rng.normal(0, 0.3)
                    twig = path[start] + way * length + curl * length**2
                    canvas.stroke(eye.pixels(twig), 0.45 * size, 0.7 * shade)
    return canvas.field()


def _rotation(angle: float) -> np.ndarray:
    """Return the matrix that turns row vectors by `angle` radians, (2, 2)."""
    cos, sin = math.cos(angle), math.sin(angle)
    return np.array([[cos, sin], [-sin, cos]])


def _taper(canvas: Canvas, points: np.ndarray, width: float, value: float) -> None:
    """Draw a vessel that thins out towards its end."""
    third = len(points) // 3
    for part, share in enumerate((1.0, 0.75, 0.5)):
        last = len(points) if part == 2 else (part + 1) * third + 1
        canvas.stroke(points[part * third : last], width * share, value)


def _show(eye: Eye, name: str, rng: Rng) -> None:
    """Add a condition's signs to an eye."""
    for attribute, bounds in SIGNS[name][1].items():
        setattr(eye, attribute, rng.uniform(*bounds))
    centre = eye.macula
    if name == "BRVO":  # a vein is blocked above or below the macula
        up = rng.choice([-1, 1])
        centre = (eye.disc + eye.macula) / 2 + [0, up * rng.uniform(0.3, 0.5)]
    for condition, colour, number, radius, spread in LESIONS:
        for _ in range(rng.integers(*number) if condition == name else 0):
            at = eye.pixels(centre + rng.normal(0, spread, 2))
            r = rng.uniform(*radius, 2) * eye.shape[0] / 2
            outline = blob(rng, (at[0], at[1]), (r[0], r[1]), rng.uniform(0, 3), 0.2)
            getattr(eye, colour).polygon(outline, rng.uniform(0.7, 1.0))


# Weight among the diseased (the commonest of RFMiD's training split that can be
# drawn) and bounds of what the condition changes.
SIGNS: dict[str, tuple[int, dict[str, tuple[float, float]]]] = {
    "DR": (376, {}),
    "MH": (317, {"haze": (0.55, 0.85)}),
    "ODC": (282, {"cup": (0.75, 0.95)}),
    "TSLN": (186, {"tessellation": (0.8, 1.3)}),
    "DN": (138, {}),
    "MYA": (101, {"crescent": (0.6, 1.0), "tessellation": (0.5, 0.9)}),
    "ARMD": (100, {}),
    "BRVO": (73, {}),
    "ODE": (58, {"swelling": (0.6, 1.0)}),
    "CSR": (37, {"blister": (0.7, 1.0)}),
}
# Round lesions: condition, colour, bounds of their number and radius, spread.
LESIONS = (
    ("DR", "blood", (6, 22), (0.015, 0.055), 0.38),
    ("DR", "pale", (4, 20), (0.012, 0.040), 0.26),
    ("DN", "pale", (15, 40), (0.012, 0.032), 0.20),
    ("ARMD", "pale", (8, 20), (0.02, 0.06), 0.11),
    ("ARMD", "blood", (0, 3), (0.03, 0.10), 0.08),
    ("BRVO", "blood", (15, 35), (0.02, 0.07), 0.15),
)

# Split: folder of the images, label file, images.
SPLITS = (
    ("Training_Set/Training", "Training_Set/RFMiD_Training_Labels.csv", 480),
    ("Evaluation_Set/Validation", "Evaluation_Set/RFMiD_Validation_Labels.csv", 160),
    ("Test_Set/Test", "Test_Set/RFMiD_Testing_Labels.csv", 160),
)

CONDITIONS = tuple(
    """
    DR ARMD MH DN MYA BRVO TSLN ERM LS MS CSR ODC CRVO TV AH ODP ODE ST AION PT RT RS
    CRS EDN RPEC MHL RP CWS CB ODPM PRH MNF HR CRAO TD CME PTCR CF VH MCA VS BRAO PLQ
    HPED CL
    """.split()  # noqa: SIM905
)
DISEASED = 0.79
# Eighths of the published 2144 x 1424, 4288 x 2848 and 2048 x 1536 px: width,
# height, share among the diseased, share among the healthy. A classifier that
# sees the size alone gets an AUC of 0.57.
SIZES = ((268, 178, 0.74, 0.62), (536, 356, 0.10, 0.08), (256, 192, 0.16, 0.30))
WORK_HEIGHT = 128  # pixels; drawn at this height, then resampled


def plan(rng: Rng, scale: float) -> list[Item]:
    """Lay out splits and labels; `spec` is (camera, condition, ...)."""
    names = list(SIGNS)
    weights = np.array([SIGNS[name][0] for name in names], float)
    weights /= weights.sum()
    items = []
    for folder, _, count in SPLITS:
        total = max(round(count * scale), 2)
        diseased = min(max(round(total * DISEASED), 1), total - 1)
        labels = rng.permutation(np.arange(total) < diseased)
        for number, ill in enumerate(labels.tolist(), start=1):
            shares = np.array([size[2 if ill else 3] for size in SIZES])
            camera = int(rng.choice(len(SIZES), p=shares))
            several = int(rng.choice([1, 2, 3], p=[0.70, 0.25, 0.05])) if ill else 0
            found = rng.choice(names, several, replace=False, p=weights).tolist()
            spec = (camera, *sorted(found, key=CONDITIONS.index))
            items.append(Item(f"{folder}/{number}.png", len(items), camera, spec))
    return items


def tables(items: list[Item]) -> dict[str, str]:
    """Write the label tables (ID, Disease_Risk, the 45 conditions), by their path."""
    texts = {}
    for folder, path, _ in SPLITS:
        lines = [",".join(["ID", "Disease_Risk", *CONDITIONS])]
        for item in items:
            if item.path.startswith(folder + "/"):
                found = item.spec[1:]
                flags = [int(bool(found)), *(int(c in found) for c in CONDITIONS)]
                stem = item.path.rpartition("/")[2].removesuffix(".png")
                lines.append(",".join([stem, *map(str, flags)]))
        texts[path] = "\n".join(lines) + "\n"
    return texts


def draw(item: Item, subject: Rng, rng: Rng) -> Image.Image:
    """Draw one RGB fundus photograph of one of the three `SIZES`.

    Colour cast and field of view belong to the camera; side, vessels,
    pigmentation, exposure, focus and the signs of disease to the image.
    """
    camera, *found = item.spec
    width, height = SIZES[camera][:2]
    shape = (WORK_HEIGHT, round(WORK_HEIGHT * width / height))
    side = 1 - 2 * int(rng.integers(2))
    macula = np.array([-side * rng.uniform(-0.05, 0.35), rng.normal(0.03, 0.10)])
    offset = np.array([side * rng.normal(0.66, 0.05), rng.normal(-0.05, 0.08)])
    eye = Eye(
        disc=macula + offset,
        macula=macula,
        radius=rng.normal(0.150, 0.010),
        shape=shape,
        blood=Canvas(shape),
        pale=Canvas(shape),
        cup=rng.uniform(0.25, 0.50),
        haze=rng.uniform(0.0, 0.25),
        tessellation=rng.uniform(0.0, 0.25),
    )
    for name in found:
        _show(eye, name, rng)
    retina = paint(eye, rng)

    y, x = grid(shape)
    view = np.hypot(x, y) / (0.97 if camera < 2 else subject.uniform(1.08, 1.12))
    cast = subject.normal(1.0, 0.06, 3) * rng.normal(1.0, 0.08, 3)
    light = np.hypot(x - rng.normal(0, 0.25), y - rng.normal(0, 0.25))
    shade = rng.uniform(0.75, 1.2) * (1.1 - rng.uniform(0.15, 0.4) * light**2)
    shade *= 1 + rng.uniform(0.01, 0.04) * rng.standard_normal(shape, np.float32)
    shade *= step((1 - view) / 0.015)
    photo = np.clip(retina * shade * cast.astype(np.float32)[:, None, None], 0, 1)
    pixels = (np.moveaxis(photo, 0, -1) * 255).astype(np.uint8)
    return Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC)
