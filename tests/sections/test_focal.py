"""Losses on one yardstick: thresholds, calibration, imbalance, the tests behind."""

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from example_runs import changed, make_run

from lightbox.base.errors import DataError
from lightbox.base.words import said_in
from lightbox.comparison.runs import Runs
from lightbox.evaluation.calibration import ece
from lightbox.evaluation.metrics import score_run
from lightbox.evaluation.pairs import nll_difference
from lightbox.evaluation.thresholds import (
    choose_threshold,
    moved,
    positive_class,
    score_moved,
    threshold_of,
)
from lightbox.sections.focal_loss import (
    compare_losses,
    control,
    focal_conclusion,
    focal_curves,
    grade,
    imbalance,
    losses_warning,
    threshold_table,
    yardstick,
)


def first(hits, total=300):
    return [k < hits for k in range(total)]


def losses(**more):
    return [
        make_run(loss=loss, gamma=gamma, right=first(hits), val_loss=val, **more)
        for loss, gamma, hits, val in (
            ("cross_entropy", 0.0, 250, [0.5, 0.4]),
            ("weighted_cross_entropy", 0.0, 252, [0.5, 0.41]),
            ("focal", 2.0, 200, [0.1, 0.05]),
        )
    ]


@pytest.mark.parametrize(
    ("positive", "scores", "value", "sensitivity", "specificity"),
    [
        # Perfectly separable: the whole gap is as good, 0.5 lies in it.
        ([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9], 0.5, 1, 1),
        # Separable, but not at 0.5: halfway between neighbours.
        ([0, 0, 1, 1], [0.6, 0.7, 0.8, 0.9], 0.75, 1, 1),
        ([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4], 0.25, 1, 1),
        # By hand: at 0.35 J = 2/3 + 2/3 - 1, at 0.55 J = 2/3 + 1 - 1, the best.
        ([0, 1, 0, 0, 1, 1], [0.1, 0.3, 0.4, 0.5, 0.6, 0.9], 0.55, 2 / 3, 1),
        # Nothing to choose by: the usual threshold.
        ([0, 1], [0.5, 0.5], 0.5, 1, 0),
        # All called negative at 0.5 but the same J below: nearest to 0.5.
        ([1, 0], [0.2, 0.4], 0.5, 0, 1),
    ],
)
def test_threshold_by_hand(positive, scores, value, sensitivity, specificity):
    found = choose_threshold(np.array(positive, bool), scores)
    assert found.value == pytest.approx(value)
    assert found.sensitivity == pytest.approx(sensitivity)
    assert found.specificity == pytest.approx(specificity)
    assert found.youden == pytest.approx(sensitivity + specificity - 1)


def test_no_threshold_on_one_class():
    with pytest.raises(DataError, match="one class only"):
        choose_threshold([True, True], [0.2, 0.9])


def test_the_threshold_is_frozen_before_test():
    run = make_run()
    before = threshold_of(run)
    test = run.predictions["split"] == "test"
    run.predictions.loc[test, "prob_PNEUMONIA"] = 0.01
    assert threshold_of(run) == before


def test_moved_answers_and_recalls():
    run = make_run(num_test=4)
    test = run.predictions["split"] == "test"
    run.predictions.loc[test, "prob_PNEUMONIA"] = [0.2, 0.4, 0.6, 0.8]
    run.predictions.loc[test, "prob_NORMAL"] = [0.8, 0.6, 0.4, 0.2]
    run.predictions.loc[test, "label"] = ["NORMAL", "PNEUMONIA"] * 2
    answers = moved(run, 0.4)
    assert answers.tolist() == ["NORMAL", "PNEUMONIA", "PNEUMONIA", "PNEUMONIA"]
    scores = score_moved(run, 0.4)
    assert scores.per_class["sensitivity"].tolist() == [0.5, 1.0]
    assert scores["accuracy"] == 0.75
    run.predictions.loc[test, "label"] = "NORMAL"
    found = score_moved(run, 0.4).per_class["sensitivity"]
    assert found[0] == 0.25
    assert math.isnan(found[1])


@pytest.mark.parametrize(
    ("positive", "classes", "name"),
    [
        ("PNEUMONIA", ("NORMAL", "PNEUMONIA"), "PNEUMONIA"),
        ("NORMAL", ("NORMAL", "PNEUMONIA"), "NORMAL"),
        (None, ("a", "b"), "b"),
        (None, ("a", "b", "c"), None),
    ],
)
def test_positive_class(positive, classes, name):
    run = make_run(classes=classes, positive=positive)
    assert positive_class(run) == name
    assert (threshold_of(run) is None) == (name is None)


def test_ece_by_hand():
    # Bins of 1/15: 0.62 and 0.65 share (9/15, 10/15], 0.95 is in (14/15, 1].
    confidence = [0.62, 0.65, 0.95, 0.95]
    correct = [True, False, True, True]
    # |1 - 1.27| / 4 + |2 - 1.9| / 4
    assert ece(confidence, correct) == pytest.approx((0.27 + 0.10) / 4)
    assert ece([1.0, 1.0], [True, True]) == 0
    assert ece([0.5, 1.0], [False, False]) == pytest.approx(0.75)
    # A bound belongs to the bin below it, also where binary fractions miss it.
    assert ece([3 / 15, 0.15], [True, False]) == pytest.approx((1 - 0.35) / 2)
    assert math.isnan(ece([], []))


def test_run_ece_reads_the_likeliest_class():
    run = make_run(right=first(300))
    test = run.predictions["split"] == "test"
    names = ["prob_NORMAL", "prob_PNEUMONIA"]
    sure = run.predictions.loc[test, names].max(axis=1)
    # Always right: the error is what confidence lacks to one.
    assert score_run(run)["ece"] == pytest.approx(1 - sure.mean())


def test_yardstick_needs_no_loss_of_training():
    runs = losses()
    table = yardstick(runs)
    assert table.frame["Loss"].tolist() == [
        "cross-entropy",
        "weighted cross-entropy",
        "focal γ = 2",
    ]
    assert table.csv["test_nll"].tolist() == [score_run(r)["nll"] for r in runs]
    assert table.csv["test_ece"].tolist() == [score_run(r)["ece"] for r in runs]
    assert table.file == "yardstick.csv"
    # What training called its loss changes no score.
    runs[2] = changed(runs[2], config={"gamma": 5.0})
    again = yardstick(runs).csv
    assert again["test_nll"].tolist() == table.csv["test_nll"].tolist()


def test_seeds_share_a_row_of_the_yardstick():
    runs = [*losses(seed=0), *losses(seed=1)]
    frame = yardstick(runs).frame
    assert len(frame) == 3
    assert frame["Accuracy, %"].iloc[0] == "83.3\n± 0.0"
    assert len(threshold_table(runs).frame) == 3


def test_threshold_table_has_every_class_before_and_after():
    runs = losses()
    val = runs[0].predictions["split"] == "val"
    # On val, pneumonia is found from 0.7 on, so that the threshold has to move.
    labels = runs[0].predictions.loc[val, "label"]
    sure = np.where(labels == "PNEUMONIA", 0.8, 0.6)
    runs[0].predictions.loc[val, "prob_PNEUMONIA"] = sure
    frame = threshold_table(runs).frame
    assert frame["Threshold"].tolist() == ["0.70", "0.50", "0.50"]
    assert frame["NORMAL, moved"].iloc[0] >= frame["NORMAL at 0.5"].iloc[0]
    same = frame.iloc[1]
    assert same["NORMAL, moved"] == same["NORMAL at 0.5"]
    csv = threshold_table(runs).csv
    hits = moved(runs[0], 0.7) == runs[0].predictions[~val].set_index("image").label
    assert csv["accuracy_moved"].iloc[0] == pytest.approx(hits.mean())


def test_many_classes_have_no_threshold():
    classes = ("TUMOR", "STROMA", "LYMPHO")
    runs = losses(classes=classes, positive=None)
    table = threshold_table(runs)
    assert "Threshold" not in table.frame.columns
    assert list(table.frame.columns) == ["Loss", *classes, "Accuracy, %"]
    assert "no single threshold" in table.caption
    assert control(Runs(runs), compare_losses(runs)) == ""
    assert "Without retraining" not in focal_conclusion(runs).markdown


def test_losses_are_compared_with_the_run_that_is_otherwise_alike():
    runs = [*losses(), *losses(model="vgg16")[1:], *losses(seed=1)]
    pairs = compare_losses(runs)
    assert [pair.base.id for pair in pairs] == [runs[0].id] * 2 + [runs[5].id] * 2
    weighted, focal = pairs[:2]
    # 2 discordant images: p = 0.5, times 2 (Holm over four, the last two alike).
    assert (weighted.test.only_first, weighted.test.only_second) == (0, 2)
    assert weighted.verdict == "tied"
    assert focal.test.only_first == 50
    assert focal.verdict == "worse"


def test_conclusion_says_tied_where_mcnemar_does():
    text = focal_conclusion(losses()).markdown
    assert "1 of 2 comparisons is a tie." in text
    assert "weighted cross-entropy: tied with cross-entropy: 252 against 250" in text
    assert "focal γ = 2: worse than cross-entropy" in text
    assert "**Without retraining.**" in text
    assert "**One yardstick.** The lowest on test: NLL" in text
    chinese = said_in("zh", focal_conclusion, losses()).markdown
    assert "與交叉熵平手" in chinese
    assert "不需重新訓練" in chinese
    assert focal_conclusion(losses()).markdown == text


def test_without_cross_entropy_nothing_is_compared():
    runs = losses()[1:]
    assert compare_losses(runs) == []
    assert "nothing is compared" in losses_warning(runs).markdown
    assert "Against cross-entropy" not in focal_conclusion(runs).markdown


def test_the_warning_has_the_runs_own_numbers():
    runs = losses()
    box = losses_warning(runs)
    assert box.tone == "warning"
    assert "0.400 under cross-entropy and 0.050 under focal γ = 2" in box.markdown
    nll = [score_run(runs[k])["nll"] for k in (0, 2)]
    assert f"have {nll[0]:.3f} and {nll[1]:.3f}." in box.markdown
    assert "smaller by construction" in box.markdown
    only_weights = losses_warning(runs[:2]).markdown
    assert "smaller by construction" not in only_weights


def test_bootstrap_resamples_patients():
    one, two = make_run(right=first(300)), make_run(right=first(150))
    gap, low, high = nll_difference(one, two)
    expected = score_run(one)["nll"] - score_run(two)["nll"]
    assert gap == pytest.approx(expected, abs=1e-9)
    assert low < gap < high < 0
    assert nll_difference(one, one) == (0, 0, 0)
    # Every image its own group: less is known when they come in pairs alike.
    for run in (one, two):
        run.predictions["group"] = ""
    _, *alone = nll_difference(one, two)
    assert alone[1] - alone[0] < high - low


def dataset(train, test, classes=("healthy", "diseased"), positive="diseased"):
    rows = [
        (split, name)
        for split, counts in (("train", train), ("test", test))
        for name, count in zip(classes, counts, strict=True)
        for _ in range(count)
    ]
    table = pd.DataFrame(rows, columns=["split", "label"])
    return SimpleNamespace(table=table, classes=classes, positive=positive)


def test_imbalance_of_the_fundus_set():
    text = imbalance(dataset((401, 1519), (134, 506))).markdown
    assert "mildly imbalanced: 1,519 of 1,920 (79.1 %) are diseased" in text
    assert "3.8 to 1" in text
    assert "right on 506 of 640 test images (79.1 %)" in text
    # 1920 / (2 * 401) and 1920 / (2 * 1519)
    assert "healthy 2.39, diseased 0.63" in text
    assert "turns diseased down" in text
    assert (
        "輕度不平衡"
        in said_in("zh", imbalance, dataset((401, 1519), (134, 506))).markdown
    )


def test_balanced_classes_are_called_balanced():
    text = imbalance(dataset((100, 100), (0, 0))).markdown
    assert "balanced: 100 of 200 of each of the 2 classes" in text
    nearly = imbalance(dataset((100, 101), (50, 50))).markdown
    assert "balanced, or nearly so: 101 of 201 (50.2 %)" in nearly
    assert "test images" not in text
    assert "turns" not in text


@pytest.mark.parametrize(
    ("counts", "name"),
    [
        ((60, 40), "balanced, or nearly so"),
        ((61, 40), "mildly imbalanced"),
        ((80, 20), "mildly imbalanced"),
        ((81, 20), "moderately imbalanced"),
        ((99, 1), "moderately imbalanced"),
        ((100, 1), "extremely imbalanced"),
        ((5, 0), "extremely imbalanced"),
    ],
)
def test_grades(counts, name):
    assert grade(*counts) == name


def test_focal_curves_are_the_formula(monkeypatch):
    from lightbox.display import outputs

    kept = []
    original = outputs.Figure.__init__

    def keep(self, drawing, label, caption):
        kept.append(drawing)
        original(self, drawing, label, caption)

    monkeypatch.setattr(outputs.Figure, "__init__", keep)
    focal_curves([2.0])
    entropy, focal = kept[0].axes[0].lines
    p = focal.get_xdata()
    assert entropy.get_ydata() == pytest.approx(-np.log(p))
    assert focal.get_ydata() == pytest.approx(-((1 - p) ** 2) * np.log(p))
    assert entropy.get_label() == "γ = 0 (cross-entropy)"
