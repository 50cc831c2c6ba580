"""SIGKILL at random moments: the study ends with the bytes of an undisturbed one."""

import os
import random
import shutil
import time
from pathlib import Path

import pandas as pd
import pytest
from faults.images import make_folder
from faults.small_study import (
    FINISHED,
    attempt,
    begin,
    predictions,
)

from lightbox.training import checkpoint

KILLS = 200


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    return make_folder(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def expected(images, tmp_path_factory) -> dict[str, bytes]:
    """The predictions of a study that nobody disturbed."""
    home = tmp_path_factory.mktemp("undisturbed")
    assert attempt(images, home, home / "log") == FINISHED, (home / "log").read_text()
    found = predictions(home)
    assert len(found) == 2
    return found


def finished_epochs(home: Path) -> dict[str, list[float]]:
    """Tell unfinished runs' finished epochs by their seconds, which no two share."""
    found = {}
    for path in (home / "runs").glob(".*.unfinished.pt"):
        state = checkpoint.load(path)
        found[path.name.split(".")[1]] = [row["seconds"] for row in state["rows"]]
    return found


def test_kills_at_random_moments_lose_nothing(images, expected, tmp_path, tell):
    draw = random.Random(0)
    kills = lost = wrong = studies = midway = 0
    home, log = tmp_path / "home", tmp_path / "log"
    leftovers: list[Path] = []
    kept: dict[str, list[float]] = {}
    started = time.monotonic()
    assert attempt(images, tmp_path / "first", log) == FINISHED
    whole = time.monotonic() - started
    disturbed = True
    while kills < KILLS or disturbed:
        delay = draw.uniform(0, 1.1 * whole) if kills < KILLS else -1
        status = attempt(images, home, log, kill_after=delay)
        if status == -9:
            kills, disturbed = kills + 1, True
            now = finished_epochs(home)
            midway += bool(now)
            for identity, seconds in now.items():
                before = kept.get(identity, [])
                lost += seconds[: len(before)] != before
            kept |= now
            continue
        assert status == FINISHED, log.read_text()[-3000:]
        studies, disturbed = studies + 1, False
        found = predictions(home)
        wrong += found != expected
        for identity, seconds in kept.items():
            history = pd.read_csv(home / "runs" / identity / "history.csv")
            # A row that was trained again has other seconds.
            lost += list(history["seconds"])[: len(seconds)] != seconds
        leftovers += list((home / "runs").glob(".*.[!l]*"))  # all but locks
        kept = {}
        shutil.rmtree(home / "runs")
        if studies % 2:  # also while features are computed and images decoded
            shutil.rmtree(home / "data")
    said = f"{midway} left a run unfinished; studies finished: {studies}"
    tell("SIGKILL at a random moment", kills, lost, wrong, said)
    assert "damaged" not in log.read_text()
    assert lost == wrong == 0
    assert not leftovers


def test_eight_processes_at_once_train_each_run_once(images, expected, tmp_path, tell):
    rounds, wrong = 3, 0
    for number in range(rounds):
        home = tmp_path / str(number)
        logs = [tmp_path / f"{number}-{k}.log" for k in range(8)]
        processes = [begin(images, home, log) for log in logs]
        ended = [os.waitstatus_to_exitcode(os.waitpid(p, 0)[1]) for p in processes]
        said = [log.read_text() for log in logs]
        assert ended == [FINISHED] * 8, said
        trained = sum(text.count(": trained in") for text in said)
        reused = sum(text.count("reused") for text in said)
        assert (trained, reused) == (2, 14)
        wrong += predictions(home) != expected
    tell("8 processes on the same runs", 8 * rounds, 0, wrong, "each run trained once")
    assert wrong == 0


def test_a_killed_holder_of_a_lock_stops_nobody(images, expected, tmp_path, tell):
    tried, wrong = 5, 0
    for number in range(tried):
        home = tmp_path / str(number)
        assert attempt(images, home, tmp_path / "log", kill_after=0.5) in {-9, FINISHED}
        assert attempt(images, home, tmp_path / "log") == FINISHED
        wrong += predictions(home) != expected
    tell("lock of a killed process", tried, 0, wrong)
    assert wrong == 0
