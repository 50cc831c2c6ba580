"""The tables of evidence: intervals, pairs and ties of runs."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from example_runs import changed, make_run, study

from lightbox.base.errors import DataError
from lightbox.base.words import said_in
from lightbox.comparison.evidence import evidence_table, pairs_table, ties_table
from lightbox.comparison.roc import operating_points
from lightbox.display.names import short_names
from lightbox.evaluation.bootstrap import NAMES, resample_patients, weigh
from lightbox.evaluation.metrics import score_run
from lightbox.evaluation.pairs import all_pairs, delong
from lightbox.evaluation.predictions import patients as codes_of
from lightbox.evaluation.significance import holm, pairwise, tie_letters


def alike(*hits, **options):
    """Runs that get the first so many of 300 test images right."""
    return [
        make_run(right=np.arange(300) < hit, name=f"set {place}", **options)
        for place, hit in enumerate(hits)
    ]


def test_intervals_hold_their_values():
    run = make_run(num_test=240)
    found = weigh([run], resample_patients(run))
    scores = score_run(run)
    for name in NAMES:
        low, high = found.bounds[name]
        assert low < scores[name] < high, name
        assert found.values[name] == scores[name]
    assert all(math.isnan(each) for each in found.deviations.values())


def test_images_of_one_patient_widen_the_interval():
    run = make_run(num_test=400, right=np.arange(400) // 2 % 5 > 0)
    single = make_run(num_test=400, right=np.arange(400) // 2 % 5 > 0)
    single.predictions["group"] = ""
    widths = []
    for each in (run, single):
        low, high = weigh([each], resample_patients(each)).bounds["accuracy"]
        widths.append(high - low)
    # Both images of a patient are right or wrong: half as many count.
    assert widths[0] / widths[1] == pytest.approx(math.sqrt(2), abs=0.1)


def test_spread_over_seeds_stands_beside_the_interval_not_in_it():
    runs = [make_run(seed=seed) for seed in (0, 1, 2)]
    patients = resample_patients(runs[0])
    found = weigh(runs, patients)
    each = [score_run(run)["accuracy"] for run in runs]
    assert found.values["accuracy"] == pytest.approx(np.mean(each))
    assert found.deviations["accuracy"] == pytest.approx(np.std(each, ddof=1))
    table = evidence_table(runs)
    assert len(table.frame) == 2
    cell = table.frame["Accuracy, %"].iloc[0]
    low, high = found.bounds["accuracy"]
    assert cell == (
        f"{100 * np.mean(each):.1f}\n{100 * low:.1f}–{100 * high:.1f}\n"
        f"± {100 * np.std(each, ddof=1):.1f}"
    )
    assert table.csv["seeds"].tolist()[:4] == [1, 1, 1, 3]
    assert "over seeds" in table.caption


def test_evidence_table_says_whose_images_they_are():
    runs = study()
    table = evidence_table(runs)
    assert "300 test images of 150 patients or slides." in table.caption
    assert "precision of PNEUMONIA" in table.caption
    assert table.frame["Run"].tolist()[1:] == [
        "ResNet-18 · fine-tuning",
        "VGG-16 · feature extraction",
        "VGG-16 · fine-tuning",
        "Majority answer\n(always PNEUMONIA)",
    ]
    assert table.frame["AUROC"].iloc[-1] == "0.500"
    assert table.file == "evidence.csv"
    assert table.csv["run_id"].tolist() == [*(run.id for run in runs), "majority"]
    first = table.csv.iloc[0]
    assert first["test_nll_low"] < first["test_nll"] < first["test_nll_high"]
    assert "病人" in said_in("zh", evidence_table, runs).caption
    for run in runs:
        run.predictions["group"] = ""
    assert "no name gives a patient" in evidence_table(runs).caption


def test_what_never_errs_has_no_interval():
    table = evidence_table([make_run(right=np.ones(300, bool))])
    assert table.frame["Accuracy, %"].iloc[0] == "100.0"
    assert "every resample scores the same" in table.caption


def test_three_classes_have_no_delong():
    runs = [
        make_run(name, classes=("a", "b", "c"), positive=None, accuracy=accuracy)
        for name, accuracy in (("resnet18", 0.9), ("vgg16", 0.6))
    ]
    table = pairs_table(runs)
    assert "DeLong p" not in table.frame
    assert table.csv["delong_p"].isna().all()
    assert "mean over classes" in evidence_table(runs).caption


def test_pairs_hold_each_test_and_its_adjustment():
    runs = study()
    frame = all_pairs(runs, resample_patients(runs[0]))
    assert len(frame) == 6
    for raw, adjusted in (
        ("pvalue", "adjusted"),
        ("delong_p", "delong_adjusted"),
        ("nll_p", "nll_adjusted"),
    ):
        assert frame[adjusted].tolist() == pytest.approx(holm(list(frame[raw])))
    test = [r.predictions.query("split == 'test'").sort_values("image") for r in runs]
    areas = delong(
        test[0]["label"] == "PNEUMONIA",
        np.array([each["prob_PNEUMONIA"] for each in test]),
        codes_of(runs[0]),
    )
    line = frame.iloc[3]  # the second run against the third
    assert line["auroc_gap"] == pytest.approx(areas.values[1] - areas.values[2])
    assert line["delong_p"] == pytest.approx(areas.compare(1, 2).pvalue)
    gap = score_run(runs[1])["nll"] - score_run(runs[2])["nll"]
    assert line["nll_gap"] == pytest.approx(gap)
    assert line["nll_low"] < gap < line["nll_high"]


def test_a_pair_names_the_better_run_first():
    table = pairs_table(alike(200, 250))
    row = table.frame.iloc[0]
    assert (row["First"], row["Second"]) == ("set 1", "set 0")
    assert row["Only first / second correct"] == "50 / 0"
    # Of 25 coins 18 to 7 has p = 0.043, 17 to 8 0.108: 11 patients of two images.
    assert row["Lead, images (needed)"] == "+50 (22)"
    assert row["McNemar p"] == "< 0.001"


def test_many_runs_show_the_pairs_of_the_best():
    runs = alike(200, 210, 220, 230, 240, 250, 260)
    table = pairs_table(runs)
    assert set(table.frame["First"]) == {"set 6"}
    assert len(table.frame) == 6
    assert len(table.csv) == 21
    assert "pairs with set 6" in table.caption


def test_one_run_has_no_pair():
    assert pairs_table([make_run()]).markdown == ""
    assert ties_table([make_run()]).markdown == ""


def pairs_of(*apart, count=4):
    """Adjusted p-values of all pairs, small for those that are apart."""
    rows = [
        (one, two, 0.01 if (one, two) in apart else 0.2)
        for one in range(count)
        for two in range(one + 1, count)
    ]
    return pd.DataFrame(rows, columns=["first", "second", "adjusted"])


@pytest.mark.parametrize(
    ("apart", "letters"),
    [
        ((), ["a", "a", "a", "a"]),
        (((0, 3),), ["a", "ab", "ab", "b"]),
        (((0, 1), (0, 2), (0, 3)), ["a", "b", "b", "b"]),
        (((0, 2), (0, 3), (1, 3)), ["a", "ab", "bc", "c"]),
        # A tie need not go along the ranking: 1 and 2 are apart, 0 and 3 are not.
        (((1, 2),), ["ab", "a", "b", "ab"]),
    ],
)
def test_letters_by_hand(apart, letters):
    found = tie_letters(range(4), pairs_of(*apart))
    assert [found[k] for k in range(4)] == letters


def test_runs_share_a_letter_exactly_where_they_are_tied():
    random = np.random.default_rng(2)
    for _ in range(30):
        apart = {
            (a, b) for a in range(7) for b in range(a + 1, 7) if random.random() < 0.4
        }
        letters = tie_letters(random.permutation(7), pairs_of(*apart, count=7))
        for a in range(7):
            for b in range(a + 1, 7):
                shared = set(letters[a]) & set(letters[b])
                assert bool(shared) == ((a, b) not in apart)


def test_ties_table_ranks_and_names_the_smallest_gap():
    table = ties_table(alike(200, 250, 250, 246))
    assert table.frame["Rank"].tolist() == [1, 1, 3, 4]
    assert table.frame["Ties"].tolist() == ["a", "a", "a", "b"]
    assert table.frame["Correct"].tolist() == ["250", "250", "246", "200"]
    assert "Holm over 6 pairs" in table.caption
    # Disputed in the six pairs: 50, 50, 46, 0, 4, 4.
    assert "With 46 images in dispute, as in the median pair, a lead" in table.caption
    needed = pairwise(alike(200, 246))["needed"].iloc[0]
    assert f"a lead of {needed} ({100 * needed / 300:.1f} points)" in table.caption
    few = ties_table(alike(250, 252))
    assert "With 2 images in dispute, as in the median pair, no lead" in few.caption
    assert "Holm over 1 pair," in few.caption


def test_names_leave_out_what_all_share():
    assert short_names(alike(200, 250)) == ["set 0", "set 1"]
    runs = study()
    assert short_names(runs)[0] == "ResNet-18 · feature extraction"
    assert short_names(runs[:1]) == ["ResNet-18 · feature extraction"]


def test_runs_on_other_data_are_refused():
    runs = study()[:2]
    runs[1] = changed(runs[1], data={"fingerprint": "0" * 64})
    for table in (evidence_table, pairs_table, ties_table):
        with pytest.raises(DataError, match="2 different data sets"):
            table(runs)


def test_operating_points_by_hand():
    run = make_run(num_test=300)
    frame = run.predictions
    # On val 0.3 parts the classes; on test it finds every positive, and 20 others.
    sick = frame["label"] == "PNEUMONIA"
    test, count = frame["split"] == "test", (~sick).groupby(frame["split"]).cumsum()
    chance = np.where(sick, 0.4, np.where(test & (count <= 20), 0.35, 0.2))
    frame["prob_PNEUMONIA"], frame["prob_NORMAL"] = chance, 1 - chance
    table = operating_points([run])
    assert table.frame["Threshold"].tolist() == ["0.5", "0.30"]
    usual, own = table.csv.iloc[0], table.csv.iloc[1]
    positives = int((sick & test).sum())
    negatives = 300 - positives
    assert usual["test_sensitivity"] == 0
    assert own["test_sensitivity"] == 1
    assert own["test_specificity"] == pytest.approx((negatives - 20) / negatives)
    assert own["test_precision"] == pytest.approx(positives / (positives + 20))
    assert own["test_accuracy"] == pytest.approx(280 / 300)
    assert table.frame["Prec."].iloc[0] == "–"
    assert "門檻" in said_in("zh", operating_points, [run]).caption


def test_operating_points_where_val_chooses_none():
    run = make_run()
    healthy = "split == 'test' or label == 'NORMAL'"
    run = replace(run, predictions=run.predictions.query(healthy))
    table = operating_points([run])
    assert table.frame["Threshold"].tolist() == ["0.5", "–"]
    assert len(table.csv) == 1
    three = make_run(classes=("a", "b", "c"), positive=None)
    assert operating_points([three]).markdown == ""


def test_without_test_images_there_is_no_evidence():
    run = make_run()
    run = replace(run, predictions=run.predictions.query("split == 'val'"))
    for table in (evidence_table, pairs_table, ties_table):
        with pytest.raises(DataError, match="has no test images"):
            table([run, run])


def test_runs_that_diverged_are_left_out_and_named():
    runs = study()
    runs[3] = changed(runs[3], result={"diverged": True})
    table = evidence_table(runs)
    assert "diverged" in table.caption
    assert len(table.frame) == 4
