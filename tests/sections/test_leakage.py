"""Leakage on purpose: a split by image beside one by patient, on phantoms."""

import pandas as pd
import pytest

from lightbox.base.words import said_in
from lightbox.display.outputs import Prose, Table
from lightbox.sections.section import Section
from lightbox.sections.transfer import leakage_table, shared_images
from lightbox.settings.parameters import validate

STEM = "01_feature_extraction_vs_fine_tuning"
SMALL = {
    "dataset": "phantom-chest",
    "image_size": 32,
    "models": ["conv_model"],
    "strategies": ["fine_tuning"],
    "epochs": 1,
    "precision": "float32",
}


def section(**given):
    return Section(STEM, validate(STEM, SMALL | given))


def test_shared_images_are_those_of_a_group_in_train():
    table = pd.DataFrame(
        {
            "split": ["train", "train", "val", "val", "val", "test"],
            "group": ["a", "", "a", "b", "", "a"],
        }
    )
    assert shared_images(table, "val") == 1
    assert shared_images(table, "test") == 1


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A store of this module's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIGHTBOX_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.mark.usefixtures("home")
def test_a_split_by_image_shares_patients_and_is_shown_beside():
    asked = section(leakage=True)
    runs = asked.train()
    table = leakage_table(asked, runs)
    assert isinstance(table, Table)
    honest, naive = table.csv.itertuples(index=False)
    assert (honest.split_by, naive.split_by) == ("group", "image")
    assert honest.val_shared == 0
    assert naive.val_shared > 0.1
    assert naive.run_id != honest.run_id
    # The published test split has no patient of train either way.
    assert (honest.test_shared, naive.test_shared) == (0, 0)
    assert table.frame.shape[0] == 2
    chinese = said_in("zh", leakage_table, asked, runs)
    assert "刻意洩漏" in chinese.caption


@pytest.mark.usefixtures("home")
def test_not_asked_for_says_how_to_ask():
    quiet = section()
    said = leakage_table(quiet, quiet.train())
    assert isinstance(said, Prose)
    assert "leakage: true" in said.markdown
    assert "0 of 186" in said.markdown


@pytest.mark.usefixtures("home")
def test_images_without_a_patient_cannot_leak_one():
    fundus = section(dataset="phantom-fundus", leakage=True)
    said = leakage_table(fundus, [])
    assert isinstance(said, Prose)
    assert "no patient or slide" in said.markdown
