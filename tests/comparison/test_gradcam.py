"""Grad-CAM: where it lights up, on frozen networks too, and what it leaves alone."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from example_runs import make_run
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from lightbox.base.errors import LightboxError
from lightbox.base.files import checksum
from lightbox.base.words import said_in
from lightbox.comparison import attribution
from lightbox.comparison.gallery import answers
from lightbox.comparison.gradcam import choose, grad_cam, overlay
from lightbox.data import dataset as data
from lightbox.display.outputs import Callout, Figure
from lightbox.networks import models
from lightbox.networks.freezing import fingerprint
from lightbox.runs import plan
from lightbox.settings.parameters import validate

SECTION = "01_feature_extraction_vs_fine_tuning"


class Corner(nn.Module):
    """A network whose answer is how bright the upper left quarter is."""

    def __init__(self, outputs):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.ReLU(True))
        self.head = nn.Linear(64, outputs, bias=False)
        weight = torch.zeros(outputs, 8, 8)
        weight[-1, :4, :4] = 1.0
        with torch.no_grad():
            self.features[0].weight.fill_(1.0)
            self.head.weight.copy_(weight.reshape(outputs, -1))

    def forward(self, images):
        return self.head(torch.flatten(self.features(images), 1))


# Brighter in the corner that the answer depends on; the rest counts for nothing.
def bright_corner():
    images = torch.zeros(2, 1, 8, 8)
    images[:, :, :3, :3] = 1.0
    return images


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("frozen", [True, False])
def test_the_map_lights_up_where_the_answer_comes_from(outputs, frozen):
    network = Corner(outputs).eval().requires_grad_(not frozen)
    before = fingerprint(network.state_dict())
    maps = attribution.class_maps(network, "features.0", bright_corner(), [1, 1])
    assert maps.shape == (2, 8, 8)
    assert (maps[:, :3, :3] > 0).all()
    maps[:, :3, :3] = 0
    assert (maps == 0).all()
    assert fingerprint(network.state_dict()) == before
    assert all(p.grad is None for p in network.parameters())
    assert all(p.requires_grad is not frozen for p in network.parameters())


def test_a_single_output_speaks_against_the_first_class():
    network = Corner(1).eval()
    maps = attribution.class_maps(network, "features.0", bright_corner(), [0, 1])
    assert maps[0].max() == 0
    assert maps[1].max() > 0


@pytest.mark.parametrize(
    ("model", "size", "layer"),
    [
        ("resnet18", 64, ("layer4", 2, 2)),
        # One cell has no place: the last layer that has more.
        ("resnet18", 32, ("layer3", 2, 2)),
        ("vgg11", 64, ("features.18", 4, 4)),
        # Its head is a convolution too.
        ("squeezenet1_1", 64, ("features", 3, 3)),
        # Squeeze-and-excitation has convolutions of one cell.
        ("mobilenet_v3_small", 64, ("features", 2, 2)),
        ("densenet121", 64, ("features", 2, 2)),
        ("conv_model", 64, ("features.6", 16, 16)),
        ("vit_s2_patch10", 40, None),
        # Transformers with convolutions, and one whose only one cuts patches.
        ("maxvit_t", 224, ("blocks.3", 7, 7)),
        ("swin_t", 64, None),
    ],
)
def test_the_last_convolution_is_found(model, size, layer):
    network, head = models.build(
        model, "none", num_classes=2, channels=1, image_size=size
    )
    images = torch.rand(2, 1, size, size)
    network.eval().requires_grad_(False)
    found = attribution.last_convolution(network, head, images)
    assert found == (attribution.Layer(*layer) if layer else None)
    if found:
        maps = attribution.class_maps(network, found.name, images, [0, 1])
        assert maps.shape == (2, size, size)
        assert np.isfinite(maps).all()


def test_an_empty_map_leaves_the_image_grey():
    image = np.full((4, 4, 1), 100, dtype=np.uint8)
    assert (overlay(image, np.zeros((4, 4))) == 100).all()
    heat = np.zeros((4, 4))
    heat[0, 0] = 5.0
    laid = overlay(image, heat)
    assert laid[0, 0].sum() > laid[3, 3].sum()


def test_right_answers_of_each_class_then_the_surest_errors():
    run = make_run(num_test=80)
    chosen, errors = choose(answers(run), ["NORMAL", "PNEUMONIA"])
    assert errors == 4
    assert chosen["label"].tolist()[:4] == ["NORMAL"] * 2 + ["PNEUMONIA"] * 2
    assert (chosen["label"] == chosen["predicted"]).tolist() == [True] * 4 + [False] * 4
    wrong = answers(run).query("label != predicted")
    assert chosen["image"].tolist()[4:] == wrong["image"].tolist()[:4]


def test_of_many_classes_the_most_frequent_are_shown():
    classes = [f"class{k}" for k in range(12)]
    run = make_run(classes=classes, positive=None, num_test=240, accuracy=1.0)
    chosen, errors = choose(answers(run), classes)
    assert errors == 0
    assert len(chosen) == 8
    assert chosen["label"].is_unique


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Forty grey images of two classes that differ in which half is bright."""
    root = tmp_path_factory.mktemp("images")
    draw = np.random.default_rng(0)
    for split, count in {"train": 20, "test": 6}.items():
        for label in ("dark", "light"):
            (root / split / label).mkdir(parents=True)
            for i in range(count):
                pixels = draw.integers(0, 120, (32, 32), dtype=np.uint8)
                pixels[:16] += 100 if label == "light" else 0
                Image.fromarray(pixels).save(root / split / label / f"{label}{i}.png")
    return root


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
@pytest.mark.parametrize("strategy", ["feature_extraction", "fine_tuning"])
def test_a_trained_run_is_shown(folder, home, output, strategy):
    dataset = data.open_dataset("folder", folder, seed=0)
    values = {
        "dataset": "folder",
        "data_dir": str(folder),
        "image_size": 32,
        "models": ["conv_model"],
        "strategies": [strategy],
        "output": output,
        "epochs": 2,
        "batch_size": 8,
        "device": "cpu",
        "precision": "float32",
    }
    made = plan.run_all(validate(SECTION, values), dataset)
    # The network that is built again answers as the one that was tested.
    network, _ = attribution.rebuild(made[0])
    test = made[0].predictions.query("split == 'test'")
    pixels = dataset.pixels(32, "squash")[dataset.subset("test")]
    with torch.no_grad():
        logits = network(attribution.normalised(pixels, made[0]))
    likely = (
        torch.sigmoid(logits[:, 0])
        if output == "sigmoid"
        else torch.softmax(logits, 1)[:, 1]
    )
    assert likely.numpy() == pytest.approx(test["prob_light"].to_numpy(), abs=1e-4)
    drawn = torch.random.get_rng_state()
    figure = grad_cam(SimpleNamespace(data=dataset), made)
    assert torch.equal(torch.random.get_rng_state(), drawn)
    assert isinstance(figure, Figure)
    assert "features.6" in figure.caption
    assert "8 × 8 cells" in figure.caption
    assert figure.svg.count("<image ") % 2 == 0


def made_run(folder, model, size):
    """A run whose network was never trained, and the section that it belongs to."""
    run = make_run(model, num_test=12, image_size=size, weights="none")
    run = replace(run, folder=folder)
    run.record["input"] = {"mean": [0.5], "std": [0.2]}
    names = run.predictions["image"].unique()
    pixels = np.random.default_rng(0).integers(
        0, 256, (len(names), size, size, 1), dtype=np.uint8
    )
    dataset = SimpleNamespace(
        table=pd.DataFrame({"image": names}),
        fingerprint=run.data.fingerprint,
        pixels=lambda size, resize, interpolation: pixels,
    )
    return run, SimpleNamespace(data=dataset)


def keep_weights(network, run):
    """Write weights into a run's folder as the store does, with their checksum."""
    run.folder.mkdir(exist_ok=True)
    path = run.folder / "model.safetensors"
    save_file(network.state_dict(), path)
    run.record["sha256"] = {path.name: checksum(path)}


@pytest.mark.parametrize(("language", "text"), [("en", "patches"), ("zh", "區塊")])
def test_a_vision_transformer_gets_a_remark(tmp_path, language, text):
    run, section = made_run(tmp_path, "vit_s2_patch10", 40)
    network, _ = models.build(
        "vit_s2_patch10", "none", num_classes=2, channels=1, image_size=40
    )
    keep_weights(network, run)
    answer = said_in(language, grad_cam, section, [run])
    assert isinstance(answer, Callout)
    assert text in answer.markdown


def test_weights_that_are_gone_or_of_another_network_are_refused(tmp_path):
    run, section = made_run(tmp_path / "run", "conv_model", 32)
    network, _ = models.build("alexnet", "none", num_classes=2, channels=1)
    keep_weights(network, run)
    with pytest.raises(LightboxError, match="delete the run's folder and run again"):
        grad_cam(section, [run])
    (run.folder / "model.safetensors").unlink()
    with (
        pytest.warns(UserWarning, match="damaged"),
        pytest.raises(LightboxError, match="run its section again"),
    ):
        grad_cam(section, [run])
