"""Printed values beside a run's own: matched, never confused, differences named."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from example_runs import changed, make_history, make_run

from lightbox.base.words import said_in
from lightbox.printed.reference import (
    PROTOCOL,
    QUANTITIES,
    differences,
    match,
    reference_table,
)

PARAMS = Path(__file__).resolve().parents[2] / "params"
STUDIES = sorted(path.parent.name for path in PARAMS.glob("*/reference.csv"))
FIXED = {"notebook", "source", "run", "name", "model", "strategy", "protocol"}
FIRST = "01_feature_extraction_vs_fine_tuning"


def rows(study):
    return pd.read_csv(PARAMS / study / "reference.csv")


def section(stem, frame, **settings):
    given = {"split_by": "group"} | settings
    return SimpleNamespace(
        name=stem, settings=SimpleNamespace(**given), references=lambda: frame
    )


@pytest.mark.parametrize("study", STUDIES)
def test_every_column_is_one_that_the_library_reads(study):
    frame = rows(study)
    known = FIXED | set(PROTOCOL) | set(QUANTITIES) | {"loss", "optimizer"}
    assert set(frame) <= known
    assert set(frame) >= FIXED
    for stem in set(frame["notebook"]):
        assert (PARAMS / study / f"{stem}.yaml").exists()


def test_the_printed_tables_are_whole():
    count = {study: len(rows(study)) for study in STUDIES}
    assert count == {
        "alexnet-vgg19": 6,
        "chest-xray": 8,
        "fundus": 5,
        "histology-zoo": 9,
    }
    s4 = rows("alexnet-vgg19")
    # What that report prints as precision is its specificity: counts agree exactly.
    right = 390 * s4["test_sensitivity"] + 234 * s4["test_precision"]
    assert np.allclose(right, 624 * s4["test_accuracy"], atol=0.05)
    s2 = rows("histology-zoo")
    rate = 100 * s2["test_accuracy"] / s2["train_seconds"]
    assert np.allclose(rate, s2["accuracy_per_second"], rtol=1e-3)


def test_a_run_stands_for_the_row_of_its_model_strategy_and_loss():
    frame = rows("chest-xray")
    frame = frame[frame["notebook"] == FIRST]
    runs = [
        make_run("resnet18", "feature_extraction"),
        make_run("resnet18", "fine_tuning"),
        make_run("resnet18", "fine_tuning", loss="focal", gamma=2.0),
    ]
    found = match(frame, runs, "group")
    # Rows: ResNet-18 and VGG-16 fine-tuned, then both as feature extractors.
    assert found[0] is runs[1]
    assert found[2] is runs[0]
    assert found[1] is None
    assert found[3] is None


def test_of_two_that_fit_the_nearer_stands_and_each_but_once():
    frame = pd.DataFrame({"model": ["vgg16"] * 3, "epochs": [10, 15, 10]})
    near, far = make_run("vgg16", epochs=10), make_run("vgg16", epochs=15)
    found = match(frame, [far, near], "group")
    assert [run is kept for run, kept in zip(found, [near, far], strict=False)] == [
        True,
        True,
    ]
    assert found[2] is None


def test_a_set_stands_only_for_the_row_of_its_name():
    frame = pd.DataFrame({"model": ["vgg16"] * 2, "name": ["set 1", "set 2"]})
    run = make_run("vgg16", name="set 2")
    assert match(frame, [run], "group") == [None, run]


def test_differences_are_named_and_silence_is_not_compared():
    run = make_run(image_size=64, epochs=2, weights="none")
    row = pd.Series(
        {
            "image_size": 224.0,
            "epochs": 2,
            "weights": "IMAGENET",
            "batch_size": np.nan,
            "learning_rate": 0.0001,
            "split_by": "image",
            "train_images": 5216,
        }
    )
    assert differences(row, run, "group") == [
        "split by group, not image",
        "train images 390, not 5216",
        "image size 64, not 224",
        "weights none, not IMAGENET",
    ]
    assert said_in("zh", differences, row, run, "group")[2] == "影像邊長 64，而非 224"
    same = row.drop(["image_size", "split_by", "train_images", "weights"])
    assert differences(same, run, "group") == []
    assert differences(pd.Series({"weights": "IMAGENET1K_V1"}), make_run(), "x") == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_table_pairs_source_and_run(language):
    frame = rows("chest-xray")
    run = make_run("resnet18", "fine_tuning", image_size=64)
    table = said_in(language, reference_table, section(FIRST, frame), [run])
    shown = table.frame.to_numpy()
    assert len(shown) == 8  # four printed rows, a line of this run under each
    assert shown[0][2:4].tolist() == ["84.84", "0.765"]
    own = run.predictions[run.predictions["split"] == "test"]
    accuracy = 100 * (own["label"] == own["predicted"]).mean()
    assert shown[1][2] == f"{accuracy:.2f}"
    letters = shown[1][-1].split(", ")
    assert "a" in letters
    assert shown[3][-1] == {"en": "not run", "zh": "未執行"}[language]
    assert {"en": "image size 64, not 224", "zh": "影像邊長 64，而非 224"}[
        language
    ] in table.caption
    assert table.csv["printed_test_accuracy"].tolist()[0] == 0.8484
    assert table.csv["run_id"].tolist() == [run.id, "", "", ""]


def test_a_study_of_its_own_has_a_sentence():
    for frame in (None, rows("fundus")):
        said = reference_table(section(FIRST, frame), [make_run()])
        assert "no reference value" in said.markdown


def test_a_diverged_run_stands_for_nothing():
    run = make_run("resnet18", "fine_tuning")
    run = changed(run, result={"diverged": True})
    table = reference_table(section(FIRST, rows("chest-xray")), [run])
    assert set(table.frame["Protocol"]) == {"", "not run"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("first_val_loss", 0.5),
        ("highest_val_loss", 0.9),
        ("first_val_accuracy", 0.7),
        ("lowest_val_accuracy", 0.6),
        ("highest_val_accuracy", 0.9),
        ("mean_val_accuracy", 0.7625),
        ("above_80_from", 2.0),
        ("best_epoch", 0.0),
        ("epochs_run", 4.0),
    ],
)
def test_readings_of_curves_by_hand(name, value):
    history = make_history([0.5, 0.9, 0.6, 0.7], [0.7, 0.6, 0.85, 0.9])
    assert QUANTITIES[name][3](make_run(history=history)) == pytest.approx(value)


def test_accuracy_that_ends_low_was_never_above():
    history = make_history([0.5, 0.4], [0.9, 0.7])
    assert np.isnan(QUANTITIES["above_80_from"][3](make_run(history=history)))
    always = make_history([0.5, 0.4], [0.9, 0.95])
    assert QUANTITIES["above_80_from"][3](make_run(history=always)) == 0
