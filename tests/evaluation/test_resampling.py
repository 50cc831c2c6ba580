"""Resamples of patients: what they hold, and the intervals made of them."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from example_runs import make_run
from scipy.stats import bootstrap

from lightbox.base.errors import DataError
from lightbox.evaluation.bootstrap import (
    NAMES,
    bca_interval,
    group_weights,
    interval,
    left_out_weights,
    ranking,
    resample_patients,
    weighted_scores,
)
from lightbox.evaluation.metrics import score
from lightbox.evaluation.pairs import nll_difference
from lightbox.evaluation.predictions import group_codes

GROUPS = ["p1", "", "p2", "p1", "", "p1"]
IMAGES = ["a", "b", "c", "d", "p2", "e"]


def test_images_without_a_patient_are_their_own():
    # The image p2 is not of the patient p2.
    assert group_codes(GROUPS, IMAGES).tolist() == [0, 1, 2, 0, 3, 0]


def test_images_of_a_patient_come_and_go_together():
    weights = group_weights(GROUPS, IMAGES, resamples=500, seed=1)
    assert weights.shape == (500, 6)
    assert weights.dtype == np.uint16
    assert (weights[:, [0]] == weights[:, [3, 5]]).all()
    # Four patients are drawn each time, whoever they are.
    assert (weights[:, [0, 1, 2, 4]].sum(axis=1) == 4).all()
    assert weights[:, 1].mean() == pytest.approx(1, abs=0.15)


def test_a_seed_draws_the_same_patients():
    first, again = (group_weights(GROUPS, IMAGES, seed=3) for _ in range(2))
    assert (first == again).all()
    assert (first != group_weights(GROUPS, IMAGES, seed=4)).any()
    assert len(first) == 2000


def test_no_images_have_no_weights():
    assert group_weights([], [], resamples=7).shape == (7, 0)
    assert left_out_weights([], []).shape == (0, 0)


def test_a_patient_missing_for_an_image_is_refused():
    with pytest.raises(DataError, match="5 patients for 6 images"):
        group_weights(GROUPS[:5], IMAGES)


def test_left_out_weights_leave_out_each_patient_once():
    weights = left_out_weights(GROUPS, IMAGES)
    assert weights.tolist() == [
        [0, 1, 1, 0, 1, 0],
        [1, 0, 1, 1, 1, 1],
        [1, 1, 0, 1, 1, 1],
        [1, 1, 1, 1, 0, 1],
    ]
    assert left_out_weights(GROUPS, IMAGES, blocks=2).tolist() == [
        [0, 1, 0, 0, 1, 0],
        [1, 0, 1, 1, 0, 1],
    ]


def test_percentile_interval_by_hand():
    values = [*range(101), math.nan]
    assert interval(values) == pytest.approx((2.5, 97.5))
    assert interval(values, 0.8) == pytest.approx((10, 90))
    assert all(math.isnan(bound) for bound in interval([math.nan]))


def test_bca_agrees_with_scipy():
    sample = np.random.default_rng(0).exponential(size=60)
    expected = bootstrap(
        (sample,), np.mean, n_resamples=20_000, method="BCa", rng=1
    ).confidence_interval
    images = [str(k) for k in range(60)]
    weights = group_weights([""] * 60, images, resamples=20_000, seed=2)
    without = left_out_weights([""] * 60, images)
    low, high = bca_interval(
        sample.mean(),
        weights @ sample / weights.sum(axis=1),
        without @ sample / without.sum(axis=1),
    )
    assert (low, high) == pytest.approx(tuple(expected), rel=0.01)
    # The mean of a skewed sample: the percentile interval lies further left.
    assert low > interval(weights @ sample / 60)[0]


@pytest.mark.parametrize("value", [1.0, math.nan])
def test_bca_of_what_never_varies_is_unknown(value):
    low, high = bca_interval(value, [1.0] * 50, [1.0] * 9)
    assert math.isnan(low)
    assert math.isnan(high)


@pytest.mark.parametrize(
    ("classes", "positive"),
    [(["n", "p"], "p"), (["n", "p"], None), (list("abcd"), None)],
)
def test_weights_score_as_repeated_images_do(classes, positive):
    random = np.random.default_rng(len(classes))
    # Tenths: many images share a probability.
    chances = random.multinomial(10, np.full(len(classes), 1 / len(classes)), 80) / 10
    labels = random.integers(0, len(classes), 80)
    answers = chances.argmax(axis=1)
    weights = random.multinomial(80, np.full(80, 1 / 80), 5)
    weights[0] = 1
    place = None if positive is None else classes.index(positive)
    found = weighted_scores(labels, answers, chances, weights, positive=place)
    frame = pd.DataFrame(chances, columns=[f"prob_{name}" for name in classes])
    frame["label"] = [classes[k] for k in labels]
    frame["predicted"] = [classes[k] for k in answers]
    for row, times in enumerate(weights):
        repeated = frame.loc[np.repeat(np.arange(80), times)]
        expected = score(repeated, classes, positive)
        for name in NAMES:
            assert found[name][row] == pytest.approx(expected[name], rel=1e-5), name


def test_a_resample_without_a_class_has_no_auroc():
    labels, answers = np.array([0, 0, 1]), np.array([0, 1, 1])
    chances = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]])
    weights = np.array([[1, 1, 1], [2, 1, 0], [0, 0, 3]])
    found = weighted_scores(labels, answers, chances, weights, positive=1)
    for name in ("auroc", "average_precision", "balanced_accuracy"):
        assert np.isnan(found[name]).tolist() == [False, True, True], name
    assert found["accuracy"].tolist() == pytest.approx([2 / 3, 2 / 3, 1])


def test_ranking_without_images_is_undefined():
    area, precision = ranking(np.zeros(0, bool), np.zeros(0), np.zeros((0, 3)))
    assert np.isnan(area).all()
    assert np.isnan(precision).all()


def test_runs_share_the_resamples_of_patients():
    one, two = make_run(num_test=60), make_run("vgg16", num_test=60)
    # The order of rows is not that of another run.
    two = replace(two, predictions=two.predictions.sort_values("label"))
    first, second = resample_patients(one), resample_patients(two)
    assert (first.resampled == second.resampled).all()
    assert (first.count, first.num_images) == (30, 60)


def test_nll_difference_is_that_of_the_scores():
    one, two = make_run(accuracy=0.7), make_run("vgg16", accuracy=0.9)
    gap, low, high = nll_difference(one, two)
    assert low < gap < high
    back = nll_difference(two, one)
    assert (-back[0], -back[2], -back[1]) == pytest.approx((gap, low, high))
