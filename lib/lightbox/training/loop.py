"""The training loop: one update path, early stopping, the best epoch kept."""

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from lightbox.base.errors import LightboxError
from lightbox.networks.freezing import train_mode
from lightbox.settings.parameters import RunSettings
from lightbox.training import checkpoint, losses
from lightbox.training.batches import Examples, light
from lightbox.training.devices import (
    Compute,
    attempt,
    halve,
    resolve,
    seed_everything,
)
from lightbox.training.inference import classify, evaluate
from lightbox.training.optimizers import make_optimizer, make_schedule

EPOCH_SEEDS = 100_003  # a prime above any epoch count: (seed, epoch) never collide
# A row of `history.csv`; accuracies in [0, 1].
EPOCH = (
    "epoch",
    "train_loss",
    "train_accuracy",
    "val_loss",
    "val_accuracy",
    "learning_rate",
    "seconds",
)


class TrainingError(LightboxError):
    """Training that cannot go on, with the remedy."""


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
        settings: The loss, the augmentation and the batch size.
        train: Positions of the training images, whose classes the loss may weigh.
        compute: Device and precision.

    Attributes:
        micro_batch: The most images that go through the network at once.
        scaler: Scales the loss for float16; its `step` makes the optimizer's.
    """

    def __init__(
        self,
        network: nn.Module,
        examples: Examples,
        settings: RunSettings,
        *,
        train: np.ndarray,
        compute: Compute,
    ):
        # One more than the batch: a left-over image may have joined it.
        self.micro_batch, self.scaler = settings.batch_size + 1, compute.scaler()
        self._network, self._examples, self._compute = network, examples, compute
        labels = examples.labels.cpu()
        counts = torch.bincount(
            labels[torch.from_numpy(train)], minlength=int(labels.max()) + 1
        )
        self.loss = losses.make(settings.loss, gamma=settings.gamma, counts=counts)
        self._augments = settings.augmentation == "light"
        self.start_epoch()

    def start_epoch(self) -> None:
        """Set the sums to zero."""
        zero = torch.zeros((), device=self._compute.device)
        self.loss_sum, self.correct = zero, zero.clone()
        # A sum that has left the finite numbers never comes back: this counts the
        # steps before.
        self.finite_steps = zero.clone()

    def of(self, positions: Tensor) -> None:
        """Compute the gradient of the mean loss of the images at `positions` (B,).

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
            if self._augments:
                inputs = light(inputs)
            labels = self._examples.labels[part.to(self._examples.labels.device)]
            with self._compute.autocast():
                logits = self._network(inputs)
            values = self.loss(logits.float(), labels)
            self.scaler.scale(values.sum() / len(positions)).backward()
            # Sums over images, never means of batch means: the last batch is short.
            loss_sum = loss_sum + values.detach().sum()
            correct = correct + (classify(logits.detach()) == labels).sum()
        return loss_sum, correct


def batches(order: Tensor, size: int) -> list[Tensor]:
    """Cut positions into batches; a single left-over image joins the batch before.

    BatchNorm cannot normalise one value, and dropping the image would make the
    training set depend on the batch size.
    """
    parts = list(order.split(size))
    if len(parts) > 1 and len(parts[-1]) == 1:
        last = parts.pop()
        parts[-1] = torch.cat([parts[-1], last])
    return parts


@dataclass(frozen=True)
class Fit:
    """What training gave."""

    history: pd.DataFrame  # one row per finished epoch, columns `EPOCH`
    best_epoch: int  # of the lowest val loss, whose weights are kept; 0: diverged
    stopped: str  # "patience", "epochs" or "divergence"
    step_seconds: float  # of all epochs, without validation
    # The most images that went through the network at once; below the batch size where
    # the device's memory was short: see `Gradients` on BatchNorm.
    micro_batch: int
    message: str = ""  # why training diverged and what to do


def fit(
    network: nn.Module,
    examples: Examples,
    settings: RunSettings,
    *,
    train: np.ndarray,
    val: np.ndarray,
    training: set[str],
    on_epoch: Callable[[dict[str, float]], None],
    unfinished: Path | None = None,
) -> Fit:
    """Train; leave the best epoch's weights in place.

    Selection sees val only: the epoch with the lowest val loss wins. A loss that is
    not finite ends training: nothing is selected then.

    Args:
        network: Maps a batch of `examples` to logits (B, K); on the device,
            frozen parts with `requires_grad = False`. Changed in place.
        examples: Inputs and labels by position.
        unfinished: Where each epoch's state is kept. If it holds one, training
            goes on behind it and ends with the bits of an undisturbed run: an
            epoch's dice come from seed and epoch alone.

    Raises:
        TrainingError: Fewer than two training images.
        DeviceMemoryError: Three images at a time are too many for the device.
    """
    if len(train) < 2:
        raise TrainingError(
            f"train has {len(train)} image: training needs at least two images"
        )
    state = _State(network, examples, settings, train, training)
    if unfinished is not None:
        state.resume(unfinished)
    for row in state.rows:
        on_epoch(row)
    while not state.is_over:
        started = time.perf_counter()
        row = state.train_epoch()
        row |= state.validate(val) | {"seconds": time.perf_counter() - started}
        if not np.isfinite([row["train_loss"], row["val_loss"]]).all():
            return state.outcome(state.divergence(row))
        state.keep(row)
        if unfinished is not None:
            state.save(unfinished)
        on_epoch(row)
    network.load_state_dict(state.best_state)
    return state.outcome()


class _State:
    """A network under way: what changes from step to step and from epoch to epoch."""

    def __init__(
        self,
        network: nn.Module,
        examples: Examples,
        settings: RunSettings,
        train: np.ndarray,
        training: set[str],
    ):
        self._network, self._examples, self._settings = network, examples, settings
        self._train, self._training = train, training
        self._compute = resolve(settings.device, settings.precision)
        self._optimizer = make_optimizer(settings, network.parameters())
        self._steps = len(batches(torch.arange(len(train)), settings.batch_size))
        self._schedule = make_schedule(
            settings.schedule,
            self._optimizer,
            total_steps=self._steps * settings.epochs,
        )
        self._gradients = Gradients(
            network, examples, settings, train=train, compute=self._compute
        )
        scaler = self._gradients.scaler
        self._parts = (network, self._optimizer, self._schedule, scaler)
        self.rows: list[dict[str, float]] = []
        self._step_seconds, self._best_loss, self._best_epoch = 0.0, float("inf"), 0
        self.best_state: dict[str, Tensor] = {}

    @property
    def is_over(self) -> bool:
        """Whether the last epoch is done or patience has run out."""
        done, patience = len(self.rows), self._settings.patience
        impatient = bool(patience) and done - self._best_epoch >= patience
        return impatient or done >= self._settings.epochs

    def train_epoch(self) -> dict[str, float]:
        """Make one epoch's steps."""
        started, epoch = time.perf_counter(), len(self.rows) + 1
        seed_everything(self._settings.seed * EPOCH_SEEDS + epoch)
        balanced = self._settings.sampling == "balanced"
        order = draw_order(self._train, self._examples.labels.cpu(), balanced)
        train_mode(self._network, self._training)
        rate = self._optimizer.param_groups[0]["lr"]
        gradients = self._gradients
        gradients.start_epoch()
        for positions in batches(order, self._settings.batch_size):
            gradients.of(positions)
            gradients.scaler.step(self._optimizer)
            gradients.scaler.update()
            self._schedule.step()
        train_loss = gradients.loss_sum.item() / len(order)  # waits for the device
        self._step_seconds += time.perf_counter() - started
        return {
            "epoch": epoch,
            "train_loss": train_loss,
            "train_accuracy": gradients.correct.item() / len(order),
            "learning_rate": rate,
        }

    def validate(self, val: np.ndarray) -> dict[str, float]:
        """Score the images that select."""
        loss, accuracy = evaluate(
            self._network,
            self._examples,
            val,
            loss=self._gradients.loss,
            compute=self._compute,
            batch_size=self._micro_batch,
        )
        return {"val_loss": loss, "val_accuracy": accuracy}

    @property
    def _micro_batch(self) -> int:
        return min(self._settings.batch_size, self._gradients.micro_batch)

    def divergence(self, row: dict[str, float]) -> str:
        """Say where the loss left the finite numbers, and what to do."""
        step = min(int(self._gradients.finite_steps) + 1, self._steps)
        return (
            f"the loss is not finite at epoch {row['epoch']}, step {step} of "
            f"{self._steps} (train {row['train_loss']}, val {row['val_loss']}) with "
            f"learning_rate {self._settings.learning_rate:g}: lower it tenfold, or set "
            "precision: float32"
        )

    def keep(self, row: dict[str, float]) -> None:
        """Add an epoch; keep its weights where it is the best so far."""
        self.rows.append({name: row[name] for name in EPOCH})
        if row["val_loss"] < self._best_loss:
            self._best_loss, self._best_epoch = row["val_loss"], len(self.rows)
            state = self._network.state_dict()
            self.best_state = {name: value.clone() for name, value in state.items()}

    def save(self, path: Path) -> None:
        """Write everything down that the next epoch depends on."""
        states = [part.state_dict() for part in self._parts]
        # The same tensors where this epoch is the best: written once.
        best = states[0] if self._best_epoch == len(self.rows) else self.best_state
        state = {
            "parts": states,
            "rows": self.rows,
            "step_seconds": self._step_seconds,
            "best_loss": self._best_loss,
            "best_epoch": self._best_epoch,
            "best_state": best,
            "micro_batch": self._gradients.micro_batch,
        }
        checkpoint.save(path, state)

    def resume(self, path: Path) -> None:
        """Go back to where a broken-off run was, if it has left a state."""
        state = checkpoint.load(path)
        if state is None:
            return
        for part, kept in zip(self._parts, state["parts"], strict=True):
            part.load_state_dict(kept)
        self.rows, self._step_seconds = state["rows"], state["step_seconds"]
        self._best_loss, self._best_epoch = state["best_loss"], state["best_epoch"]
        self.best_state = state["best_state"]
        self._gradients.micro_batch = state["micro_batch"]

    def outcome(self, message: str = "") -> Fit:
        """Close; `message` says why training diverged."""
        history = pd.DataFrame(self.rows, columns=list(EPOCH))
        whole = len(history) == self._settings.epochs
        return Fit(
            history if self.rows else history.astype(float),
            0 if message else self._best_epoch,
            "divergence" if message else "epochs" if whole else "patience",
            self._step_seconds,
            self._micro_batch,
            message,
        )


def draw_order(train: np.ndarray, labels: Tensor, balanced: bool) -> Tensor:
    """Shuffle an epoch, or draw it with replacement and every class equally likely."""
    positions = torch.from_numpy(train)
    if not balanced:
        return positions[torch.randperm(len(positions))]
    counts = torch.bincount(labels[positions])
    weights = 1.0 / counts[labels[positions]]
    return positions[torch.multinomial(weights, len(positions), replacement=True)]
