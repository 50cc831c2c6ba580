"""The training loop: one update path, early stopping, the best epoch kept."""

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from lightbox.base.errors import LightboxError
from lightbox.networks.freezing import train_mode
from lightbox.training import checkpoint
from lightbox.training.batches import Examples
from lightbox.training.devices import Compute, attempt, halve, seed_everything
from lightbox.training.inference import classify, evaluate
from lightbox.training.losses import Focal, Loss
from lightbox.training.optimizers import make_optimizer, make_schedule


class Gradients:
    """Leaves each batch's mean gradient in the network, and counts the epoch.

    A batch that does not fit into the device's memory is cut into equal parts that
    do, and the parts' gradients are summed: the step is still that of the
    whole batch. What differs is BatchNorm, which normalises each part by the
    part's own mean and variance, and whose running statistics also keep the share
    of the pass that failed.

    Args:
        network: Maps a batch of `examples` to logits; in train mode.
        examples: Inputs and labels by position.
        loss: One value per image, of logits and labels.
        augment: Changes a batch of images, or None.
        compute: Device and precision.
        scaler: Scales the loss for float16.
        micro_batch: The most images that go through the network at once.
    """

    def __init__(
        self,
        network: nn.Module,
        examples: Examples,
        *,
        loss: Loss,
        augment: Callable[[Tensor], Tensor] | None,
        compute: Compute,
        scaler: torch.amp.GradScaler,
        micro_batch: int,
    ):
        self.micro_batch = micro_batch
        self._network, self._examples = network, examples
        self._loss, self._augment = loss, augment
        self._compute, self._scaler = compute, scaler
        self.start_epoch()

    def start_epoch(self) -> None:
        """Set the sums to zero."""
        zero = torch.zeros((), device=self._compute.device)
        self.loss_sum, self.correct = zero, zero.clone()
        # A sum that has left the finite numbers never comes back: this counts the
        # steps before.
        self.finite_steps = zero.clone()

    def of(self, positions: Tensor) -> None:
        """Compute the gradient of a batch's mean loss.

        Args:
            positions: (B,), of the batch's images.

        Raises:
            DeviceMemoryError: Three images at a time are too many.
        """
        while (sums := attempt(lambda: self._passes(positions))) is None:
            tried = min(self.micro_batch, len(positions))
            self.micro_batch = halve(tried)
            warnings.warn(
                f"the device's memory is full with {tried} images at a time: going on "
                f"with {self.micro_batch}, whose gradients are summed",
                stacklevel=2,
            )
        # On the device: reading them here would wait for every step.
        self.loss_sum = self.loss_sum + sums[0]
        self.correct = self.correct + sums[1]
        self.finite_steps = self.finite_steps + torch.isfinite(self.loss_sum)

    def _passes(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Go forward and backward part by part; sum loss and hits."""
        self._network.zero_grad(set_to_none=True)
        loss_sum = correct = torch.zeros((), device=self._compute.device)
        # Equal parts: none above the limit, none of a single image.
        for part in positions.tensor_split(-(-len(positions) // self.micro_batch)):
            inputs = self._examples.batch(part)
            if self._augment is not None:
                inputs = self._augment(inputs)
            labels = self._examples.labels[part.to(self._examples.labels.device)]
            with self._compute.autocast():
                logits = self._network(inputs)
            losses = self._loss(logits.float(), labels)
            self._scaler.scale(losses.sum() / len(positions)).backward()
            # Sums over images, never means of batch means: the last batch is short.
            loss_sum = loss_sum + losses.detach().sum()
            correct = correct + (classify(logits.detach()) == labels).sum()
        return loss_sum, correct


def batches(order: Tensor, size: int) -> list[Tensor]:
    """Cut positions into batches; a single left-over image joins the batch before.

    BatchNorm cannot normalise one value, and dropping the image would make the
    training set depend on the batch size.

    Args:
        order: (N,), positions.
        size: Images in a batch.

    Returns:
        Parts of `order`, in order.
    """
    parts = list(order.split(size))
    if len(parts) > 1 and len(parts[-1]) == 1:
        last = parts.pop()
        parts[-1] = torch.cat([parts[-1], last])
    return parts


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
