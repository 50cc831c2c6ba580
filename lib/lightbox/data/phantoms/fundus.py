"""Fundus photographs in the layout of RFMiD: healthy or with a risk of disease."""

import numpy as np
from PIL import Image

from lightbox.data.phantoms.eye import SIGNS, Eye, paint
from lightbox.data.phantoms.textures import Canvas, Item, grid, step

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


def plan(rng: np.random.Generator, scale: float) -> list[Item]:
    """Lay out splits, labels and sizes.

    Args:
        rng: Source of randomness.
        scale: Multiplies the images per split.

    Returns:
        The images to draw; `spec` is (camera, condition, condition, ...), no
        condition meaning healthy, `subject` the camera.
    """
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
    """Write the label tables: ID, Disease_Risk, then the 45 conditions.

    Args:
        items: What `plan` gave.

    Returns:
        Path of each CSV to its text.
    """
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


def draw(
    item: Item, subject: np.random.Generator, rng: np.random.Generator
) -> Image.Image:
    """Draw one fundus photograph.

    Colour cast and field of view belong to the camera; side, vessels,
    pigmentation, exposure, focus and the signs of disease to the image.

    Args:
        item: What to draw.
        subject: The camera's random stream.
        rng: The image's random stream.

    Returns:
        Mode RGB, of one of the three `SIZES`.
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
        SIGNS[name][1](eye, rng)
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
