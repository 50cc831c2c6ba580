"""One file to one image: the only place where pixels are converted."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

# 100 megapixels. The largest fundus photographs have 12; a file that claims more
# is a scan of something else or made to exhaust the memory.
MAX_PIXELS = 100_000_000
SIXTEEN_BIT = {"I", "I;16", "I;16L", "I;16B", "I;16N"}
ALPHA = {"LA", "PA", "RGBA", "La", "RGBa"}
FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}


def has_transparency(image: Image.Image) -> bool:
    """Tell whether an image has an alpha channel or a transparent colour."""
    return image.mode in ALPHA or "transparency" in image.info


def to_channels(image: Image.Image, channels: int) -> Image.Image:
    """Convert any mode to L or RGB, always in the same way.

    16-bit values are scaled by their full range (65535 to 255), transparent parts
    are laid on black, colours become luminance by ITU-R 601-2 (Pillow's `convert`).

    Args:
        image: A decoded image of any mode but F.
        channels: 1 for L, 3 for RGB.

    Returns:
        An image of mode L or RGB, 8 bits a channel.
    """
    if image.mode in SIXTEEN_BIT:
        values = np.asarray(image).astype(np.uint32)
        image = Image.fromarray(((values + 128) // 257).astype(np.uint8))
    if has_transparency(image):
        rgba = image.convert("RGBA")
        black = Image.new("RGBA", rgba.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, rgba).convert("RGB")
    mode = "L" if channels == 1 else "RGB"
    if image.mode == mode:
        return image
    if image.mode not in {"L", "1", "RGB"}:
        image = image.convert("RGB")  # palette, CMYK, YCbCr, LAB
    return image.convert(mode)


def decode(path: Path, channels: int) -> Image.Image:
    """Open a file that the audit found good.

    Args:
        path: The file.
        channels: 1 or 3.

    Returns:
        Upright image (EXIF orientation applied) of mode L or RGB.

    Raises:
        OSError: The file cannot be decoded (any more).
    """
    with Image.open(path) as image:
        if channels == 1 and image.format == "JPEG" and image.mode == "RGB":
            image.draft("L", None)  # luminance as stored: no colour conversion
        return to_channels(ImageOps.exif_transpose(image), channels)


def fit(
    image: Image.Image, *, size: int, resize: str, interpolation: str
) -> Image.Image:
    """Bring an image to a square.

    Args:
        image: Mode L or RGB.
        size: Side of the square, pixels.
        resize: `squash` ignores the aspect, `crop` keeps it and cuts the centre
            square, `pad` keeps it and adds black borders.
        interpolation: `bilinear` or `bicubic`, antialiased.

    Returns:
        A `size` x `size` image of the same mode.
    """
    method = FILTERS[interpolation]
    if resize == "crop":
        return ImageOps.fit(image, (size, size), method)
    if resize == "pad":
        return ImageOps.pad(image, (size, size), method)
    return image.resize((size, size), method)
