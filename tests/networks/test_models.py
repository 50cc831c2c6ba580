"""Networks by name: heads, input channels, weights that are real or refused."""

import hashlib

import pytest
import torch
from safetensors.torch import save_file

from lightbox.base.errors import ParameterError, WeightsError
from lightbox.networks import models, weights

SMALL = "shufflenet_v2_x0_5"  # 1.4 M parameters: quick to build and to save


@pytest.mark.parametrize(
    "name",
    [
        "resnet18",
        "alexnet",
        "densenet121",
        "efficientnet_b0",
        "googlenet",
        "mobilenet_v3_small",
        "squeezenet1_1",
        "mnasnet0_5",
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_heads_and_inputs_fit(name, channels):
    network, head = models.build(name, "none", num_classes=5, channels=channels)
    network.eval()
    assert network(torch.zeros(2, channels, 64, 64)).shape == (2, 5)
    assert head in dict(network.named_modules())


def test_summed_kernels_equal_a_grey_image_shown_three_times(tmp_path):
    colour, _ = models.build(SMALL, "none", num_classes=1000, channels=3)
    path = tmp_path / "weights.safetensors"
    save_file(colour.state_dict(), path)
    grey, head = models.build(SMALL, str(path), num_classes=2, channels=1)
    image = torch.rand(2, 1, 64, 64)
    seen = []
    for network in (grey, colour):
        network.eval()
        network.get_submodule(head).register_forward_pre_hook(
            lambda module, inputs: seen.append(inputs[0])
        )
    grey(image)
    colour(image.expand(-1, 3, -1, -1))
    torch.testing.assert_close(seen[0], seen[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_weights_from_a_file_are_the_ones_in_the_network(tmp_path, suffix):
    source, _ = models.build(SMALL, "none", num_classes=1000, channels=3)
    path = tmp_path / f"weights{suffix}"
    save = save_file if suffix == ".safetensors" else torch.save
    save(source.state_dict(), path)
    network, _ = models.build(SMALL, str(path), num_classes=2, channels=3)
    torch.testing.assert_close(network.conv1[0].weight, source.conv1[0].weight)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    assert weights.weights_name(SMALL, str(path)) == f"{path.name}@sha256:{digest}"


@pytest.mark.parametrize("classes", [None, 3])
def test_a_head_that_is_replaced_need_not_be_in_the_file(tmp_path, classes):
    source, head = models.build(SMALL, "none", num_classes=classes or 5, channels=3)
    state = source.state_dict()
    if classes is None:
        state = {k: v for k, v in state.items() if not k.startswith(f"{head}.")}
    path = tmp_path / "weights.safetensors"
    save_file(state, path)
    network, _ = models.build(SMALL, str(path), num_classes=2, channels=3)
    torch.testing.assert_close(network.conv1[0].weight, source.conv1[0].weight)
    assert network.fc.out_features == 2
    del state["stage3.0.branch1.0.weight"]
    save_file(state, path)
    message = r"1 tensors missing, 0 unknown, .*stage3\.0\.branch1\.0\.weight"
    with pytest.raises(WeightsError, match=message):
        models.build(SMALL, str(path), num_classes=2, channels=3)


def test_weights_of_an_enum_come_from_torchs_checkpoint_cache(tmp_path, monkeypatch):
    """A checkpoint that torch would have downloaded, under the name it promises."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    source, _ = models.build(SMALL, "none", num_classes=1000, channels=3)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    plain = folder / "plain.pth"
    torch.save(source.state_dict(), plain)
    digest = hashlib.sha256(plain.read_bytes()).hexdigest()[:8]
    entry = weights.resolve_weights(SMALL, "IMAGENET1K_V1")
    address = entry.url.rsplit("-", 1)[0] + f"-{digest}.pth"
    monkeypatch.setattr(
        type(entry), "url", property(lambda self: address), raising=False
    )
    assert entry.url == address
    path = plain.rename(folder / address.rsplit("/", 1)[1])

    network, _ = models.build(SMALL, "IMAGENET1K_V1", num_classes=2, channels=3)
    torch.testing.assert_close(network.conv1[0].weight, source.conv1[0].weight)

    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="damaged or not what its name says"):
        models.build(SMALL, "IMAGENET1K_V1", num_classes=2, channels=3)


def test_missing_weights_say_which_file_goes_where(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    # Nothing listens here: the download fails at once, wherever the test runs.
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(WeightsError) as caught:
        models.build("resnet18", "IMAGENET1K_V1", num_classes=2, channels=3)
    message = str(caught.value)
    assert "ResNet18_Weights.IMAGENET1K_V1 is not on this machine" in message
    assert str(tmp_path / "hub" / "checkpoints" / "resnet18-f37072fd.pth") in message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<html>not found</html>", "no readable state dict"),
        ({"conv1.0.weight": torch.zeros(1)}, "does not fit this network"),
        ({"nothing": torch.zeros(1)}, "does not fit this network: .* missing"),
        (["a", "list"], "does not fit this network"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path, content, message):
    path = tmp_path / "weights.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(WeightsError, match=message):
        models.build(SMALL, str(path), num_classes=2, channels=3)


class Payload:
    """What a hostile checkpoint does on loading with pickle."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


def test_a_checkpoint_cannot_run_code(tmp_path):
    path, trace = tmp_path / "weights.pth", tmp_path / "ran"
    torch.save({"conv1.0.weight": Payload(str(trace))}, path)
    with pytest.raises(WeightsError, match="no readable state dict"):
        models.build(SMALL, str(path), num_classes=2, channels=3)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("model", "given", "message"),
    [
        ("resnet81", "none", r"named 'resnet81'; did you mean 'resnet1"),
        ("resnet18", "IMAGENET1K_V2", r"resnet18 has none, IMAGENET1K_V1, DEFAULT"),
        ("resnet18", "VGG16_Weights.IMAGENET1K_V1", r"resnet18 has none"),
    ],
)
def test_unknown_names_are_refused_before_anything_slow(model, given, message):
    with pytest.raises(ParameterError, match=message):
        models.check(model, given, 64)


def test_images_smaller_than_the_strides_are_refused():
    with pytest.raises(ParameterError, match="alexnet needs 63 pixels"):
        models.check("alexnet", "none", 62)
    models.check("alexnet", "none", 63)


def test_a_missing_file_is_refused_before_anything_slow():
    with pytest.raises(WeightsError, match="no such file"):
        models.check("resnet18", "nowhere/weights.pth", 64)


def test_names_are_recorded_in_full():
    name = weights.weights_name("resnet50", "DEFAULT")
    assert name == "ResNet50_Weights.IMAGENET1K_V2"
    assert weights.weights_name("resnet50", "none") == "none"


def test_preprocessing_comes_from_the_enum():
    found = weights.preprocessing("efficientnet_b4", "IMAGENET1K_V1", 3)
    assert found.mean == (0.485, 0.456, 0.406)
    assert found.interpolation == "bicubic"
    grey = weights.preprocessing("resnet18", "IMAGENET1K_V1", 1)
    assert grey.mean == pytest.approx(((0.485 + 0.456 + 0.406) / 3,))
    assert weights.preprocessing("resnet18", "none", 1).mean is None
