"""The training loop: one update path, early stopping, the best epoch kept."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lightbox.devices import Compute, seed_everything
from lightbox.errors import LightboxError
from lightbox.examples import Examples
from lightbox.freezing import train_mode

EPOCH_SEEDS = 100_003  # a prime above any epoch count: (seed, epoch) never collide


class TrainingError(LightboxError):
    """Training that cannot go on, with the remedy."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes:
        epochs: The most epochs.
        batch_size: Images per step.
        learning_rate: Adam's.
        patience: Epochs without a lower val loss after which training stops; 0
            switches early stopping off.
        seed: Of the order of images and of dropout.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    patience: int
    seed: int


@dataclass(frozen=True)
class Fit:
    """What training gave.

    Attributes:
        history: One row per epoch: epoch (from 1), train_loss, train_accuracy,
            val_loss, val_accuracy (in [0, 1]), learning_rate, seconds.
        best_epoch: The epoch of the lowest val loss, whose weights the network
            holds when `fit` returns.
        stopped: `patience` or `epochs`.
    """

    history: pd.DataFrame
    best_epoch: int
    stopped: str


def fit(
    network: nn.Module,
    examples: Examples,
    recipe: Recipe,
    *,
    train: np.ndarray,
    val: np.ndarray,
    training: set[str],
    compute: Compute,
    on_epoch: Callable[[dict[str, float]], None],
) -> Fit:
    """Train with cross-entropy and Adam; leave the best epoch's weights in place.

    Selection sees val only: the epoch with the lowest val loss wins.

    Args:
        network: Maps a batch of `examples` to logits (B, K); on the device,
            frozen parts with `requires_grad = False`. Changed in place.
        examples: Inputs and labels by position.
        recipe: How to train.
        train: Positions to train on.
        val: Positions to select on.
        training: The modules that are put into train mode.
        compute: Device and precision.
        on_epoch: Called with each finished row of the history.

    Returns:
        The history and the choice.

    Raises:
        TrainingError: Fewer than two training images, or a loss that is not
            finite; says where and what to do.
    """
    if len(train) < 2:
        raise TrainingError(
            f"train has {len(train)} image: training needs at least two images"
        )
    weights = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(weights, lr=recipe.learning_rate)
    scaler = compute.scaler()
    rows: list[dict[str, float]] = []
    best_loss, best_epoch, best_state = float("inf"), 0, {}
    for epoch in range(1, recipe.epochs + 1):
        started = time.perf_counter()
        # From seed and epoch alone, so an epoch's dice do not depend on the past.
        seed_everything(recipe.seed * EPOCH_SEEDS + epoch)
        order = torch.from_numpy(train)[torch.randperm(len(train))]
        train_mode(network, training)
        loss_sum = torch.zeros((), device=compute.device)
        correct = torch.zeros((), device=compute.device)
        for positions in _batches(order, recipe.batch_size):
            inputs = examples.batch(positions)
            labels = examples.labels[positions.to(examples.labels.device)]
            with compute.autocast():
                logits = network(inputs)
            loss = F.cross_entropy(logits.float(), labels)
            optimizer.zero_grad(set_to_none=True)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            # Sums over images, never means of batch means: the last batch is short.
            loss_sum += loss.detach() * len(positions)
            correct += (logits.detach().argmax(dim=1) == labels).sum()
        val_loss, val_accuracy = _score(network, examples, val, compute, recipe)
        row = {
            "epoch": epoch,
            "train_loss": loss_sum.item() / len(train),
            "train_accuracy": correct.item() / len(train),
            "val_loss": val_loss,
            "val_accuracy": val_accuracy,
            "learning_rate": recipe.learning_rate,
            "seconds": time.perf_counter() - started,
        }
        if not np.isfinite([row["train_loss"], val_loss]).all():
            raise TrainingError(
                f"the loss is not finite at epoch {epoch} (train {row['train_loss']}, "
                f"val {val_loss}) with learning_rate {recipe.learning_rate:g}: lower "
                "it tenfold, or set precision: float32"
            )
        rows.append(row)
        on_epoch(row)
        if val_loss < best_loss:
            best_loss, best_epoch = val_loss, epoch
            best_state = {k: v.clone() for k, v in network.state_dict().items()}
        if recipe.patience and epoch - best_epoch >= recipe.patience:
            break
    network.load_state_dict(best_state)
    stopped = "epochs" if len(rows) == recipe.epochs else "patience"
    return Fit(pd.DataFrame(rows), best_epoch, stopped)


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
        batch_size: Images at a time.

    Returns:
        Logits (N, K), float32, on the device.
    """
    network.eval()
    parts = []
    with torch.inference_mode():
        for chunk in torch.from_numpy(positions).split(batch_size):
            with compute.autocast():
                parts.append(network(examples.batch(chunk)).float())
    return torch.cat(parts)


def _score(
    network: nn.Module,
    examples: Examples,
    positions: np.ndarray,
    compute: Compute,
    recipe: Recipe,
) -> tuple[float, float]:
    """Mean cross-entropy and accuracy over images."""
    logits = predict(
        network, examples, positions, compute=compute, batch_size=recipe.batch_size
    )
    labels = examples.labels[torch.from_numpy(positions).to(logits.device)]
    loss = F.cross_entropy(logits, labels, reduction="sum").item() / len(positions)
    accuracy = (logits.argmax(dim=1) == labels).sum().item() / len(positions)
    return loss, accuracy


def _batches(order: Tensor, size: int) -> list[Tensor]:
    """Cut an epoch into batches; a single left-over image joins the batch before.

    BatchNorm cannot normalise one value, and dropping the image would make the
    training set depend on the batch size.
    """
    parts = list(order.split(size))
    if len(parts) > 1 and len(parts[-1]) == 1:
        last = parts.pop()
        parts[-1] = torch.cat([parts[-1], last])
    return parts
