"""Every study, small: on phantoms that mimic its images, and on real radiographs.

Marked `smoke`: minutes, so `make smoke` runs them and `make test` does not.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from lightbox.data.phantoms import generation
from lightbox.settings.parameters import SECTIONS

pytestmark = pytest.mark.smoke
PROJECT = Path(__file__).resolve().parents[1]
QUICK = {"epochs": 1, "image_size": 64, "weights": "none", "patience": 0}
SCALE = 0.12  # of the phantoms' usual number of images
PER_CLASS = 40  # images of each class and split, of the real radiographs


def quick_sets(study: str) -> list[dict] | None:
    """The study's own sets, whose sizes and epochs -p does not reach, made small."""
    path = PROJECT / "params" / study / "02_hyperparameters.yaml"
    if not path.exists():
        return None
    sets = (yaml.safe_load(path.read_text()) or {}).get("sets", [])
    return [
        entry | {name: value for name, value in QUICK.items() if name in entry}
        for entry in sets
    ]


def report(study: str, out: Path, home: Path, **values: object) -> None:
    """Type `lightbox report` with the study's smoke parameters."""
    given = QUICK | values
    if sets := quick_sets(study):
        given["sets"] = sets
    words = [
        word
        for name, value in given.items()
        for word in ("-p", name, yaml.safe_dump(value, default_flow_style=True))
    ]
    lightbox = str(Path(sys.executable).with_name("lightbox"))
    done = subprocess.run(
        [lightbox, "report", f"params/{study}", "--out", str(out), *words],
        cwd=PROJECT,
        env=os.environ | {"LIGHTBOX_HOME": str(home)},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr
    assert (out / "report.pdf").stat().st_size > 50_000
    for path in (PROJECT / "params" / study).glob("0*.yaml"):
        assert (out / path.stem / f"{path.stem}.html").is_file()


@pytest.fixture
def store(tmp_path):
    """A store of its own, removed at once: networks of half a gigabyte lie in it."""
    home = tmp_path / "home"
    yield home
    shutil.rmtree(home, ignore_errors=True)


@pytest.mark.parametrize(
    ("study", "values"),
    [
        ("chest-xray", {"dataset": "phantom-chest"}),
        (
            "histology-zoo",
            # 90 pixels: patches of 10 and of 15 both divide it.
            {"dataset": "phantom-histology", "image_size": 90, "split_by": "image"},
        ),
        ("fundus", {"dataset": "phantom-fundus"}),
        ("alexnet-vgg19", {"dataset": "phantom-chest"}),
    ],
)
def test_a_study_on_the_phantoms_that_mimic_its_images(study, values, tmp_path, store):
    images = generation.generate(values["dataset"], tmp_path / "images", scale=SCALE)
    report(study, tmp_path / "out", store, data_dir=str(images), **values)


@pytest.fixture
def radiographs(shared_data, tmp_path):
    """A few of the real radiographs, linked into a folder of the same layout."""
    folder = tmp_path / "chest_xray"
    for source in sorted((shared_data / "chest_xray").glob("*/*")):
        target = folder / source.parent.name / source.name
        target.mkdir(parents=True)
        files = sorted(source.iterdir())
        for path in files[:: max(1, len(files) // PER_CLASS)]:
            (target / path.name).symlink_to(path)
    return folder


@pytest.mark.parametrize("study", ["chest-xray", "alexnet-vgg19"])
def test_a_study_on_real_radiographs(study, radiographs, tmp_path, store):
    out = tmp_path / "out"
    report(study, out, store, data_dir=str(radiographs), dataset="chest-xray")
    found = [pd.read_csv(path) for path in out.glob("0*/results.csv")]
    assert found
    assert all(frame["test_accuracy"].between(0, 1).all() for frame in found)


def test_every_study_has_a_yaml_for_what_its_source_did():
    studies = {path.name: path for path in (PROJECT / "params").iterdir()}
    assert set(studies) == {
        *("demo", "chest-xray", "histology-zoo", "fundus", "alexnet-vgg19"),
    }
    assert {path.stem for path in studies["demo"].glob("0*.yaml")} == set(SECTIONS)
