"""The gallery of errors: which images, in which order, with which words."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from example_runs import make_run

from lightbox.base.errors import DataError
from lightbox.base.words import said_in
from lightbox.comparison.gallery import error_gallery, probability
from lightbox.display.names import literal, shortened
from lightbox.display.outputs import Prose
from lightbox.display.style import letters
from lightbox.evaluation.metrics import best_run


def section_of(run, channels=1, size=16):
    """A section whose images each have a grey of their own, in another order."""
    names = run.predictions["image"].unique()[::-1]
    pixels = np.zeros((len(names), size, size, channels), dtype=np.uint8)
    pixels += (np.arange(len(names)) % 256).astype(np.uint8)[:, None, None, None]
    dataset = SimpleNamespace(
        table=pd.DataFrame({"image": names}),
        fingerprint=run.data.fingerprint,
        pixels=lambda size, resize, interpolation: pixels,
    )
    return SimpleNamespace(data=dataset)


def words_of(drawing):
    return [axis.texts[0].get_text() for axis in drawing.axes]


@pytest.mark.parametrize("channels", [1, 3])
def test_the_surest_errors_come_first_with_their_own_pixels(drawn, channels):
    run = make_run(num_test=90)
    section = section_of(run, channels)
    figure = error_gallery(section, [run])
    test = run.predictions.query("split == 'test' and label != predicted")
    sure = test[["prob_NORMAL", "prob_PNEUMONIA"]].max(axis=1)
    expected = test.loc[sure.sort_values(ascending=False).index]
    axes = drawn[0].axes
    assert len(axes) == min(8, len(expected))
    for axis, row in zip(axes, expected.itertuples(), strict=False):
        text = axis.texts[0].get_text().split("\n")
        assert text[0] == row.image.removeprefix("test/").removesuffix(".jpeg")
        assert text[1] == f"patient {row.group}"
        assert text[2:4] == [f"true: {row.label}", f"said: {row.predicted}"]
        place = section.data.table["image"].tolist().index(row.image)
        shown = np.asarray(axis.images[0].get_array())
        assert (shown == place % 256).all()
    assert f"among its {len(expected)} on the 90 test images" in figure.caption


def test_the_run_is_the_one_with_the_lowest_nll_on_val():
    runs = [make_run(m, weights="none") for m in ("resnet18", "vgg16", "alexnet")]
    for run, sure in zip(runs, (0.6, 0.9, 0.7), strict=True):
        val = run.predictions["split"] == "val"
        for name in ("NORMAL", "PNEUMONIA"):
            right = run.predictions["label"] == name
            run.predictions.loc[val, f"prob_{name}"] = np.where(
                right[val], sure, 1 - sure
            )
    assert best_run(runs) == 1
    assert "VGG-16" in error_gallery(section_of(runs[0]), runs).caption


@pytest.mark.parametrize(("language", "text"), [("en", "0 errors"), ("zh", "0 個錯誤")])
def test_no_error_gets_a_sentence(language, text):
    run = make_run(right=np.ones(30, bool), num_test=30)
    answer = said_in(language, error_gallery, section_of(run), [run])
    assert isinstance(answer, Prose)
    assert text in answer.markdown


@pytest.mark.parametrize(("wrong", "text"), [(1, "The only error of"), (3, "All 3")])
def test_the_caption_counts_what_is_shown(wrong, text):
    run = make_run(right=np.arange(30) >= wrong, num_test=30)
    assert error_gallery(section_of(run), [run]).caption.startswith(text)


@pytest.mark.filterwarnings("error:Glyph")
@pytest.mark.parametrize("language", ["en", "zh"])
def test_names_of_files_cannot_break_the_figure(drawn, language):
    right = np.ones(30, bool)
    right[:6] = False
    run = make_run(right=right, num_test=30, classes=("$a$", "b_{"), positive=None)
    rows = run.predictions
    test = np.flatnonzero(rows["split"] == "test")
    names = [
        "$\\frac{$.png",
        "a\nb.png",
        "影像.png",
        "<b>&.png",
        "\ud800.png",
        "x" * 99,
    ]
    rows.loc[test[:6], "image"] = names
    rows.loc[test[:6], "group"] = ["", "$p$", "g" * 99, "", "", ""]
    said_in(language, error_gallery, section_of(run), [run])
    shown = words_of(drawn[0])
    assert any("\\$\\frac{\\$" in text for text in shown)
    assert any("…" in text for text in shown)
    assert all(text.count("\n") == 4 for text in shown)
    drawn[0].draw_without_rendering()


def test_other_data_is_refused():
    run = make_run()
    section = section_of(run)
    section.data.fingerprint = "another"
    with pytest.raises(DataError, match="other images or another split"):
        error_gallery(section, [run])


@pytest.mark.parametrize(
    ("given", "width", "shown"),
    [
        ("short", 5, "short"),
        ("abcdefghij", 5, "ab…ij"),
        ("影像影像影像", 5, "影…像"),
        ("abc", 1, "…"),
    ],
)
def test_long_names_lose_their_middle(given, width, shown):
    assert shortened(given, lambda text: letters(text) <= width) == shown


def test_literal_and_probability():
    assert literal("$a$\t") == "\\$a\\$\N{REPLACEMENT CHARACTER}"
    assert probability(0.9996) == "p > 0.999"
    assert probability(0.9994) == "p = 0.999"
