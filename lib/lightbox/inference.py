"""What a network answers: logits in eval mode, the likeliest class, the loss."""

import numpy as np
import torch
from torch import Tensor, nn

from lightbox.devices import Compute
from lightbox.examples import Examples
from lightbox.losses import Loss
from lightbox.out_of_memory import attempt, halve


def predict(
    network: nn.Module,
    examples: Examples,
    positions: np.ndarray,
    *,
    compute: Compute,
    batch_size: int,
) -> Tensor:
    """Compute the logits of many images in eval mode, in order.

    Args:
        network: Maps a batch to logits (B, K).
        examples: Inputs by position.
        positions: Which, (N,).
        compute: Device and precision.
        batch_size: Images at a time; fewer where the device's memory is short.

    Returns:
        Logits (N, K), float32, on the device.

    Raises:
        DeviceMemoryError: Three images at a time are too many.
    """
    network.eval()
    wanted, parts, start = torch.from_numpy(positions), [], 0
    while start < len(wanted):
        chunk = wanted[start : start + batch_size]
        # Bound now: `attempt` calls it before the next turn.
        logits = attempt(lambda chunk=chunk: _logits(network, examples, chunk, compute))
        if logits is None:
            batch_size = halve(len(chunk))
            continue
        parts.append(logits)
        start += len(chunk)
    return torch.cat(parts)


def _logits(
    network: nn.Module, examples: Examples, positions: Tensor, compute: Compute
) -> Tensor:
    """Run one batch through a network that is in eval mode."""
    with torch.inference_mode(), compute.autocast():
        return network(examples.batch(positions)).float()


def evaluate(
    network: nn.Module,
    examples: Examples,
    positions: np.ndarray,
    *,
    loss: Loss,
    compute: Compute,
    batch_size: int,
) -> tuple[float, float]:
    """Take the mean loss and the accuracy over images.

    Args:
        network: Maps a batch to logits.
        examples: Inputs and labels by position.
        positions: Which, (N,).
        loss: One value per image, of logits and labels.
        compute: Device and precision.
        batch_size: Images at a time.

    Returns:
        The mean loss and the accuracy in [0, 1].
    """
    logits = predict(
        network, examples, positions, compute=compute, batch_size=batch_size
    )
    labels = examples.labels[torch.from_numpy(positions).to(logits.device)]
    hits = (classify(logits) == labels).sum()
    return (
        loss(logits, labels).sum().item() / len(positions),
        hits.item() / len(positions),
    )


def classify(logits: Tensor) -> Tensor:
    """Answer with the likeliest class.

    Args:
        logits: (N, K), or (N, 1) where a sigmoid gives the second class.

    Returns:
        Class indices (N,), int64.
    """
    if logits.shape[1] == 1:
        return (logits[:, 0] > 0).long()
    return logits.argmax(dim=1)
