"""Readers: published layouts, file-name keys, and folders that are wrong."""

import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from lightbox.base.errors import DataError, ParameterError
from lightbox.data.cards import CARDS, card
from lightbox.data.dataset import open_dataset
from lightbox.data.readers import chest_key, read, slide_key
from lightbox.data.rfmid import read_labels

SHARED = Path(__file__).parents[2] / "../shared/data"


def needs(name):
    folder = SHARED / name
    return pytest.mark.skipif(not folder.is_dir(), reason=f"{folder} is not here")


def put(folder, *names, content=b"x"):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("LIGHTBOX_HOME", str(tmp_path_factory.mktemp("home")))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("person1_bacteria_1.jpeg", ("bacteria-1", "person-1", "bacteria")),
        ("person1_virus_6.jpeg", ("virus-1", "person-1", "virus")),
        ("person12_virus_3_2.jpeg", ("virus-12", "person-12", "virus")),
        ("IM-0011-0001-0002.jpeg", ("IM-0011", "IM-0011", "normal")),
        ("NORMAL2-IM-0011-0001.jpeg", ("NORMAL2-IM-0011", "NORMAL2-IM-0011", "normal")),
        ("scan.jpeg", ("", "", "")),
    ],
)
def test_chest_key(name, expected):
    assert chest_key(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("1A11_CRC-Prim-HE-07_022.tif_Row_601_Col_151.tif", "slide-07"),
        ("1BB8_CRC-Prim-HE-02.tif_Row_901_Col_301.tif", "slide-02"),
        ("1A3D_CRC-Prim-HE-02_copy.tif_Row_151_Col_301.tif", "slide-02"),
        ("tile.tif", ""),
    ],
)
def test_slide_key(name, expected):
    assert slide_key(name) == expected


@needs("chest_xray")
def test_real_chest_listing():
    table, filled, _ = read(card("chest-xray"), SHARED / "chest_xray")
    held = table.groupby("split")["group"].agg(set)
    other = table.groupby("split")["alternative"].agg(set)
    assert table["split"].value_counts().to_dict() == {"train": 5216, "test": 624}
    assert (len(held["train"]), len(held["test"])) == (3654, 428)
    assert not held["train"] & held["test"]
    assert len(other["train"] & other["test"]) == 170
    train = table[table["split"] == "train"]
    assert train["subtype"].value_counts().to_dict() == {
        "bacteria": 2530,
        "virus": 1345,
        "normal": 1341,
    }
    assert filled.classes == ("NORMAL", "PNEUMONIA")


@needs("kather_samples")
def test_real_histology_tiles():
    table, filled, _ = read(card("histology"), SHARED / "kather_samples")
    assert len(table) == 24
    assert filled.classes == CARDS["histology"].classes
    assert (table["label"].value_counts() == 3).all()
    assert table["group"].str.fullmatch(r"slide-(0\d|10)").all()
    row = table.set_index("image").loc[
        "01_TUMOR/1A11_CRC-Prim-HE-07_022.tif_Row_601_Col_151.tif"
    ]
    assert (row["group"], row["split"]) == ("slide-07", "")
    # Three tiles a class cannot be split by slide; by image they can.
    with pytest.raises(DataError, match="or split by image"):
        open_dataset("histology", SHARED / "kather_samples")
    dataset = open_dataset("histology", SHARED / "kather_samples", split_by="image")
    counts = dataset.table.groupby(["label", "split"]).size()
    assert counts["08_EMPTY"].to_dict() == {"train": 1, "val": 1, "test": 1}
    assert dataset.table["group"].nunique() == table["group"].nunique()


@needs("rfmid_labels")
@pytest.mark.parametrize(
    ("name", "diseased", "normal"),
    [("Training", 1519, 401), ("Validation", 506, 134), ("Testing", 506, 134)],
)
def test_real_fundus_labels(name, diseased, normal):
    labels = read_labels(SHARED / "rfmid_labels" / f"RFMiD_{name}_Labels.csv")
    assert sum(labels.values()) == diseased
    assert len(labels) == diseased + normal
    assert labels["1"] == 1


def fundus(folder, *, csvs_inside=True, rows=None):
    """A small copy of RFMiD: IDs 1 to 4 in every split, 1 and 2 diseased."""
    places = {
        "Training": "Training_Set/Training",
        "Validation": "Evaluation_Set/Validation",
        "Testing": "Test_Set/Test",
    }
    for index, (name, place) in enumerate(places.items()):
        (folder / place).mkdir(parents=True)
        for key in range(1, 5):
            colour = (40 * index, 30 * key, 10)
            Image.new("RGB", (20, 12), colour).save(folder / place / f"{key}.png")
        text = "\ufeffID,Disease_Risk,DR\n" + (rows or "1,1,1\n2,1,0\n3,0,0\n4,0,0\n")
        home = folder / (place.split("/")[0] if csvs_inside else ".")
        (home / f"RFMiD_{name}_Labels.csv").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("csvs_inside", [True, False])
def test_fundus_labels_beside_images_or_in_the_root(tmp_path, csvs_inside):
    folder = fundus(tmp_path / "wrapped" / "copy", csvs_inside=csvs_inside)
    table, filled, _ = read(card("fundus"), folder.parent)
    assert table.groupby("split").size().to_dict() == {"train": 4, "val": 4, "test": 4}
    by_image = table.set_index("image")["label"]
    assert by_image["copy/Test_Set/Test/2.png"] == "diseased"
    assert by_image["copy/Test_Set/Test/3.png"] == "normal"
    assert filled.positive == "diseased"


def test_fundus_rows_and_images_without_each_other_are_audited(tmp_path):
    folder = fundus(tmp_path, rows="1,1\n2,1\n3,0\n9,0\n")
    data = open_dataset("fundus", folder)
    found = data.audit
    reasons = found.bad().set_index("image")["reason"]
    assert len(reasons) == 6
    assert reasons["Test_Set/Test/4.png"] == "no label row for this image"
    assert reasons["Test_Set/Test/9.png"].startswith("no such file")
    assert any("1 label rows have no image" in note for note in data.notes())


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("1,1\n2,2\n", r"line 3: Disease_Risk is '2', allowed are 0 and 1"),
        ("1,1\n1,0\n", r"gives the ID '1' twice"),
        ("1,1\n2,\n", r"line 3: Disease_Risk is ''"),
    ],
)
def test_wrong_label_rows(tmp_path, rows, message):
    with pytest.raises(DataError, match=message):
        read(card("fundus"), fundus(tmp_path, rows=rows))


def test_label_file_without_its_columns(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("image,risk\n1,0\n")
    with pytest.raises(DataError, match="lacks the column ID and Disease_Risk"):
        read_labels(path)


def test_generic_folder_with_other_split_names(tmp_path):
    put(
        tmp_path,
        *(
            f"{split}/{name}/{i}.png"
            for split in ("training", "Valid", "testing")
            for name in ("b", "a")
            for i in range(2)
        ),
        "training/a/notes.txt",
        "training/loose.png",
    )
    table, filled, notes = read(card("folder"), tmp_path)
    counts = table["split"].value_counts().to_dict()
    assert counts == {"train": 4, "val": 4, "test": 4}
    assert (filled.classes, filled.positive) == (("a", "b"), "b")
    assert set(table["group"]) == {""}
    said = " ".join(map(str, notes))
    assert "'Valid' was read as the split 'val'" in said
    assert "1 files that are not images by name were passed over" in said
    assert "1 images outside any class folder were passed over" in said
    assert list(table["image"]) == sorted(table["image"])


def test_generic_class_folders_inside_a_wrapping_folder(tmp_path):
    put(tmp_path, "set/a/deep/1.png", "set/b/1.png", "set/c/1.png", ".git/x/1.png")
    table, filled, _ = read(card("folder"), tmp_path)
    assert filled.classes == ("a", "b", "c")
    assert filled.positive is None
    assert set(table["split"]) == {""}


def test_generic_folder_takes_groups_from_a_known_pattern(tmp_path):
    put(tmp_path, "a/person1_virus_1.png", "a/person1_virus_2.png", "b/IM-0001-1.png")
    table, filled, _ = read(card("folder"), tmp_path)
    assert filled.group == "patient"
    assert sorted(table["group"]) == ["IM-0001", "virus-1", "virus-1"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "does not look like 'folder': expected .* found nothing"),
        (["readme.txt"], "found readme.txt"),
        (["a/1.png"], "one class only"),
        (["a/1.png", "b/x.txt"], "class folders without one image .*: b"),
        (["train/a/1.png", "training/b/1.png"], "train and training, which both mean"),
    ],
)
def test_unusable_folders(tmp_path, files, message):
    with pytest.raises(DataError, match=message):
        read(card("folder"), put(tmp_path, *files))


@pytest.mark.parametrize("name", ["chest-xray", "histology", "fundus"])
def test_registered_set_in_another_layout(tmp_path, name):
    put(tmp_path, "cats/1.png", "dogs/1.png")
    with pytest.raises(DataError, match=f"does not look like '{name}': expected "):
        read(card(name), tmp_path)


def test_histology_with_six_folders_says_so(tmp_path):
    six = CARDS["histology"].classes[:6]
    put(tmp_path, *(f"{name}/1_CRC-Prim-HE-01_1.tif" for name in six))
    _, filled, notes = read(card("histology"), tmp_path)
    assert filled.classes == six
    assert "2 of 8 published classes are not in this copy" in str(notes[-1])


def test_a_link_to_the_folder_above_ends(tmp_path):
    put(tmp_path, "a/1.png", "b/1.png")
    (tmp_path / "a" / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "a" / "self").symlink_to(tmp_path / "a" / "self")
    table, *_ = read(card("folder"), tmp_path)
    assert list(table["image"]) == ["a/1.png", "b/1.png"]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"dataset": "phantom-chst"}, ParameterError, "did you mean 'phantom-chest'"),
        ({"dataset": "folder"}, ParameterError, "needs data_dir"),
        ({"dataset": "folder", "data_dir": "no/where"}, DataError, "does not exist"),
        ({"dataset": "folder", "data_dir": __file__}, DataError, "is a file"),
        (
            {"dataset": "folder", "data_dir": ".", "split_by": "patient"},
            ParameterError,
            "allowed are group, image",
        ),
        (
            {"dataset": "folder", "data_dir": ".", "on_bad_image": "ignore"},
            ParameterError,
            "allowed are skip, stop",
        ),
    ],
)
def test_wrong_parameters(arguments, error, message):
    with pytest.raises(error, match=message):
        open_dataset(**arguments)


def test_cards_are_complete():
    for known in CARDS.values():
        if known.layout == "folder":
            continue
        assert known.licence
        assert known.task
        assert known.notes
        assert known.synthetic == known.name.startswith("phantom-")
        if known.synthetic:
            assert CARDS[known.mimics].classes == known.classes
        else:
            assert re.fullmatch(r"10\.\d+/.+", known.doi)
    assert replace(card("folder"), name="x").classes == ()


def test_read_gives_the_promised_columns(tmp_path):
    table, *_ = read(card("folder"), put(tmp_path, "a/1.png", "b/1.png"))
    assert isinstance(table, pd.DataFrame)
    assert list(table) == [
        "image",
        "split",
        "label",
        "group",
        "alternative",
        "subtype",
    ]
