"""What is done when the device's memory is full: the same work in smaller parts."""

from collections.abc import Callable
from typing import TypeVar

import torch

from lightbox.errors import LightboxError

# Images in a pass. Two would leave one alone where the batch is odd, and BatchNorm
# cannot normalise a single value.
SMALLEST = 3
Result = TypeVar("Result")


class DeviceMemoryError(LightboxError):
    """A device too small for the smallest part of a batch, with the remedy."""


def attempt(work: Callable[[], Result]) -> Result | None:
    """Work, unless the device's memory is full.

    Args:
        work: Gives anything but None.

    Returns:
        What `work` gave, or None where memory did not suffice; what it had
        allocated is free again then.
    """
    try:
        return work()
    except RuntimeError as error:
        # CUDA has a class for it; MPS, cuDNN and cuBLAS only a message.
        full = isinstance(error, torch.OutOfMemoryError)
        if not full and "out of memory" not in str(error).lower():
            raise
    # Only here, where no traceback holds on to the activations any more.
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return None


def halve(size: int) -> int:
    """Choose the next smaller part of a batch.

    Args:
        size: Images that did not fit.

    Returns:
        Half of them, rounded up.

    Raises:
        DeviceMemoryError: `size` was the smallest already.
    """
    if size <= SMALLEST:
        raise DeviceMemoryError(
            f"the device's memory is full with {size} images at a time: lower "
            "image_size, choose a smaller model, close what else uses the device, or "
            "set device: cpu"
        )
    return max(SMALLEST, -(-size // 2))
