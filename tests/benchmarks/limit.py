"""What the hardware can do: steps on a batch that lies in memory already."""

import time

import torch
from torch import Tensor, nn

from lightbox.training.devices import Compute
from lightbox.training.losses import Focal

RATE = 1e-4


def synchronize(device: str) -> None:
    """Wait until the device has done what it was given.

    Args:
        device: `cpu`, `cuda` or `mps`.
    """
    if device == "cuda":
        torch.cuda.synchronize()
    elif device == "mps":
        torch.mps.synchronize()


def step_limit(
    network: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    *,
    compute: Compute,
    steps: int,
    eval_steps: int,
) -> float:
    """Time an epoch of forward, backward and Adam without data or bookkeeping.

    One untimed step and one untimed forward pass come first. Kernels need not be
    deterministic here: nothing is left out that would make the limit lower.

    Args:
        network: All of it trains; changed in place.
        inputs: A batch (B, C, H, W), channels last, on the device.
        labels: (B,), int64, on the device.
        compute: Device and precision.
        steps: Training steps of an epoch.
        eval_steps: Forward passes of its validation.

    Returns:
        Seconds.
    """
    deterministic = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(False)
    weights = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(weights, RATE, fused=True)  # as the loop has it
    scaler, loss = compute.scaler(), Focal()

    def train(count: int) -> None:
        network.train()
        for _ in range(count):
            optimizer.zero_grad(set_to_none=True)
            with compute.autocast():
                logits = network(inputs)
            scaler.scale(loss(logits.float(), labels).mean()).backward()
            scaler.step(optimizer)
            scaler.update()

    def evaluate(count: int) -> None:
        network.eval()
        with torch.inference_mode(), compute.autocast():
            for _ in range(count):
                network(inputs)

    train(1)
    evaluate(1)
    synchronize(compute.device)
    started = time.perf_counter()
    train(steps)
    evaluate(eval_steps)
    synchronize(compute.device)
    seconds = time.perf_counter() - started
    torch.use_deterministic_algorithms(deterministic, warn_only=True)
    return seconds
