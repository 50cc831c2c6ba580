"""The audit: what is found in real files, in broken ones and in odd ones."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lightbox.base import paths
from lightbox.base.errors import DataError
from lightbox.base.words import in_language, said_in
from lightbox.data.audit import audit
from lightbox.data.cards import card
from lightbox.data.dataset import open_dataset
from lightbox.data.inspection import inspect_file, size_only
from lightbox.data.pixels import decode
from lightbox.data.readers import read

SHARED = Path(__file__).parents[2] / "../shared/data"


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("LIGHTBOX_HOME", str(tmp_path_factory.mktemp("home")))


def noise(seed, mode="RGB", size=(12, 10)):
    shape = (size[1], size[0], 3) if mode == "RGB" else (size[1], size[0])
    values = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    return Image.fromarray(values)


def class_folders(folder, count=8, mode="RGB"):
    """Two classes of different PNGs."""
    for index, name in enumerate(("a", "b")):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            image = noise(100 * index + i, mode)
            image.save(folder / name / f"{i}.png")
    return folder


def look(folder, **options):
    table, filled, _ = read(card("folder"), folder)
    return audit(table, filled, folder, **options)


@pytest.mark.skipif(not (SHARED / "chest_xray").is_dir(), reason="no real chest set")
def test_real_chest_set(monkeypatch, tmp_path):
    dataset = open_dataset("chest-xray", SHARED / "chest_xray")
    found = dataset.audit
    counts = pd.crosstab(found.usable["label"], found.usable["split"])
    assert counts.sum().to_dict() == {"train": 5216, "test": 624}
    assert counts["test"].to_dict() == {"NORMAL": 234, "PNEUMONIA": 390}
    assert found.shared() == {"train and test": 0}
    assert found.shared("alternative") == {"train and test": 170}
    same = found.duplicates()
    assert (len(same), same["files"].sum()) == (30, 62)
    assert same["where"].str.startswith("within").all()
    assert len(found.bad()) == len(found.odd()) == 0
    assert found.size_only.sizes == 1
    said = " ".join(found.findings())
    for words in (
        "5,216 train and 624 test",
        "3,654 in train and 428 in test; 0 shared",
        "170 in both train and test",
        "30 groups of byte-identical files (62 files)",
        "0 val images are published",
    ):
        assert words in said
    # Every published test image is scored; val shares no patient with train.
    assert len(dataset.subset("test")) == 624
    parts = dataset.table.groupby("split")["group"].agg(set)
    assert not parts["train"] & parts["val"]
    assert dataset.labels().sum() == 3875 + 390
    # The second look reads the cache: no file is opened.
    monkeypatch.setattr("lightbox.data.inspection.parallel", None)
    again = open_dataset("chest-xray", SHARED / "chest_xray")
    assert again.fingerprint == dataset.fingerprint


def test_bad_files_are_named_with_their_reason(tmp_path):
    folder = class_folders(tmp_path)
    whole = (folder / "a" / "0.png").read_bytes()
    (folder / "a" / "empty.png").write_bytes(b"")
    (folder / "a" / "cut.png").write_bytes(whole[: len(whole) // 2])
    noise(7, size=(64, 64)).save(folder / "a" / "whole.jpeg")
    jpeg = (folder / "a" / "whole.jpeg").read_bytes()
    (folder / "a" / "cut.jpeg").write_bytes(jpeg[:-200])
    (folder / "a" / "page.jpg").write_bytes(b"\n<!DOCTYPE html><html>404</html>")
    (folder / "a" / "pointer.png").write_bytes(b"version https://git-lfs.github.com/")
    (folder / "a" / "text.tif").write_bytes(b"hello")
    (folder / "a" / "named.jpg").write_bytes(whole)
    (folder / "a" / "folder.png").mkdir()
    (folder / "a" / "loop.png").symlink_to(folder / "a" / "loop.png")
    (folder / "a" / "nowhere.png").symlink_to(folder / "gone.png")
    Image.new("1", (20_000, 20_000)).save(folder / "a" / "bomb.png")
    Image.fromarray(np.ones((4, 4), np.float32)).save(folder / "a" / "float.tif")
    found = look(folder)
    reasons = found.bad().set_index("image")["reason"]
    expected = {
        "a/bomb.png": "bomb",
        "a/cut.jpeg": "truncated",
        "a/cut.png": "damaged or truncated",
        "a/empty.png": "empty file (0 bytes)",
        "a/float.tif": "floating-point values",
        "a/folder.png": "a folder with the name of an image",
        "a/loop.png": "cannot be read",
        "a/named.jpg": "PNG content under a .jpg name: rename it to .png",
        "a/nowhere.png": "no such file",
        "a/page.jpg": "an HTML or XML page",
        "a/pointer.png": "Git LFS pointer",
        "a/text.tif": "not an image that can be recognised",
    }
    assert set(reasons.index) == set(expected)
    for image, words in expected.items():
        assert words in reasons[image], image
    assert "12 of 29 files are unusable and left out." in found.findings()
    assert len(found.usable) == 17
    with pytest.raises(DataError, match=r"12 of 29 images .*a/bomb.png.*and 7 more"):
        look(folder, on_bad_image="stop")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file(tmp_path):
    folder = class_folders(tmp_path)
    (folder / "a" / "0.png").chmod(0)
    assert "cannot be read" in look(folder).bad()["reason"].item()


def test_nothing_usable_is_an_error(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"2 of 2 images .* no image is usable"):
        look(tmp_path)


def test_skipped_files_do_not_reach_the_table(tmp_path):
    folder = class_folders(tmp_path, count=40)
    (folder / "b" / "0.png").write_bytes(b"")
    dataset = open_dataset("folder", folder)
    assert len(dataset.table) == 79
    assert "b/0.png" not in set(dataset.table["image"])
    assert any("1 unusable files were left out" in note for note in dataset.notes())
    with pytest.raises(DataError, match="empty file"):
        open_dataset("folder", folder, on_bad_image="stop")


def odd_files(folder):
    """One file of each odd mode, and the value that its first pixel must have."""
    flat = np.full((6, 8), 65535, np.uint16)
    flat[0, 0] = 12850  # exactly 50 of 255
    Image.fromarray(flat).save(folder / "deep.png")
    Image.fromarray(np.full((6, 8), 200, np.uint8)).save(folder / "grey.png")
    palette = Image.new("P", (8, 6))
    palette.putpalette([10, 20, 30] * 256)
    palette.save(folder / "palette.png")
    Image.new("CMYK", (8, 6), (0, 255, 255, 0)).save(folder / "cmyk.tif")
    Image.new("RGBA", (8, 6), (255, 0, 0, 51)).save(folder / "alpha.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (8, 6), (9, 9, 200)).save(folder / "turned.png", exif=exif)
    Image.new("1", (8, 6), 1).save(folder / "bilevel.png")
    return {
        "deep.png": ((50, 50, 50), "16-bit; 65535 becomes 255"),
        "grey.png": ((200, 200, 200), "one channel; repeated to three"),
        "palette.png": ((10, 20, 30), "palette; read as RGB"),
        "cmyk.tif": ((255, 0, 0), "CMYK; read as RGB"),
        "alpha.png": ((51, 0, 0), "transparency; laid on black"),
        "turned.png": ((9, 9, 200), "EXIF orientation 6; turned upright"),
        "bilevel.png": ((255, 255, 255), "black and white"),
    }


def test_odd_modes_are_converted_and_listed(tmp_path):
    folder = class_folders(tmp_path)
    expected = odd_files(folder / "a")
    found = look(folder)
    treatments = found.odd().set_index("image")["treatment"]
    assert set(treatments.index) == {f"a/{name}" for name in expected}
    for name, (colour, words) in expected.items():
        assert words in treatments[f"a/{name}"], name
        image = decode(folder / "a" / name, 3)
        assert (image.mode, image.getpixel((0, 0))) == ("RGB", colour), name
    assert found.channels == 3
    assert decode(folder / "a" / "turned.png", 3).size == (6, 8)
    facts = inspect_file(folder / "a" / "turned.png")
    assert (facts["width"], facts["height"]) == (6, 8)


def test_colours_in_a_one_channel_set_are_listed(tmp_path):
    for split in ("train", "test"):
        for name in ("NORMAL", "PNEUMONIA"):
            (tmp_path / split / name).mkdir(parents=True)
            for i in range(3):
                path = tmp_path / split / name / f"{i}.png"
                noise(i, "L").convert("RGB").save(path)
    Image.new("RGB", (8, 8), (255, 0, 0)).save(tmp_path / "test/NORMAL/red.png")
    table, filled, _ = read(card("chest-xray"), tmp_path)
    found = audit(table, filled, tmp_path)
    assert found.channels == 1
    assert found.odd().to_dict("list") == {
        "image": ["test/NORMAL/red.png"],
        "treatment": ["colours; read as luminance"],
    }
    assert decode(tmp_path / "test/NORMAL/red.png", 1).getpixel((0, 0)) == 76


def test_a_grey_folder_has_one_channel(tmp_path):
    assert look(class_folders(tmp_path, mode="L")).channels == 1


def test_duplicates_across_splits_and_labels(tmp_path):
    for split in ("train", "test"):
        for index, name in enumerate(("a", "b")):
            (tmp_path / split / name).mkdir(parents=True)
            for i in range(4):
                seed = i + 10 * index + 20 * (split == "test")
                noise(seed).save(tmp_path / split / name / f"{i}.png")
    noise(0).save(tmp_path / "test/b/leak.png")  # train/a/0.png once more
    noise(1).save(tmp_path / "train/a/twin.png")  # train/a/1.png once more
    found = look(tmp_path)
    same = found.duplicates().set_index("images")
    assert same["where"].to_dict() == {
        "test/b/leak.png, train/a/0.png": "across train and test",
        "train/a/1.png, train/a/twin.png": "within train",
    }
    assert same["labels"].tolist() == [2, 1]
    assert any(
        "2 groups of byte-identical files (4 files): 1 within a split, 1 across "
        "splits, 1 with different labels." in line
        for line in found.findings()
    )


def test_size_alone_predicts_the_label_where_it_does():
    count = 2000
    labels = ["a", "b"] * (count // 2)
    telling = pd.DataFrame(
        {
            "width": [100 if label == "a" else 120 for label in labels],
            "height": 100,
            "label": labels,
            "group": "",
            "image": [str(i) for i in range(count)],
        }
    )
    assert size_only(telling).auc == 1.0
    rng = np.random.default_rng(0)
    blind = telling.assign(width=rng.integers(100, 103, count))
    assert size_only(blind).auc == pytest.approx(0.5, abs=0.06)
    assert size_only(telling.assign(width=100)).auc == 0.5
    assert size_only(telling.iloc[:3]).auc is None


def test_findings_have_numbers_in_both_languages(tmp_path):
    found = look(class_folders(tmp_path))
    english, chinese = found.findings(), said_in("zh", found.findings)
    assert len(english) == len(chinese) >= 6
    assert all(any(sign.isdigit() for sign in line) for line in english + chinese)
    assert all(any("一" <= sign <= "鿿" for sign in line) for line in chinese)


def test_a_record_does_not_depend_on_the_readers_language(tmp_path):
    folder = class_folders(tmp_path, count=40)
    (folder / "b" / "0.png").write_bytes(b"")
    english = open_dataset("folder", folder)
    with in_language("zh"):
        chinese = open_dataset("folder", folder)
        assert all("一" <= note[0] <= "鿿" for note in chinese.notes())
        assert said_in("en", chinese.notes) == said_in("en", english.notes)
    assert chinese.fingerprint == english.fingerprint
    assert chinese.notes() == english.notes()


def test_changed_files_are_looked_at_again(tmp_path):
    folder = class_folders(tmp_path)
    before = look(folder)
    assert len(list((paths.data() / "audits").glob("*.audit"))) == 1
    noise(999).save(folder / "a" / "0.png")
    os.utime(folder / "a" / "0.png", ns=(1, 1))
    after = look(folder)
    changed = before.files["sha256"] != after.files["sha256"]
    assert list(before.files.loc[changed, "image"]) == ["a/0.png"]


@pytest.mark.parametrize("harm", ["cut", "one number", "no text"])
def test_a_damaged_audit_cache_is_made_again(tmp_path, harm):
    folder = class_folders(tmp_path)
    before = look(folder)
    (kept,) = (paths.data() / "audits").glob("*.audit")
    content = kept.read_bytes()
    damaged = {
        "cut": content[:-9],
        # Still a table, but not what the files said.
        "one number": content.replace(b'"PNG"', b'"GIF"', 1),
        "no text": b"\xff\xfe\n\x80",
    }[harm]
    assert damaged != content
    kept.write_bytes(damaged)
    with pytest.warns(UserWarning, match="does not match its checksum"):
        after = look(folder)
    pd.testing.assert_frame_equal(before.files, after.files)
    assert kept.read_bytes() == content
