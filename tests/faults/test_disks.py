"""Full disks, vanished disks, damaged files: a clear line, and nothing untrue read."""

import os
import random
import shutil
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from faults.images import make_folder
from faults.small_study import FINISHED, REFUSED, attempt, begin, predictions

from lightbox.base.files import StoreError
from lightbox.runs.store import MODEL, RECORD, find, read_weights

KILOBYTES = (4, 60, 500, 1_500, 3_000, 5_000, 8_000, 20_000)
DAMAGES = 200


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    return make_folder(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def undisturbed(images, tmp_path_factory) -> Path:
    home = tmp_path_factory.mktemp("undisturbed")
    assert attempt(images, home, home / "log") == FINISHED, (home / "log").read_text()
    return home


@contextmanager
def small_disk(place: Path, kilobytes: int) -> Iterator[None]:
    """Mount a disk of so many kilobytes, or skip where one may not."""
    place.mkdir(parents=True, exist_ok=True)
    words = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(place)]
    if subprocess.run(words, capture_output=True).returncode:
        pytest.skip("this user may not mount a disk")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], capture_output=True)


def test_a_full_disk_is_one_clear_line_and_room_mends_it(
    images, undisturbed, tmp_path, tell
):
    wrong = refused = 0
    for kilobytes in KILOBYTES:
        home, log = tmp_path / str(kilobytes), tmp_path / f"{kilobytes}.log"
        with small_disk(home / "runs", kilobytes):
            status = attempt(images, home, log)
            if status != FINISHED:
                refused += 1
                assert status == REFUSED, log.read_text()[-2000:]
                lines = log.read_text().splitlines()
                said = [line for line in lines if line.startswith("refused: ")]
                assert len(said) == 1
                assert "could not be written" in said[0]
                assert "runs gc" in said[0]
                assert not list((home / "runs").glob(".*.partial"))
                # What is there is whole.
                expected = predictions(undisturbed)
                for name, content in predictions(home).items():
                    wrong += content != expected[name]
            words = ["mount", "-o", "remount,size=100m", str(home / "runs")]
            subprocess.run(words, check=True)
            assert attempt(images, home, log) == FINISHED, log.read_text()[-2000:]
            wrong += predictions(home) != predictions(undisturbed)
    tell("disk full", len(KILOBYTES), 0, wrong, f"{refused} refused, then finished")
    assert refused >= 4
    assert wrong == 0


def test_a_disk_that_vanishes_is_one_clear_line(images, undisturbed, tmp_path, tell):
    tried, wrong, refused = 6, 0, 0
    for number in range(tried):
        home, log = tmp_path / str(number), tmp_path / f"{number}.log"
        home.mkdir()
        (home / "runs").write_text("what is there without the disk")
        with small_disk(home, 400_000):
            process = begin(images, home, log)
            while not list((home / "runs").glob("[!.]*")):  # the first run is done
                if os.waitpid(process, os.WNOHANG)[0]:
                    pytest.fail(log.read_text()[-2000:])
            subprocess.run(["umount", "--lazy", str(home)], check=True)
            status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        assert status in {REFUSED, FINISHED}, log.read_text()[-2000:]
        if status == REFUSED:
            refused += 1
            assert "disk or Drive still there" in log.read_text()
        (home / "runs").unlink()
        assert attempt(images, home, log) == FINISHED
        wrong += predictions(home) != predictions(undisturbed)
    tell("disk gone while training", tried, 0, wrong, f"{refused} refused")
    assert refused
    assert wrong == 0


def hurt(path: Path, draw: random.Random) -> None:
    """Damage a file as disks, copies and editors do."""
    content = path.read_bytes()
    how = draw.choice(["flip", "cut", "zero", "empty", "longer"])
    place = draw.randrange(len(content))
    if how == "flip":
        bit = 1 << draw.randrange(8)
        changed = bytes([content[place] ^ bit])
        content = content[:place] + changed + content[place + 1 :]
    elif how == "cut":
        content = content[:place]
    elif how == "zero":
        content = content[:place] + b"\0" * len(content[place:])
    elif how == "empty":
        content = b""
    else:
        content += b"\n0"
    path.write_bytes(content)


def test_damaged_runs_are_never_read(undisturbed, tmp_path, monkeypatch, tell):
    draw, wrong, noticed = random.Random(1), 0, 0
    (identity, *_) = predictions(undisturbed)
    monkeypatch.setenv("LIGHTBOX_HOME", str(undisturbed))
    whole = find(identity)
    monkeypatch.setenv("LIGHTBOX_HOME", str(tmp_path))
    names = sorted(path.name for path in whole.folder.iterdir())
    assert len(names) == 4
    for number in range(DAMAGES):
        folder = tmp_path / "runs" / identity
        shutil.copytree(whole.folder, folder)
        name = names[number % 4]
        before = (folder / name).read_bytes()
        hurt(folder / name, draw)
        changed = (folder / name).read_bytes() != before
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run = find(identity)
            if run is not None and name == MODEL:
                try:
                    read_weights(run)
                except StoreError:
                    run = None
        noticed += run is None
        if run is not None:
            # Spaces between the words of run.json say nothing.
            same = run.record == whole.record and run.history.equals(whole.history)
            wrong += not (same and run.predictions.equals(whole.predictions))
            wrong += changed and name != RECORD
        shutil.rmtree(tmp_path / "runs")
    tell("damaged file of a run", DAMAGES, 0, wrong, f"{noticed} set aside")
    assert wrong == 0


def test_damaged_caches_are_made_again(images, undisturbed, tmp_path, tell):
    draw, tried, wrong, aside = random.Random(2), 12, 0, 0
    for number in range(tried):
        home, log = tmp_path / str(number), tmp_path / f"{number}.log"
        shutil.copytree(undisturbed / "data", home / "data")
        kind = ("cache", "features", "audits")[number % 3]
        files = sorted(
            p for p in (home / "data" / kind).iterdir() if p.suffix != ".lock"
        )
        path = draw.choice(files)
        hurt(path, draw)
        # An array's time of change is what its copies are recognised by.
        assert attempt(images, home, log) == FINISHED, log.read_text()[-2000:]
        aside += "damaged" in log.read_text()
        wrong += predictions(home) != predictions(undisturbed)
    tell("damaged cache", tried, 0, wrong, f"{aside} set aside")
    assert wrong == 0
    assert aside == tried
