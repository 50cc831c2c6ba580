"""Files as they come from outside: kinds that must be refused, and read aright."""

import io
import os
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

SIDE = (24, 16)  # width and height of the picture that readable kinds show


def picture() -> np.ndarray:
    """A picture without symmetry: a turn, a flip or a swapped channel shows."""
    pixels = np.zeros((SIDE[1], SIDE[0], 3), np.uint8)
    pixels[:8, :12] = (200, 40, 40)
    pixels[:8, 12:] = (40, 200, 40)
    pixels[8:, :12] = (40, 40, 200)
    pixels[8:, 12:] = (120, 120, 120)
    return pixels


def grey() -> np.ndarray:
    """The picture's luminance, as Pillow computes it."""
    return np.asarray(Image.fromarray(picture()).convert("L"))


@dataclass(frozen=True)
class Kind:
    """One kind of file.

    Attributes:
        name: The file's name.
        write: Puts it there.
        reason: What the audit must say, `*` for any words; "" where the file must
            be read.
        shows: The RGB pixels that must be read, or None where none may be.
        tolerance: Of the pixels, where the format loses some.
    """

    name: str
    write: Callable[[Path], None]
    reason: str = ""
    shows: np.ndarray | None = None
    tolerance: int = 2


def _content(image: Image.Image, form: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def _saved(form: str, mode: str = "RGB", **options) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        image = Image.fromarray(picture()).convert(mode)
        path.write_bytes(_content(image, form, **options))

    return write


def _bytes(content: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(content)


def _cut(form: str, share: float, *, size: int = 64) -> Callable[[Path], None]:
    noise = np.random.default_rng(1).integers(0, 256, (size, size, 3), np.uint8)
    whole = _content(Image.fromarray(noise), form)
    return _bytes(whole[: int(len(whole) * share)])


def _png_chunk(kind: bytes, body: bytes) -> bytes:
    check = zlib.crc32(kind + body)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)


def _png(width: int, height: int, depth: int, colour: int, body: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _png_chunk(b"IHDR", header)
        + _png_chunk(b"IDAT", zlib.compress(body, 9))
        + _png_chunk(b"IEND", b"")
    )


def _flipped_png() -> bytes:
    whole = bytearray(_content(Image.fromarray(picture()), "PNG"))
    place = whole.index(b"IDAT") + 8
    whole[place] ^= 0xFF
    return bytes(whole)


def _sixteen_bit_rgb_png() -> bytes:
    rows = b"".join(
        b"\0" + row.astype(">u2").tobytes() for row in picture().astype(np.uint16) * 257
    )
    return _png(*SIDE, 16, 2, rows)


def _animated(form: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        other = Image.new("RGB", SIDE, (0, 0, 0))
        options = {"lossless": True} if form == "WEBP" else {}
        content = _content(
            Image.fromarray(picture()),
            form,
            save_all=True,
            append_images=[other, other],
            **options,
        )
        path.write_bytes(content)

    return write


def _exif(orientation: int) -> Callable[[Path], None]:
    """The picture stored turned or flipped, with the tag that says so."""
    stored = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]

    def write(path: Path) -> None:
        exif = Image.Exif()
        exif[0x0112] = orientation
        turned = Image.fromarray(picture()).transpose(stored)
        path.write_bytes(_content(turned, "PNG", exif=exif))

    return write


def _alpha(path: Path) -> None:
    """Opaque above, transparent below: below must be black."""
    alpha = np.zeros((SIDE[1], SIDE[0]), np.uint8)
    alpha[:8] = 255
    image = Image.fromarray(np.dstack([picture(), alpha]))
    path.write_bytes(_content(image, "PNG"))


def _half() -> np.ndarray:
    pixels = picture()
    pixels[8:] = 0
    return pixels


def _transparent_colour(path: Path) -> None:
    image = Image.fromarray(picture())
    path.write_bytes(_content(image, "PNG", transparency=(120, 120, 120)))


def _without_grey() -> np.ndarray:
    pixels = picture()
    pixels[8:, 12:] = 0
    return pixels


def _sixteen_bit_grey(form: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        image = Image.fromarray(grey().astype(np.uint16) * 257)
        path.write_bytes(_content(image, form))

    return write


def _long_text(path: Path) -> None:
    """A text chunk that unpacks to a hundred times its size."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "a" * 2_000_000, zip=True)
    path.write_bytes(_content(Image.fromarray(picture()), "PNG", pnginfo=info))


def _fine_jpeg(**options) -> Callable[[Path], None]:
    return _saved("JPEG", quality=100, subsampling=0, **options)


def _adaptive(path: Path) -> None:
    Image.fromarray(picture()).quantize(8).save(path)


def _trailing(path: Path) -> None:
    path.write_bytes(_content(Image.fromarray(picture()), "PNG") + b"x" * 999)


def _mode_zero(path: Path) -> None:
    _saved("PNG")(path)
    path.chmod(0)


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _hole(path: Path) -> None:
    """Two gigabytes that take no room."""
    with path.open("wb") as file:
        file.truncate(2 << 30)


def _loop(path: Path) -> None:
    other = path.with_name("other-" + path.name)
    path.symlink_to(other)
    other.symlink_to(path)


RGB, GREY = picture(), np.repeat(grey()[:, :, None], 3, axis=2)
BLACK_WHITE = np.repeat(
    np.asarray(Image.fromarray(picture()).convert("1")).astype(np.uint8)[:, :, None]
    * np.uint8(255),
    3,
    axis=2,
)
HTML = b"\n <!DOCTYPE html><html><body>404 Not Found</body></html>"
KINDS = [
    # Nothing there, or nothing that is an image.
    Kind("empty.png", _bytes(b""), "empty file"),
    Kind("one-byte.png", _bytes(b"\x89"), "not an image"),
    Kind("zeros.png", _bytes(b"\0" * 4096), "not an image"),
    Kind("noise.jpg", _bytes(bytes(range(256)) * 20), "not an image"),
    Kind("text.tif", _bytes(b"hello"), "not an image"),
    Kind("page.jpg", _bytes(HTML), "HTML or XML page"),
    Kind("page-upper.png", _bytes(HTML.upper()), "HTML or XML page"),
    Kind("drawing.png", _bytes(b"<?xml version='1.0'?><svg/>"), "HTML or XML page"),
    Kind("lfs.png", _bytes(b"version https://git-lfs.github.com/spec/v1\n"), "LFS"),
    Kind("archive.png", _bytes(b"PK\x03\x04" + b"\0" * 60), "zip archive"),
    Kind("script.gif", _bytes(b"#!/bin/sh\nrm -rf .\n"), "not an image"),
    Kind("document.bmp", _bytes(b"%PDF-1.7\n"), "not an image"),
    Kind("signature.png", _bytes(b"\x89PNG\r\n\x1a\n"), "not an image"),
    Kind("signature.jpg", _bytes(b"\xff\xd8\xff\xe0"), "not an image"),
    Kind("header.gif", _bytes(b"GIF89a"), "not an image"),
    # Broken off, or damaged inside.
    *[
        Kind(f"cut-{share}.{form.lower()}", _cut(form, share), "*")
        for form in ("PNG", "JPEG", "WEBP", "TIFF", "BMP")
        for share in (0.05, 0.5, 0.95)
    ],
    Kind("flipped.png", _bytes(_flipped_png()), "damaged or truncated"),
    Kind("no-width.png", _bytes(_png(0, 8, 8, 2, b"")), "*"),
    Kind("no-rows.png", _bytes(_png(64, 64, 8, 2, b"")), "damaged or truncated"),
    Kind("wrong-depth.png", _bytes(_png(8, 8, 7, 2, b"\0" * 99)), "*"),
    # Too large, for real or by their own account.
    Kind("bomb.png", _bytes(_png(20_000, 20_000, 1, 0, b"\0" * 9)), "bomb"),
    Kind("claims.png", _bytes(_png(2**31 - 1, 2**31 - 1, 8, 2, b"")), "*"),
    Kind("megapixels.png", _bytes(_png(11_000, 10_000, 8, 0, b"")), "megapixels"),
    Kind("hole.png", _hole, "more than any image here"),
    # Names and places.
    Kind("named.jpg", _saved("PNG"), "PNG content under a .jpg name"),
    Kind("named.png", _saved("JPEG"), "JPEG content under a .png name"),
    Kind("folder.png", lambda path: path.mkdir(), "a folder with the name"),
    Kind("self.png", lambda path: path.symlink_to(path), "cannot be read"),
    Kind("loop.png", _loop, "cannot be read"),
    Kind("nowhere.png", lambda path: path.symlink_to("gone.png"), "no such file"),
    Kind("pipe.png", _fifo, "not a regular file"),
    Kind("device.png", lambda path: path.symlink_to("/dev/zero"), "not a regular"),
    # Values of unknown range.
    Kind(
        "float.tif",
        _bytes(_content(Image.fromarray(np.ones((8, 8), np.float32)), "TIFF")),
        "floating-point",
    ),
    Kind(
        "negative.tif",
        _bytes(_content(Image.fromarray(np.full((8, 8), -5, np.int32)), "TIFF")),
        "unknown range",
    ),
    # Unusual, and to be read aright.
    Kind("plain.png", _saved("PNG"), shows=RGB),
    Kind("one.png", _bytes(_png(1, 1, 8, 0, b"\0\x09")), "a single pixel"),
    Kind("plain.jpg", _fine_jpeg(), shows=RGB, tolerance=12),
    Kind("progressive.jpg", _fine_jpeg(progressive=True), shows=RGB, tolerance=12),
    Kind("cmyk.jpg", _saved("JPEG", "CMYK", quality=100), shows=RGB, tolerance=24),
    Kind("cmyk.tif", _saved("TIFF", "CMYK"), shows=RGB, tolerance=4),
    Kind("grey.jpg", _saved("JPEG", "L", quality=100), shows=GREY, tolerance=4),
    Kind("grey.png", _saved("PNG", "L"), shows=GREY),
    Kind("grey-alpha.png", _saved("PNG", "LA"), shows=GREY),
    Kind("black-white.png", _saved("PNG", "1"), shows=BLACK_WHITE),
    Kind("palette.png", _saved("PNG", "P"), shows=RGB, tolerance=60),
    Kind("adaptive.gif", _adaptive, shows=RGB, tolerance=8),
    Kind("sixteen.png", _sixteen_bit_grey("PNG"), shows=GREY),
    Kind("sixteen.tif", _sixteen_bit_grey("TIFF"), shows=GREY),
    Kind("sixteen-rgb.png", _bytes(_sixteen_bit_rgb_png()), shows=RGB),
    Kind("alpha.png", _alpha, shows=_half()),
    Kind("transparent.png", _transparent_colour, shows=_without_grey()),
    Kind("animated.gif", _animated("GIF"), shows=RGB, tolerance=60),
    Kind("animated.webp", _animated("WEBP"), shows=RGB, tolerance=8),
    Kind("animated.png", _animated("PNG"), shows=RGB),
    Kind("pages.tif", _animated("TIFF"), shows=RGB),
    *[
        Kind(f"exif-{orientation}.png", _exif(orientation), shows=RGB)
        for orientation in range(2, 9)
    ],
    Kind("long-text.png", _long_text, "*"),
    Kind("trailing.png", _trailing, shows=RGB),
    Kind("模型 <b>&'\"$(id).png", _saved("PNG"), shows=RGB),
    Kind("CAPITALS.PNG", _saved("PNG"), shows=RGB),
]  # fmt: skip
# Root may read everything: this kind shows only where tests run as another user.
UNREADABLE = Kind("locked.png", _mode_zero, "cannot be read")
