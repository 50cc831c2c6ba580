"""Losses against torch's own, hand-made tables and the edges of float32."""

import math

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional as F
from torchvision.ops import sigmoid_focal_loss

from lightbox.training.losses import Focal, balanced_weights, log_probabilities, make

LABELS = torch.tensor([0, 1, 2, 1, 0, 2])


@pytest.fixture
def logits():
    return torch.randn(6, 3, generator=torch.Generator().manual_seed(0)) * 3


def test_gamma_zero_is_cross_entropy(logits):
    expected = F.cross_entropy(logits, LABELS, reduction="none")
    torch.testing.assert_close(Focal()(logits, LABELS), expected)


def test_gamma_zero_with_weights_is_weighted_cross_entropy(logits):
    alpha = torch.tensor([0.5, 1.0, 2.0])
    expected = F.cross_entropy(logits, LABELS, weight=alpha, reduction="none")
    torch.testing.assert_close(Focal(0, alpha)(logits, LABELS), expected)


def test_unit_weights_change_nothing(logits):
    plain, unit = Focal(2.0), Focal(2.0, torch.ones(3))
    torch.testing.assert_close(plain(logits, LABELS), unit(logits, LABELS))


@pytest.mark.parametrize(
    ("p", "gamma", "alpha", "expected"),
    [
        # -alpha (1 - p)^gamma ln p, by hand: ln 0.9 = -0.105361, ln 0.5 = -0.693147
        (0.9, 2.0, 1.0, 0.01 * 0.105361),
        (0.5, 2.0, 1.0, 0.25 * 0.693147),
        (0.5, 1.0, 0.25, 0.25 * 0.5 * 0.693147),
        (0.1, 5.0, 1.0, 0.59049 * 2.302585),
    ],
)
def test_values_by_hand(p, gamma, alpha, expected):
    two = torch.tensor([[0.0, math.log(p / (1 - p))]])
    for logits in (two, two[:, 1:]):  # softmax over two classes equals one sigmoid
        loss = Focal(gamma, torch.tensor([0.3, alpha]))(logits, torch.tensor([1]))
        assert loss.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_the_sigmoid_form_is_torchvisions(gamma):
    logits = torch.linspace(-6, 6, 25)[:, None]
    for label in (0, 1):
        labels = torch.full((25,), label)
        expected = sigmoid_focal_loss(
            logits[:, 0], labels.float(), alpha=0.25, gamma=gamma
        )
        ours = Focal(gamma, torch.tensor([0.75, 0.25]))(logits, labels)
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-7)


def test_flipping_labels_and_logits_flips_nothing_else():
    logits = torch.randn(9, 1)
    labels = torch.arange(9) % 2
    alpha = torch.tensor([0.3, 0.7])
    first = Focal(2.0, alpha)(logits, labels)
    second = Focal(2.0, alpha.flip(0))(-logits, 1 - labels)
    torch.testing.assert_close(first, second)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("size", [-1e4, -60.0, 0.0, 60.0, 1e4])
@pytest.mark.parametrize("columns", [1, 2])
def test_losses_and_gradients_are_finite_where_p_is_0_or_1(gamma, size, columns):
    start = [[size]] if columns == 1 else [[0.0, size]]
    logits = torch.tensor(start, requires_grad=True)
    loss = Focal(gamma)(logits, torch.tensor([1])).sum()
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()


def test_the_wrong_form_is_not_ours(logits):
    """exp(-weighted_ce) as p_t, which others compute, gives other values."""
    alpha = torch.tensor([0.5, 1.0, 2.0])
    weighted = F.cross_entropy(logits, LABELS, weight=alpha, reduction="none")
    wrong = (1 - torch.exp(-weighted)) ** 2 * weighted
    assert not torch.allclose(Focal(2.0, alpha)(logits, LABELS), wrong, rtol=1e-2)


def test_balanced_weights_are_scikit_learns():
    labels = np.repeat([0, 1, 2], [10, 30, 60])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    ours = balanced_weights(torch.tensor([10, 30, 60]))
    np.testing.assert_allclose(ours, expected, rtol=1e-6)
    assert (ours[torch.from_numpy(labels)]).mean().item() == pytest.approx(1)


def test_probabilities_sum_to_one():
    for columns in (1, 4):
        p = log_probabilities(torch.randn(5, columns) * 10).exp()
        assert p.shape == (5, max(columns, 2))
        torch.testing.assert_close(p.sum(1), torch.ones(5))


@pytest.mark.parametrize(
    ("name", "gamma", "weighted"),
    [
        ("cross_entropy", 0.0, False),
        ("weighted_cross_entropy", 0.0, True),
        ("focal", 2.0, True),
    ],
)
def test_losses_by_name(name, gamma, weighted):
    loss = make(name, gamma=2.0, counts=torch.tensor([10, 30]))
    assert loss.gamma == gamma
    assert (loss.alpha is not None) == weighted
