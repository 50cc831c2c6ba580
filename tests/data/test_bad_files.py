"""Every kind of bad or unusual file: refused with a reason, or read aright."""

import os

import numpy as np
import pytest
from faults.files import KINDS, UNREADABLE, picture

from lightbox.base.errors import DataError
from lightbox.data.inspection import COLUMNS, inspect_file
from lightbox.data.pixels import decode
from lightbox.data.rfmid import read_labels


def test_there_are_forty_kinds_or_more():
    assert len({kind.name for kind in KINDS}) == len(KINDS) >= 40


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_file_is_refused_with_a_reason_or_read_aright(tmp_path, kind):
    path = tmp_path / kind.name
    kind.write(path)
    facts = inspect_file(path)
    assert set(facts) == set(COLUMNS)
    said = facts["problem"]
    assert len(said.splitlines()) <= 1
    if kind.reason:
        assert said if kind.reason == "*" else kind.reason in said
        return
    assert said == ""
    shown = np.asarray(decode(path, 3)).astype(int)
    assert shown.shape == picture().shape
    assert (facts["width"], facts["height"]) == (24, 16)
    assert np.abs(shown - kind.shows.astype(int)).max() <= kind.tolerance


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"\xff\xfe\x00",
        b"ID\n1\n",
        b"Disease_Risk\n1\n",
        b"id,disease_risk\n1,1\n",
        b"ID;Disease_Risk\n1;1\n",
        b"ID,Disease_Risk\n1,2\n",
        b"ID,Disease_Risk\n1,-1\n",
        b"ID,Disease_Risk\n1,yes\n",
        b"ID,Disease_Risk\n1,0.5\n",
        b"ID,Disease_Risk\n1,\n",
        b"ID,Disease_Risk\n1,1\n1,0\n",
        b"ID,Disease_Risk\n1,1\n2,1,1,1\n",
        b'ID,Disease_Risk\n"1,1\n',
        b"\x00\x01\x02\x03",
        b"<!DOCTYPE html><html></html>",
        b"PK\x03\x04rest",
    ],
)
def test_a_label_file_that_is_none_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / "RFMiD_Training_Labels.csv"
    path.write_bytes(content)
    with pytest.raises(DataError) as told:
        read_labels(path)
    assert len(str(told.value).splitlines()) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfID,Disease_Risk\n1,1\n02,0\n",
        b"ID,Disease_Risk\r\n1,1\r\n02,0\r\n",
        b"Disease_Risk, ID \n1, 1\n0,02 \n",
    ],
)
def test_a_label_file_of_another_make_is_read(tmp_path, content):
    path = tmp_path / "labels.csv"
    path.write_bytes(content)
    assert read_labels(path) == {"1": 1, "02": 0}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_refused(tmp_path):
    path = tmp_path / UNREADABLE.name
    UNREADABLE.write(path)
    assert UNREADABLE.reason in inspect_file(path)["problem"]
