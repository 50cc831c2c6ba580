"""Parameters: what is coerced, what is refused, and in which words."""

from pathlib import Path

import pytest

from lightbox.base.errors import ParameterError
from lightbox.settings import studies
from lightbox.settings.checking import absolute
from lightbox.settings.parameters import SECTIONS, validate

COMPARISON = "01_feature_extraction_vs_fine_tuning"


@pytest.mark.parametrize(
    ("given", "name", "expected"),
    [
        ({"learning_rate": "1e-4"}, "learning_rate", 1e-4),  # YAML 1.1 reads text
        ({"learning_rate": 1}, "learning_rate", 1.0),
        ({"epochs": "3"}, "epochs", 3),
        ({"title": 2026}, "title", "2026"),
        ({"data_dir": None}, "data_dir", None),
    ],
)
def test_values_are_coerced(given, name, expected):
    value = getattr(validate(COMPARISON, given), name)
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"learning_rat": 1e-3}, r"'learning_rat'; did you mean 'learning_rate'\?"),
        ({"zzz": 1}, r"unknown parameter 'zzz'; there are dataset, image_size"),
        ({"epochs": -1}, r"epochs = -1: .*greater than or equal to 1"),
        ({"epochs": 2.5}, r"epochs = 2.5: .*integer"),
        ({"epochs": True}, r"epochs = True: a number is needed"),
        ({"epochs": "many"}, r"epochs = 'many': .*integer"),
        ({"learning_rate": float("inf")}, r"learning_rate = inf"),
        ({"models": []}, r"models = \[\]: .*at least 1"),
        ({"models": "resnet18"}, r"models = 'resnet18': .*list"),
        ({"strategies": ["fine_tunin"]}, r"did you mean 'fine_tuning'\?"),
        ({"resize": "sqash"}, r"did you mean 'squash'\?"),
        ({"image_size": 4}, r"image_size = 4: .*16"),
        ({"title": "x" * 201}, r"title = .*200"),
        ({"epochs": -1, "seed": -1}, r"seed = -1: .*; epochs = -1"),
    ],
)
def test_mistakes_are_one_line(given, message):
    with pytest.raises(ParameterError, match=message) as caught:
        validate(COMPARISON, given)
    assert "\n" not in str(caught.value)


def test_an_error_in_a_notebook_is_one_line():
    with pytest.raises(ParameterError) as caught:
        validate(COMPARISON, {"epochs": 0})
    assert len(caught.value._render_traceback_()) == 1


def test_relative_paths_count_from_where_they_were_typed(tmp_path):
    assert absolute({"data_dir": "x"}, tmp_path)["data_dir"] == str(tmp_path / "x")
    assert absolute({"data_dir": "/x"}, tmp_path)["data_dir"] == "/x"
    assert absolute({"epochs": 1}, tmp_path) == {"epochs": 1}


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


def test_a_study_merges_common_own_and_typed_values(tmp_path):
    folder = write(
        tmp_path, common="seed: 1\nimage_size: 32", **{COMPARISON: "seed: 2\nepochs: 3"}
    )
    write(folder, **{"00_data": "{}"})
    made = studies.load(folder).override({"epochs": "5"}).validated(tmp_path)
    assert made.values == {
        "00_data": {"seed": 1, "image_size": 32},
        COMPARISON: {"seed": 2, "image_size": 32, "epochs": 5},
    }
    assert list(made.only(("01",)).values) == [COMPARISON]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"00_data": "epochs: 3"}, r"00_data: unknown parameter 'epochs'"),
        ({"00_data": "seed: ["}, r"no readable YAML"),
        ({"00_data": "- 1"}, r"names and values are needed"),
        ({"common": "seed: 1"}, r"holds no <notebook>.yaml"),
        ({"00_dat": "{}"}, r"no notebook named '00_dat'.*did you mean '00_data'\?"),
        ({"00_data": "seed: !!python/object:os.system {}"}, r"no readable YAML"),
    ],
)
def test_a_broken_study_says_which_file(tmp_path, files, message):
    with pytest.raises(ParameterError, match=message):
        studies.load(write(tmp_path, **files)).validated(tmp_path)


def test_unknown_names_and_notebooks_are_refused(tmp_path):
    made = studies.load(write(tmp_path, **{"00_data": "{}"}))
    with pytest.raises(ParameterError, match=r"did you mean 'seed'\?"):
        made.override({"sed": 1})
    with pytest.raises(ParameterError, match="--only 07"):
        made.only(("07",))
    with pytest.raises(ParameterError, match=r"no study at .*did you mean 'demo'\?"):
        studies.load(Path("dmo"))


def test_every_study_of_the_project_is_valid(project):
    folders = [path for path in (project / "params").iterdir() if path.is_dir()]
    assert {"demo", "chest-xray"} <= {folder.name for folder in folders}
    for folder in folders:
        checked = studies.load(folder).validated(project)
        assert set(checked.values) <= set(SECTIONS)
