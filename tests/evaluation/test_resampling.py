"""Resamples of patients: what they hold, and the intervals made of them."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from example_runs import make_run
from scipy import stats
from sklearn.metrics import average_precision_score, roc_auc_score

from lightbox.base.errors import DataError
from lightbox.evaluation import bootstrap
from lightbox.evaluation.bootstrap import (
    NAMES,
    bca_interval,
    group_weights,
    interval,
    left_out_weights,
    ranked_areas,
    ranked_counts,
    resample_patients,
    weighted_scores,
)
from lightbox.evaluation.metrics import score
from lightbox.evaluation.pairs import nll_difference
from lightbox.evaluation.predictions import patients

CODES = np.array([0, 1, 2, 0, 3, 0])


def test_images_without_a_patient_are_their_own():
    run = make_run(num_test=6)
    rows = run.predictions.query("split == 'test'").assign(
        group=["p1", "", "p2", "p1", "", "p1"], image=["a", "b", "c", "d", "p2", "e"]
    )
    # Sorted by name, p2 comes last: it is not of the patient p2.
    codes = patients(replace(run, predictions=rows))
    assert codes.tolist() == [0, 1, 2, 0, 0, 3]


def test_images_of_a_patient_come_and_go_together():
    weights = group_weights(CODES, resamples=500, seed=1)
    assert weights.shape == (500, 6)
    assert weights.dtype == np.uint16
    assert (weights[:, [0]] == weights[:, [3, 5]]).all()
    # Four patients are drawn each time, whoever they are.
    assert (weights[:, [0, 1, 2, 4]].sum(axis=1) == 4).all()
    assert weights[:, 1].mean() == pytest.approx(1, abs=0.15)


def test_a_seed_draws_the_same_patients():
    first, again = (group_weights(CODES, seed=3) for _ in range(2))
    assert (first == again).all()
    assert (first != group_weights(CODES, seed=4)).any()
    assert len(first) == 2000


def test_a_run_without_test_images_has_no_patients():
    run = make_run()
    run = replace(run, predictions=run.predictions.query("split == 'val'"))
    with pytest.raises(DataError, match="has no test images"):
        resample_patients(run)


def test_left_out_weights_leave_out_each_patient_once(monkeypatch):
    weights = left_out_weights(CODES)
    assert weights.tolist() == [
        [0, 1, 1, 0, 1, 0],
        [1, 0, 1, 1, 1, 1],
        [1, 1, 0, 1, 1, 1],
        [1, 1, 1, 1, 0, 1],
    ]
    monkeypatch.setattr(bootstrap, "BLOCKS", 2)
    assert left_out_weights(CODES).tolist() == [
        [0, 1, 0, 0, 1, 0],
        [1, 0, 1, 1, 0, 1],
    ]


def test_percentile_interval_by_hand():
    values = [*range(101), math.nan]
    assert interval(values) == pytest.approx((2.5, 97.5))
    assert all(math.isnan(bound) for bound in interval([math.nan]))


def test_bca_agrees_with_scipy():
    sample = np.random.default_rng(0).exponential(size=60)
    expected = stats.bootstrap(
        (sample,), np.mean, n_resamples=20_000, method="BCa", rng=1
    ).confidence_interval
    weights = group_weights(np.arange(60), resamples=20_000, seed=2)
    without = left_out_weights(np.arange(60))
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
    found = weighted_scores(labels, answers, chances, place, weights)
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
    found = weighted_scores(labels, answers, chances, 1, weights)
    for name in ("auroc", "average_precision", "balanced_accuracy"):
        assert np.isnan(found[name]).tolist() == [False, True, True], name
    assert found["accuracy"].tolist() == pytest.approx([2 / 3, 2 / 3, 1])


@pytest.mark.parametrize("decimals", [9, 1])
def test_weighted_areas_are_those_of_scikit_learn(decimals):
    random = np.random.default_rng(decimals)
    truth = random.random(80) < 0.4
    scores = np.round(random.normal(size=80) + truth, decimals)
    weights = random.multinomial(80, np.full(80, 1 / 80), 20)
    areas = ranked_areas(*ranked_counts(truth, scores, weights.T))
    for measure, found in zip(
        (roc_auc_score, average_precision_score), areas, strict=True
    ):
        expected = [measure(truth, scores, sample_weight=row) for row in weights]
        assert found == pytest.approx(expected, abs=1e-12)


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
