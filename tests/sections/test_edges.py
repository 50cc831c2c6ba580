"""Data at the edge: a defined result or one clear line, never another exception."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from example_runs import make_run
from PIL import Image

import lightbox as lb
from lightbox.base.errors import LightboxError
from lightbox.base.words import said_in
from lightbox.data import dataset
from lightbox.evaluation.metrics import score_run
from lightbox.runs import plan
from lightbox.settings.parameters import validate

VALUES = {
    "dataset": "folder",
    "image_size": 16,
    "models": ["conv_model"],
    "strategies": ["feature_extraction", "fine_tuning"],
    "epochs": 1,
    "batch_size": 4,
    "device": "cpu",
    "precision": "float32",
}


def draw_folder(root, **counts):
    """Images per `split__class`; every one of its own."""
    draw = np.random.default_rng(0)
    for place, count in counts.items():
        folder = root.joinpath(*place.split("__"))
        folder.mkdir(parents=True)
        for i in range(count):
            pixels = draw.integers(0, 255, (16, 16), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{i}.png")
    return root


def study(root, section="01_feature_extraction_vs_fine_tuning", **changes):
    found = dataset.open_dataset("folder", root, seed=0)
    values = VALUES | {"data_dir": str(root)} | changes
    return plan.run_all(validate(section, values), found)


def study_or_line(root, **changes):
    """Runs, or none and the line that refused them."""
    try:
        return study(root, **changes), ""
    except LightboxError as error:
        return [], str(error)


def shown(made):
    """Every display of the first section, in both languages."""
    for language in ("en", "zh"):
        for display in (
            lb.results_table,
            lb.per_class,
            lb.learning_curves,
            lb.readings,
            lb.confusion_matrices,
            lb.conclusion,
            lb.yardstick,
        ):
            said_in(language, display, made)._repr_mimebundle_()


LACKS = "split has no usable image of b: every class must be in every split"


@pytest.mark.parametrize(
    ("counts", "refusal"),
    [
        ({"train__a": 9, "train__b": 9, "test__a": 4}, f"test {LACKS}"),
        ({"train__a": 9, "test__a": 4, "test__b": 4}, f"train {LACKS}"),
        (
            {"train__a": 9, "train__b": 9, "val__a": 300, "test__a": 4, "test__b": 4},
            f"val {LACKS}",
        ),
        ({"a": 1, "b": 1}, "no test split can hold every class"),
        ({"a": 9, "b": 1}, "'b' comes from 1 group"),
        ({"a": 2, "b": 2}, "no val split can hold every class"),
        ({"a": 9}, "one class only"),
        (dict.fromkeys("abcdefghij", 1), "no test split can hold every class"),
        (
            {"train__a": 1, "train__b": 1, "test__a": 1, "test__b": 1},
            "no val split can hold every class",
        ),
    ],
)
def test_what_no_classifier_can_be_made_of_is_refused(tmp_path, home, counts, refusal):
    root = draw_folder(tmp_path / "x", **counts)
    with pytest.raises(LightboxError, match=re.escape(refusal)) as told:
        study(root)
    assert len(str(told.value).splitlines()) == 1


@pytest.mark.parametrize(
    "counts",
    [
        {"train__a": 2, "train__b": 2, "test__a": 1, "test__b": 1},
        {"train__a": 3, "train__b": 2, "val__a": 1, "test__a": 1, "test__b": 1},
    ],
)
def test_one_image_of_a_class_in_each_split_is_a_defined_result(tmp_path, home, counts):
    made = study(draw_folder(tmp_path / "x", **counts))
    for run in made:
        probabilities = run.predictions.filter(like="prob_")
        assert np.isfinite(probabilities).all(axis=None)
        assert run.data.counts["train"]["b"] == 1
    shown(made)


def test_a_split_of_one_class_has_no_auroc():
    run = make_run(num_test=40)
    test = run.predictions["split"] == "test"
    one = run.predictions[~test | (run.predictions["label"] == "NORMAL")]
    scores = score_run(replace(run, predictions=one))
    assert 0 <= scores["accuracy"] <= 1
    assert math.isnan(scores["auroc"])
    shown([replace(run, predictions=one)])


def test_more_classes_than_a_batch_holds(tmp_path, home):
    counts = {f"train__{k}": 5 for k in "abcdefgh"} | {
        f"test__{k}": 2 for k in "abcdefgh"
    }
    made = study(draw_folder(tmp_path / "x", **counts), batch_size=2)
    assert all(len(run.predictions.filter(like="prob_").columns) == 8 for run in made)
    shown(made)


@pytest.mark.parametrize("size", [1, 2])
def test_batches_of_one_under_batchnorm(tmp_path, home, size):
    counts = {f"train__{k}": 8 for k in "ab"} | {f"test__{k}": 3 for k in "ab"}
    root = draw_folder(tmp_path / "x", **counts)
    options = {"models": ["shufflenet_v2_x0_5"], "strategies": ["fine_tuning"]}
    made, refusal = study_or_line(root, batch_size=size, image_size=32, **options)
    assert bool(refusal) == (size == 1)
    if refusal:
        assert "batch_size" in refusal
        assert len(refusal.splitlines()) == 1
        return
    assert np.isfinite(made[0].predictions.filter(like="prob_")).all(axis=None)
