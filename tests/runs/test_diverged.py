"""A run whose loss left the finite numbers, among good ones and alone."""

import json
from dataclasses import replace

import numpy as np
import pytest
from example_runs import changed, make_run
from PIL import Image

import lightbox as lb
from lightbox.base.files import StoreError
from lightbox.base.words import said_in
from lightbox.comparison.readings import read_curves
from lightbox.data import dataset
from lightbox.display.outputs import Prose, Table
from lightbox.runs import plan
from lightbox.runs.store import find, read_weights
from lightbox.settings.parameters import validate

WHY = "the loss is not finite at epoch 3 with learning_rate 10: lower it tenfold"


def diverge(run, epochs=2):
    """The same run, had its loss left the finite numbers."""
    result = {
        "best_epoch": 0,
        "epochs_run": epochs,
        "stopped": "divergence",
        "diverged": True,
        "message": WHY,
        "train_images_per_second": None,
        "inference_images_per_second": None,
    }
    return replace(
        changed(run, result=result),
        history=run.history.iloc[:epochs].astype(float),
        predictions=run.predictions.iloc[:0],
    )


def section_runs(*, lost, epochs):
    """Four runs; those at the positions `lost` diverged."""
    made = [
        make_run("resnet18", "feature_extraction", learning_rate=1e-3, name="slow"),
        make_run("resnet18", "fine_tuning", learning_rate=1.0, name="fast"),
        make_run("vgg16", "feature_extraction", learning_rate=1e-3, name="slow"),
        make_run("vgg16", "fine_tuning", loss="focal", gamma=2.0, name="fast"),
    ]
    for run in made:
        run.record["environment"] = {"hardware": "one machine"}
    return [
        diverge(run, epochs) if place in lost else run for place, run in enumerate(made)
    ]


DISPLAYS = [
    lb.learning_curves,
    lb.confusion_matrices,
    lb.results_table,
    lb.per_class,
    lb.readings,
    lb.conclusion,
    lb.training_table,
    lb.epoch_table,
    lb.grid_map,
    lb.mean_versus_best,
    lb.grid_conclusion,
    lb.yardstick,
    lb.threshold_table,
    lb.losses_warning,
    lb.focal_conclusion,
    lb.zoo_table,
    lb.zoo_costs,
    lb.zoo_scatter,
    lb.evidence_table,
    lb.ties_table,
    lb.pairs_table,
    lb.roc_curves,
    lb.reliability_diagram,
    lb.calibration_table,
    lb.operating_points,
    lb.depth_groups,
    lb.zoo_conclusion,
]


@pytest.mark.parametrize("display", DISPLAYS)
def test_every_display_takes_diverged_runs(display):
    for lost, epochs in (((0,), 0), ((1, 3), 2), ((0, 1, 2), 1)):
        chosen = section_runs(lost=lost, epochs=epochs)
        for language in ("en", "zh"):
            shown = said_in(language, display, chosen)
            shown._repr_mimebundle_()
            assert "nan" not in repr(shown).lower()


@pytest.mark.parametrize("display", [d for d in DISPLAYS if d is not lb.readings])
def test_a_section_in_which_all_diverged_says_so(display):
    shown = display(section_runs(lost=range(4), epochs=1))
    assert isinstance(shown, Prose)
    assert "diverged in every run" in shown.markdown
    assert "lower it tenfold" in shown.markdown


def test_the_comparison_has_a_row_that_says_it():
    table = lb.results_table(section_runs(lost=(0,), epochs=0))
    assert isinstance(table, Table)
    row = list(table.frame.iloc[0])
    assert "diverged" in row
    assert row.count("–") >= 7  # every metric, and the time
    # Its columns stand where they stand without it.
    whole = lb.results_table(section_runs(lost=(), epochs=0))
    assert list(table.frame) == list(whole.frame)
    assert table.csv["test_accuracy"].isna().tolist() == [True, False, False, False]
    # The majority answer is that of a run that was tested.
    assert table.csv["majority_accuracy"].notna().all()


def test_seeds_of_which_one_diverged_are_counted():
    seeds = [make_run(seed=seed) for seed in range(3)]
    table = lb.results_table([diverge(seeds[0]), *seeds[1:]])
    assert "(diverged: 1)" in table.frame.iloc[0].to_string()


def test_what_is_left_out_is_named():
    shown = lb.confusion_matrices(section_runs(lost=(1,), epochs=1))
    assert "Left out, because training diverged: ResNet-18" in shown.caption
    said = said_in("zh", lb.conclusion, section_runs(lost=(1,), epochs=1)).markdown
    assert "未列出（訓練發散）" in said


def test_curves_of_a_diverged_run_are_read_as_such():
    found = read_curves(diverge(make_run(), 2))
    assert list(found) == ["diverged"]
    assert "diverged after 2 whole epochs" in found["diverged"]
    assert "lower it tenfold" in found["diverged"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("images")
    draw = np.random.default_rng(0)
    for split, count in {"train": 12, "test": 4}.items():
        for label in ("dark", "light"):
            (root / split / label).mkdir(parents=True)
            for i in range(count):
                pixels = draw.integers(0, 120, (16, 16), dtype=np.uint8)
                pixels[:8] += 100 if label == "light" else 0
                Image.fromarray(pixels).save(root / split / label / f"{label}{i}.png")
    return root


def test_a_really_diverged_run_is_recorded_and_the_study_goes_on(folder, home, capsys):
    values = {
        "dataset": "folder",
        "data_dir": str(folder),
        "image_size": 16,
        "models": ["conv_model"],
        "strategies": ["fine_tuning"],
        "epochs": 3,
        "batch_size": 4,
        "device": "cpu",
        "precision": "float32",
        "sets": [
            {"name": "wild", "optimizer": "sgd", "learning_rate": 10, "momentum": 0.9},
            {"name": "good"},
        ],
    }
    images = dataset.open_dataset("folder", folder, seed=0)
    wild, good = plan.run_all(validate("02_hyperparameters", values), images)
    assert wild.diverged
    assert not good.diverged
    record = json.loads((wild.folder / "run.json").read_text())
    assert "not finite" in record["result"]["message"]
    assert "learning_rate 10" in record["result"]["message"]
    assert len(wild.predictions) == 0
    assert not (wild.folder / "model.safetensors").exists()
    assert "diverged" in capsys.readouterr().out
    with pytest.raises(StoreError, match="kept no weights"):
        read_weights(wild)
    for display in DISPLAYS:
        display([wild, good])
    # It is as pure as any run: it is not tried again.
    assert find(wild.id).diverged
    assert plan.run_all(validate("02_hyperparameters", values), images)[0].reused
