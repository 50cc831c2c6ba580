"""DeLong's areas against a published example and counting by hand."""

import numpy as np
import pytest
from scipy.stats import chi2
from sklearn.metrics import roc_auc_score

from lightbox.base.errors import DataError
from lightbox.evaluation.pairs import delong

# DeLong et al. 1988: ovarian cancer with intestinal obstruction, the 43 patients
# without missing values as SAS/STAT prints them (LOGISTIC procedure, example
# "Comparing Receiver Operating Characteristic Curves"): albumin, total protein,
# K-G score, and whether surgery helped.
OVARIAN = """
3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0
2.5 5.7 8 0  1.6 5.6 5 1  3.8 5.7 5 1  3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1
4.1 6.6 5 1  3.6 5.7 5 1  4.3 7.0 4 1  3.6 6.7 4 0  2.3 4.4 6 1  4.2 7.6 4 0
4.0 6.6 6 0  3.5 5.8 6 1  3.8 6.8 7 1  3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1
3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1  4.3 6.5 4 1  3.2 5.1 5 1  2.6 4.7 6 1
3.3 6.8 6 0  1.7 4.0 7 0  3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1  3.5 6.2 5 1
2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1  3.3 5.7 6 1  3.7 6.9 5 1
3.6 6.6 5 1
"""


@pytest.fixture(scope="module")
def ovarian():
    table = np.array(OVARIAN.split(), float).reshape(-1, 4)
    return table[:, 3] == 1, np.array([table[:, 0], 10 - table[:, 2], table[:, 1]])


PATIENTS = np.arange(43)  # of one image each


def test_the_published_example(ovarian):
    areas = delong(*ovarian, PATIENTS)
    assert areas.values == pytest.approx([0.7366, 0.7258, 0.6478], abs=5e-5)
    errors = np.sqrt(np.diag(areas.covariance))
    assert errors == pytest.approx([0.0927, 0.1028, 0.1000], abs=5e-5)
    contrasts = np.array([[1, -1, 0], [0, -1, 1]])
    gaps = contrasts @ areas.values
    statistic = gaps @ np.linalg.solve(contrasts @ areas.covariance @ contrasts.T, gaps)
    assert statistic == pytest.approx(2.5340, abs=5e-5)
    assert chi2.sf(statistic, 2) == pytest.approx(0.2817, abs=5e-5)


def by_counting(positive, scores):
    """Areas and covariance from the definition: every pair of images, one by one."""
    cases, controls = np.flatnonzero(positive), np.flatnonzero(~positive)
    kernel = np.array(
        [
            [
                [1.0 if a > b else 0.5 if a == b else 0.0 for b in line[controls]]
                for a in line[cases]
            ]
            for line in scores
        ]
    )
    over_controls, over_cases = kernel.mean(axis=2), kernel.mean(axis=1)
    covariance = np.cov(over_controls) / len(cases) + np.cov(over_cases) / len(controls)
    return kernel.mean(axis=(1, 2)), covariance


@pytest.mark.parametrize("decimals", [1, 6])
def test_midranks_agree_with_counting_every_pair(decimals):
    random = np.random.default_rng(decimals)
    positive = random.random(90) < 0.4
    scores = (random.normal(size=(3, 90)) + positive).round(decimals)
    values, covariance = by_counting(positive, scores)
    areas = delong(positive, scores, np.arange(90))
    assert areas.values == pytest.approx(values)
    assert areas.covariance == pytest.approx(covariance)
    for value, line in zip(areas.values, scores, strict=True):
        assert value == pytest.approx(roc_auc_score(positive, line))


def test_a_small_set_by_hand():
    # Positives 0.8, 0.4; negatives 0.6, 0.4, 0.1: they beat 3 and 1.5 of 3.
    truth = [True, True, False, False, False]
    areas = delong(truth, [0.8, 0.4, 0.6, 0.4, 0.1], range(5))
    assert areas.values == pytest.approx([0.75])
    # Placements 1, 0.5 (variance 0.125) and 0.5, 0.75, 1 (variance 0.0625).
    assert areas.covariance == pytest.approx(0.125 / 2 + 0.0625 / 3)


def test_copies_of_a_patient_bring_no_certainty(ovarian):
    positive, scores = ovarian
    twice, codes = np.tile(positive, 2), np.tile(PATIENTS, 2)
    grouped = delong(twice, np.tile(scores, 2), codes)
    once = delong(positive, scores, PATIENTS)
    assert grouped.covariance == pytest.approx(once.covariance)
    naive = delong(twice, np.tile(scores, 2), np.arange(86)).covariance
    assert naive[0, 0] < 0.55 * grouped.covariance[0, 0]


def test_comparison_of_a_model_with_itself(ovarian):
    positive, scores = ovarian
    gap = delong(positive, scores[[0, 0]], PATIENTS).compare()
    assert gap == (0, 0, 0, 1)


def test_comparison_changes_sign_with_its_order(ovarian):
    areas = delong(*ovarian, PATIENTS)
    one, two = areas.compare(0, 2), areas.compare(2, 0)
    assert (one.value, one.low, one.high) == pytest.approx(
        (-two.value, -two.high, -two.low)
    )
    assert one.pvalue == two.pvalue
    assert one.low < 0 < one.high


@pytest.mark.parametrize(
    ("positive", "groups"),
    [([True, False, False], [0, 1, 2]), ([True, True, False, False], [0, 0, 1, 2])],
)
def test_one_patient_of_a_class_has_no_variance(positive, groups):
    with pytest.raises(DataError, match="two images of different patients"):
        delong(positive, np.arange(len(positive)), groups)
