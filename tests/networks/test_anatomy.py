"""Depth, FLOPs and parameters against what the papers and torchvision state."""

import pytest
import torch
import torchvision
from torch import nn

from lightbox.networks.anatomy import anatomy

# Layers by the count of the papers; conv_model by that of course report S2.
DEPTHS = {
    "alexnet": 8,
    "vgg16": 16,
    "vgg19": 19,
    "resnet18": 18,
    "resnet50": 50,
    "googlenet": 22,
    "densenet121": 121,
}


@pytest.mark.parametrize(("model", "layers"), DEPTHS.items())
def test_depth_flops_and_parameters_are_the_published_ones(model, layers):
    options = {"init_weights": False} if model == "googlenet" else {}
    with torch.device("meta"):
        network = torchvision.models.get_model(model, **options)
    published = torchvision.models.get_model_weights(model).DEFAULT.meta
    seen = anatomy(network, 224, 3)
    assert seen.depth == layers
    # torchvision counts multiply-adds, in 10^9 and rounded.
    assert seen.flops / 2e9 == pytest.approx(published["_ops"], abs=6e-4)
    assert seen.layers["parameters"].iloc[:-1].sum() == published["num_params"]
    assert seen.layers["flops"].iloc[:-1].sum() == seen.flops


def test_the_longer_of_two_branches_counts():
    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.one = nn.Conv2d(1, 2, 1)
            self.two = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Conv2d(2, 2, 1))
            self.head = nn.Linear(2, 3)

        def forward(self, images):
            features = self.one(images) + self.two(images)
            return self.head(features.mean(dim=(2, 3)))

    # By hand, 4 x 4 pixels: 2 * 16 * (1*2 + 1*2 + 2*2) and 2 * 2 * 3.
    seen = anatomy(Branches(), 4, 1)
    assert (seen.depth, seen.flops) == (3, 256 + 12)


def test_attention_is_two_layers_its_product_of_tokens_none():
    class Attends(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, images):
            tokens = images.flatten(2).transpose(1, 2)
            return self.attention(tokens, tokens, tokens, need_weights=False)[0]

    seen = anatomy(Attends(), 2, 8)
    assert seen.depth == 2
    # Four tokens of 8: projections 4 * (8*24 + 8*8), products 2 * 4 * 4 * 8.
    assert seen.flops == 2 * (4 * 256 + 2 * 4 * 4 * 8)
    assert seen.layers["parameters"].tolist() == [288, 288]


# Channels of a block's output, as the papers' tables print them.
BLOCKS = {
    "googlenet": {"inception3a": 256, "inception3b": 480, "inception4e": 832}
    | {"inception5b": 1024},
    "densenet121": {"features.denseblock1": 256, "features.denseblock4": 1024},
    "resnet50": {"layer1": 256, "layer4": 2048},
}


@pytest.mark.parametrize(("model", "channels"), BLOCKS.items())
def test_a_block_gives_all_that_its_branches_give(model, channels):
    options = {"init_weights": False} if model == "googlenet" else {}
    with torch.device("meta"):
        network = torchvision.models.get_model(model, **options)
    blocks = anatomy(network, 224, 3).blocks
    found = {name: int(blocks[name].split("x")[1]) for name in channels}
    assert found == channels


def test_a_layer_table_ends_in_its_totals():
    network = torchvision.models.resnet18(num_classes=2)
    table = anatomy(network, 64, 3).layers
    first, last = table.iloc[0], table.iloc[-1]
    assert (first["layer"], first["type"]) == ("conv1", "Conv2d")
    assert first["output_shape"] == "1x64x32x32"
    assert first["flops"] == 2 * 64 * 32 * 32 * 3 * 49
    assert (last["layer"], last["output_shape"]) == ("total", "1x2")
    assert last["parameters"] == sum(p.numel() for p in network.parameters())
    # ReLU is met twice in a block and listed twice, its parameters once.
    assert (table["layer"] == "layer1.0.relu").sum() == 2


def test_the_network_is_left_as_it_was():
    network = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 2, 1), nn.Dropout())
    network[2].eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    assert anatomy(network.to(torch.bfloat16), 8, 3).flops == 2 * 64 * 6
    network.to(torch.float32)
    assert [module.training for module in network] == [True, True, False]
    assert not any(module._forward_hooks for module in network.modules())
    after = network.state_dict()
    assert all(after[name].device.type == "cpu" for name in before)
    assert torch.equal(after["0.running_mean"], before["0.running_mean"])
    assert torch.backends.mha.get_fastpath_enabled()
