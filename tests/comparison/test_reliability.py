"""Reliability: what is drawn, before and after the temperature."""

from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest
from example_runs import make_run, study

from lightbox.base.errors import DataError
from lightbox.base.words import said_in
from lightbox.comparison.reliability import reliability_diagram
from lightbox.display.style import MAX_HEIGHT, POINTS
from lightbox.evaluation.calibration import calibrate, ece, scaled
from lightbox.evaluation.significance import wilson

NAMES = ["prob_NORMAL", "prob_PNEUMONIA"]


def overconfident(temperature=0.5, count=4000):
    """A run whose true probabilities were sharpened by a temperature."""
    run = make_run(num_test=count)
    random = np.random.default_rng(0)
    rows = run.predictions
    extra = rows[rows["split"] == "test"].assign(split="val")
    rows = rows[rows["split"] == "test"]
    rows = type(rows)(np.concatenate([extra, rows]), columns=rows.columns)
    p = random.uniform(0.02, 0.98, len(rows))
    rows["label"] = np.where(random.random(len(rows)) < p, "PNEUMONIA", "NORMAL")
    rows[NAMES] = scaled(np.column_stack([1 - p, p]), temperature)
    rows["predicted"] = np.where(p > 0.5, "PNEUMONIA", "NORMAL")
    return replace(run, predictions=rows)


def test_the_temperature_of_val_mends_test():
    found = calibrate(overconfident(0.5))
    assert found.temperature == pytest.approx(2, rel=0.1)
    assert found.errors[0] > 0.06
    assert found.errors[1] < 0.03


def test_the_error_is_the_distance_of_the_points():
    for run in study():
        bins = calibrate(run).before.query("images > 0")
        gaps = (bins["accuracy"] - bins["confidence"]).abs() * bins["images"]
        written = gaps.sum() / bins["images"].sum()
        assert calibrate(run).errors[0] == pytest.approx(written, abs=1e-12)


def test_val_without_an_error_gives_no_temperature(drawn):
    # The made runs classify every val image correctly.
    run = make_run()
    assert calibrate(run).after is None
    test = run.predictions.query("split == 'test'")
    error = ece(test[NAMES].max(axis=1), test["label"] == test["predicted"])
    figure = reliability_diagram([run])
    labels = [text.get_text() for text in drawn[0].legends[0].get_texts()]
    assert labels == ["as trained", "perfect calibration"]
    assert drawn[0].axes[0].get_title().endswith(f"ECE {error:.3f}")
    assert "not where val has no error" in figure.caption


def test_points_have_their_wilson_intervals(drawn):
    run = overconfident()
    figure = reliability_diagram([run])
    diagram = drawn[0].axes[0]
    assert "→" in diagram.get_title()
    assert "T = 1.98" in diagram.get_title()
    before = calibrate(run).before.query("images > 0")
    points = diagram.lines[1]
    assert points.get_ydata() == pytest.approx(before["accuracy"].to_numpy())
    bars = diagram.collections[0].get_segments()
    for bar, row in zip(bars, before.itertuples(), strict=True):
        assert bar[:, 1] == pytest.approx(wilson(row.correct, row.images))
    assert figure.label == "fig-reliability"


@pytest.mark.filterwarnings("error:Glyph")
@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("count", [1, 4, 10])
def test_panels_stay_on_the_page(drawn, language, count):
    runs = [make_run(f"model{k}") for k in range(count)]
    said_in(language, reliability_diagram, runs)
    assert drawn[0].get_size_inches()[1] <= MAX_HEIGHT
    sizes = {text.get_fontsize() for text in drawn[0].findobj(mpl.text.Text)}
    assert min(sizes) >= POINTS


def test_of_many_runs_the_likeliest_are_drawn(drawn):
    figure = reliability_diagram([make_run(f"model{k}") for k in range(14)])
    assert len(drawn[0].axes) == 24
    assert "Of 14 runs, the 12" in figure.caption


def test_no_run_is_refused():
    with pytest.raises(DataError, match="no run"):
        reliability_diagram([])
