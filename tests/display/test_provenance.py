"""What a report says of its making: in the reader's words, without our folders."""

import re

import pytest

from lightbox.base import paths
from lightbox.base.words import said_in
from lightbox.display.provenance import (
    Provenance,
    ReportContext,
    notice,
    portable,
    report_context,
)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("/somewhere/else", "<data_dir>"),
        ("/a folder/with spaces", "<data_dir>"),
        ("{project}/data/chest", "data/chest"),
        ("{project}", "."),
        ("data/chest", "data/chest"),
        ("[/somewhere/else, {project}/b.pt, c]", "[<data_dir>, b.pt, c]"),
        ("{{resnet18: '/home/me/w.pt'}}", "{{resnet18: '<data_dir>'}}"),
        (["/x", 3], ["<data_dir>", 3]),
        ({"a": "/x", "b": None}, {"a": "<data_dir>", "b": None}),
        # No paths: words, a range of classes, an address.
        ("NORMAL / PNEUMONIA, and/or", "NORMAL / PNEUMONIA, and/or"),
        ("see https://example.org/a/b", "see https://example.org/a/b"),
    ],
)
def test_folders_of_this_machine_are_not_shown(value, shown):
    if isinstance(value, str):
        value = value.format(project=paths.project())
        shown = shown.format()
    assert portable(value, "data_dir") == shown


def test_kernels_read_what_was_announced(monkeypatch):
    monkeypatch.setenv("LIGHTBOX_REPORT", "")
    assert report_context() == ReportContext("", "", "")
    given = ReportContext("lightbox report x", "params/x", "reports/x")
    given.announce()
    assert report_context() == given


def test_the_box_speaks_the_readers_language():
    said = said_in("zh", notice, synthetic=True)
    assert said == "僅供教學與研究，不得用於臨床。影像為合成影像。"
    box = Provenance(
        "t", "", "", "", "zh", said, [["版本", "<b>"]], "lightbox report x"
    )
    data, _ = box._repr_mimebundle_()
    assert re.findall(r">([^<>]+)</th>", data["text/html"]) == ["版本", "重現"]
    assert "&lt;b&gt;" in data["text/html"]
