"""The gradient of a batch, in as many passes as the device's memory asks for."""

import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

from lightbox.devices import Compute
from lightbox.examples import Examples
from lightbox.inference import classify
from lightbox.losses import Loss
from lightbox.out_of_memory import attempt, halve


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
