"""A report that is told to stop: nothing is left running, what is done is kept."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
import yaml
from PIL import Image

from lightbox.base import paths
from lightbox.training import checkpoint

PATIENCE = 240  # seconds for a kernel to start on a busy machine


def study_folder(tmp_path):
    """A study of one section whose training takes until it is stopped."""
    draw = np.random.default_rng(0)
    for split, count in {"train": 20, "test": 4}.items():
        for label in ("dark", "light"):
            folder = tmp_path / "images" / split / label
            folder.mkdir(parents=True)
            for i in range(count):
                pixels = draw.integers(0, 255, (16, 16), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{label}{i}.png")
    values = {
        "dataset": "folder",
        "data_dir": str(tmp_path / "images"),
        "image_size": 16,
        "models": ["conv_model"],
        "strategies": ["fine_tuning"],
        "epochs": 1000,
        "patience": 0,
        "device": "cpu",
    }
    study = tmp_path / "study"
    study.mkdir()
    text = yaml.safe_dump(values)
    (study / "01_feature_extraction_vs_fine_tuning.yaml").write_text(text)
    return study


def left_running(home):
    """Every process that works for this store."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("LIGHTBOX_HOME") == str(home):
                found.append(process)
        except psutil.Error:
            continue
    return [p for p in found if p.pid != os.getpid()]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_a_stopped_report_leaves_a_resumable_state_and_no_process(
    home, tmp_path, number, code
):
    words = [sys.executable, "-c", "from lightbox.cli import main; main()", "report"]
    process = subprocess.Popen(
        [*words, str(study_folder(tmp_path)), "--out", str(tmp_path / "out")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    until = time.monotonic() + PATIENCE
    while not (kept := list(paths.runs().glob(".*.unfinished.pt"))):
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < until
        time.sleep(0.2)
    assert left_running(home)
    process.send_signal(number)
    said = process.communicate(timeout=60)[0]
    assert process.returncode == code, said
    hints = [line for line in said.splitlines() if line.startswith("lightbox: ")]
    assert len(hints) == 1
    assert f"stopped by {number.name}" in hints[0]
    assert "same command again" in hints[0]
    assert "Traceback" not in said
    _, alive = psutil.wait_procs(left_running(home), timeout=5)
    assert not alive
    assert checkpoint.load(kept[0])["rows"]
