"""Every kind of bad or unusual file: refused with a reason, or read aright."""

import os

import numpy as np
import pytest
from faults.files import KINDS, UNREADABLE, picture

from lightbox.data.decode import decode
from lightbox.data.inspection import COLUMNS, inspect_file


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


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_refused(tmp_path):
    path = tmp_path / UNREADABLE.name
    UNREADABLE.write(path)
    assert UNREADABLE.reason in inspect_file(path)["problem"]
