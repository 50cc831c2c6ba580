"""A device whose memory is short: smaller parts, the same step, and it is said."""

import numpy as np
import pytest
import torch
from torch import nn

from lightbox.base.errors import LightboxError
from lightbox.networks.weights import Preprocessing
from lightbox.settings.parameters import RunSettings
from lightbox.training import checkpoint
from lightbox.training.batches import Images, Vectors
from lightbox.training.devices import Compute, attempt, halve
from lightbox.training.features import extract
from lightbox.training.inference import predict
from lightbox.training.loop import batches, fit

CPU = Compute("cpu", "float32")
TRAIN, VAL = np.arange(33), np.arange(33, 45)


class Short(nn.Module):
    """A layer that has room for so many images at once, as a small GPU has."""

    def __init__(self, room):
        super().__init__()
        self.room, self.seen = room, []

    def forward(self, images):
        if len(images) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate")
        self.seen.append(len(images))
        return images


def examples():
    draw = np.random.default_rng(0)
    features = draw.normal(size=(45, 6)).astype(np.float32)
    return Vectors(features, torch.tensor(features[:, 0] > 0).long(), device="cpu")


def trained(room, batch_size=16, epochs=2, middle=None, unfinished=None):
    torch.manual_seed(0)
    layers = [Short(room), nn.Linear(6, 5), middle or nn.Tanh(), nn.Linear(5, 2)]
    network = nn.Sequential(*layers)
    outcome = fit(
        network,
        examples(),
        RunSettings(
            model="any",
            strategy="fine_tuning",
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=0.01,
            patience=0,
            device="cpu",
            precision="float32",
        ),
        train=TRAIN,
        val=VAL,
        training={name for name, _ in network.named_modules()},
        on_epoch=lambda row: None,
        unfinished=unfinished,
    )
    return network, outcome


def test_halves_are_summed_to_the_same_step():
    whole, expected = trained(room=100)
    with pytest.warns(UserWarning, match="full with 16 images .*going on with 8"):
        parts, found = trained(room=8)
    assert (expected.micro_batch, found.micro_batch) == (16, 8)
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(
            parts.state_dict()[name], value, rtol=1e-4, atol=1e-5
        )
    columns = ["train_loss", "train_accuracy", "val_loss", "val_accuracy"]
    np.testing.assert_allclose(
        found.history[columns], expected.history[columns], rtol=1e-4
    )


def test_a_network_with_batchnorm_trains_in_parts_too():
    with pytest.warns(UserWarning, match="memory is full"):
        network, outcome = trained(room=5, middle=nn.BatchNorm1d(5))
    assert np.isfinite(outcome.history["train_loss"]).all()
    assert max(network[0].seen) <= 5


def test_a_resumed_run_begins_with_the_size_that_fitted(tmp_path):
    path = tmp_path / "unfinished.pt"
    with pytest.warns(UserWarning, match="memory is full"):
        whole, _ = trained(room=6, epochs=3)
    with pytest.warns(UserWarning, match="memory is full"):
        trained(room=6, epochs=2, unfinished=path)
    # Going on from there, nothing is tried in vain.
    assert checkpoint.load(path)["micro_batch"] == 4
    again, outcome = trained(room=6, epochs=3, unfinished=path)
    assert outcome.micro_batch == 4
    for name, value in whole.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name


@pytest.mark.parametrize("room", [2, 0])
def test_a_device_that_cannot_hold_three_images_says_what_to_do(room):
    message = "full with 3 images .*image_size.*smaller model"
    with (
        pytest.warns(UserWarning, match="memory is full"),
        pytest.raises(LightboxError, match=message),
    ):
        trained(room=room)


def test_answers_come_in_order_whatever_fits():
    network = nn.Sequential(Short(3), nn.Flatten())
    data = examples()
    positions = np.arange(44, -1, -1)
    found = predict(network, data, positions, compute=CPU, batch_size=16)
    torch.testing.assert_close(found, data.batch(torch.from_numpy(positions)))
    assert max(network[0].seen) <= 3


def test_features_come_in_order_whatever_fits(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (11, 4, 4, 1), dtype=np.uint8)
    images = Images(
        pixels,
        np.arange(11) % 2,
        Preprocessing((0.5,), (0.5,), "bilinear"),
        train=np.arange(11),
        device="cpu",
    )
    network = nn.Sequential(Short(3), nn.Flatten(), nn.Linear(16, 2))
    found, _ = extract(
        network,
        "2",
        images,
        compute=CPU,
        batch_size=8,
        cache=tmp_path / "features.npy",
        label="features",
    )
    expected = (pixels.reshape(11, 16) / 255 - 0.5) / 0.5
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert max(network[0].seen) <= 3
    # Nothing that listens stays behind: the network answers again.
    assert network(images.batch(torch.arange(3))).shape == (3, 2)


def test_only_a_full_memory_is_tried_again():
    def broken():
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="shapes"):
        attempt(broken)

    def full():
        raise RuntimeError("MPS backend out of memory (MPS allocated: 18 GB)")

    assert attempt(full) is None
    assert attempt(lambda: 3) == 3


@pytest.mark.parametrize(("size", "half"), [(33, 17), (16, 8), (5, 3), (4, 3)])
def test_halving(size, half):
    assert halve(size) == half


@pytest.mark.parametrize(
    ("count", "size", "sizes"),
    [(33, 16, [16, 17]), (32, 16, [16, 16]), (3, 16, [3]), (1, 16, [1]), (5, 1, None)],
)
def test_no_batch_of_one(count, size, sizes):
    parts = batches(torch.arange(count), size)
    assert torch.cat(parts).tolist() == list(range(count))
    assert [len(part) for part in parts] == (sizes or [1, 1, 1, 2])
