"""The loop: frozen parts stay, sums are over images, the best epoch is kept."""

import re

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lightbox.base.errors import ParameterError
from lightbox.networks import models
from lightbox.networks.freezing import (
    fingerprint,
    freeze,
    frozen_tensors,
    train_mode,
    trainable_layers,
)
from lightbox.networks.weights import Preprocessing
from lightbox.settings.parameters import RunSettings
from lightbox.training import features
from lightbox.training.batches import Images, Vectors, channel_statistics
from lightbox.training.devices import Compute, resolve
from lightbox.training.inference import predict
from lightbox.training.loop import TrainingError, fit

CPU = Compute("cpu", "float32")
SMALL = "shufflenet_v2_x0_5"


def settings(**changes):
    values = {"epochs": 3, "batch_size": 8, "learning_rate": 1e-2, "patience": 0}
    values |= {"model": SMALL, "strategy": "fine_tuning"}
    values |= {"device": "cpu", "precision": "float32"}
    return RunSettings(**(values | changes))


RECIPE = settings()


def noise(count=30, size=32, channels=1):
    """Random images and labels; a few pixels carry the class."""
    draw = np.random.default_rng(0)
    labels = np.arange(count) % 2
    pixels = draw.integers(0, 200, (count, size, size, channels), dtype=np.uint8)
    pixels[labels == 1, : size // 2] //= 2
    return pixels, labels


def images(count=30, size=32):
    pixels, labels = noise(count, size)
    return Images(
        pixels,
        labels,
        Preprocessing(None, None, "bilinear"),
        train=np.arange(20),
        device="cpu",
    )


def small(strategy, first=None):
    torch.manual_seed(0)
    network, head = models.build(SMALL, "none", num_classes=2, channels=1)
    training = trainable_layers(network, strategy, head=head, first_trainable=first)
    freeze(network, training)
    return network, head, training


def run(network, training, recipe=RECIPE, examples=None):
    return fit(
        network,
        examples or images(),
        recipe,
        train=np.arange(20),
        val=np.arange(20, 30),
        training=training,
        on_epoch=lambda row: None,
    )


@pytest.mark.parametrize(
    ("strategy", "first", "moved", "still"),
    [
        ("feature_extraction", None, ["fc.weight"], ["conv5.0.weight", "conv5.1"]),
        ("partial", "stage4", ["fc.weight", "stage4.0"], ["stage3.0", "conv1.0"]),
        ("fine_tuning", None, ["fc.weight", "conv1.0.weight", "conv1.1"], []),
    ],
)
def test_only_what_should_move_moves(strategy, first, moved, still):
    network, _, training = small(strategy, first)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    certificate = fingerprint(frozen_tensors(network, training))
    run(network, training)
    changed = {
        name
        for name, value in network.state_dict().items()
        if not torch.equal(value, before[name])
    }
    for name in moved:
        assert any(item.startswith(name) for item in changed), name
    # Buffers too: running means of a frozen BatchNorm are what drifts elsewhere.
    for name in still:
        assert not any(item.startswith(name) for item in changed), name
    assert fingerprint(frozen_tensors(network, training)) == certificate


def test_the_certificate_sees_a_single_bit():
    network, _, training = small("feature_extraction")
    before = fingerprint(frozen_tensors(network, training))
    with torch.no_grad():
        network.conv1[1].running_mean[0] += 1e-7
    assert fingerprint(frozen_tensors(network, training)) != before


def test_a_frozen_part_is_in_eval_mode_while_the_rest_trains():
    network, head, training = small("feature_extraction")
    train_mode(network, training)
    assert network.get_submodule(head).training
    assert not any(
        m.training for m in network.modules() if isinstance(m, nn.BatchNorm2d)
    )


def test_dropout_before_the_head_is_frozen_with_it():
    network, head = models.build("alexnet", "none", num_classes=2, channels=1)
    train_mode(network, trainable_layers(network, "feature_extraction", head=head))
    dropouts = [m for m in network.modules() if isinstance(m, nn.Dropout)]
    assert dropouts
    assert not any(m.training for m in dropouts)


@pytest.mark.parametrize(
    ("first", "message"),
    [(None, "needs either first_trainable"), ("stage9", r"did you mean 'stage")],
)
def test_partial_needs_a_layer(first, message):
    with pytest.raises(ParameterError, match=message):
        small("partial", first)


def test_history_is_over_images_and_matches_an_independent_count():
    """One epoch at a vanishing learning rate leaves a network that can be scored."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(32 * 32, 2))
    data = images()
    recipe = settings(epochs=1, batch_size=8, learning_rate=1e-12, patience=0)
    outcome = run(network, {"", "0", "1"}, recipe, data)
    row = outcome.history.iloc[0]
    for name, positions in [
        ("train", torch.arange(20)),  # batches of 8, 8 and 4: a mean of means differs
        ("val", torch.arange(20, 30)),
    ]:
        logits = network(data.batch(positions))
        labels = data.labels[positions]
        assert row[f"{name}_loss"] == pytest.approx(
            F.cross_entropy(logits, labels).item(), rel=1e-5
        )
        hits = (logits.argmax(1) == labels).float().mean().item()
        assert row[f"{name}_accuracy"] == pytest.approx(hits)


def test_the_best_epochs_weights_are_the_ones_kept():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(32 * 32, 2))
    data = images()
    recipe = settings(epochs=12, batch_size=4, learning_rate=0.3, patience=0)
    outcome = run(network, {"", "0", "1"}, recipe, data)
    losses = outcome.history["val_loss"]
    assert outcome.best_epoch == losses.idxmin() + 1
    assert outcome.best_epoch < len(losses)  # else this test would show nothing
    val = np.arange(20, 30)
    logits = predict(network, data, val, compute=CPU, batch_size=8)
    loss = F.cross_entropy(logits, data.labels[20:30]).item()
    assert loss == pytest.approx(losses.min(), rel=1e-5)


def test_early_stopping_counts_epochs_without_a_lower_val_loss():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(32 * 32, 2))
    recipe = settings(epochs=50, batch_size=4, learning_rate=0.3, patience=2)
    outcome = run(network, {"", "0", "1"}, recipe)
    assert outcome.stopped == "patience"
    assert len(outcome.history) == outcome.best_epoch + 2


@pytest.mark.parametrize("count", [17, 1])
def test_a_single_left_over_image_does_not_break_batchnorm(count):
    network = nn.Sequential(nn.Flatten(), nn.Linear(32 * 32, 4), nn.BatchNorm1d(4))
    recipe = settings(epochs=1, batch_size=8, learning_rate=1e-3, patience=0)

    def call():
        return fit(
            network,
            images(),
            recipe,
            train=np.arange(count),
            val=np.arange(20, 30),
            training={"", "0", "1", "2"},
            on_epoch=lambda row: None,
        )

    if count == 1:
        with pytest.raises(TrainingError, match="two images"):
            call()
    else:
        assert np.isfinite(call().history["train_loss"]).all()


def test_a_loss_that_is_not_finite_stops_with_the_remedy():
    network = nn.Sequential(nn.Flatten(), nn.Linear(32 * 32, 2))
    with torch.no_grad():
        network[1].weight.fill_(1e38)
    outcome = run(network, {"", "0", "1"})
    said = r"not finite at epoch 1, step \d+ of \d+ .*learning_rate"
    assert re.search(said, outcome.message)
    assert (outcome.best_epoch, outcome.stopped) == (0, "divergence")
    assert outcome.history.empty


def test_the_same_seed_gives_the_same_bits_and_another_does_not():
    def trained(seed):
        network, _, training = small("fine_tuning")
        recipe = settings(
            epochs=2, batch_size=8, learning_rate=1e-2, patience=0, seed=seed
        )
        run(network, training, recipe)
        return fingerprint(network.state_dict())

    assert trained(0) == trained(0)
    assert trained(0) != trained(1)


def test_cached_features_give_the_predictions_of_the_whole_network(tmp_path):
    network, head, training = small("feature_extraction")
    data = images()
    assert features.ends_in(network, head, data, CPU)
    values, seconds = features.extract(
        network,
        head,
        data,
        compute=CPU,
        batch_size=8,
        cache=tmp_path / "f.npy",
        label="features",
    )
    assert values.shape == (30, network.fc.in_features)
    assert seconds > 0
    vectors = Vectors(values, data.labels, device="cpu")
    run(network.fc, {""}, RECIPE, vectors)
    quick = predict(network.fc, vectors, np.arange(30), compute=CPU, batch_size=8)

    network, _, training = small("feature_extraction")
    run(network, training)
    slow = predict(network, data, np.arange(30), compute=CPU, batch_size=8)
    torch.testing.assert_close(quick, slow, rtol=1e-3, atol=1e-3)

    again, remembered = features.extract(
        network,
        head,
        data,
        compute=CPU,
        batch_size=8,
        cache=tmp_path / "f.npy",
        label="",
    )
    np.testing.assert_array_equal(again, values)
    assert remembered == seconds


def test_a_network_that_pools_after_its_head_is_not_cached():
    network, head = models.build("squeezenet1_1", "none", num_classes=2, channels=1)
    assert not features.ends_in(network, head, images(size=64), CPU)


def test_normalisation_against_numpy():
    pixels, labels = noise(channels=3)
    train = np.arange(7, 19)
    mean, std = channel_statistics(pixels, train)
    scaled = pixels[train].astype(float) / 255
    assert mean == pytest.approx(scaled.mean(axis=(0, 1, 2)))
    assert std == pytest.approx(scaled.std(axis=(0, 1, 2)))
    data = Images(
        pixels, labels, Preprocessing(mean, std, "bilinear"), train=train, device="cpu"
    )
    batch = data.batch(torch.tensor([3, 1]))
    expected = (pixels[[3, 1]] / 255.0 - mean) / std
    np.testing.assert_allclose(batch.numpy(), expected.transpose(0, 3, 1, 2), atol=1e-5)
    assert batch.is_contiguous(memory_format=torch.channels_last)


def test_a_black_channel_is_not_divided_by_zero():
    _, std = channel_statistics(np.zeros((2, 4, 4, 1), np.uint8), np.arange(2))
    assert std == (1 / 255,)


@pytest.mark.parametrize(
    ("device", "precision", "message"),
    [("cpu", "float16", "float16"), ("mps", "auto", "this machine has")],
)
def test_devices_that_cannot_serve_are_refused(device, precision, message):
    if device == "mps" and torch.backends.mps.is_available():
        pytest.skip("this machine has MPS")
    with pytest.raises(ParameterError, match=message):
        resolve(device, precision)


def test_bfloat16_trains_close_to_float32():
    def losses(precision):
        # ShuffleNet's BatchNorm over one pixel blows rounding up to ten per cent.
        torch.manual_seed(0)
        network, head = models.build("resnet18", "none", num_classes=2, channels=1)
        training = trainable_layers(network, "fine_tuning", head=head)
        recipe = settings(epochs=1, learning_rate=1e-4, precision=precision)
        outcome = fit(
            network,
            images(size=64),
            recipe,
            train=np.arange(20),
            val=np.arange(20, 30),
            training=training,
            on_epoch=lambda row: None,
        )
        return outcome.history

    low, full = losses("bfloat16"), losses("float32")
    # Eight bits of mantissa: a few per cent on a loss near 0.7, and not the same bits.
    assert low["train_loss"][0] == pytest.approx(full["train_loss"][0], rel=0.05)
    assert low["train_loss"][0] != full["train_loss"][0]
