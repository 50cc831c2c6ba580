"""Optimizers and learning-rate schedules by name."""

from collections.abc import Iterable

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    LambdaLR,
    LRScheduler,
    OneCycleLR,
    StepLR,
)

from lightbox.settings.parameters import RunSettings

STEPS, FACTOR = 3, 0.1  # the `step` schedule: two falls to a tenth, at thirds


def make_optimizer(settings: RunSettings, weights: Iterable[nn.Parameter]) -> Optimizer:
    """Build an optimizer, of the weights that train, with torch's published constants.

    Those are beta 0.9 and 0.999 and epsilon 1e-8 for Adam and AdamW (arXiv
    1412.6980), a smoothing of 0.99 for RMSprop, weight decay 0.01 for AdamW
    (arXiv 1711.05101) and none elsewhere.
    """
    weights = [weight for weight in weights if weight.requires_grad]
    rate, momentum = settings.learning_rate, settings.momentum
    # Fused: one kernel for all weights; with a loss scaler, no wait for the device
    # at every step. RMSprop has no such form.
    if settings.optimizer == "sgd":
        return torch.optim.SGD(weights, rate, momentum=momentum, fused=True)
    if settings.optimizer == "rmsprop":
        return torch.optim.RMSprop(weights, rate, momentum=momentum)
    kinds = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    return kinds[settings.optimizer](weights, rate, fused=True)


def make_schedule(name: str, optimizer: Optimizer, *, total_steps: int) -> LRScheduler:
    """Build a schedule that is stepped after every optimizer step.

    `constant`; `step`, a tenth after each third of `total_steps`; `cosine` to zero;
    `one_cycle`, up for 30 % of the steps and down to nothing. The optimizer's own
    rate is the highest.
    """
    if name == "step":
        return StepLR(optimizer, max(1, -(-total_steps // STEPS)), FACTOR)
    if name == "cosine":
        return CosineAnnealingLR(optimizer, total_steps)
    if name == "one_cycle":
        highest = optimizer.param_groups[0]["lr"]
        return OneCycleLR(optimizer, highest, total_steps=total_steps)
    return LambdaLR(optimizer, lambda step: 1.0)
