"""Figures: what is drawn, at which size, with which text, the same twice."""

import warnings
from itertools import pairwise
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from example_runs import make_history, make_run, study
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Drawing
from PIL import Image

from lightbox.base.words import said_in
from lightbox.comparison.learning_curves import learning_curves
from lightbox.comparison.results import confusion_matrices
from lightbox.display import outputs
from lightbox.display.style import (
    POINTS,
    WIDTH,
    columns_of,
    letters,
    theme,
    titles_of,
    wrapped,
)
from lightbox.sections.data import sample_grid, split_counts

EIGHT = (
    *("01_TUMOR", "02_STROMA", "03_COMPLEX", "04_LYMPHO"),
    *("05_DEBRIS", "06_MUCOSA", "07_ADIPOSE", "08_EMPTY"),
)


def texts(drawing: Drawing) -> list:
    found = drawing.findobj(mpl.text.Text)
    return [text for text in found if text.get_text() and text.get_visible()]


def no_overlap(drawing: Drawing) -> None:
    """Tick labels of one axis and titles must not run into each other."""
    renderer = FigureCanvasAgg(drawing).get_renderer()
    boxes = []
    for axis in drawing.axes:
        if not axis.axison:
            continue
        boxes.append(axis.title.get_window_extent(renderer))
        for labels in (axis.get_xticklabels(), axis.get_yticklabels()):
            extents = [t.get_window_extent(renderer) for t in labels if t.get_text()]
            for one, two in pairwise(extents):
                assert not one.shrunk(0.9, 0.9).overlaps(two.shrunk(0.9, 0.9))
    for position, one in enumerate(boxes):
        assert not any(one.overlaps(two) for two in boxes[position + 1 :])


def images(classes, channels=1, each=4):
    rows = [("train", name, f"{name}{k}") for name in classes for k in range(each)]
    table = pd.DataFrame(rows, columns=["split", "label", "image"])
    table["group"] = table["image"]
    pixels = np.random.default_rng(0).integers(
        0, 256, (len(table), 16, 16, channels), dtype=np.uint8
    )
    return SimpleNamespace(
        table=table,
        classes=tuple(classes),
        positive=None,
        channels=channels,
        pixels=lambda size, resize: pixels,
        subset=lambda split: np.flatnonzero(table["split"] == split),
    )


@pytest.mark.parametrize("count", [1, 2, 4])
def test_learning_curves(drawn, count):
    figure = learning_curves(study()[:count])
    drawing = drawn[0]
    assert figure.label == "fig-curves"
    assert drawing.get_size_inches()[0] == pytest.approx(WIDTH)
    assert len(drawing.axes) == 2 * count
    loss = [axis for k, axis in enumerate(drawing.axes) if k < count]
    assert len({axis.get_ylim() for axis in loss}) == 1
    assert min(text.get_fontsize() for text in texts(drawing)) >= POINTS
    no_overlap(drawing)


def test_curves_draw_the_history_and_mark_the_kept_epoch(drawn):
    run = make_run(history=make_history([0.5, 0.3, 0.4]))
    learning_curves([run])
    train, val, vertical, dot = drawn[0].axes[0].lines
    assert train.get_ydata().tolist() == run.history["train_loss"].tolist()
    assert val.get_ydata().tolist() == [0.5, 0.3, 0.4]
    assert vertical.get_xdata() == [2, 2]
    assert (list(dot.get_xdata()), list(dot.get_ydata())) == ([2], [0.3])


@pytest.mark.parametrize(("worst", "scale"), [(1.2, "linear"), (6.0, "log")])
def test_a_wide_range_of_losses_is_drawn_in_logarithms(drawn, worst, scale):
    narrow = make_history([0.5, 0.4], train_loss=[0.5, 0.4])
    wide = make_history([worst, 0.8], train_loss=[0.5, 0.4])
    runs = [make_run(history=narrow), make_run("vgg16", history=wide)]
    learning_curves(runs)
    assert [axis.get_yscale() for axis in drawn[0].axes] == [
        *[scale] * 2,
        *["linear"] * 2,
    ]
    log = "log scale" in drawn[0].axes[0].get_ylabel()
    assert log == (scale == "log")
    no_overlap(drawn[0])


def test_seeds_share_a_panel_with_their_mean_and_range(drawn):
    losses = ([0.6, 0.4, 0.5], [0.8, 0.2])
    runs = [
        make_run(history=make_history(list(loss)), seed=seed)
        for seed, loss in enumerate(losses)
    ]
    figure = learning_curves([*runs, make_run("vgg16")])
    axis = drawn[0].axes[0]
    assert len(drawn[0].axes) == 4
    # The third epoch has one seed left.
    assert axis.lines[1].get_ydata() == pytest.approx([0.7, 0.3, 0.5])
    band = axis.collections[1].get_paths()[0].vertices
    assert band[:, 1].min() == pytest.approx(0.2)
    assert band[:, 1].max() == pytest.approx(0.8)
    dots = [line for line in axis.lines if line.get_marker() == "o"]
    assert [(*d.get_xdata(), *d.get_ydata()) for d in dots] == [(2, 0.4), (2, 0.2)]
    assert axis.get_title() == "ResNet-18 · fine-tuning"
    assert "several seeds" in figure.caption


def test_losses_of_different_kinds_share_no_axis(drawn):
    runs = [
        make_run(val_loss=[0.5, 0.4]),
        make_run(val_loss=[0.05, 0.04], loss="focal", gamma=2.0),
    ]
    figure = learning_curves(runs)
    ordinary, focal = drawn[0].axes[:2]
    assert ordinary.get_ylim() != focal.get_ylim()
    assert drawn[0].axes[2].get_ylim() == drawn[0].axes[3].get_ylim()
    assert "cannot be compared" in figure.caption
    no_overlap(drawn[0])


def test_one_epoch_is_drawn_as_a_point(drawn):
    learning_curves([make_run(val_loss=[0.5])])
    assert drawn[0].axes[0].lines[0].get_marker() == "o"


@pytest.mark.parametrize("count", [1, 3, 4])
@pytest.mark.parametrize("classes", [("NORMAL", "PNEUMONIA"), EIGHT])
def test_confusion_matrices(drawn, count, classes):
    strategies = ["feature_extraction", "fine_tuning", "partial", "fine_tuning"]
    runs = [
        make_run(m, s, classes=classes, positive=None)
        for m, s in zip(
            ["resnet18", "resnet18", "resnet18", "vgg16"], strategies, strict=True
        )
    ][:count]
    confusion_matrices(runs)
    drawing = drawn[0]
    assert drawing.get_size_inches()[0] == pytest.approx(WIDTH)
    assert min(text.get_fontsize() for text in texts(drawing)) >= POINTS
    no_overlap(drawing)
    first = drawing.axes[0]
    test = runs[0].predictions.query("split == 'test'")
    hits = ((test["label"] == classes[0]) & (test["predicted"] == classes[0])).sum()
    share = 100 * hits / (test["label"] == classes[0]).sum()
    assert first.texts[0].get_text() == f"{hits}\n{share:.0f}%"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_long_titles_keep_off_the_row_above(monkeypatch, language):
    found = []

    def measure(self, drawing, label, caption):
        # As the SVG is written: the first layout, at 72 dots per inch.
        drawing.dpi = 72
        drawing.draw_without_rendering()
        renderer = FigureCanvasAgg(drawing).get_renderer()
        above, below = drawing.axes[0], drawing.axes[3]
        ticks = [t.get_window_extent(renderer).y0 for t in above.get_xticklabels()]
        found.append(min(ticks) - below.title.get_window_extent(renderer).y1)

    monkeypatch.setattr(outputs.Figure, "__init__", measure)
    runs = [
        make_run("shufflenet_v2_x0_5", optimizer=name, learning_rate=rate, seed=seed)
        for name in ("sgd", "adam")
        for rate in (1e-3, 1e-4)
        for seed in (0, 1)
    ]
    said_in(language, confusion_matrices, runs)
    assert found[0] > 0


def test_a_class_without_test_images_has_no_per_cent(drawn):
    run = make_run()
    predictions = run.predictions
    predictions.loc[predictions["split"] == "test", "label"] = "PNEUMONIA"
    confusion_matrices([run])
    assert drawn[0].axes[0].texts[0].get_text() == "0"


@pytest.mark.parametrize("channels", [1, 3])
def test_sample_grid_shows_the_pixels(drawn, channels):
    data = images(["a", "b"], channels)
    sample_grid(data, per_class=3, size=16)
    grid = drawn[0].axes
    assert len(grid) == 6
    shown = grid[0].images[0]
    assert shown.get_array().shape == ((16, 16) if channels == 1 else (16, 16, 3))
    first = data.pixels(16, "squash")[0]
    assert np.array_equal(
        np.asarray(shown.get_array()), first[..., 0] if channels == 1 else first
    )
    sizes = {tuple(np.round(axis.get_window_extent().size, 3)) for axis in grid}
    assert len(sizes) == 1


def test_sample_grid_has_no_empty_columns(drawn):
    sample_grid(images(["a"], each=2), per_class=6)
    assert len(drawn[0].axes) == 2


def test_split_counts_writes_the_numbers(drawn):
    split_counts(images(["a", "b"], each=1234))
    assert [text.get_text() for text in drawn[0].axes[0].texts] == ["1,234", "1,234"]


def test_real_radiographs_fit(shared_data, drawn):
    folder = shared_data / "chest_xray" / "test"
    names, arrays = [], []
    for name in ("NORMAL", "PNEUMONIA"):
        for path in sorted((folder / name).iterdir())[:3]:
            names.append(name)
            arrays.append(np.asarray(Image.open(path).convert("L"))[..., None])
    data = images(["NORMAL", "PNEUMONIA"], each=3)
    data.pixels = lambda size, resize: np.stack(arrays)
    data.table["label"] = names
    figure = sample_grid(data, per_class=3)
    assert figure.svg.count("<image ") == 6


def test_figures_are_the_same_twice():
    one, two = (learning_curves(study()) for _ in range(2))
    assert (one.svg, one.png) == (two.svg, two.png)


def test_chinese_text_has_all_its_glyphs():
    runs = [make_run(classes=("正常", "肺炎"), positive="肺炎")]
    data = images(["正常", "肺炎"])
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Glyph")
        said_in("zh", learning_curves, runs)
        said_in("zh", confusion_matrices, runs)
        said_in("zh", sample_grid, data)
        said_in("zh", split_counts, data)


def test_the_chinese_font_is_first_only_where_it_is_needed():
    with theme("肺炎"):
        assert mpl.rcParams["font.family"][0] == "Noto Sans CJK TC"
    with theme("NORMAL"):
        assert mpl.rcParams["font.family"] == ["DejaVu Sans"]


def test_theme_leaves_the_users_settings_alone():
    before = dict(mpl.rcParams)
    learning_curves(study()[:1])
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize(
    ("count", "most", "columns"),
    [(1, 4, 1), (4, 4, 4), (5, 4, 3), (6, 4, 3), (8, 4, 4)],
)
def test_panels_are_spread_evenly(count, most, columns):
    assert columns_of(count, most) == columns


def test_long_names_are_broken():
    assert wrapped("a_long_class_name", 8) == "a_long_\nclass_\nname"
    assert titles_of(["A · b", "LongModel · c"], 6) == ["A\nb", "LongModel\nc"]
    assert letters("肺a") == 3


def test_the_onset_of_overfitting_is_tinted_where_it_is_said(drawn):
    over = make_run(val_loss=(0.5, 0.3, 0.4, 0.5))
    fine = make_run(val_loss=(0.5, 0.4, 0.3, 0.25), stopped="epochs")
    for run in (over, fine):
        learning_curves([run])
    entries = [
        [text.get_text() for text in drawing.legends[0].get_texts()]
        for drawing in drawn
    ]
    assert "overfitting" in entries[0]
    assert "overfitting" not in entries[1]
    # From the kept epoch, 2, to the last one, 4; on the loss alone.
    tints = [axis.patches for axis in drawn[0].axes]
    assert [len(patches) for patches in tints] == [1, 0]
    assert tints[0][0].get_x() == 2
    assert tints[0][0].get_width() == 2
