"""Grids of runs: their tables, the map, the range test, what is said of them."""

import math

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from example_runs import changed, make_history, make_run

from lightbox.base.errors import DataError
from lightbox.base.words import said_in
from lightbox.comparison.runs import Runs
from lightbox.display import outputs
from lightbox.display.outputs import Figure, Prose
from lightbox.sections.hyperparameters import (
    axes_of,
    choice,
    chosen_by_val,
    epoch_table,
    grid_axes,
    grid_conclusion,
    grid_map,
    kept_val_accuracy,
    mean_versus_best,
    range_figure,
    steepest,
    training_table,
)

SETS = {
    "Set 1": {"batch_size": 32, "learning_rate": 1e-4, "epochs": 10},
    "Set 2": {"batch_size": 64, "learning_rate": 1e-3, "epochs": 15},
}


@pytest.fixture
def drawn(monkeypatch):
    """The matplotlib figures, as they were before they became bytes."""
    kept = []
    original = outputs.Figure.__init__

    def keep(self, drawing, label, caption):
        kept.append(drawing)
        original(self, drawing, label, caption)

    monkeypatch.setattr(outputs.Figure, "__init__", keep)
    return kept


def history(*val_accuracy, val_loss=None, train=0.9):
    losses = [1 - a for a in val_accuracy] if val_loss is None else val_loss
    return make_history(losses, list(val_accuracy), train_accuracy=train)


def sets():
    """Two networks by two sets, whose val accuracies are known."""
    values = iter([(0.5, 0.8), (0.6, 0.9), (0.55, 0.7), (0.65, 0.75)])
    return [
        make_run(model, name=name, history=history(*next(values)), **settings)
        for model in ("resnet18", "vgg16")
        for name, settings in SETS.items()
    ]


def test_training_table_has_both_means_and_the_kept_epoch():
    run = make_run(history=history(0.5, 0.9, 0.7, train=[0.6, 0.8, 1.0]))
    table = training_table([run])
    row = table.frame.iloc[0]
    assert row["Mean train acc., %"] == "80.0"
    assert row["Mean val acc., %"] == "70.0"
    assert row["Best-epoch val acc., %"] == "90.0"
    assert row["Best epoch"] == "2"
    assert row["Stopped by"] == "early stopping"
    assert row["s per epoch"] == "2.0"
    assert table.csv["mean_val_accuracy"].iloc[0] == pytest.approx(0.7)
    assert table.file == "training.csv"


def test_training_table_shows_what_a_set_stands_for():
    frame = training_table(sets()).frame
    assert frame["Set"].tolist() == ["Set 1", "Set 2"] * 2
    assert frame["Batch"].tolist() == ["32", "64"] * 2
    assert frame["Learning rate"].tolist() == ["0.0001", "0.001"] * 2


def test_a_diverged_run_keeps_no_epoch():
    lost = make_run(history=history(0.5), seed=1)
    result = {"diverged": True, "best_epoch": 0, "stopped": "divergence"}
    lost = changed(lost, result=result)
    assert math.isnan(kept_val_accuracy(lost))
    frame = training_table([make_run(), lost]).frame
    assert frame["Stopped by"].tolist() == ["early stopping", "diverged"]
    assert frame["Best-epoch val acc., %"].iloc[1] == "–"
    said = grid_conclusion([make_run(), lost]).markdown
    assert "Of 1 run, val accuracy chose" in said
    assert "diverged" in said


def test_epoch_table_prints_every_epoch_and_marks_the_kept_one():
    runs = sets()[:2]
    table = epoch_table(runs)
    assert table.frame["Run"].tolist() == [
        "ResNet-18 · fine-tuning · Set 1",
        "",
        "ResNet-18 · fine-tuning · Set 2",
        "",
    ]
    assert table.frame["Val acc., %"].tolist() == ["50.0", "80.0", "60.0", "90.0"]
    assert table.csv["run_id"].tolist() == [runs[0].id] * 2 + [runs[1].id] * 2
    rows = table.grid()["body"]
    bold = {y for y, row in enumerate(rows) if any(c.get("bold") for c in row)}
    assert bold == {1, 3}


def test_settings_that_vary_together_are_one_axis():
    titles = [axis.name for axis in axes_of(Runs(sets()))]
    assert titles == ["Model", "Set"]
    unnamed = [changed(run, config={"name": ""}) for run in sets()]
    joined = axes_of(Runs(unnamed))[1]
    assert joined.name == "Learning rate, Batch, Epochs"
    assert joined.tolist() == ["0.0001, 32, 10", "0.001, 64, 15"] * 2


def test_the_map_has_the_two_that_vary_most(drawn):
    runs = [
        make_run(m, optimizer=o, batch_size=b, history=history(0.5, value))
        for m, o, b, value in [
            ("alexnet", "sgd", 64, 0.70),
            ("alexnet", "adam", 64, 0.80),
            ("alexnet", "adam", 32, 0.90),
            ("vgg19", "rmsprop", 64, 0.75),
            ("vgg19", "adam", 64, 0.60),
        ]
    ]
    one, two = grid_axes(Runs(runs))
    assert (one.name, two.name) == ("Model", "Optimizer")
    figure = grid_map(runs)
    numbers = [text.get_text() for text in drawn[0].axes[0].texts]
    # The two of AlexNet under Adam are averaged; what was not run has no number.
    assert sorted(numbers) == ["60.0", "70.0", "75.0", "85.0"]
    assert "averages up to 2 runs" in figure.caption


def test_no_map_without_two_settings_that_vary_independently():
    shown = grid_map(sets()[:2])
    assert isinstance(shown, Prose)
    assert "2 runs vary in Set" in shown.markdown
    assert "nothing" in grid_map([make_run()]).markdown
    assert "設定組" in said_in("zh", grid_map, sets()[:2]).markdown
    # The model follows from the optimizer here, so that no cell stands beside another.
    bound = [
        make_run(m, optimizer=o) for m, o in (("alexnet", "sgd"), ("vgg19", "adam"))
    ]
    assert grid_axes(Runs(bound)) is None


def test_steepest_descent_of_a_known_curve():
    rates = np.geomspace(1e-6, 1, 61)
    # A logistic fall around 1e-3 in the logarithm of the rate.
    losses = 1 / (1 + np.exp(4 * (np.log10(rates) + 3)))
    assert steepest(rates, losses) == pytest.approx(1e-3, rel=0.3)
    # What follows the lowest loss is no descent, however steep.
    after = np.where(rates > 0.1, np.linspace(9, 1, 61), losses)
    assert steepest(rates, after) == pytest.approx(1e-3, rel=0.3)
    broken = np.where(rates > 0.1, np.nan, losses)
    assert steepest(rates, broken) == pytest.approx(1e-3, rel=0.3)


@pytest.mark.parametrize("losses", [[1, 2, 3, 4], [1.0, np.nan, 1, 1], [1, 1, 1, 1]])
def test_no_descent_no_rate(losses):
    assert math.isnan(steepest([1e-4, 1e-3, 1e-2, 1e-1], losses))


def test_range_figure_marks_each_network(drawn):
    rates = np.geomspace(1e-6, 1, 61)
    frame = pd.concat(
        pd.DataFrame(
            {
                "model": model,
                "learning_rate": rates,
                "loss": 1 / (1 + np.exp(4 * (np.log10(rates) - centre))),
            }
        )
        for model, centre in (("resnet18", -3), ("vgg16", -4))
    )
    assert isinstance(range_figure(frame), Figure)
    axis = drawn[0].axes[0]
    legend = [text.get_text() for text in axis.get_legend().get_texts()]
    assert legend[0].startswith("ResNet-18, steepest descent at ")
    assert len([line for line in axis.lines if line.get_linestyle() == ":"]) == 2
    assert axis.get_xscale() == "log"
    assert mpl.rcParams["figure.dpi"] == mpl.rcParamsDefault["figure.dpi"]
    assert "range_test: true" in range_figure(None).markdown


def test_the_mean_over_epochs_is_set_against_the_kept_epoch():
    # 0.9 after three bad epochs: mean 0.65; the other is steady at 0.7.
    late = make_run(history=history(0.5, 0.5, 0.7, 0.9))
    steady = make_run("vgg16", history=history(0.7, 0.7, 0.7, 0.7))
    text = mean_versus_best([late, steady]).markdown
    assert "65.0 %, the kept epoch 4 has 90.0 % (+25.0 points)" in text
    assert "the first with 50.0 % included" in text
    assert "the highest mean is that of VGG-16 · fine-tuning (70.0 %)" in text
    assert "ResNet-18 · fine-tuning (90.0 %)" in text
    alone = mean_versus_best([late]).markdown
    assert "ranks otherwise" not in alone
    assert "differ by less than 0.1 points" in mean_versus_best([steady]).markdown
    assert "平均為 65.0 %" in said_in("zh", mean_versus_best, [late]).markdown


def test_val_chooses_and_test_confirms_or_ties():
    hits = {"a": 250, "b": 252, "c": 200}
    runs = [
        make_run(
            right=[k < hit for k in range(300)],
            name=name,
            learning_rate=10.0**-power,
            history=history(0.5, accuracy),
        )
        for power, (name, hit), accuracy in zip(
            (1, 2, 3), hits.items(), (0.9, 0.8, 0.7), strict=True
        )
    ]
    found = choice(Runs(runs))
    assert found.evidence["chosen"] == 0
    # 2 discordant images of one patient: p = 1; 50 of 25, all one way: p < 0.001.
    pairs = found.evidence["pairs"]
    assert [pair.base for pair in pairs] == [runs[0]] * 2
    assert [pair.other for pair in pairs] == runs[1:]
    assert [pair.verdict for pair in pairs] == ["tied", "worse"]
    assert pairs[0].adjusted == pytest.approx(1)
    assert "250 of 300 images" in found.text
    names = "ResNet-18 · fine-tuning · "
    assert f"It is better than {names}c (" in found.text
    assert f"It is tied with {names}b (" in found.text
    assert "平手" in said_in("zh", choice, Runs(runs)).text
    assert "This is 1 seed" in grid_conclusion(runs).markdown


def test_of_equal_val_accuracies_the_likelier_predictions_win():
    runs = [make_run(history=history(0.5, 0.9), learning_rate=r) for r in (0.1, 0.2)]
    val = runs[0].predictions["split"] == "val"
    for name in ("NORMAL", "PNEUMONIA"):
        runs[0].predictions.loc[val, f"prob_{name}"] = 0.5
    assert chosen_by_val(Runs(runs)) == 1


@pytest.mark.parametrize(
    "show", [training_table, epoch_table, grid_map, mean_versus_best, grid_conclusion]
)
def test_no_runs_or_mixed_data_are_refused(show):
    with pytest.raises(DataError, match="no run to compare"):
        show([])
    other = changed(make_run("vgg16"), data={"fingerprint": "other"})
    with pytest.raises(DataError, match="2 different data sets"):
        show([make_run(), other])
