"""What a run can vary: networks of our own, heads, optimizers, input, the plan."""

from typing import get_args

import numpy as np
import pytest
import torch
from torch import nn

from lightbox.base.errors import ParameterError
from lightbox.networks import models
from lightbox.networks.architectures import AlexNet2012, check_patch
from lightbox.networks.freezing import trainable_layers
from lightbox.runs import plan
from lightbox.settings.parameters import RunSettings, validate
from lightbox.training.batches import light
from lightbox.training.inference import classify
from lightbox.training.loop import draw_order
from lightbox.training.optimizers import make_optimizer, make_schedule


def optimizer_of(weight, **changes):
    run = RunSettings(model="any", strategy="fine_tuning", **changes)
    return make_optimizer(run, [weight])


def weights_of(kind, steps, **options):
    """Minimise w^2 from 1; the gradient is 2 w."""
    weight = nn.Parameter(torch.ones(1, dtype=torch.float64))
    optimizer = optimizer_of(weight, optimizer=kind, **options)
    for _ in range(steps):
        optimizer.zero_grad()
        weight.square().sum().backward()
        optimizer.step()
    return weight.item()


def test_optimizers_by_hand():
    # SGD: 1 - 0.1 * 2 = 0.8, then 0.8 - 0.1 * 1.6 = 0.64.
    assert weights_of("sgd", 2, learning_rate=0.1) == pytest.approx(0.64)
    # RMSprop: v = 0.01 * 4, step = 0.1 * 2 / (0.2 + 1e-8).
    assert weights_of("rmsprop", 1, learning_rate=0.1) == pytest.approx(
        1 - 0.2 / (0.2 + 1e-8)
    )
    # Adam's first step is its rate, whatever the gradient: m / sqrt(v) = 1.
    assert weights_of("adam", 1, learning_rate=0.1) == pytest.approx(0.9, abs=1e-8)
    # AdamW first decays: 1 - 0.1 * 0.01, then the same step.
    assert weights_of("adamw", 1, learning_rate=0.1) == pytest.approx(0.899, abs=1e-8)


def test_adam_has_the_published_constants():
    group = optimizer_of(nn.Parameter(torch.ones(1))).param_groups[0]
    assert group["betas"] == (0.9, 0.999)
    assert group["eps"] == 1e-8


def test_schedules_by_hand():
    def rates(name):
        weight = nn.Parameter(torch.ones(1))
        optimizer = optimizer_of(weight, optimizer="sgd", learning_rate=1.0)
        schedule = make_schedule(name, optimizer, total_steps=9)
        found = []
        for _ in range(9):
            found.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step()
        return found

    assert rates("constant") == [1.0] * 9
    assert rates("step") == pytest.approx([1.0] * 3 + [0.1] * 3 + [0.01] * 3)
    cosine = [(1 + np.cos(np.pi * step / 9)) / 2 for step in range(9)]
    assert rates("cosine") == pytest.approx(cosine)
    cycle = rates("one_cycle")
    assert max(cycle) == pytest.approx(1.0, rel=0.1)
    assert cycle[-1] < cycle[0] < max(cycle)
    assert set(get_args(RunSettings.model_fields["schedule"].annotation)) == {
        "constant",
        "step",
        "cosine",
        "one_cycle",
    }


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("alexnet_2012", 64),
        ("conv_model", 32),
        ("vit_s2_patch15", 60),
        ("vit_b_16", 32),
    ],
)
def test_networks_at_their_sizes(name, size):
    network, _ = models.build(name, "none", num_classes=3, channels=1, image_size=size)
    assert network(torch.zeros(2, 1, size, size)).shape == (2, 3)


def test_alexnet_is_the_published_one():
    network = AlexNet2012()
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert [m.out_channels for m in convolutions] == [96, 256, 384, 384, 256]
    assert [m.kernel_size[0] for m in convolutions] == [11, 5, 3, 3, 3]
    # Without the two GPUs' groups: 62,378,344 parameters, as counted since.
    assert sum(p.numel() for p in network.parameters()) == 62_378_344
    norms = [m for m in network.modules() if isinstance(m, nn.LocalResponseNorm)]
    ones = torch.ones(1, 8, 1, 1)
    # k + alpha * sum over 5 neighbours = 2 + 1e-4 * 5, to the power 0.75.
    assert norms[0](ones)[0, 4].item() == pytest.approx(1 / 2.0005**0.75, rel=1e-6)
    pools = [m for m in network.modules() if isinstance(m, nn.MaxPool2d)]
    assert [(m.kernel_size, m.stride) for m in pools] == [(3, 2)] * 3


def test_a_patch_that_does_not_divide_names_those_that_do():
    with pytest.raises(ParameterError, match=r"5, 6, 10, 15.*set image_size to 140"):
        check_patch(14, 150)
    with pytest.raises(ParameterError, match="no multiple of the patch 10"):
        models.check("vit_s2_patch10", "none", 64)


@pytest.mark.parametrize(("kind", "width"), [("mlp_64", 64), ("mlp_32", 32)])
def test_the_heads_of_s4(kind, width):
    network, head = models.build(
        "alexnet", "none", num_classes=1, channels=1, head_kind=kind
    )
    layers = list(network.get_submodule(head))
    assert [type(m).__name__ for m in layers] == [
        *("BatchNorm1d", "Linear", "ReLU", "Dropout"),
        *("BatchNorm1d", "Linear", "Sigmoid", "Dropout"),
        *("BatchNorm1d", "Linear"),
    ]
    assert (layers[1].out_features, layers[5].out_features) == (128, width)
    assert (layers[3].p, layers[7].p) == (0.25, 0.2)
    assert network(torch.zeros(2, 1, 64, 64)).shape == (2, 1)


def test_layers_two_to_thirty_of_vgg_are_frozen():
    network, head = models.build("vgg11", "none", num_classes=2, channels=1)
    training = trainable_layers(
        network, "partial", head=head, frozen=("features.2:20",)
    )
    assert {"features.0", "features.1", "classifier.0", head} <= training
    assert not any(f"features.{i}" in training for i in range(2, 21))


@pytest.mark.parametrize(
    ("frozen", "message"),
    [
        (("features.2:99",), "no layer is named 'features.21'"),
        (("features.x:3",), "is no range"),
        (("feature",), r"did you mean 'features'\?"),
    ],
)
def test_unknown_frozen_layers(frozen, message):
    network, head = models.build("vgg11", "none", num_classes=2, channels=1)
    with pytest.raises(ParameterError, match=message):
        trainable_layers(network, "partial", head=head, frozen=frozen)


def test_light_augmentation_changes_each_image_a_little_and_differently():
    ramp = torch.linspace(0, 1, 32).expand(1, 1, 32, 32)
    images = ramp.repeat(16, 1, 1, 1)
    torch.manual_seed(0)
    changed = light(images)
    assert changed.shape == images.shape
    assert len({tuple(image.flatten().tolist()) for image in changed}) == 16
    mirrored = changed[:, :, :, 0].mean((1, 2)) > changed[:, :, :, -1].mean((1, 2))
    assert 0 < mirrored.sum() < 16
    straight = torch.where(mirrored[:, None, None, None], changed.flip(3), changed)
    assert (straight - images).abs().max() < 0.35
    torch.manual_seed(0)
    assert torch.equal(light(images), changed)


def test_balanced_sampling_draws_classes_equally():
    labels = torch.tensor([0] * 90 + [1] * 10)
    torch.manual_seed(0)
    drawn = labels[draw_order(np.arange(100), labels, True)]
    assert len(drawn) == 100
    assert 35 < drawn.sum() < 65
    once = draw_order(np.arange(100), labels, False)
    assert sorted(once.tolist()) == list(range(100))


def test_one_output_and_many_answer_alike():
    assert classify(torch.tensor([[-1.0], [2.0]])).tolist() == [0, 1]
    assert classify(torch.tensor([[1.0, 0.0], [0.0, 1.0]])).tolist() == [0, 1]


def planned(section, **values):
    found = plan.configurations(validate(section, {"device": "cpu"} | values))
    return [config for config, _ in found]


def test_a_plan_of_sets_grids_losses_and_seeds():
    base = {"models": ["resnet18", "alexnet"], "strategies": ["fine_tuning"]}
    sets = planned(
        "02_hyperparameters",
        **base,
        sets=[{"name": "1", "batch_size": 64}, {"name": "2", "model": "vgg11"}],
    )
    assert [(c.model, c.batch_size, c.name) for c in sets] == [
        ("resnet18", 64, "1"),
        ("alexnet", 64, "1"),
        ("vgg11", 32, "2"),
    ]
    grid = planned(
        "02_hyperparameters",
        **base,
        grid={"optimizer": ["sgd", "adam"], "batch_size": [32, 64]},
    )
    assert len(grid) == 8
    focal = planned("03_focal_loss", **base, gammas=[1.0, 2.0])
    assert [(c.loss, c.gamma) for c in focal if c.model == "alexnet"] == [
        ("cross_entropy", 0.0),
        ("weighted_cross_entropy", 0.0),
        ("focal", 1.0),
        ("focal", 2.0),
    ]
    seeds = planned("01_feature_extraction_vs_fine_tuning", **base, seeds=[0, 1, 2])
    assert [c.seed for c in seeds] == [0, 1, 2] * 2


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sets": [{"epohcs": 1}]}, r"'epohcs'; did you mean 'epochs'\?"),
        ({"sets": [{"epochs": 0}]}, "epochs = 0"),
        ({"grid": {"batch_size": []}}, "grid.batch_size is empty"),
        ({"grid": {"model": ["resnet81"]}}, "did you mean"),
    ],
)
def test_a_wrong_set_is_told_before_anything_trains(values, message):
    with pytest.raises(ParameterError, match=message):
        plan.check(validate("02_hyperparameters", values))
