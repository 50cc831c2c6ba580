"""Findings: each rule on curves that must and must not trigger it; the conclusion."""

import re
from dataclasses import replace

import numpy as np
import pytest
from example_runs import changed, make_history, make_run, study

from lightbox.base.errors import DataError
from lightbox.base.words import said_in
from lightbox.comparison.conclusions import limits, random_features
from lightbox.comparison.readings import RULES, read_curves, readings
from lightbox.sections.transfer import compare_strategies, conclude, conclusion

DOWN = [0.9, 0.7, 0.6, 0.55, 0.52, 0.5]
EPOCHS = {"stopped": "epochs"}
FEW = {"NORMAL": 8, "PNEUMONIA": 8}


def run_of(val_loss, *, train_loss=None, train=None, val=None, **options):
    history = make_history(
        val_loss, train_loss=train_loss, train_accuracy=train, val_accuracy=val
    )
    return make_run(history=history, **options)


def in_parts(images):
    return changed(run_of(DOWN, batch_size=32), result={"micro_batch": images})


# Rule: curves that must trigger it, curves that must not.
CASES = {
    "kept_epoch": ([run_of(DOWN), run_of([0.5])], []),
    "not_finite": ([run_of([0.5, float("nan"), 0.4])], [run_of(DOWN)]),
    "overfitting": (
        [run_of([0.5, 0.4, 0.45])],
        [
            run_of(DOWN),
            run_of([0.5, 0.4, 0.43]),  # a rise of 7.5 %
            run_of([0.5, 0.4, 0.6], train_loss=[0.5, 0.4, 0.6]),  # both rise
            run_of([0.5]),
        ],
    ),
    "train_ahead": (
        [run_of([0.5, 0.4], train=[0.7, 0.96], val=[0.7, 0.9])],
        [
            run_of([0.5, 0.4], train=[0.7, 0.94], val=[0.7, 0.9]),
            run_of([0.5, 0.4], train=[0.7, 0.8], val=[0.7, 0.9]),
        ],
    ),
    "swinging": (
        [run_of([0.5, 0.8, 0.4, 0.7, 0.45])],
        [
            run_of(DOWN),
            run_of([0.9, 0.6, 0.4, 0.5, 0.7]),  # one turn
            run_of([0.5, 0.52, 0.49, 0.51, 0.48]),  # small steps
            run_of([0.5, 0.8, 0.4]),
        ],
    ),
    "never_above_majority": (
        # 290 of 390 validation images are PNEUMONIA.
        [run_of([0.6, 0.6], val=[0.6, 290 / 390])],
        [run_of([0.6, 0.6], val=[0.6, 291 / 390])],
    ),
    "stopped": ([run_of(DOWN), run_of(DOWN, **EPOCHS)], []),
    "still_improving": (
        [run_of(DOWN, **EPOCHS)],
        [
            run_of(DOWN),  # ended by patience
            run_of([0.9, 0.5, 0.6], **EPOCHS),
            run_of([0.5], **EPOCHS),  # one epoch shows no trend
        ],
    ),
    "plateau": (
        [run_of([0.9, 0.6, 0.402, 0.4, 0.401, 0.403])],
        [
            run_of([0.9, 0.6, 0.45, 0.4, 0.401, 0.403]),  # still moved by 12 %
            run_of([0.69, 0.69, 0.69, 0.69, 0.69]),  # nothing was learned before
            run_of([0.9, 0.4, 0.4, 0.4]),  # too few epochs to say
        ],
    ),
    "rate_too_high": (
        [run_of([0.7] * 4, train_loss=[0.7, 0.9, 0.8, 0.95])],
        [
            run_of([0.7] * 4, train_loss=[0.7, 0.6, 0.5, 0.4]),
            run_of([0.7] * 4, train_loss=[0.7, 0.6, 0.5, 0.7]),  # one jump
            run_of([0.7] * 3, train_loss=[0.7, 0.9, 0.95]),  # too few epochs
        ],
    ),
    "rate_too_low": (
        [run_of([0.7] * 4, train_loss=[0.70, 0.69, 0.68, 0.67])],
        [
            run_of([0.7] * 4, train_loss=[0.70, 0.65, 0.645, 0.64]),  # levels off
            run_of([0.7] * 4, train_loss=[0.70, 0.60, 0.50, 0.40]),  # gets on
            run_of([0.7] * 4, train_loss=[0.70, 0.69, 0.695, 0.68]),
        ],
    ),
    "val_too_small": (
        [run_of(DOWN, counts=dict.fromkeys(("train", "val"), FEW))],
        [run_of(DOWN)],
    ),
    "cut_batches": ([in_parts(8)], [in_parts(32), in_parts(None), run_of(DOWN)]),
}


def test_every_rule_has_cases():
    assert {rule.__name__ for rule in RULES} == set(CASES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule_triggers_where_it_must_and_nowhere_else(rule):
    must, must_not = CASES[rule.__name__]
    for run in must:
        for language in ("en", "zh"):
            assert re.search(r"\d", said_in(language, rule, run))
        assert said_in("zh", rule, run) != rule(run)
        assert read_curves(run)[rule.__name__] == rule(run)
    for run in must_not:
        assert rule(run) is None


def test_numbers_of_the_readings():
    run = run_of([0.6, 0.4, 0.46], train_loss=[0.6, 0.3, 0.2])
    found = read_curves(run)
    assert "epoch 2 of 3 were kept (val loss 0.400" in found["kept_epoch"]
    over = (
        "After epoch 2 the val loss rose by 0.060 (15 %) while the train loss fell by"
    )
    assert f"{over} 0.100" in found["overfitting"]
    assert "Early stopping ended it after 3 epochs" in found["stopped"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_readings_have_a_bullet_a_run(language):
    text = said_in(language, readings, study()).markdown
    assert len(text.split("\n")) == 4
    assert text == said_in(language, readings, study()).markdown


def paired(first, second, both=150, neither=50, **options):
    """Feature extraction and fine-tuning with a given fourfold table."""
    one = [1] * both + [1] * first + [0] * second + [0] * neither
    two = [1] * both + [0] * first + [1] * second + [0] * neither
    shuffle = np.random.default_rng(0).permutation(len(one))
    return [
        make_run(
            strategy=strategy,
            right=np.array(right, bool)[shuffle],
            num_test=len(one),
            **options,
        )
        for strategy, right in (("feature_extraction", one), ("fine_tuning", two))
    ]


@pytest.mark.parametrize(
    ("first", "second", "verdict", "verdict_zh"),
    [
        (
            10,
            40,
            "Fine-tuning is better on this test set, by 12.0",
            "微調在此測試集上較佳",
        ),
        (40, 10, "Feature extraction is better on this test set", "特徵擷取在此測試集"),
        (20, 30, "The two are tied: the gap of 4.0 points", "兩者平手：4.0"),
        (0, 3, "The two are tied: with 3 images", "兩者平手：僅 3 張"),
        (0, 0, "The two are tied: with 0 images", "兩者平手：僅 0 張"),
    ],
)
def test_verdict_follows_mcnemar(first, second, verdict, verdict_zh):
    runs = paired(first, second, neither=100 - first - second)
    (pair,) = compare_strategies(runs)
    assert (pair.test.only_first, pair.test.only_second) == (first, second)
    english = conclusion(runs).markdown
    assert verdict in english
    assert verdict_zh in said_in("zh", conclusion, runs).markdown
    assert f"alone was right on {second} of the test images" in english
    assert "best" not in english
    if pair.tied:
        assert "better" not in english


def test_a_tie_names_the_lead_that_it_would_take():
    text = conclusion(paired(20, 30)).markdown
    # 50 discordant images: 33 against 17 has p = 0.033, 32 against 18 p = 0.065.
    assert "needs a lead of 16 images (6.4 points)" in text


def test_holm_can_turn_a_difference_into_a_tie():
    # 6 against 0 has p = 0.031 alone, 0.0625 beside a second pair.
    single = paired(0, 6)
    assert not compare_strategies(single)[0].tied
    double = single + paired(0, 6, model="vgg16")
    assert [pair.tied for pair in compare_strategies(double)] == [True, True]
    assert "after Holm over 2 pairs" in conclusion(double).markdown


def test_only_runs_that_differ_in_strategy_alone_are_paired():
    runs = [
        make_run(strategy="feature_extraction"),
        make_run(strategy="fine_tuning", image_size=256),
        make_run("vgg16", strategy="fine_tuning"),
    ]
    assert compare_strategies(runs) == []
    assert "tied" not in conclusion(runs).markdown


def test_pairs_are_by_image_not_by_row():
    one, two = paired(10, 40)
    mixed = two.predictions.sample(frac=1, random_state=1)
    two = replace(two, predictions=mixed)
    (pair,) = compare_strategies([one, two])
    assert (pair.test.only_first, pair.test.only_second) == (10, 40)


def test_other_test_images_are_refused():
    one, two = paired(10, 40)
    two.predictions["image"] = "other/" + two.predictions["image"]
    with pytest.raises(DataError, match="predicted different test images"):
        compare_strategies([one, two])


def test_against_the_majority():
    always = {"NORMAL": 0, "PNEUMONIA": 1}
    like = make_run(strategy="feature_extraction")
    test = like.predictions["split"] == "test"
    like.predictions.loc[test, "predicted"] = "PNEUMONIA"
    below = make_run(strategy="fine_tuning", right=np.arange(300) < 30)
    above = make_run(strategy="partial", right=np.arange(300) < 290)
    (finding,) = (f for f in conclude([like, below, above]) if "majority" in f.rule)
    assert finding.evidence["like"] == [always["NORMAL"]]
    assert finding.evidence["below"] == [1]
    assert finding.evidence["above"] == [2]
    assert "is right on 189 of 300 test images (63.0 %)" in finding.text
    assert "1 of 3 runs is not distinguishable from it" in finding.text


def test_cost_against_gain():
    text = conclusion(paired(10, 40)).markdown
    assert "took 212.2 s under fine-tuning and 14.5 s under feature" in text
    assert "11,177,538 against 1,026 trainable parameters bought +12.0 points" in text
    assert "bought −12.0 points" in conclusion(paired(40, 10)).markdown


def test_val_against_test():
    (text, *_) = [f for f in conclude(paired(10, 40)) if f.rule == "agreement"]
    assert "val 100.0 % (95.4–100.0), test 64.0 %" in text.text
    assert "do not overlap" in text.text


def test_random_features_are_named():
    runs = paired(10, 40, weights="none")
    assert random_features(runs).evidence == {"runs": 1}
    assert "randomly initialised" in conclusion(runs).markdown
    assert random_features(paired(10, 40)) is None
    assert random_features(runs[1:]) is None


def test_limits_count_seeds_and_patients():
    one = limits([make_run()])
    assert one.evidence == {"seeds": [0], "images": 300, "groups": 150}
    assert "needs 3 seeds or more" in one.text
    assert "150 patients or slides" in one.text
    three = limits([make_run(seed=k) for k in range(3)])
    assert "needs 3 seeds" not in three.text
    single = make_run()
    single.predictions["group"] = single.predictions["image"]
    assert "patients" not in limits([single]).text


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("weights", ["none", "ResNet18_Weights.IMAGENET1K_V1"])
def test_no_sentence_without_a_number(language, weights):
    runs = [*paired(20, 30, weights=weights), *paired(5, 45, model="vgg16")]
    for prose in (
        said_in(language, conclusion, runs),
        said_in(language, readings, runs),
    ):
        # Numbers in the names of models do not count.
        text = re.sub(r"\*\*[^*]*\*\*[：.]?", "", prose.markdown)
        text = text.replace("ResNet-18", "").replace("VGG-16", "")
        parts = re.split(r"(?<=[^\d]\.)\s|。|\n", text)
        sentences = [part for part in parts if part.strip(" -：")]
        assert len(sentences) > 5
        for sentence in sentences:
            assert re.search(r"\d", sentence), sentence


def test_conclusion_is_the_same_twice_and_of_one_run_at_least():
    assert conclusion(study()).markdown == conclusion(study()).markdown
    with pytest.raises(DataError, match="no run"):
        conclusion([])


def test_names_from_outside_do_not_become_markdown():
    run = make_run(classes=("a", "b*c*_d_"), positive="b*c*_d_")
    assert "b\\*c\\*\\_d\\_" in conclusion([run]).markdown
