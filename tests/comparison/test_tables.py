"""The report's tables: their rows, bold cells, words and the CSV behind them."""

import io
import math
from types import SimpleNamespace

import pandas as pd
import pytest
from example_runs import changed, make_run, study

from lightbox.base.errors import ParameterError
from lightbox.base.words import said_in, set_language
from lightbox.comparison.results import COLUMNS, from_frame, per_class, results_table
from lightbox.data.cards import CARDS
from lightbox.display.cells import spread
from lightbox.display.names import (
    model_name,
    run_names,
    setting,
    setting_title,
    strategy_name,
)
from lightbox.sections.data import split_table


def bold_cells(table):
    """The (row, column) of bold cells."""
    return {
        (y, x)
        for y, row in enumerate(table.grid()["body"])
        for x, cell in enumerate(row)
        if cell.get("bold")
    }


def test_comparison_has_a_row_a_run_and_the_majority_last():
    table = results_table(study())
    frame = table.frame
    assert frame["Model"].tolist() == [
        "ResNet-18",
        "ResNet-18",
        "VGG-16",
        "VGG-16",
        "Majority answer",
    ]
    assert frame["Strategy"].iloc[-1] == "always PNEUMONIA"
    assert frame["Sens."].iloc[-1] == "1.000"
    assert frame["Total, M"].tolist()[:3] == ["11.18", "11.18", "134.27"]
    assert frame["Trainable, M"].iloc[0] == "0.0010"
    assert frame["Time, s"].iloc[-1] == "–"
    assert "300 test images" in table.caption


def test_comparison_csv_holds_the_agreed_columns_first():
    table = results_table(study())
    data, metadata = table._repr_mimebundle_()
    frame = pd.read_csv(io.StringIO(data["text/csv"]))
    assert tuple(frame.columns[: len(COLUMNS)]) == COLUMNS
    assert metadata["lightbox"]["file"] == "results.csv"
    # Every accuracy of the table is its CSV's, rounded.
    for shown, full in zip(
        table.frame["Accuracy, % (95 % interval)"], frame["test_accuracy"], strict=False
    ):
        assert shown.split()[0] == f"{100 * full:.1f}"
    last = table.frame["Accuracy, % (95 % interval)"].iloc[-1]
    assert last.split()[0] == f"{100 * frame['majority_accuracy'].iloc[0]:.1f}"


def test_bold_marks_the_extreme_of_each_column_but_never_the_majority():
    table = results_table(study())
    columns = list(table.frame.columns)
    bold = {(row, columns[column]) for row, column in bold_cells(table)}
    csv = table.csv
    assert (csv["test_accuracy"].idxmax(), columns[2]) in bold
    assert (csv["test_nll"].idxmin(), "NLL, nats") in bold
    assert (csv["test_sensitivity"].idxmax(), "Sens.") in bold
    assert all(row < 4 for row, _ in bold)
    assert not {"Total, M", "Trainable, M"} & {name for _, name in bold}
    assert bold_cells(results_table(study()[:1])) == set()


def test_settings_in_which_runs_differ_have_their_column():
    runs = [make_run(seed=0), make_run("vgg16", seed=1)]
    assert results_table(runs).frame["Seed"].tolist() == ["0", "1", "–"]
    assert "Seed" not in results_table(runs[:1]).frame.columns
    rates = [make_run(learning_rate=rate) for rate in (1e-3, 1e-4)]
    table = results_table(rates)
    assert table.frame["Learning rate"].tolist() == ["0.001", "0.0001", "–"]
    # What all runs share is no column.
    assert "Strategy" not in table.frame.columns
    assert "fine-tuning" in table.caption
    assert table.csv["learning_rate"].tolist() == [1e-3, 1e-4]
    # The weights of two models differ by the model's name alone.
    two = [make_run(), make_run("vgg16", weights="VGG16_Weights.IMAGENET1K_V1")]
    assert "Weights" not in results_table(two).frame.columns


def test_seeds_share_a_row_with_mean_and_deviation():
    hits = [255, 261, 240]
    seeds = [
        make_run(right=[k < hit for k in range(300)], seed=s)
        for s, hit in enumerate(hits)
    ]
    other = make_run("vgg16", right=[k < 250 for k in range(300)])
    table = results_table([seeds[0], other, *seeds[1:]])
    # 85, 87 and 80 %: mean 84, deviations 1, 3 and -4, sqrt(26 / 2) = 3.6.
    assert table.frame["Accuracy, %"].tolist()[:2] == [
        "84.0\n± 3.6",
        "83.3 (78.7–87.1)",
    ]
    assert table.frame["Seeds"].tolist() == ["3", "1", "–"]
    assert "mean ± the standard deviation" in table.caption
    assert table.csv["seed"].tolist() == [0, 0, 1, 2]
    assert len(table.csv) == 4
    bold = {(row, table.frame.columns[column]) for row, column in bold_cells(table)}
    assert (0, "Accuracy, %") in bold


def test_records_without_the_later_settings_are_shown():
    old, new = make_run(), make_run("vgg16", loss="focal", gamma=2.0)
    for key in ("loss", "gamma", "optimizer", "name", "frozen"):
        del old.record["config"][key]
    table = results_table([changed(old), new])
    losses = ["cross-entropy", "focal γ = 2", "–"]
    assert table.frame["Loss function"].tolist() == losses
    assert table.csv["gamma"].tolist() == [0.0, 2.0]


def test_comparison_in_chinese():
    table = said_in("zh", results_table, study())
    assert table.frame["策略"].tolist()[:2] == ["特徵擷取", "微調"]
    assert table.frame["模型"].iloc[-1] == "多數類別"


def test_a_class_name_cannot_inject_html():
    name = "<img src=x onerror=alert(1)>"
    run = make_run(classes=("NORMAL", name), positive=name)
    for table in (results_table([run]), per_class([run])):
        html = table._repr_mimebundle_()[0]["text/html"]
        assert "<img" not in html
        assert "&lt;img" in html


def test_per_class_has_a_row_a_class_and_run():
    classes = ("01_TUMOR", "02_STROMA", "03_COMPLEX")
    runs = [
        make_run(strategy=s, classes=classes, positive=None)
        for s in ("feature_extraction", "fine_tuning")
    ]
    table = per_class(runs)
    assert table.frame["Class"].tolist() == [*classes, *classes]
    assert table.csv["images"].sum() == 600
    assert "each class, averaged" in results_table(runs).caption


def dataset():
    rows = [("train", "NORMAL")] * 1341 + [("train", "PNEUMONIA")] * 3875
    rows += [("test", "NORMAL")] * 234 + [("test", "PNEUMONIA")] * 390
    table = pd.DataFrame(rows, columns=["split", "label"])
    table["group"] = [f"p{k // 2}" for k in range(len(table))]
    return SimpleNamespace(
        table=table,
        card=CARDS["phantom-chest"],
        classes=("NORMAL", "PNEUMONIA"),
        positive="PNEUMONIA",
    )


def test_split_table_counts():
    frame = split_table(dataset()).frame
    assert frame["Split"].tolist() == ["train", "test", "Total"]
    assert frame["PNEUMONIA"].tolist() == ["3,875", "390", "4,265"]
    assert frame["PNEUMONIA, %"].tolist() == ["74.3", "62.5", "73.0"]
    assert frame["Images"].tolist() == ["5,216", "624", "5,840"]
    assert frame["Patients or slides"].tolist() == ["2,608", "312", "2,920"]


def test_split_table_without_groups_or_positive():
    data = dataset()
    data.table["group"], data.positive = None, None
    columns = split_table(data).frame.columns.tolist()
    assert columns == ["Split", "NORMAL", "PNEUMONIA", "Images"]


def test_from_frame_rounds_what_is_shown_and_keeps_the_rest():
    frame = pd.DataFrame({"file": ["a"], "count": [5216], "auroc": [2 / 3]})
    table = from_frame(frame, "tbl-x", "X.")
    assert table.frame.iloc[0].tolist() == ["a", "5,216", "0.667"]
    assert table.csv["auroc"].iloc[0] == 2 / 3


@pytest.mark.parametrize(
    ("model", "shown"),
    [
        ("resnet18", "ResNet-18"),
        ("vgg16", "VGG-16"),
        ("vgg19_bn", "VGG-19-BN"),
        ("alexnet", "AlexNet"),
        ("googlenet", "GoogLeNet"),
        ("densenet121", "DenseNet-121"),
        ("efficientnet_b4", "EfficientNet-B4"),
        ("efficientnet_v2_s", "EfficientNet-V2-S"),
        ("mobilenet_v3_small", "MobileNet-v3-small"),
        ("inception_v3", "Inception-v3"),
        ("vit_b_16", "ViT-B-16"),
        ("wide_resnet50_2", "Wide ResNet-50-2"),
        ("my_own_net", "my_own_net"),
    ],
)
def test_model_names(model, shown):
    assert model_name(model) == shown


def test_run_names_tell_runs_apart():
    assert run_names([make_run()]) == ["ResNet-18 · fine-tuning"]
    assert said_in("zh", run_names, [make_run(seed=1), make_run(seed=2)]) == [
        "ResNet-18 · 微調 · 亂數種子 1",
        "ResNet-18 · 微調 · 亂數種子 2",
    ]


def test_the_label_of_a_set_names_its_runs():
    sets = [
        make_run(name=name, batch_size=size, learning_rate=rate)
        for name, size, rate in (("Set 1", 32, 1e-4), ("Set 2", 64, 1e-3))
    ]
    assert run_names(sets)[1] == "ResNet-18 · fine-tuning · Set 2"
    sets[1] = changed(sets[1], config={"name": ""})
    named = run_names(sets)[1]
    assert named == "ResNet-18 · fine-tuning · Learning rate 0.001 · Batch 64"
    losses = [make_run(loss="focal", gamma=g) for g in (0.5, 2.0)]
    assert run_names(losses)[0] == "ResNet-18 · fine-tuning · focal γ = 0.5"


def test_strategies_and_losses_have_their_names():
    assert strategy_name("partial") == "partial fine-tuning"
    assert said_in("zh", strategy_name, "partial") == "部分微調"
    run = make_run(loss="weighted_cross_entropy")
    assert said_in("zh", setting, run, "loss") == "加權交叉熵"
    assert setting(make_run(optimizer="rmsprop"), "optimizer") == "RMSprop"
    assert said_in("zh", setting_title, "image_size") == "影像邊長（px）"


def test_units_are_left_out_of_names():
    sizes = [make_run(image_size=size) for size in (64, 224)]
    assert run_names(sizes)[1] == "ResNet-18 · fine-tuning · Size 224"
    assert said_in("zh", run_names, sizes)[1] == "ResNet-18 · 微調 · 影像邊長 224"


def test_what_no_seed_came_to_is_a_dash():
    assert spread([], 1) == "–"
    assert spread([0.5], 2) == "0.50"
    assert spread([0.5, math.nan], 2) == "–"


def test_unknown_language_is_refused():
    with pytest.raises(ParameterError, match="language 'fr' is not known"):
        set_language("fr")
