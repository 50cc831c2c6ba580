"""Where a run computes, in which numbers, from which random state, in what memory."""

import os
import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch

from lightbox.base.errors import LightboxError, ParameterError

# Images in a pass. Two would leave one alone where the batch is odd, and BatchNorm
# cannot normalise a single value.
SMALLEST = 3
Result = TypeVar("Result")


class DeviceMemoryError(LightboxError):
    """A device too small for the smallest part of a batch, with the remedy."""


def attempt(work: Callable[[], Result]) -> Result | None:
    """Work, or give None where the device's memory did not suffice: it is free then."""
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
    """Choose the next smaller part of a batch: half the images, rounded up.

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


DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


@dataclass(frozen=True)
class Compute:
    """Where and in which precision a run computes.

    Attributes:
        device: `cpu`, `cuda` or `mps`.
        precision: A key of `DTYPES`; the forward pass runs in it under
            autocast, weights, losses and sums stay float32.
    """

    device: str
    precision: str

    def autocast(self) -> AbstractContextManager[None]:
        """Give the context that a forward pass runs in."""
        return torch.autocast(
            self.device,
            dtype=DTYPES[self.precision],
            enabled=self.precision != "float32",
        )

    def scaler(self) -> torch.amp.GradScaler:
        """Give the loss scaler: at work for float16 only, whose range needs it."""
        return torch.amp.GradScaler(self.device, enabled=self.precision == "float16")


def resolve(device: str = "auto", precision: str = "auto") -> Compute:
    """Choose the device and the precision; no `auto` is left.

    `auto` takes CUDA, then Apple's MPS, then the CPU; bfloat16 where the
    hardware computes it natively (Ampere and later, AVX-512 BF16, AMX), float16
    with loss scaling on older CUDA cards (a T4), else float32.

    Raises:
        ParameterError: A device that this machine does not have, or float16 on
            a CPU, where it is slower than float32.
    """
    present = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if device == "auto":
        device = next(name for name, there in present.items() if there)
    if not present[device]:
        have = ", ".join(name for name, there in present.items() if there)
        raise ParameterError(
            f"device = {device!r}: this machine has {have}; use 'auto' or one of them"
        )
    if precision == "auto":
        precision = _native_precision(device)
    if device == "cpu" and precision == "float16":
        raise ParameterError(
            "precision = 'float16' on a CPU: use 'auto', 'bfloat16' or 'float32'"
        )
    return Compute(device, precision)


def _native_precision(device: str) -> str:
    """Name the fastest precision that the device computes natively and safely."""
    if device == "cuda":
        # Turing emulates bfloat16: correct, but slower than float32.
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return "bfloat16" if native else "float16"
    if device == "cpu":
        # Private, but the only question torch offers; absent on other builds.
        ask = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
        return "bfloat16" if ask() else "float32"
    return "float32"


def seed_everything(seed: int) -> None:
    """Set every random source and ask torch for deterministic kernels.

    Operations without a deterministic CUDA kernel only warn: the same bytes are
    promised per machine on the CPU, closeness elsewhere.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)  # CUDA and MPS too
    torch.use_deterministic_algorithms(True, warn_only=True)
    # It would fill every new tensor with NaN, to expose kernels that read what
    # they have not written: a pass over the memory for nothing.
    torch.utils.deterministic.fill_uninitialized_memory = False
    torch.backends.cudnn.benchmark = False
