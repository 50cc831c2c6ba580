"""The bench: a real, small run, and what it prints."""

import bench
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from limit import step_limit
from torch import nn

from lightbox.networks.weights import Preprocessing
from lightbox.training.batches import Images
from lightbox.training.devices import Compute


def test_the_command_measures_and_explains():
    done = CliRunner().invoke(bench.main, ["--seconds", "0", "--size", "32"])
    assert done.exit_code == 0, done.output
    text = " ".join(done.output.split())
    for system in ("limit, batch in memory", "Lightbox", "PyTorch tutorial loop"):
        assert system in text
    assert "medians of 1 turns" in text
    assert "images a second" in text


def test_ratios_are_taken_turn_by_turn():
    found = bench.Measured(
        hardware="a machine",
        images=160,
        limit=[1.0, 2.0, 4.0],
        lightbox=[1.1, 3.0, 4.4],
        plain=[2.2, 6.0, 22.0],
        frozen=1.0,
        decoded=1.0,
    )
    # 1.1, 1.5, 1.1 and 2, 2, 5: medians of the ratios, not ratios of medians.
    assert found.ratio("lightbox", "limit") == pytest.approx(1.1)
    assert found.ratio("plain", "lightbox") == pytest.approx(2.0)


def test_the_limit_trains_and_leaves_determinism_as_it_was():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    before = network[1].weight.detach().clone()
    torch.use_deterministic_algorithms(True, warn_only=True)
    seconds = step_limit(
        network,
        torch.rand(4, 1, 4, 4),
        torch.tensor([0, 1, 0, 1]),
        compute=Compute("cpu", "float32"),
        steps=2,
        eval_steps=1,
    )
    assert torch.are_deterministic_algorithms_enabled()
    assert seconds > 0
    assert not torch.equal(network[1].weight, before)


def test_a_refused_size_is_one_line():
    done = CliRunner().invoke(bench.main, ["--size", "8"])
    assert done.exit_code == 2
    assert "32<=x<=512" in done.output


def test_statistics_of_a_set_larger_than_a_chunk_match_numpy():
    pixels = np.random.default_rng(0).integers(0, 256, (150, 5, 7, 3), dtype=np.uint8)
    train = np.arange(3, 150)
    images = Images(
        pixels,
        np.zeros(150, dtype=np.int64),
        Preprocessing(None, None, "bilinear"),
        train=train,
        device="cpu",
    )
    scaled = pixels[train] / 255
    np.testing.assert_allclose(images.mean, scaled.mean(axis=(0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(images.std, scaled.std(axis=(0, 1, 2)), rtol=1e-9)
