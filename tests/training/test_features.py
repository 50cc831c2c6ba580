"""Features of a frozen backbone: the folded network answers as the whole one does."""

import pytest
import torch
from torch import nn

from lightbox.networks import models
from lightbox.training.features import fused


def seen(name):
    """A network whose BatchNorm has means and variances of its own."""
    torch.manual_seed(0)
    network, _ = models.build(name, "none", num_classes=2, channels=1)
    with torch.no_grad():
        network.train()(torch.rand(8, 1, 64, 64) * 3 - 1)
    return network.eval()


def norms(network):
    return sum(isinstance(part, nn.BatchNorm2d) for part in network.modules())


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "mobilenet_v3_small"])
def test_folding_changes_no_answer(name):
    network, images = seen(name), torch.rand(4, 1, 64, 64)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    folded = fused(network)
    with torch.inference_mode():
        torch.testing.assert_close(
            folded(images), network(images), rtol=1e-4, atol=1e-4
        )
    assert norms(folded) < norms(network)
    for key, value in network.state_dict().items():
        assert torch.equal(value, before[key]), key


def test_there_is_nothing_to_fold_without_batchnorm():
    network = seen("alexnet")
    assert fused(network) is network


def test_a_network_that_cannot_be_traced_stays_as_it_is():
    class Choosing(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))

        def forward(self, images):
            return self.layers(images) if images.sum() > 0 else images

    network = Choosing().eval()
    assert fused(network) is network
