"""The anatomy of the chest phantom: attenuation of each part, and the disease."""

import math

import numpy as np

from lightbox.data.phantoms.textures import Field, noise, step


def lungs(
    u: Field, v: Field, patient: np.random.Generator, image: np.random.Generator
) -> tuple[Field, Field]:
    """Place the lungs above the diaphragm.

    Args:
        u: (H, W), sideways from the spine, 1 about the chest's half-width.
        v: (H, W), downwards from the middle of the chest, same unit.
        patient: Random stream of the patient.
        image: Random stream of the image.

    Returns:
        The lungs' mask and the abdomen's, (H, W) each, in [0, 1].
    """
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


def body(
    u: Field, v: Field, patient: np.random.Generator, image: np.random.Generator
) -> Field:
    """Outline the soft tissue: trunk, arms, neck and chin.

    Args:
        u: (H, W), sideways from the spine, 1 about the chest's half-width.
        v: (H, W), downwards from the middle of the chest, same unit.
        patient: Random stream of the patient.
        image: Random stream of the image.

    Returns:
        (H, W) thickness, about 1 in the trunk.
    """
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


def bones(u: Field, v: Field, air: Field, patient: np.random.Generator) -> Field:
    """Draw spine, ribs and collar bones.

    Args:
        u: (H, W), sideways from the spine, 1 about the chest's half-width.
        v: (H, W), downwards from the middle of the chest, same unit.
        air: (H, W) the lungs' mask.
        patient: Random stream of the patient.

    Returns:
        (H, W) attenuation on top of the soft tissue.
    """
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


def heart(u: Field, v: Field, patient: np.random.Generator) -> Field:
    """Place the heart and the great vessels.

    Args:
        u: (H, W), sideways from the spine, 1 about the chest's half-width.
        v: (H, W), downwards from the middle of the chest, same unit.
        patient: Random stream of the patient.

    Returns:
        (H, W) mask in [0, 1].
    """
    size = patient.normal(1.0, 0.09)
    du, dv = u - 0.12, v - 0.22
    tilt = patient.normal(0.75, 0.1)
    cos, sin = math.cos(tilt), math.sin(tilt)
    a = (du * cos + dv * sin) / (0.50 * size)
    b = (dv * cos - du * sin) / (0.33 * size)
    muscle = step((1 - np.hypot(a, b)) / 0.12)
    arch = np.hypot((u - 0.04) / 0.24, (v + 0.30) / 0.42)
    return np.maximum(muscle, 0.9 * step((1 - arch) / 0.15))


def markings(u: Field, v: Field, image: np.random.Generator) -> Field:
    """Draw the texture of the lungs' vessels, strongest at the hila.

    Args:
        u: (H, W), sideways from the spine, 1 about the chest's half-width.
        v: (H, W), downwards from the middle of the chest, same unit.
        image: Random stream of the image.

    Returns:
        (H, W) attenuation inside the lungs.
    """
    reach = np.hypot((np.abs(u) - 0.22) / 0.28, (v + 0.02) / 0.32)
    web = (
        np.abs(noise(image, u.shape, 5)) * 0.6
        + np.abs(noise(image, u.shape, 2.5)) * 0.5
    )
    near = np.exp(-reach * reach * 0.7)
    return (0.05 + 0.14 * image.uniform(0.6, 1.3) * near) * web + 0.10 * near


def pneumonia(kind: str, u: Field, v: Field, image: np.random.Generator) -> Field:
    """Draw an opacity: lobar or patchy if bacterial, diffuse if viral.

    Args:
        kind: `bacteria` or `virus`.
        u: (H, W), sideways from the spine, 1 about the chest's half-width.
        v: (H, W), downwards from the middle of the chest, same unit.
        image: Random stream of the image.

    Returns:
        (H, W) attenuation inside the lungs.
    """
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


def _side(image: np.random.Generator) -> int:
    """Choose left (-1) or right (1); a plain int keeps arrays float32."""
    return 1 - 2 * int(image.integers(2))
