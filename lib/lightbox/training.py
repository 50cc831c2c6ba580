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
from lightbox.gradients import Gradients, batches
from lightbox.inference import evaluate
from lightbox.losses import Focal, Loss
from lightbox.optimizers import make_optimizer, make_schedule

EPOCH_SEEDS = 100_003  # a prime above any epoch count: (seed, epoch) never collide


class TrainingError(LightboxError):
    """Training that cannot go on, with the remedy."""


class DivergenceError(TrainingError):
    """A loss that is no longer finite."""


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
        micro_batch: The most images that went through the network at once; below
            the batch size where the device's memory was short. BatchNorm then
            normalised parts of a batch, see `gradients.Gradients`.
    """

    history: pd.DataFrame
    best_epoch: int
    stopped: str
    step_seconds: float
    micro_batch: int


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
        TrainingError: Fewer than two training images.
        DivergenceError: A loss that is not finite; says where and what to do.
        DeviceMemoryError: Three images at a time are too many for the device.
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
    steps = len(batches(torch.arange(len(train)), recipe.batch_size))
    schedule = make_schedule(
        recipe.schedule, optimizer, total_steps=steps * recipe.epochs
    )
    scaler = compute.scaler()
    gradients = Gradients(
        network,
        examples,
        loss=recipe.loss,
        augment=recipe.augment,
        compute=compute,
        scaler=scaler,
        # One more than the batch: a left-over image may have joined it.
        micro_batch=recipe.batch_size + 1,
    )
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
        gradients.micro_batch = state["micro_batch"]
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
        gradients.start_epoch()
        for positions in batches(order, recipe.batch_size):
            gradients.of(positions)
            scaler.step(optimizer)
            scaler.update()
            schedule.step()
        train_loss = gradients.loss_sum.item() / len(order)  # waits for the device
        step_seconds += time.perf_counter() - started
        val_loss, val_accuracy = evaluate(
            network,
            examples,
            val,
            loss=recipe.loss,
            compute=compute,
            batch_size=min(recipe.batch_size, gradients.micro_batch),
        )
        row = {
            "epoch": epoch,
            "train_loss": train_loss,
            "train_accuracy": gradients.correct.item() / len(order),
            "val_loss": val_loss,
            "val_accuracy": val_accuracy,
            "learning_rate": rate,
            "seconds": time.perf_counter() - started,
        }
        if not np.isfinite([row["train_loss"], val_loss]).all():
            step = min(int(gradients.finite_steps) + 1, steps)
            raise DivergenceError(
                f"the loss is not finite at epoch {epoch}, step {step} of {steps} "
                f"(train {row['train_loss']}, val {val_loss}) with learning_rate "
                f"{recipe.learning_rate:g}: lower it tenfold, or set precision: float32"
            )
        rows.append(row)
        if val_loss < best_loss:
            best_loss, best_epoch = val_loss, epoch
            best_state = {k: v.clone() for k, v in network.state_dict().items()}
        if unfinished is not None:
            states = [part.state_dict() for part in parts]
            state = {
                "parts": states,
                "rows": rows,
                "step_seconds": step_seconds,
                "best_loss": best_loss,
                "best_epoch": best_epoch,
                # The same tensors where this epoch is the best: written once.
                "best_state": states[0] if best_epoch == epoch else best_state,
                "micro_batch": gradients.micro_batch,
            }
            checkpoint.save(unfinished, state)
        on_epoch(row)
    network.load_state_dict(best_state)
    stopped = "epochs" if len(rows) == recipe.epochs else "patience"
    return Fit(
        pd.DataFrame(rows),
        best_epoch,
        stopped,
        step_seconds,
        min(recipe.batch_size, gradients.micro_batch),
    )


def _is_over(recipe: Recipe, epoch: int, best_epoch: int) -> bool:
    """Tell whether patience has run out after an epoch."""
    return bool(recipe.patience) and epoch - best_epoch >= recipe.patience


def _order(train: np.ndarray, labels: Tensor, balanced: bool) -> Tensor:
    """Shuffle an epoch, or draw it with every class equally likely."""
    positions = torch.from_numpy(train)
    if not balanced:
        return positions[torch.randperm(len(positions))]
    counts = torch.bincount(labels[positions])
    weights = 1.0 / counts[labels[positions]]
    return positions[torch.multinomial(weights, len(positions), replacement=True)]
