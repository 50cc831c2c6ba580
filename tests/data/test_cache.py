"""Decoded pixels: right values, one decoding, damage noticed."""

import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lightbox.base import paths
from lightbox.base.errors import DataError, ParameterError
from lightbox.data import pixels
from lightbox.data.dataset import open_dataset


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("LIGHTBOX_HOME", str(folder))
    return folder


@pytest.fixture
def images(tmp_path):
    """Three images, 40 x 20 px: left half dark, right half light; and the table."""
    for i in range(3):
        values = np.full((20, 40, 3), 10 * i, np.uint8)
        values[:, 20:] = (200, 100, 50)
        Image.fromarray(values).save(tmp_path / f"{i}.png")
    return tmp_path, pd.DataFrame({"image": ["0.png", "1.png", "2.png"]})


def decoded(images, **changes):
    folder, table = images
    options = {
        "size": 20,
        "resize": "squash",
        "channels": 3,
        "interpolation": "bilinear",
        "fingerprint": "f",
    }
    return pixels.pixels(table, folder, **(options | changes))


def test_values_shape_and_protection(images):
    array = decoded(images)
    assert isinstance(array, np.memmap)
    assert (array.shape, array.dtype) == ((3, 20, 20, 3), np.uint8)
    assert array[:, 5, 2, 0].tolist() == [0, 10, 20]  # row i is image i
    assert array[1, 5, 17].tolist() == [200, 100, 50]
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 0


@pytest.mark.parametrize(
    ("resize", "corner", "middle"),
    [("squash", 20, 20), ("crop", 20, 20), ("pad", 0, 20)],
)
def test_resize_policies(images, resize, corner, middle):
    array = decoded(images, resize=resize)
    assert array[2, 0, 1, 0] == corner  # pad: a black border above
    assert array[2, 10, 1, 0] == middle
    # squash and pad keep both halves, crop cuts the middle square: halves again
    assert array[2, 10, 18].tolist() == [200, 100, 50]


def test_one_channel_is_luminance(images):
    array = decoded(images, channels=1)
    assert array.shape == (3, 20, 20, 1)
    expected = Image.new("RGB", (1, 1), (200, 100, 50)).convert("L").getpixel((0, 0))
    assert array[0, 5, 17, 0] == expected


def test_grey_jpeg_is_decoded_as_stored(tmp_path):
    values = np.random.default_rng(0).integers(0, 256, (16, 16), np.uint8)
    Image.fromarray(values).convert("RGB").save(tmp_path / "x.jpeg", quality=95)
    array = decoded(
        (tmp_path, pd.DataFrame({"image": ["x.jpeg"]})), channels=1, size=16
    )
    stored = np.asarray(Image.open(tmp_path / "x.jpeg"))
    np.testing.assert_array_equal(array[0, :, :, 0], stored[:, :, 0])


def test_names_and_second_call_keep_the_file(images):
    decoded(images)
    path = paths.data() / "cache" / "f-20-squash-bilinear-3.npy"
    before = path.stat()
    folder, _ = images
    (folder / "0.png").unlink()  # a second decoding would fail
    decoded(images)
    after = path.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert not list(path.parent.glob("*.partial*"))


def test_policies_do_not_share_a_file(images):
    for changes in ({}, {"size": 10}, {"resize": "pad"}, {"interpolation": "bicubic"}):
        decoded(images, **changes)
    decoded(images, channels=1)
    assert len(list((paths.data() / "cache").glob("*.npy"))) == 5


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty"])
def test_damage_is_noticed_and_mended(images, damage):
    expected = np.array(decoded(images))
    path = paths.data() / "cache" / "f-20-squash-bilinear-3.npy"
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[-1] ^= 255
        path.write_bytes(content)
    elif damage == "truncate":
        path.write_bytes(content[:500])
    else:
        path.write_bytes(b"")
    pixels._verified.clear()
    with pytest.warns(UserWarning, match=r"decoded images.*damaged"):
        again = decoded(images)
    np.testing.assert_array_equal(again, expected)
    assert len(list(path.parent.glob(".damaged-*.npy-*"))) == 1


def test_two_processes_decode_once(images, home, tmp_path):
    folder, _ = images
    script = textwrap.dedent(
        f"""
        import pandas as pd
        from pathlib import Path
        from lightbox.data import pixels
        table = pd.DataFrame({{"image": ["0.png", "1.png", "2.png"]}})
        array = pixels.pixels(
            table, Path({str(folder)!r}), size=20, resize="squash", channels=3,
            interpolation="bilinear", fingerprint="two",
        )
        print(int(array.sum()))
        """
    )
    runs = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    said = [run.communicate(timeout=120)[0].decode() for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    assert sum("Decoding images" in text for text in said) == 1
    assert said[0].splitlines()[-1] == said[1].splitlines()[-1]


def test_many_files_are_decoded_in_order(tmp_path):
    count = 3 * pixels.CHUNK + 5
    for i in range(count):
        Image.new("L", (4, 4), i % 256).save(tmp_path / f"{i:04d}.png")
    table = pd.DataFrame({"image": [f"{i:04d}.png" for i in range(count)]})
    array = decoded((tmp_path, table), channels=1, size=4)
    assert array[:, 0, 0, 0].tolist() == [i % 256 for i in range(count)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"resize": "stretch"}, "squash, crop, pad"),
        ({"interpolation": "nearest"}, "bilinear, bicubic"),
        ({"size": 0}, "size of 1 or more"),
    ],
)
def test_wrong_policies(images, changes, message):
    with pytest.raises(ParameterError, match=message):
        decoded(images, **changes)


def test_a_file_that_vanished_is_named(images):
    folder, _ = images
    (folder / "1.png").unlink()
    with pytest.raises(DataError, match=r"image '1\.png' cannot be decoded"):
        decoded(images)
    assert not list((paths.data() / "cache").glob("*.npy"))


def test_no_room_is_said_before_writing(images, monkeypatch):
    monkeypatch.setattr(pixels, "SPARE_BYTES", 1 << 60)
    with pytest.raises(DataError, match="make room, lower image_size"):
        decoded(images)


def test_other_seeds_share_the_decoded_file(tmp_path):
    for index, name in enumerate(("a", "b")):
        (tmp_path / name).mkdir()
        for i in range(40):
            colour = (i, 100 * index, 7)
            Image.new("RGB", (8, 8), colour).save(tmp_path / name / f"{i:02d}.png")
    first = open_dataset("folder", tmp_path, seed=0)
    second = open_dataset("folder", tmp_path, seed=1)
    assert first.fingerprint != second.fingerprint
    array, other = first.pixels(8, "squash"), second.pixels(8, "squash")
    assert array.filename == other.filename
    assert array[:, 0, 0, 0].tolist() == list(range(40)) * 2
    assert first.labels().tolist() == [0] * 40 + [1] * 40
    splits = [first.subset(name) for name in ("train", "val", "test")]
    assert sorted(np.concatenate(splits)) == list(range(80))
