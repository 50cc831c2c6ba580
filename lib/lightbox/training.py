"""The training loop: one update path, early stopping, the best epoch kept."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from lightbox import checkpoint
from lightbox.devices import Compute, seed_everything
from lightbox.errors import LightboxError
from lightbox.examples import Examples
from lightbox.freezing import train_mode
from lightbox.losses import Focal, Loss
from lightbox.optimizers import make_optimizer, make_schedule

EPOCH_SEEDS = 100_003  # a prime above any epoch count: (seed, epoch) never collide


class TrainingError(LightboxError):
    """Training that cannot go on, with the remedy."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes:
        epochs: The most epochs.
        batch_size: Images per step.
        learning_rate: The optimizer's highest.
        patience: Epochs without a lower val loss after which training stops; 0
            switches early stopping off.
        seed: Of the order of images, of dropout and of augmentation.
        optimizer: A name of `optimizers.OPTIMIZERS`.
        momentum: Of SGD and RMSprop.
        schedule: A name of `optimizers.SCHEDULES`.
        loss: One value per image, of logits and labels.
        balanced: Whether each class is drawn equally often, with replacement.
        augment: Changes a batch of training images, or None.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    patience: int
    seed: int
    optimizer: str = "adam"
    momentum: float = 0.0
    schedule: str = "constant"
    loss: Loss = field(default_factory=Focal)
    balanced: bool = False
    augment: Callable[[Tensor], Tensor] | None = None


@dataclass(frozen=True)
class Fit:
    """What training gave.

    Attributes:
        history: One row per epoch: epoch (from 1), train_loss, train_accuracy,
            val_loss, val_accuracy (in [0, 1]), learning_rate, seconds.
        best_epoch: The epoch of the lowest val loss, whose weights the network
            holds when `fit` returns.
        stopped: `patience` or `epochs`.
        step_seconds: Of all epochs, without validation.
    """

    history: pd.DataFrame
    best_epoch: int
    stopped: str
    step_seconds: float


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
    unfinished: Path | None = None,
) -> Fit:
    """Train; leave the best epoch's weights in place.

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
        unfinished: Where each epoch's state is kept. If it holds one, training
            goes on behind it and ends with the bits of an undisturbed run: an
            epoch's dice come from seed and epoch alone.

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
    optimizer = make_optimizer(
        recipe.optimizer,
        weights,
        learning_rate=recipe.learning_rate,
        momentum=recipe.momentum,
    )
    steps = len(_batches(torch.arange(len(train)), recipe.batch_size))
    schedule = make_schedule(
        recipe.schedule, optimizer, total_steps=steps * recipe.epochs
    )
    scaler = compute.scaler()
    rows: list[dict[str, float]] = []
    step_seconds = 0.0
    best_loss, best_epoch, best_state = float("inf"), 0, {}
    parts = (network, optimizer, schedule, scaler)
    if unfinished is not None and (state := checkpoint.load(unfinished)):
        for part, kept in zip(parts, state["parts"], strict=True):
            part.load_state_dict(kept)
        rows, step_seconds = state["rows"], state["step_seconds"]
        best_loss, best_epoch = state["best_loss"], state["best_epoch"]
        best_state = state["best_state"]
        for row in rows:
            on_epoch(row)
    for epoch in range(len(rows) + 1, recipe.epochs + 1):
        if _is_over(recipe, epoch - 1, best_epoch):
            break
        started = time.perf_counter()
        seed_everything(recipe.seed * EPOCH_SEEDS + epoch)
        order = _order(train, examples.labels.cpu(), recipe.balanced)
        train_mode(network, training)
        rate = optimizer.param_groups[0]["lr"]
        loss_sum = torch.zeros((), device=compute.device)
        correct = torch.zeros((), device=compute.device)
        for positions in _batches(order, recipe.batch_size):
            inputs = examples.batch(positions)
            if recipe.augment is not None:
                inputs = recipe.augment(inputs)
            labels = examples.labels[positions.to(examples.labels.device)]
            with compute.autocast():
                logits = network(inputs)
            losses = recipe.loss(logits.float(), labels)
            optimizer.zero_grad(set_to_none=True)
            scaler.scale(losses.mean()).backward()
            scaler.step(optimizer)
            scaler.update()
            schedule.step()
            # Sums over images, never means of batch means: the last batch is short.
            loss_sum += losses.detach().sum()
            correct += (classify(logits.detach()) == labels).sum()
        train_loss = loss_sum.item() / len(order)  # waits for the device
        step_seconds += time.perf_counter() - started
        val_loss, val_accuracy = _score(network, examples, val, compute, recipe)
        row = {
            "epoch": epoch,
            "train_loss": train_loss,
            "train_accuracy": correct.item() / len(order),
            "val_loss": val_loss,
            "val_accuracy": val_accuracy,
            "learning_rate": rate,
            "seconds": time.perf_counter() - started,
        }
        if not np.isfinite([row["train_loss"], val_loss]).all():
            raise TrainingError(
                f"the loss is not finite at epoch {epoch} (train {row['train_loss']}, "
                f"val {val_loss}) with learning_rate {recipe.learning_rate:g}: lower "
                "it tenfold, or set precision: float32"
            )
        rows.append(row)
        if val_loss < best_loss:
            best_loss, best_epoch = val_loss, epoch
            best_state = {k: v.clone() for k, v in network.state_dict().items()}
        if unfinished is not None and epoch < recipe.epochs:
            state = {
                "parts": [part.state_dict() for part in parts],
                "rows": rows,
                "step_seconds": step_seconds,
                "best_loss": best_loss,
                "best_epoch": best_epoch,
                "best_state": best_state,
            }
            checkpoint.save(unfinished, state)
        on_epoch(row)
    network.load_state_dict(best_state)
    stopped = "epochs" if len(rows) == recipe.epochs else "patience"
    return Fit(pd.DataFrame(rows), best_epoch, stopped, step_seconds)


def _is_over(recipe: Recipe, epoch: int, best_epoch: int) -> bool:
    """Tell whether patience has run out after an epoch."""
    return bool(recipe.patience) and epoch - best_epoch >= recipe.patience


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
    """Mean loss and accuracy over images."""
    logits = predict(
        network, examples, positions, compute=compute, batch_size=recipe.batch_size
    )
    labels = examples.labels[torch.from_numpy(positions).to(logits.device)]
    loss = recipe.loss(logits, labels).sum().item() / len(positions)
    accuracy = (classify(logits) == labels).sum().item() / len(positions)
    return loss, accuracy


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


def _order(train: np.ndarray, labels: Tensor, balanced: bool) -> Tensor:
    """Shuffle an epoch, or draw it with every class equally likely."""
    positions = torch.from_numpy(train)
    if not balanced:
        return positions[torch.randperm(len(positions))]
    counts = torch.bincount(labels[positions])
    weights = 1.0 / counts[labels[positions]]
    return positions[torch.multinomial(weights, len(positions), replacement=True)]


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
