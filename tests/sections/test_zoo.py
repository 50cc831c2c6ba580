"""Many networks: costs by hand, the front, ties, and what the text may claim."""

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from example_runs import changed, make_run
from matplotlib.figure import Figure as Drawing

from lightbox.base.errors import DataError
from lightbox.base.words import said_in
from lightbox.evaluation.significance import pairwise, tied_with
from lightbox.networks.anatomy import Anatomy
from lightbox.networks.architectures import cuts_patches
from lightbox.sections import model_zoo
from lightbox.sections.model_zoo import (
    costs,
    depth_groups,
    front,
    zoo_costs,
    zoo_scatter,
    zoo_table,
)
from lightbox.sections.networks import condense, layers, why
from lightbox.sections.zoo_conclusion import zoo_conclusion
from lightbox.settings.parameters import validate

# Name, images right of 600, seconds, layers: those of course report S2.
ZOO = [
    ("vit_s2_patch10", 452, 359.7, 38),
    ("vit_s2_patch15", 477, 129.9, 38),
    ("conv_model", 448, 52.8, 5),
    ("resnet18", 558, 148.5, 18),
    ("alexnet", 510, 95.5, 8),
    ("googlenet", 550, 162.2, 22),
    ("densenet121", 561, 408.5, 121),
    ("resnet50", 539, 434.3, 50),
    ("efficientnet_b4", 557, 609.8, 161),
]
CLASSES = ("tumour", "stroma", "complex", "lympho", "debris", "mucosa")


def member(model, right, seconds, depth, **result):
    """A run that has the first `right` of 600 shuffled test images right."""
    order = np.random.default_rng(len(model)).permutation(600)
    run = make_run(
        model,
        right=order < right,
        classes=CLASSES,
        positive=None,
        num_test=600,
        weights="none" if model == "conv_model" or cuts_patches(model) else "X.Y",
    )
    return changed(
        run,
        environment={"hardware": "two cores"},
        result={"train_seconds": seconds, "depth": depth} | result,
    )


@pytest.fixture(scope="module")
def zoo():
    return [member(*row) for row in ZOO]


def test_costs_are_those_of_the_printed_table(zoo):
    table = costs(zoo)
    assert table["accuracy"].tolist() == [right / 600 for _, right, *_ in ZOO]
    # Accuracy per second as S2 prints it, from its own accuracies and times.
    assert table["accuracy_rate"].round(5).tolist() == [
        *(0.20943, 0.61201, 1.41414, 0.62626, 0.89005, 0.56515),
        *(0.22889, 0.20685, 0.15224),
    ]
    test = zoo[3].predictions[zoo[3].predictions["split"] == "test"]
    most = (test["label"] == "mucosa").sum()  # the class that train has most of
    gain = 100 * (558 - most) / 600 / 148.5
    assert table.loc[3, "gain_rate"] == pytest.approx(gain)
    assert table.loc[3, "loss_rate"] == pytest.approx(table.loc[3, "nll"] / 148.5)


def test_the_table_has_every_network_and_the_majority_row(zoo):
    table = zoo_table(zoo)
    assert len(table.frame) == len(ZOO) + 1
    assert table.frame["Layers"].tolist()[:2] == ["38", "38"]
    assert table.frame.iloc[-1, 0].startswith("always")
    assert table.frame.iloc[3, 4] == "93.0 (90.7–94.8)"
    assert list(table.csv)[:4] == ["run_id", "model", "strategy", "weights"]
    assert {"flops", "depth", "gain_rate", "memory"} <= set(table.csv)
    assert "machines" not in zoo_costs(zoo).caption


def test_times_of_two_machines_are_said_to_be_incomparable(zoo):
    other = member("vgg16", 500, 90.0, 16)
    other.record["environment"]["hardware"] = "a GPU"
    caption = zoo_costs([*zoo, other]).caption
    assert "2 machines, whose times cannot be compared: a GPU; two cores" in caption


@pytest.mark.parametrize(
    ("costly", "gains", "kept"),
    [
        ([1, 2, 3], [1, 2, 3], [0, 1, 2]),
        ([3, 2, 1], [1, 2, 3], [2]),
        ([1, 1, 2], [1, 2, 2], [1]),
        ([1, 1], [2, 2], [0, 1]),
        ([1, 2, 3], [math.nan, 1, math.nan], [1]),
        ([], [], []),
    ],
)
def test_the_front_is_what_nothing_beats(costly, gains, kept):
    assert front(costly, gains) == kept


def test_no_name_covers_another_a_dot_or_the_edge(zoo, monkeypatch):
    drawings = []
    monkeypatch.setattr(
        model_zoo, "Figure", lambda drawing, *_: drawings.append(drawing)
    )
    zoo_scatter(zoo)
    (drawing,) = drawings
    assert isinstance(drawing, Drawing)
    axis = drawing.axes[0]
    names = [
        t for t in axis.texts if t.get_text() and t.get_text() != "majority answer"
    ]
    assert len(names) == len(ZOO)
    drawing.draw_without_rendering()
    boxes = [text.get_window_extent() for text in names]
    for position, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:position])
        assert axis.bbox.containsx(box.x0)
        assert axis.bbox.containsx(box.x1)
    dots = axis.transData.transform([(t, 100 * r / 600) for _, r, t, _ in ZOO])
    assert not any(box.contains(*dot) for box in boxes for dot in dots)


@pytest.mark.parametrize("images", [41, 600])
@pytest.mark.parametrize("right", [True, False])
def test_an_accuracy_at_the_end_of_its_interval_is_drawn(images, right):
    # A rounding error made the error bar's length negative.
    runs = [make_run(right=np.full(images, right), num_test=images)]
    runs.append(make_run("vgg16", num_test=images))
    assert zoo_scatter(runs).svg.startswith("<?xml")


def test_561_against_558_of_600_is_a_tie(zoo):
    said = zoo_conclusion(zoo).markdown
    assert "DenseNet-121 has the most test images right, 561 of 600" in said
    assert "It is tied with" in said
    assert "ResNet-18" in said.split("It is tied with")[1].split(":")[0]
    assert "is better than every other" not in said


def test_ties_are_adjusted_over_all_pairs():
    right = np.arange(300) < 250
    runs = [
        make_run("resnet18", right=right),
        make_run("vgg16", right=np.where(np.arange(300) < 16, False, right)),
        make_run("alexnet", right=np.arange(300) < 100),
    ]
    pairs = pairwise(runs)
    # Both images of 8 of 8 patients for one: p = 2 / 2^8, the largest of three.
    assert pairs["lead"].tolist() == [16, 150, 134]
    assert pairs.loc[0, "pvalue"] == pytest.approx(2 / 2**8)
    assert pairs.loc[0, "adjusted"] == pytest.approx(2 / 2**8)
    assert tied_with(runs, 0) == []
    assert tied_with([runs[0], runs[0]], 0) == [1]


def test_runs_on_other_images_are_not_paired():
    with pytest.raises(DataError, match="different test images"):
        pairwise([make_run(num_test=300), make_run("vgg16", num_test=200)])


def test_the_reasons_for_a_transformer_need_one(zoo):
    with_vit, without = zoo_conclusion(zoo).markdown, zoo_conclusion(zoo[2:]).markdown
    assert "**The transformers.**" in with_vit
    assert "Among networks that did so too" in with_vit  # ConvModel began at random
    assert "transformer" not in without
    # Its first layers are convolutions: no transformer in this sense.
    maxvit = [member("maxvit_t", 480, 99.0, 40), *zoo[2:]]
    assert "transformer" not in zoo_conclusion(maxvit).markdown
    winner = [member("vit_b_16", 590, 9.0, 50), member("resnet18", 400, 9.0, 18)]
    assert "hypotheses" not in zoo_conclusion(winner).markdown


def test_groups_by_depth(zoo):
    table = depth_groups(zoo, shallow_below=30)
    assert table.frame["Runs"].tolist() == ["4", "5"]
    mean = 100 * (448 + 558 + 510 + 550) / 4 / 600
    assert table.frame["Mean accuracy, %"].tolist()[0] == f"{mean:.1f}"
    assert len(depth_groups(zoo, shallow_below=2).frame) == 1
    assert "Shallow" not in zoo_conclusion(zoo, shallow_below=2).markdown


def test_a_diverged_run_has_no_score_and_no_rank(zoo):
    lost = member("vgg16", 590, 1.0, 16, diverged=True)
    runs = [*zoo, lost]
    assert math.isnan(costs(runs)["accuracy"].iloc[-1])
    said = zoo_conclusion(runs).markdown
    assert "DenseNet-121 has the most test images right" in said
    assert "1 run had a loss that is no finite number" in said
    assert "VGG-16" in said
    assert zoo_table(runs).frame.iloc[-2, 4] == "–"
    assert zoo_scatter(runs).svg.startswith("<?xml")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_one_network_alone_is_no_comparison(language):
    one = [member("resnet18", 500, 9.0, 18)]
    said = said_in(language, zoo_conclusion, one).markdown
    assert "500" in said
    assert "Holm over" not in said
    assert "{" not in said
    assert said_in(language, zoo_scatter, one).png


def section(models, **settings):
    given = {"image_size": 64, "head": "linear", "output": "softmax"}
    given |= {"first_layer": "sum", "models": models} | settings
    data = SimpleNamespace(classes=("a", "b"), channels=1)
    return SimpleNamespace(settings=SimpleNamespace(**given), data=data)


def test_layers_of_a_shallow_network_and_blocks_of_a_deep_one():
    table = layers(section(["vgg19", "resnet50"], head="mlp_32", output="sigmoid"))
    shown = table.frame
    vgg = shown.iloc[: shown.index[shown["Layer"] == "total"][0] + 1]
    # 16 convolutions, 5 poolings and one before the 2 + 3 linear layers.
    assert vgg["Type"].value_counts()[["Conv2d", "Linear"]].tolist() == [16, 5]
    assert vgg["Output"].iloc[-1] == "1"
    assert vgg["Model"].tolist()[:2] == ["VGG-19", ""]
    deep = shown.iloc[len(vgg) :]
    assert deep["Layer"].tolist()[:3] == ["conv1", "maxpool", "layer1"]
    assert deep.iloc[-1]["Layer"] == "total"
    # Every layer is in the CSV, and the blocks add up to it.
    full = table.csv[table.csv["model"] == "resnet50"]
    assert full["parameters"].iloc[:-1].sum() == full["parameters"].iloc[-1]


def test_a_block_of_branches_shows_what_they_give_together():
    shown = layers(section(["googlenet", "densenet121"])).frame.set_index("Layer")
    names = ["3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b"]
    outputs = shown.loc[[f"inception{name}" for name in names], "Output"]
    channels = [256, 480, 512, 512, 512, 528, 832, 832, 1024]  # of the paper's table 1
    assert [int(output.split("×")[0]) for output in outputs] == channels
    assert shown.loc["features.denseblock1", "Output"].startswith("256×")


def test_a_reason_is_that_of_the_networks_own_family():
    settings = validate("04_model_zoo", {"models": ["maxvit_t", "wide_resnet50_2"]})
    maxvit, wide = why(settings).markdown.splitlines()[:2]
    assert "between image patches" not in maxvit
    assert "skip connections" in wide


def test_condensing_keeps_the_total_last():
    rows = [
        {"layer": f"a.{k}.x", "type": "Conv2d", "output_shape": "1x2",
         "parameters": 1, "flops": 2} for k in range(40)
    ]  # fmt: skip
    rows.append(rows[0] | {"layer": "total", "parameters": 40, "flops": 80})
    short = condense(Anatomy(80, 40, pd.DataFrame(rows), {}))
    assert short["layer"].tolist() == [*(f"a.{k}" for k in range(40)), "total"]
    assert short["flops"].sum() == 160


def test_seeds_of_a_network_share_a_row_with_mean_and_spread():
    runs = [
        make_run("resnet18", right=np.arange(300) < right, seed=seed)
        for seed, right in enumerate((270, 240, 255))
    ]
    runs.append(make_run("vgg16", right=np.arange(300) < 200))
    table = zoo_table(runs)
    assert table.frame["Model"].tolist()[:2] == ["ResNet-18", "VGG-16"]
    assert table.frame["Seeds"].tolist()[:2] == ["3", "1"]
    # 90, 80 and 85 %: mean 85, sample standard deviation 5.
    assert table.frame.loc[0, "Accuracy, %"] == "85.0\n± 5.0"
    assert len(table.csv) == 4
