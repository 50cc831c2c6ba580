"""Reliability bins, the expected calibration error, and temperature scaling."""

import math
from dataclasses import replace

import numpy as np
import pytest
from example_runs import make_run
from scipy.special import softmax
from sklearn.metrics import log_loss

from lightbox.base.words import said_in
from lightbox.comparison.reliability import calibration_table
from lightbox.evaluation.calibration import (
    bin_gaps,
    bin_places,
    calibrate,
    ece,
    ece_interval,
    fit_temperature,
    reliability_bins,
    scaled,
)
from lightbox.evaluation.metrics import score_run
from lightbox.evaluation.significance import wilson


def test_bins_are_closed_above():
    places = bin_places([0, 0.01, 1 / 15, 0.07, 3 / 15, 0.2001, 1.0])
    assert places.tolist() == [0, 0, 0, 1, 2, 3, 14]


def test_reliability_bins_by_hand():
    chances = np.array([[0.9, 0.1], [0.05, 0.95], [0.92, 0.08], [0.4, 0.6]])
    table = reliability_bins(chances, [0, 1, 1, 1])
    # 0.9 and 0.92 share (13/15, 14/15], of 0.6 the bin is (8/15, 9/15].
    assert table["images"].tolist() == [0] * 8 + [1, 0, 0, 0, 0, 2, 1]
    assert table["low"].iloc[8] == pytest.approx(8 / 15)
    assert table["high"].iloc[8] == pytest.approx(9 / 15)
    last = table.iloc[13]
    assert (last["correct"], last["accuracy"]) == (1, 0.5)
    assert last["confidence"] == pytest.approx((0.9 + 0.92) / 2)
    bounds = last[["accuracy_low", "accuracy_high"]]
    assert tuple(bounds) == pytest.approx(wilson(1, 2))
    assert table.iloc[0][["confidence", "accuracy", "accuracy_low"]].isna().all()


def test_the_error_is_the_weighted_gap_of_the_bins():
    random = np.random.default_rng(0)
    chances = random.dirichlet(np.ones(4), 500)
    labels = random.integers(0, 4, 500)
    table = reliability_bins(chances, labels).dropna()
    gaps = (table["accuracy"] - table["confidence"]).abs() * table["images"] / 500
    error = ece(chances.max(axis=1), chances.argmax(axis=1) == labels)
    assert gaps.sum() == pytest.approx(error)


def test_bins_of_no_images_are_empty():
    table = reliability_bins(np.zeros((0, 2)), [])
    assert table["images"].sum() == 0
    assert len(table) == 15


def test_scaling_by_hand():
    # Odds of 9 to 1 become 3 to 1 at temperature 2, and 81 to 1 at 1/2.
    chances = [[0.9, 0.1], [0.5, 0.5]]
    assert scaled(chances, 2) == pytest.approx(np.array([[0.75, 0.25], [0.5, 0.5]]))
    assert scaled(chances, 0.5)[0, 0] == pytest.approx(81 / 82)
    assert scaled(chances, 1) == pytest.approx(np.array(chances))
    assert scaled([[1.0, 0.0]], 3) == pytest.approx(np.array([[1.0, 0.0]]), abs=1e-12)


@pytest.mark.parametrize("factor", [0.4, 1.0, 3.0])
def test_the_temperature_of_sharpened_logits_is_found(factor):
    random = np.random.default_rng(1)
    logits = random.normal(size=(20_000, 3)) * 1.5
    chances = softmax(logits, axis=1)
    labels = (chances.cumsum(axis=1) > random.random((20_000, 1))).argmax(axis=1)
    sharpened = softmax(logits * factor, axis=1)
    temperature = fit_temperature(sharpened, labels)
    assert temperature == pytest.approx(factor, rel=0.04)
    best = log_loss(labels, scaled(sharpened, temperature))
    for other in (0.97, 1.03):
        assert best < log_loss(labels, scaled(sharpened, temperature * other))


@pytest.mark.parametrize(
    ("chances", "labels"),
    [
        (np.zeros((0, 2)), []),
        # Without an error, also where the NLL is 0 over the half of the range.
        ([[0.9, 0.1], [0.3, 0.7]], [0, 1]),
        ([[1.0, 0.0], [0.0, 1.0]], [0, 1]),
        # Worse than chance: the softer, the better.
        ([[0.9, 0.1], [0.3, 0.7]], [1, 0]),
    ],
)
def test_without_a_lowest_nll_there_is_no_temperature(chances, labels):
    assert math.isnan(fit_temperature(chances, labels))


def test_a_few_right_of_three_classes_have_a_temperature():
    # All wrong, and yet the true class comes second: sharper than uniform is better.
    chances = np.array([[0.6, 0.35, 0.05], [0.5, 0.48, 0.02]])
    temperature = fit_temperature(chances, [1, 1])
    best = log_loss([1, 1], scaled(chances, temperature), labels=[0, 1, 2])
    for other in (0.9, 1.1):
        moved = scaled(chances, temperature * other)
        assert best < log_loss([1, 1], moved, labels=[0, 1, 2])


def sharp_run(**options):
    """A run whose probabilities are too sure, on val as on test."""
    run = make_run(**options)
    frame = run.predictions
    odds = np.random.default_rng(5).normal(1.4, 1.2, len(frame))
    sick = (frame["label"] == "PNEUMONIA").to_numpy()
    chance = 1 / (1 + np.exp(-5 * np.where(sick, odds, -odds)))
    frame["prob_PNEUMONIA"], frame["prob_NORMAL"] = chance, 1 - chance
    frame["predicted"] = np.where(chance > 0.5, "PNEUMONIA", "NORMAL")
    return run


def test_a_run_that_is_too_sure_is_mended():
    run = sharp_run()
    found, scores = calibrate(run), score_run(run)
    assert found.temperature > 1.5
    for name in ("ece", "nll", "brier"):
        assert found.scores[name] == scores[name]
        assert found.scores[f"{name}_scaled"] < scores[name]


def test_calibration_table_has_a_row_a_method():
    runs = [sharp_run(), sharp_run(seed=1), sharp_run(model="vgg16")]
    table = calibration_table(runs)
    assert table.frame["Model"].tolist() == ["ResNet-18", "VGG-16"]
    assert "±" in table.frame["Temperature"].iloc[0]
    assert table.csv["run_id"].tolist() == [run.id for run in runs]
    assert table.file == "calibration.csv"
    assert "†" not in table.caption
    assert "溫度" in said_in("zh", calibration_table, runs).caption


def test_a_temperature_that_val_does_not_set_is_marked():
    table = calibration_table([make_run()])
    assert table.frame["Temperature"].iloc[0] == "–†"
    assert "no temperature" in table.caption
    run = make_run()
    run = replace(run, predictions=run.predictions.query("split == 'test'"))
    assert calibration_table([run]).frame["Temperature"].iloc[0] == "–†"


def three_classes():
    """No error on val, whose probabilities leave the NLL at 0 within the range."""
    return make_run(classes=("a", "b", "c"), positive=None)


def worse_than_chance():
    """More errors than right predictions on val: the softer, the lower the NLL."""
    run = sharp_run()
    val = run.predictions["split"] == "val"
    swapped = {"NORMAL": "PNEUMONIA", "PNEUMONIA": "NORMAL"}
    run.predictions.loc[val, "label"] = run.predictions.loc[val, "label"].map(swapped)
    return run


def no_val():
    run = make_run()
    return replace(run, predictions=run.predictions.query("split == 'test'"))


@pytest.mark.parametrize("made", [make_run, three_classes, worse_than_chance, no_val])
def test_figure_and_table_agree_where_val_sets_no_temperature(made):
    run = made()
    row = calibration_table([run]).csv.iloc[0]
    found = calibrate(run)
    assert found.after is None
    assert math.isnan(row["temperature"])
    assert row["ece"] == found.errors[0] == score_run(run)["ece"]
    assert math.isnan(row["ece_scaled"])
    assert math.isnan(found.errors[1])


def all_wrong_of_three():
    """Every val image is wrong, and its class yet second: a temperature is best."""
    run = three_classes()
    rows, val = run.predictions, run.predictions["split"] == "val"
    names = ["prob_a", "prob_b", "prob_c"]
    order = np.arange(3)
    labels = rows.loc[val, "label"].map({"a": 0, "b": 1, "c": 2}).to_numpy()[:, None]
    rows.loc[val, names] = np.choose((order - labels) % 3, [0.35, 0.6, 0.05])
    rows.loc[val, "predicted"] = np.array(["a", "b", "c"])[(labels[:, 0] + 1) % 3]
    return run


@pytest.mark.parametrize("made", [sharp_run, all_wrong_of_three])
def test_figure_and_table_agree_on_a_temperature(made):
    run = made()
    row, found = calibration_table([run]).csv.iloc[0], calibrate(run)
    assert found.after is not None
    assert row["temperature"] == found.temperature
    assert (row["ece"], row["ece_scaled"]) == found.errors


def test_bin_gaps_by_hand():
    gaps = bin_gaps([0.9, 0.9, 0.6], [True, False, True])
    # 0.9 lies in (13/15, 14/15], 0.6 is the upper bound of (8/15, 9/15].
    assert gaps[:, [13, 8]].round(9).tolist() == [[0.1, 0], [-0.9, 0], [0, 0.4]]
    assert np.count_nonzero(gaps) == 3


def resamples(images, seed=0):
    random = np.random.default_rng(seed)
    return random.multinomial(images, np.full(images, 1 / images), 500)


def answers(images, sure, right, seed=0):
    """Gaps of answers that are `sure` of themselves, of which a share is right."""
    return bin_gaps(
        np.full(images, sure), np.random.default_rng(seed).random(images) < right
    )


def test_the_interval_of_an_ece_in_one_bin_is_that_of_the_accuracy():
    # One bin, far from calibrated: |accuracy - 0.9| moves as the accuracy does.
    gaps = answers(400, 0.9, 0.7)
    low, high = ece_interval([gaps], resamples(400))
    accuracy = 0.9 + gaps.sum(axis=1).mean()
    assert (0.9 - high, 0.9 - low) == pytest.approx(
        wilson(round(accuracy * 400), 400), abs=0.01
    )


def test_the_interval_of_a_calibrated_network_reaches_zero():
    confidence = np.random.default_rng(1).uniform(0.5, 1, 300)
    correct = np.random.default_rng(2).random(300) < confidence
    low, high = ece_interval([bin_gaps(confidence, correct)], resamples(300))
    # Its own ECE is all noise: percentiles of resamples would start above it.
    assert low == 0
    assert ece(confidence, correct) > 0.03
    assert 0 < high < 0.15


def test_the_interval_of_several_runs_is_of_their_mean():
    runs = [answers(300, 0.95, 0.6, seed) for seed in range(3)]
    weights = resamples(300)
    alone = [ece_interval([gaps], weights) for gaps in runs]
    low, high = ece_interval(runs, weights)
    errors = [np.abs(gaps.mean(axis=0)).sum() for gaps in runs]
    assert low < np.mean(errors) < high
    # Runs that err apart from each other make a mean that is known better.
    assert high - low < min(b - a for a, b in alone)


def test_no_resample_moves_an_ece_of_answers_that_are_all_alike():
    gaps = bin_gaps(np.full(20, 0.7), np.full(20, True))
    assert np.isnan(ece_interval([gaps], resamples(20))).all()
