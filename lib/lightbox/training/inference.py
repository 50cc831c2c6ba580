"""What a network answers: logits in eval mode, the likeliest class, the loss."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from lightbox.training.batches import Examples
from lightbox.training.devices import Compute, attempt, halve
from lightbox.training.losses import Loss


def predict(
    network: nn.Module,
    examples: Examples,
    positions: np.ndarray,
    *,
    compute: Compute,
    batch_size: int,
) -> Tensor:
    """Compute the logits (N, K), float32, of many images in eval mode, in order.

    Args:
        network: Maps a batch to logits (B, K).
        examples: Inputs by position.
        positions: Which, (N,).

    Raises:
        DeviceMemoryError: Three images at a time are too many.
    """
    network.eval()

    def logits(chunk: Tensor) -> Tensor:
        with torch.inference_mode(), compute.autocast():
            return network(examples.batch(chunk)).float()

    return torch.cat(list(in_parts(logits, torch.from_numpy(positions), batch_size)))


def in_parts(
    work: Callable[[Tensor], Tensor], positions: Tensor, size: int
) -> Iterator[Tensor]:
    """Work on a batch after the other, smaller ones where memory is short.

    Args:
        work: Gives a row for each of the positions that it is given.
        positions: All of them, (N,).

    Raises:
        DeviceMemoryError: Three positions at a time are too many.
    """
    start = 0
    while start < len(positions):
        chunk = positions[start : start + size]
        # Bound now: `attempt` calls it before the next turn.
        rows = attempt(lambda chunk=chunk: work(chunk))
        if rows is None:
            size = halve(len(chunk))
            continue
        yield rows
        start += len(chunk)


def evaluate(
    network: nn.Module,
    examples: Examples,
    positions: np.ndarray,
    *,
    loss: Loss,
    compute: Compute,
    batch_size: int,
) -> tuple[float, float]:
    """Take the mean loss and the accuracy, in [0, 1], over images."""
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
    """Answer with the likeliest class; logits (N, 1) are a sigmoid's for the second."""
    if logits.shape[1] == 1:
        return (logits[:, 0] > 0).long()
    return logits.argmax(dim=1)
