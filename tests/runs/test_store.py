"""The store under damage, a full disk, a vanished one; and the commands on it."""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from example_runs import make_run

from lightbox import cli
from lightbox.base import paths
from lightbox.base.files import StoreError, write_whole
from lightbox.runs import store
from lightbox.training import checkpoint, features

ENVIRONMENT = {"finished": "2026-01-02T03:04:05+00:00", "hardware": "here"}


def keep(identity="a" * 16, **changes):
    """Put a small run into the store."""
    run = make_run(**changes)
    run.record["environment"] = ENVIRONMENT
    state = {"weight": torch.arange(6.0).reshape(2, 3)}
    return store.write(identity, run.record, run.history, run.predictions, state)


def flip(path, position=-3):
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def test_what_is_written_is_what_is_read(home):
    kept = keep()
    run = store.find(kept.id)
    assert run.reused
    assert run.record == kept.record
    assert torch.equal(
        store.read_weights(run)["weight"], torch.arange(6.0).reshape(2, 3)
    )
    assert store.problem(run.folder) == ""


@pytest.mark.parametrize(
    ("name", "damage", "reason"),
    [
        ("run.json", lambda path: path.write_text("{"), "no JSON"),
        ("run.json", lambda path: path.write_bytes(b""), "no JSON"),
        ("run.json", lambda path: path.write_text("[]"), "checksum"),
        ("run.json", lambda path: path.unlink(), "missing"),
        (
            "run.json",
            lambda path: path.write_text(path.read_text().replace("300", "301", 1)),
            "run.json does not match",
        ),
        ("history.csv", lambda path: flip(path), "history.csv does not match"),
        ("predictions.csv", lambda path: flip(path), "predictions.csv does not"),
        (
            "predictions.csv",
            lambda path: path.write_bytes(path.read_bytes()[:900]),
            "predictions.csv does not match",
        ),
        ("predictions.csv", lambda path: path.unlink(), "predictions.csv is missing"),
    ],
)
def test_a_damaged_run_is_set_aside_and_never_read(home, name, damage, reason):
    run = keep()
    if name == "run.json" and reason.startswith("run.json"):
        text = (run.folder / name).read_text()
        assert '"best_epoch": 4' in text
        text = text.replace('"best_epoch": 4', '"best_epoch": 5')
        (run.folder / name).write_text(text)
    else:
        damage(run.folder / name)
    with pytest.warns(UserWarning, match=rf"damaged \(.*{reason}"):
        assert store.find(run.id) is None
    assert not run.folder.exists()
    assert len(list(paths.runs().glob(f".damaged-{run.id}-*"))) == 1
    # The place is free: the run can be made again.
    assert store.find(keep().id) is not None


def test_damaged_weights_are_noticed_when_they_are_read(home):
    run = keep()
    flip(run.folder / "model.safetensors")
    assert store.find(run.id) is not None
    assert "model.safetensors" in store.problem(run.folder)
    with (
        pytest.warns(UserWarning, match="damaged"),
        pytest.raises(StoreError, match="run its section again"),
    ):
        store.read_weights(run)
    assert store.find(run.id) is None


@pytest.mark.parametrize("place", [0.01, 0.2, 0.5, 0.8, 0.97, 0.999])
@pytest.mark.parametrize("how", ["flip", "cut"])
def test_any_damage_to_a_checkpoint_is_noticed(tmp_path, place, how):
    path = tmp_path / ".x.unfinished.pt"
    state = {"a": torch.randn(300), "rows": [{"epoch": 1}], "text": "b"}
    checkpoint.save(path, state)
    assert torch.equal(checkpoint.load(path)["a"], state["a"])
    size = path.stat().st_size
    if how == "flip":
        flip(path, int(place * size))
    else:
        path.write_bytes(path.read_bytes()[: int(place * size)])
    with pytest.warns(UserWarning, match="checkpoint: damaged"):
        assert checkpoint.load(path) is None
    assert not path.exists()


@pytest.mark.parametrize("harm", ["flip", "cut", "empty"])
def test_damaged_features_are_computed_again(tmp_path, harm, monkeypatch):
    expected = np.arange(12, dtype=np.float32).reshape(4, 3)
    monkeypatch.setattr(features, "_forward", lambda *_: expected)
    cache = tmp_path / "features" / "f.npy"

    def extract():
        return features.extract(
            None, "fc", None, compute=None, batch_size=2, cache=cache, label="f"
        )

    _, seconds = extract()
    assert extract()[1] == seconds  # from the file
    if harm == "flip":
        flip(cache)
    elif harm == "cut":
        cache.write_bytes(cache.read_bytes()[:-4])
    else:
        cache.write_bytes(b"")
    with pytest.warns(UserWarning, match=r"f\.npy: damaged"):
        again, _ = extract()
    np.testing.assert_array_equal(again, expected)


def test_a_broken_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a"
    write_whole(path, lambda file: file.write(b"old"))

    def fail(file):
        file.write(b"new")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_whole(path, fail)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


LIMITED = """
import resource, sys
import torch
sys.path.insert(0, {tests!r})
from example_runs import make_run
from lightbox.runs import store
from lightbox.training import checkpoint
run = make_run()
state = {{"weight": torch.zeros(100_000)}}
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
if {what!r} == "checkpoint":
    checkpoint.save(store.unfinished_path("b" * 16), state)
else:
    store.write("b" * 16, run.record, run.history, run.predictions, state)
"""


@pytest.mark.parametrize("what", ["run", "checkpoint"])
@pytest.mark.parametrize("limit", [100, 5_000, 200_000])
def test_a_file_that_cannot_grow_is_one_clear_line(home, what, limit):
    kept = keep()
    path = store.unfinished_path("b" * 16)
    checkpoint.save(path, {"old": 1})
    tests = os.path.dirname(os.path.dirname(__file__))
    code = LIMITED.format(tests=tests, limit=limit, what=what)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("lightbox.base.files.StoreError"), done.stderr
    assert "could not be written to" in last
    assert "LIGHTBOX_HOME" in last
    # What was there is still there, and nothing half-written beside it.
    assert store.find(kept.id) is not None
    assert store.find("b" * 16) is None
    assert checkpoint.load(path) == {"old": 1}
    assert not list(paths.runs().glob(".*.partial"))
    assert not list(paths.runs().glob(".*.tmp"))


def test_a_disk_that_vanished_is_one_clear_line(home):
    kept = keep()
    shutil.rmtree(home)
    home.write_text("no folder any more")
    run = make_run()
    with pytest.raises(StoreError, match=r"Drive still there.*LIGHTBOX_HOME"):
        store.write("b" * 16, run.record, run.history, run.predictions, {})
    with (
        pytest.raises(StoreError, match="could not be written"),
        store.locked(kept.id),
    ):
        pass
    with pytest.raises(StoreError, match="state of an unfinished run"):
        checkpoint.save(store.unfinished_path(kept.id), {"a": 1})


def command(*words):
    return CliRunner().invoke(cli.main, ["runs", *words])


def test_runs_are_listed_and_shown(home):
    assert "0 runs" in command("list").output
    keep("a" * 16, name="[bold]set")
    keep("b" * 16)
    checkpoint.save(store.unfinished_path("c" * 16), {})
    listed = command("list")
    assert listed.exit_code == 0
    for word in ("a" * 16, "b" * 16, "c" * 16, "unfinished", "resnet18", "[bold]set"):
        assert word in listed.output
    shown = command("show", "aaa").output
    assert "learning_rate" in shown
    assert "val_accuracy" in shown
    wrong = command("show", "zzz")
    assert wrong.exit_code == 2
    assert wrong.output.count("\n") == 1
    assert "names no one run" in wrong.output


def test_verify_reads_everything_and_says_what_is_damaged(home):
    good, bad = keep("a" * 16), keep("b" * 16)
    assert command("verify").exit_code == 0
    flip(bad.folder / "model.safetensors")
    told = command("verify")
    assert told.exit_code == 1
    assert "model.safetensors does not match" in told.output
    assert "2 runs, 1 damaged" in told.output
    assert store.find(good.id) is not None


def test_gc_lists_and_only_then_deletes(home):
    kept, old = keep("a" * 16), keep("b" * 16)
    long_ago = time.time() - 40 * 86_400
    os.utime(old.folder, (long_ago, long_ago))
    (paths.runs() / ".damaged-x-1").mkdir()
    (paths.runs() / f".{'d' * 16}.77.partial").mkdir()
    checkpoint.save(store.unfinished_path("e" * 16), {})
    checkpoint.save(store.unfinished_path("f" * 16), {})
    cached = paths.data() / "cache" / ".damaged-y.npy-1"
    cached.parent.mkdir(parents=True)
    cached.touch()
    dry = command("gc", "--older-than", "30")
    assert "6 items" in dry.output
    assert "--delete" in dry.output
    assert old.folder.exists()
    with store.locked("f" * 16):
        done = command("gc", "--delete")
    assert done.exit_code == 0
    assert "in use, kept" in done.output
    assert store.unfinished_path("f" * 16).exists()
    assert not store.unfinished_path("e" * 16).exists()
    assert not cached.exists()
    assert sorted(p.name for p in paths.runs().glob("[!.]*")) == [kept.id, old.id]
    command("gc", "--delete", "--older-than", "30")
    assert sorted(p.name for p in paths.runs().glob("[!.]*")) == [kept.id]


def test_a_record_with_what_json_does_not_have_is_written_all_the_same(home):
    run = make_run()
    run.record["environment"] = ENVIRONMENT
    run.record["result"]["flops"] = None
    run.record["input"] = {"mean": (0.5,), "std": (0.1,)}
    kept = store.write("a" * 16, run.record, run.history, run.predictions, None)
    assert json.loads((kept.folder / "run.json").read_text())["input"]["mean"] == [0.5]
    assert replace(kept, reused=True).record == store.find(kept.id).record
