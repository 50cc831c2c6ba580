"""Splits: published ones kept, others made by group, every class in each."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from lightbox.base.errors import DataError
from lightbox.base.words import said_in
from lightbox.data.inspection import interval_width
from lightbox.data.splits import assign_splits


def rows(split, label, count, *, per_group=1, prefix="p"):
    return pd.DataFrame(
        {
            "image": [f"{split}/{label}/{i:04d}.png" for i in range(count)],
            "split": split,
            "label": label,
            "group": [f"{prefix}{label}{i // per_group}" for i in range(count)],
        }
    )


def published(val=16):
    return pd.concat(
        [
            rows("train", "a", 300, per_group=3),
            rows("train", "b", 900, per_group=4),
            rows("val", "a", val // 2, prefix="v"),
            rows("val", "b", val - val // 2, prefix="v"),
            rows("test", "a", 60, prefix="t"),
            rows("test", "b", 90, prefix="t"),
        ],
        ignore_index=True,
    )


@pytest.mark.parametrize("count", [10, 140, 620, 1000])
def test_interval_width_is_wilsons(count):
    found = binomtest(count * 9 // 10, count).proportion_ci(method="wilson")
    assert interval_width(count) == pytest.approx(found.high - found.low, rel=1e-9)


def test_interval_width_decides_at_ten_points():
    assert interval_width(0) == 1.0
    assert interval_width(16) > 0.10 > interval_width(200)


def test_small_val_is_set_aside_and_replaced_by_whole_groups():
    table, notes = assign_splits(published(), seed=0, classes=("a", "b"))
    assert len(table) == 1350  # the 16 are gone, nothing else is
    assert (table["split"] == "test").sum() == 150
    val = table[table["split"] == "val"]
    train = table[table["split"] == "train"]
    assert len(val) + len(train) == 1200
    assert len(val) / 1200 == pytest.approx(0.15, abs=0.02)
    assert (val["label"] == "a").mean() == pytest.approx(0.25, abs=0.02)
    assert not set(val["group"]) & set(train["group"])
    assert len(notes) == 1
    assert "16 images is too small to select on" in str(notes[0])
    assert f"{len(val):,} of the 1,200 train images became val" in str(notes[0])
    assert f"{len(val):,} 張改作驗證集" in said_in("zh", str, notes[0])


def test_the_same_split_with_and_without_the_small_val():
    with_val, _ = assign_splits(published(), seed=3, classes=("a", "b"))
    without = published()
    without = without[without["split"] != "val"]
    without, notes = assign_splits(without, seed=3, classes=("a", "b"))
    pd.testing.assert_frame_equal(with_val, without)
    assert str(notes[0]).startswith("No val split is published")


def test_a_large_published_val_is_kept():
    table, notes = assign_splits(published(val=300), seed=0, classes=("a", "b"))
    assert notes == []
    expected = published(val=300).sort_values("image", ignore_index=True)
    pd.testing.assert_frame_equal(table, expected, check_dtype=False)


def test_seed_decides_and_row_order_does_not():
    first, _ = assign_splits(published(), seed=1, classes=("a", "b"))
    shuffled = published().sample(frac=1, random_state=5)
    again, _ = assign_splits(shuffled, seed=1, classes=("a", "b"))
    other, _ = assign_splits(published(), seed=2, classes=("a", "b"))
    pd.testing.assert_frame_equal(first, again)
    assert (first["split"] != other["split"]).any()


def test_no_published_split_gives_three_by_slide():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "image": [f"{i:04d}.tif" for i in range(800)],
            "split": "",
            "label": [f"c{i % 8}" for i in range(800)],
            "group": [f"slide-{k}" for k in rng.integers(10, size=800)],
        }
    )
    classes = tuple(f"c{i}" for i in range(8))
    result, notes = assign_splits(table, seed=0, classes=classes)
    held = result.groupby("split")["group"].agg(set)
    assert set(held.index) == {"train", "val", "test"}
    assert not held["train"] & held["val"] | held["test"] & (
        held["train"] | held["val"]
    )
    for _, part in result.groupby("split"):
        assert set(part["label"]) == set(classes)
    assert len(notes) == 2


def test_images_without_groups_stand_alone():
    table = pd.concat([rows("", "a", 100), rows("", "b", 100)]).assign(group="")
    result, notes = assign_splits(table, seed=0, classes=("a", "b"))
    shares = result["split"].value_counts(normalize=True)
    assert shares["test"] == pytest.approx(0.15, abs=0.02)
    assert shares["val"] == pytest.approx(0.15, abs=0.02)
    assert "every image on its own" in str(notes[0])


def test_identical_files_stay_on_one_side():
    table = pd.concat([rows("", "a", 200), rows("", "b", 200)], ignore_index=True)
    contents = [f"{i % 200 // 4}{label}" for i, label in enumerate(table["label"])]
    result, _ = assign_splits(table.assign(sha256=contents), seed=0, classes=("a", "b"))
    assert result.groupby("sha256")["split"].nunique().max() == 1
    assert result["split"].nunique() == 3


def test_split_by_image_shares_groups_and_says_so():
    table = pd.concat([rows("", "a", 200), rows("", "b", 200)]).assign(group="s1")
    with pytest.raises(DataError, match="or split by image"):
        assign_splits(table, seed=0, classes=("a", "b"))
    result, notes = assign_splits(table, seed=0, classes=("a", "b"), by="image")
    assert result["split"].value_counts()["train"] == pytest.approx(280, abs=10)
    assert "patients or slides shared" in str(notes[0])


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            pd.concat([rows("", "a", 50), rows("", "b", 20, per_group=20)]),
            "no test split can hold every class: 'b' comes from 1 group",
        ),
        (
            pd.concat([rows("test", "a", 5), rows("test", "b", 5)]),
            "none for train",
        ),
        (
            pd.concat(
                [rows("train", "a", 50), rows("train", "b", 50), rows("test", "a", 5)]
            ),
            "the test split has no usable image of b",
        ),
    ],
)
def test_impossible_splits(table, message):
    with pytest.raises(DataError, match=message):
        assign_splits(table, seed=0, classes=("a", "b"))
