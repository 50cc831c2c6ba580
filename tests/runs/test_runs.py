"""Runs and their store: what is written, what is reused, what is the same bytes."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file

from lightbox.base import paths
from lightbox.base.errors import ParameterError
from lightbox.data import dataset
from lightbox.networks import models
from lightbox.networks.weights import Preprocessing
from lightbox.runs import plan
from lightbox.runs.config import run_id
from lightbox.runs.store import find, read_predictions, unfinished_path
from lightbox.settings.parameters import validate
from lightbox.training import checkpoint
from lightbox.training.batches import Images
from lightbox.training.devices import Compute
from lightbox.training.inference import predict

SECTION = "01_feature_extraction_vs_fine_tuning"
SMALL = "shufflenet_v2_x0_5"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Forty grey images of two classes that differ in which half is bright."""
    root = tmp_path_factory.mktemp("images")
    draw = np.random.default_rng(0)
    for split, count in {"train": 20, "test": 6}.items():
        for label in ("dark", "light"):
            (root / split / label).mkdir(parents=True)
            for i in range(count):
                pixels = draw.integers(0, 120, (40, 40), dtype=np.uint8)
                pixels[:20] += 100 if label == "light" else 0
                Image.fromarray(pixels).save(root / split / label / f"{label}{i}.png")
    return root


def settings(folder, **changes):
    values = {
        "dataset": "folder",
        "data_dir": str(folder),
        "image_size": 32,
        "models": [SMALL],
        "epochs": 2,
        "batch_size": 8,
        "device": "cpu",
    }
    return validate(SECTION, values | changes)


def trained(folder, **changes):
    return plan.run_all(
        settings(folder, **changes), dataset.open_dataset("folder", folder, seed=0)
    )


def test_a_run_is_a_folder_with_the_promised_files(folder, home):
    made = trained(folder)
    assert [run.config.strategy for run in made] == [
        "feature_extraction",
        "fine_tuning",
    ]
    for run in made:
        assert run.folder == home / "runs" / run.id
        names = {path.name for path in run.folder.iterdir()}
        assert names == {"run.json", "history.csv", "predictions.csv"} | {
            "model.safetensors"
        }
        assert list(run.history.columns) == [
            "epoch",
            "train_loss",
            "train_accuracy",
            "val_loss",
            "val_accuracy",
            "learning_rate",
            "seconds",
        ]
        assert list(run.predictions.columns) == [
            *("split", "image", "group", "label", "predicted"),
            *("prob_dark", "prob_light"),
        ]
        total = run.predictions[["prob_dark", "prob_light"]].sum(axis=1)
        np.testing.assert_allclose(total, 1, atol=1e-6)
        assert run.predictions["split"].value_counts()["test"] == 12
        record = json.loads((run.folder / "run.json").read_text())
        assert record["frozen"]["before"] == record["frozen"]["after"]
        assert record["config"]["device"] == "cpu"
        assert record["config"]["precision"] in {"float32", "bfloat16"}
        assert record["environment"]["packages"]["torch"]
    assert made[0].record["frozen"]["tensors"] > made[1].record["frozen"]["tensors"]


def test_the_stored_model_is_the_one_that_made_the_predictions(folder, home):
    import torch

    run = trained(folder, strategies=["fine_tuning"], precision="float32")[0]
    network, _ = models.build(SMALL, "none", num_classes=2, channels=1)
    network.load_state_dict(load_file(run.folder / "model.safetensors"))
    network.eval()
    row = run.predictions[run.predictions["split"] == "test"].iloc[0]
    pixels = np.asarray(Image.open(folder / row["image"]).resize((32, 32), 2))
    mean, std = run.record["input"]["mean"][0], run.record["input"]["std"][0]
    image = torch.from_numpy((pixels / 255.0 - mean) / std).float()[None, None]
    with torch.inference_mode():
        probability = network(image).softmax(dim=1)[0, 1].item()
    assert probability == pytest.approx(row["prob_light"], abs=1e-4)


def test_cached_features_predict_what_the_whole_network_does(folder, home):
    wanted = {"strategies": ["feature_extraction"], "precision": "float32"}
    (run,) = trained(folder, models=["resnet18"], **wanted)
    network, _ = models.build("resnet18", "none", num_classes=2, channels=1)
    network.load_state_dict(load_file(run.folder / "model.safetensors"))
    rows = run.predictions
    pixels = [
        np.asarray(Image.open(folder / name).resize((32, 32), 2))
        for name in rows["image"]
    ]
    means, stds = run.record["input"]["mean"], run.record["input"]["std"]
    images = Images(
        np.array(pixels)[..., None],
        np.zeros(len(rows), int),
        Preprocessing(means, stds, "bilinear"),
        train=np.arange(len(rows)),
        device="cpu",
    )
    cpu = Compute("cpu", "float32")
    logits = predict(network, images, np.arange(len(rows)), compute=cpu, batch_size=8)
    chances = logits.softmax(dim=1).numpy()
    np.testing.assert_allclose(
        rows[["prob_dark", "prob_light"]].to_numpy(float), chances, atol=1e-4
    )


def test_the_same_parameters_give_the_same_bytes(folder, home):
    first = trained(folder)
    before = [(run.folder / "predictions.csv").read_bytes() for run in first]
    shutil.rmtree(paths.runs())
    shutil.rmtree(paths.data() / "features")
    again = trained(folder)
    assert [run.id for run in again] == [run.id for run in first]
    assert not any(run.reused for run in again)
    assert [(run.folder / "predictions.csv").read_bytes() for run in again] == before


def test_a_finished_run_is_reused_and_says_so(folder, home, capsys):
    trained(folder)
    capsys.readouterr()
    again = trained(folder)
    assert all(run.reused for run in again)
    assert capsys.readouterr().out.count("reused") == 2


@pytest.mark.parametrize("change", [{"seed": 1}, {"epochs": 1}, {"image_size": 33}])
def test_what_a_run_depends_on_changes_its_id(folder, home, change):
    images = dataset.open_dataset("folder", folder, seed=0)
    ids = [
        run_id(config, images.fingerprint)
        for wanted in (settings(folder), settings(folder, **change))
        for config, _ in plan.configurations(wanted)
    ]
    assert len(set(ids)) == 4


def test_data_under_another_fingerprint_is_another_run(folder, home):
    config, _ = plan.configurations(settings(folder))[0]
    assert run_id(config, "a") != run_id(config, "b")


def test_two_processes_train_a_run_once(folder, home):
    code = (
        "from lightbox.data.dataset import open_dataset\n"
        "from lightbox.runs import plan\n"
        "from lightbox.settings.parameters import validate\n"
        f"settings = validate({SECTION!r}, {settings(folder).model_dump()!r})\n"
        f"images = open_dataset('folder', {str(folder)!r}, seed=0)\n"
        "print(sum(run.reused for run in plan.run_all(settings, images)))\n"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    reused = [int(process.communicate()[0].split()[-1]) for process in started]
    assert sum(reused) == 2
    assert len([p for p in paths.runs().iterdir() if p.is_dir()]) == 2


TRAIN = """
import sys
from lightbox.data.dataset import open_dataset
from lightbox.runs import plan
from lightbox.settings.parameters import validate
settings = validate({section!r}, {values!r})
plan.run_all(settings, open_dataset("folder", {folder!r}, seed=0))
"""


@pytest.mark.parametrize("strategy", ["feature_extraction", "fine_tuning"])
def test_a_killed_run_goes_on_to_the_same_bytes(folder, home, strategy):
    wanted = {"strategies": [strategy], "epochs": 8, "patience": 0}
    wanted |= {"schedule": "cosine"}
    whole = trained(folder, **wanted)[0]
    expected = (whole.folder / "predictions.csv").read_bytes()
    shutil.rmtree(paths.runs())

    values = settings(folder, **wanted).model_dump()
    code = TRAIN.format(section=SECTION, values=values, folder=str(folder))
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    )
    for line in process.stdout:
        if "4/8 epochs" in line:
            process.kill()
            break
    assert process.wait() == -9
    assert find(whole.id) is None
    assert unfinished_path(whole.id).exists()

    kept = checkpoint.load(unfinished_path(whole.id))["rows"]
    assert 4 <= len(kept) < 8
    again = trained(folder, **wanted)[0]
    assert list(again.history["epoch"]) == list(range(1, 9))
    # Those epochs were not trained again: their seconds are the killed process's.
    seconds = [row["seconds"] for row in kept]
    assert list(again.history["seconds"])[: len(kept)] == seconds
    assert (again.folder / "predictions.csv").read_bytes() == expected
    assert not unfinished_path(whole.id).exists()


def test_a_damaged_checkpoint_is_set_aside_and_the_run_begins_anew(folder, home):
    wanted = {"strategies": ["feature_extraction"]}
    whole = trained(folder, **wanted)[0]
    expected = (whole.folder / "predictions.csv").read_bytes()
    shutil.rmtree(whole.folder)
    unfinished_path(whole.id).write_bytes(b"PK cut short")
    with pytest.warns(UserWarning, match=r"checkpoint: damaged.*begins anew"):
        again = trained(folder, **wanted)[0]
    assert (again.folder / "predictions.csv").read_bytes() == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"models": ["resnet81"]}, "did you mean"),
        ({"weights": "IMAGENET"}, "IMAGENET1K_V1"),
        ({"strategies": ["partial"]}, "needs either first_trainable"),
        ({"models": ["alexnet"]}, "63 pixels"),
    ],
)
def test_what_cannot_be_trained_is_refused_first(folder, change, message):
    with pytest.raises(ParameterError, match=message):
        plan.check(settings(folder, **change))


def test_names_of_classes_and_groups_stay_text(tmp_path):
    path = tmp_path / "predictions.csv"
    path.write_text(
        "split,image,group,label,predicted,prob_0,prob_NA\n"
        "test,a.png,007,0,NA,0.25,0.75\n"
    )
    row = read_predictions(path).iloc[0]
    assert (row["group"], row["label"], row["predicted"]) == ("007", "0", "NA")
    assert row["prob_NA"] == 0.75
