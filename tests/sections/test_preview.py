"""What is shown before training: the plan with its cost, a network, a first batch."""

import numpy as np
import pytest
from PIL import Image

from lightbox.base.words import said_in
from lightbox.sections.preview import duration, first_batch, network_table, plan_table
from lightbox.sections.section import Section
from lightbox.settings.parameters import validate

NAME = "01_feature_extraction_vs_fine_tuning"


@pytest.fixture
def section(tmp_path, home):
    """Two classes of noise, told apart by brightness, and a small network."""
    random = np.random.default_rng(0)
    for split, count in (("train", 20), ("val", 10), ("test", 10)):
        for level, name in ((40, "sick"), (160, "well")):
            folder = tmp_path / "images" / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = random.integers(0, 90, (24, 24)) + level
                Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")
    values = {"dataset": "folder", "data_dir": str(tmp_path / "images"), "epochs": 2}
    values |= {"models": ["conv_model"], "image_size": 32, "batch_size": 8}
    return Section(NAME, validate(NAME, values))


def test_the_plan_has_a_row_a_run_and_a_kept_run_tells_its_own_time(section):
    before = plan_table(section)
    assert list(before.csv["strategy"]) == ["feature_extraction", "fine_tuning"]
    assert (before.csv["seconds"] > 0).all()
    runs = section.train()
    after = plan_table(section).csv
    for run, (_, row) in zip(runs, after.iterrows(), strict=True):
        assert row["trainable"] == run.result.trainable_parameters
        assert row["flops"] == run.result.flops
        assert row["seconds"] == pytest.approx(run.result.train_seconds)
    # What was told before training is what training then had.
    for column in ("trainable", "parameters", "flops"):
        assert list(before.csv[column]) == list(after[column])


def test_what_is_frozen_and_what_trains(section):
    table = network_table(section).frame
    states = table.set_index("Part")
    assert set(states["Fine-tuning"]) == {"trains"}
    assert list(states["Feature extraction"]).count("frozen") >= 1
    assert states["Feature extraction"].iloc[-1] != "frozen"  # the head


def test_a_batch_is_followed_through_the_untrained_network(section):
    said = first_batch(section).markdown
    assert "(8, " in said
    assert "2 logits, one a class" in said
    assert "of 20 val images" in said
    assert "is right on 10." in said  # the majority-class baseline of balanced classes
    assert "驗證影像" in said_in("zh", first_batch, section).markdown


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 s"), (80, "80 s"), (600, "10 min"), (9000, "2.5 h")],
)
def test_times_as_one_says_them(seconds, text):
    assert duration(seconds) == text
