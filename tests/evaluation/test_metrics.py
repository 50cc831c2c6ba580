"""Metrics against scikit-learn and tables computed by hand; intervals and tests."""

import math

import numpy as np
import pandas as pd
import pytest
from example_runs import changed, make_run, study
from scipy.stats import binomtest
from sklearn import metrics as sk

from lightbox.base.errors import DataError
from lightbox.comparison.results import COLUMNS, results_frame
from lightbox.comparison.runs import Runs
from lightbox.evaluation.metrics import (
    NAMES,
    majority_answer,
    score,
    score_majority,
    score_run,
)
from lightbox.evaluation.significance import holm, mcnemar, sign_flips, wilson

BINARY = ["NORMAL", "PNEUMONIA"]


def table(rows, classes):
    """Predictions from (label, predicted, probabilities...)."""
    names = ["label", "predicted", *(f"prob_{name}" for name in classes)]
    return pd.DataFrame(rows, columns=names)


def counts(matrix, classes):
    """Predictions with a given confusion matrix."""
    rows = []
    for i, label in enumerate(classes):
        for j, predicted in enumerate(classes):
            chances = [0.2 / (len(classes) - 1)] * len(classes)
            chances[j] = 0.8
            rows += [(label, predicted, *chances)] * matrix[i][j]
    return table(rows, classes)


def test_binary_scores_by_hand():
    # 100 negatives (90 right), 50 positives (30 right).
    scores = score(counts([[90, 10], [20, 30]], BINARY), BINARY, "PNEUMONIA")
    assert scores.confusion.tolist() == [[90, 10], [20, 30]]
    assert scores["accuracy"] == pytest.approx(120 / 150)
    assert scores["sensitivity"] == pytest.approx(30 / 50)
    assert scores["specificity"] == pytest.approx(90 / 100)
    assert scores["precision"] == pytest.approx(30 / 40)
    assert scores["f1"] == pytest.approx(60 / 90)
    assert scores["balanced_accuracy"] == pytest.approx(0.75)
    # Answers score 0.8 or 0.2 only: AUROC is the mean of the two rates.
    assert scores["auroc"] == pytest.approx(0.75)
    nll = -(120 * math.log(0.8) + 30 * math.log(0.2)) / 150
    assert scores["nll"] == pytest.approx(nll)
    assert scores["brier"] == pytest.approx((120 * 0.04 + 30 * 0.64) / 150)
    # Above 0.2: 40 images, 30 of them positive; above 0: all 150, 50 positive.
    assert scores["average_precision"] == pytest.approx(
        30 / 50 * 30 / 40 + 20 / 50 * 50 / 150
    )
    # Every answer is given with 0.8 and 120 of 150 are right.
    assert scores["ece"] == pytest.approx(0)
    assert (scores.num_correct, scores.num_images) == (120, 150)
    assert not any(math.isnan(value) for value in scores.values.values())


def test_precision_is_not_specificity():
    # Recall 386/390 and specificity 112/234, as course report S4 has them.
    scores = score(counts([[112, 122], [4, 386]], BINARY), BINARY, "PNEUMONIA")
    assert scores["specificity"] == pytest.approx(0.4786, abs=5e-5)
    assert scores["precision"] == pytest.approx(386 / 508)
    assert scores["accuracy"] == pytest.approx(0.798077, abs=5e-7)


@pytest.mark.parametrize("num_classes", [2, 3, 8])
def test_scores_agree_with_scikit_learn(num_classes):
    random = np.random.default_rng(num_classes)
    classes = [f"c{k}" for k in range(num_classes)]
    chances = random.dirichlet(np.ones(num_classes), 400)
    labels = random.integers(0, num_classes, 400)
    answers = chances.argmax(axis=1)
    frame = pd.DataFrame(chances, columns=[f"prob_{name}" for name in classes])
    frame["label"] = [classes[k] for k in labels]
    frame["predicted"] = [classes[k] for k in answers]
    scores = score(frame, classes)
    expected = {
        "accuracy": sk.accuracy_score(labels, answers),
        "balanced_accuracy": sk.balanced_accuracy_score(labels, answers),
        "sensitivity": sk.recall_score(labels, answers, average="macro"),
        "precision": sk.precision_score(labels, answers, average="macro"),
        "f1": sk.f1_score(labels, answers, average="macro"),
        "nll": sk.log_loss(labels, chances),
    }
    if num_classes > 2:
        expected["auroc"] = sk.roc_auc_score(labels, chances, multi_class="ovr")
        expected["brier"] = np.mean(
            ((chances - np.eye(num_classes)[labels]) ** 2).sum(axis=1)
        )
        truth = np.eye(num_classes)[labels]
        expected["average_precision"] = sk.average_precision_score(truth, chances)
    else:
        expected["average_precision"] = np.mean(
            [sk.average_precision_score(labels == k, chances[:, k]) for k in (0, 1)]
        )
        expected["auroc"] = sk.roc_auc_score(labels, chances[:, 1])
        expected["brier"] = sk.brier_score_loss(labels, chances[:, 1])
    positive = score(frame, classes, classes[1])["average_precision"]
    if num_classes == 2:
        one = sk.average_precision_score(labels, chances[:, 1])
        assert positive == pytest.approx(one, rel=1e-12)
    for name, value in expected.items():
        assert scores[name] == pytest.approx(value, rel=1e-12), name
    np.testing.assert_array_equal(
        scores.confusion, sk.confusion_matrix(labels, answers)
    )


def test_macro_specificity_by_hand():
    matrix = [[5, 1, 0], [2, 6, 0], [0, 1, 5]]
    scores = score(counts(matrix, list("abc")), list("abc"))
    # Against the rest: a 12/14, b 10/12, c 14/14.
    assert scores.per_class["specificity"].tolist() == pytest.approx(
        [12 / 14, 10 / 12, 1]
    )
    assert scores["specificity"] == pytest.approx((12 / 14 + 10 / 12 + 1) / 3)


def test_probability_of_zero_is_clipped():
    scores = score(table([("b", "a", 1.0, 0.0)], ["a", "b"]), ["a", "b"], "b")
    assert scores["nll"] == pytest.approx(-math.log(2.220446049250313e-16))


@pytest.mark.parametrize(
    ("matrix", "undefined"),
    [
        (
            [[9, 1], [0, 0]],
            {"auroc", "average_precision", "sensitivity", "f1", "balanced_accuracy"},
        ),
        (
            [[0, 0], [1, 9]],
            {"auroc", "average_precision", "specificity", "balanced_accuracy"},
        ),
        ([[5, 0], [5, 0]], {"precision"}),
        ([[0, 0], [0, 0]], set(NAMES)),
    ],
)
def test_undefined_metrics_are_no_number(matrix, undefined):
    scores = score(counts(matrix, BINARY), BINARY, "PNEUMONIA")
    assert {name for name in NAMES if math.isnan(scores[name])} == undefined


def test_a_class_absent_from_three_is_no_number():
    scores = score(counts([[3, 1, 0], [1, 3, 0], [0, 0, 0]], list("abc")), list("abc"))
    assert scores["accuracy"] == pytest.approx(6 / 8)
    assert math.isnan(scores["sensitivity"])
    assert math.isnan(scores["auroc"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prob_PNEUMONIA": None}, "lack the column.*prob_PNEUMONIA"),
        ({"label": "OTHER"}, "label 'OTHER'.*classes are NORMAL, PNEUMONIA"),
        ({"predicted": "x"}, "predicted 'x'"),
        ({"prob_NORMAL": 0.9}, "do not sum to 1"),
        ({"prob_NORMAL": math.nan}, "do not sum to 1"),
    ],
)
def test_damaged_predictions_are_refused(change, message):
    frame = counts([[2, 1], [1, 2]], BINARY)
    for column, value in change.items():
        frame = frame.drop(columns=column) if value is None else frame
        frame = frame if value is None else frame.assign(**{column: value})
    with pytest.raises(DataError, match=message):
        score(frame, BINARY, "PNEUMONIA")


def test_unknown_positive_class_is_refused():
    with pytest.raises(DataError, match="'SICK' is not one of NORMAL"):
        score(counts([[1, 0], [0, 1]], BINARY), BINARY, "SICK")


def test_majority_is_that_of_train_scored_on_test():
    run = make_run(
        counts={
            "train": {"NORMAL": 1341, "PNEUMONIA": 3875},
            "val": {"NORMAL": 8, "PNEUMONIA": 8},
            "test": {"NORMAL": 100, "PNEUMONIA": 200},
        }
    )
    scores = score_majority(run)
    truth = (run.predictions.query("split == 'test'")["label"] == "PNEUMONIA").mean()
    assert majority_answer(run) == "PNEUMONIA"
    assert scores["accuracy"] == pytest.approx(truth)
    assert (scores["sensitivity"], scores["specificity"]) == (1, 0)
    assert scores["auroc"] == 0.5
    share = 3875 / 5216
    nll = -(truth * math.log(share) + (1 - truth) * math.log(1 - share))
    assert scores["nll"] == pytest.approx(nll)


def test_wilson_interval():
    # 14 of 16, as a validation set of 16 images has it.
    low, high = wilson(14, 16)
    z, p, n = 1.959963984540054, 14 / 16, 16
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert (low, high) == pytest.approx((middle - half, middle + half))
    assert (round(low, 2), round(high, 2)) == (0.64, 0.97)
    for impossible in ((0, 0), (-1, 5), (6, 5)):
        assert all(math.isnan(bound) for bound in wilson(*impossible))
    assert wilson(0, 10)[0] == 0


@pytest.mark.parametrize(
    ("successes", "total", "low", "high"),
    [
        # statsmodels 0.15, proportion_confint(..., method="wilson").
        (14, 16, 0.639771727342413, 0.9650225122567595),
        (439, 624, 0.666534952059201, 0.7380257796852443),
        (0, 10, 0.0, 0.2775327998628892),
    ],
)
def test_wilson_agrees_with_statsmodels(successes, total, low, high):
    assert wilson(successes, total) == pytest.approx((low, high), abs=1e-15)


@pytest.mark.parametrize("total", [1, 2, 16, 140])
def test_wilson_agrees_with_scipy(total):
    for successes in range(total + 1):
        expected = binomtest(successes, total).proportion_ci(method="wilson")
        assert wilson(successes, total) == pytest.approx(tuple(expected), abs=1e-12)


def correctness(both, first, second, neither):
    """Two vectors of right and wrong with the given fourfold table."""
    one = [1] * both + [1] * first + [0] * second + [0] * neither
    two = [1] * both + [0] * first + [1] * second + [0] * neither
    return np.array(one, bool), np.array(two, bool)


def independent(*fourfold):
    """McNemar's test of images that are of a patient each."""
    one, two = correctness(*fourfold)
    return mcnemar(one, two, np.arange(len(one)))


def test_mcnemar_on_a_published_example():
    # Agresti 1990, p. 350: approval of the prime minister, 794, 150, 86, 570;
    # chi-squared without correction 17.36, exact binomial p = 3.716e-5 (R exact2x2).
    test = independent(794, 150, 86, 570)
    assert (test.only_first, test.only_second, test.discordant) == (150, 86, 236)
    assert test.pvalue == pytest.approx(3.716e-5, rel=1e-3)


@pytest.mark.parametrize(
    ("first", "second", "pvalue"),
    [(0, 0, 1), (5, 0, 0.0625), (6, 0, 0.03125), (3, 3, 1), (1, 9, 22 / 1024)],
)
def test_mcnemar_by_hand(first, second, pvalue):
    assert independent(50, first, second, 5).pvalue == pytest.approx(pvalue)


def test_a_gap_of_three_images_is_a_tie():
    # 561 against 558 of 600 (course report S2): no pairing makes it significant.
    smallest = min(independent(558 - k, 3 + k, k, 39 - k).pvalue for k in range(40))
    assert smallest == 0.25


def test_mcnemar_needs_the_same_images():
    with pytest.raises(ValueError, match="not the same images"):
        mcnemar([True], [True, False], [0])


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []
    # The worked example in the documentation of pingouin.multicomp.
    adjusted = holm([0.50, 0.003, 0.32, 0.054, 0.0003])
    assert adjusted == pytest.approx([0.64, 0.012, 0.64, 0.162, 0.0015])


@pytest.mark.parametrize(
    ("first", "second", "net"),
    [(0, 0, None), (5, 0, None), (2, 3, None), (6, 0, 6), (4, 6, 8)],
)
def test_the_needed_lead_by_hand(first, second, net):
    assert independent(50, first, second, 5).needed == net


@pytest.mark.parametrize("discordant", [7, 20, 83, 236])
def test_the_needed_lead_is_the_smallest(discordant):
    net = independent(9, discordant, 0, 9).needed
    first, second = (discordant + net) // 2, (discordant - net) // 2
    assert independent(9, first, second, 9).pvalue < 0.05
    assert independent(9, first - 1, second + 1, 9).pvalue >= 0.05


@pytest.mark.parametrize(
    ("nets", "chances"),
    [
        ([], [1]),
        ([1, -1], [1, 0.5, 0.5]),
        # Three patients: +-2 +-1 +-1 is 4, 2, 2, 0 and the same below.
        ([2, -1, 0, 1], [1, 0.75, 0.75, 0.25, 0.25]),
    ],
)
def test_sign_flips_by_hand(nets, chances):
    assert sign_flips(nets).tolist() == pytest.approx(chances)


def test_sign_flips_are_the_binomial_where_a_patient_has_one_image():
    chances = sign_flips([1] * 31)
    for lead in (1, 5, 17, 31):
        fewer = (31 - lead) // 2
        assert chances[lead] == pytest.approx(binomtest(fewer, 31).pvalue, rel=1e-12)


def test_patients_count_where_their_images_go_together():
    # Six discordant images, all one way: of six patients p is 2/64, of three 2/8.
    one, two = correctness(0, 6, 0, 0)
    assert mcnemar(one, two, range(6)).pvalue == pytest.approx(2 / 64)
    test = mcnemar(one, two, [0, 0, 1, 1, 2, 2])
    assert (test.pvalue, test.discordant, test.needed) == (0.25, 6, None)


def test_the_needed_lead_can_occur():
    # Of 25 coins 18 to 7 has p = 0.043; a lead of 20 images is no sum of 25 twos.
    one, two = correctness(0, 50, 0, 0)
    test = mcnemar(one, two, np.arange(50) // 2)
    assert test.needed == 22


def test_results_frame_has_the_agreed_columns():
    runs = study()
    frame = results_frame(runs)
    assert tuple(frame.columns) == COLUMNS
    assert len(frame) == len(runs)
    test = runs[1].predictions.query("split == 'test'")
    row = frame.iloc[1]
    assert row["test_accuracy"] == (test["label"] == test["predicted"]).mean()
    assert row["test_auroc"] == sk.roc_auc_score(
        test["label"] == "PNEUMONIA", test["prob_PNEUMONIA"]
    )
    assert row["test_accuracy_low"] < row["test_accuracy"] < row["test_accuracy_high"]
    assert row["train_seconds"] == 212.25
    assert row["parameters"] == 11_177_538


def test_scores_come_from_the_split_asked_for():
    run = make_run(right=np.zeros(300, bool))
    assert score_run(run, "test")["accuracy"] == 0
    assert score_run(run, "val")["accuracy"] == 1


def test_runs_on_other_data_are_refused():
    runs = study()[:2]
    runs[1] = changed(runs[1], data={"fingerprint": "0" * 64})
    with pytest.raises(DataError, match="2 different data sets"):
        Runs(runs)
    with pytest.raises(DataError, match="no run"):
        Runs([])
