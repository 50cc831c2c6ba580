"""Thousands of parameter sets and every kind of file, the whole way through."""

from pathlib import Path

import numpy as np
import pytest
from faults.files import KINDS, SIDE, UNREADABLE
from faults.images import make_folder
from faults.parameters import outcome, parameter_sets
from hypothesis import HealthCheck, given, settings

from lightbox.data.dataset import open_dataset

SETS = 2_000


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    return make_folder(tmp_path_factory.mktemp("images"))


def test_parameter_sets_are_accepted_or_refused_in_one_line(
    images, tmp_path, monkeypatch, tell
):
    monkeypatch.setenv("LIGHTBOX_HOME", str(tmp_path))
    count = {"accepted": 0, "refused": 0}

    @settings(
        max_examples=SETS,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(parameter_sets())
    def each(drawn):
        count[outcome(*drawn, images)] += 1

    each()
    said = f"{count['refused']:,} refused in one line, {count['accepted']:,} accepted"
    tell("generated parameter set", sum(count.values()), 0, 0, said)
    assert sum(count.values()) >= SETS


def test_every_kind_of_file_goes_through_audit_and_decoding(
    tmp_path, monkeypatch, tell
):
    monkeypatch.setenv("LIGHTBOX_HOME", str(tmp_path / "home"))
    folder = make_folder(tmp_path / "images")
    kinds = [*KINDS, UNREADABLE]
    for kind in kinds:
        kind.write(folder / "train" / "dark" / kind.name)
    found = open_dataset("folder", folder, seed=0)
    bad = found.audit.bad().set_index("image")["reason"]
    wrong = 0
    pixels = found.pixels(SIDE[0], "squash")
    assert pixels.shape[0] == len(found.table)
    rows = {image: row for row, image in enumerate(found.table["image"])}
    for kind in kinds:
        image = f"train/dark/{kind.name}"
        if kind is UNREADABLE and image not in bad:
            continue  # root may read everything
        wrong += (image in bad) != bool(kind.reason)
        if image in rows and kind.shows is not None and found.channels == 3:
            # Corners survive the change of height.
            shown = pixels[rows[image]][[0, 0, -1, -1], [0, -1, 0, -1]].astype(int)
            meant = kind.shows[[0, 0, -1, -1], [0, -1, 0, -1]].astype(int)
            wrong += bool(np.abs(shown - meant).max() > kind.tolerance + 2)
    remark = f"{len(bad)} refused with a reason, the others read"
    tell("kind of image file", len(kinds), 0, wrong, remark)
    assert wrong == 0
