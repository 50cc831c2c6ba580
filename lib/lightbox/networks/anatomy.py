"""What a network is made of: layers, output shapes, parameters, FLOPs, depth.

Everything is read off one forward pass of a single image on torch's `meta` device:
shapes without numbers, so that neither memory nor time is spent on arithmetic.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode
from torch.utils.weak import WeakIdKeyDictionary

ATEN = torch.ops.aten
PRODUCTS = {ATEN.convolution, ATEN.mm, ATEN.addmm, ATEN.bmm, ATEN.baddbmm}
# Their children hold parameters but are never called by themselves.
WHOLE = (nn.MultiheadAttention,)


@dataclass(frozen=True)
class Anatomy:
    """What one forward pass of one image shows.

    Attributes:
        flops: Of convolutions and matrix products, a multiply-add counted as 2.
        depth: Convolution and linear layers on the longest path.
        layers: One row per call of a layer, in the order in which the image meets
            them: `layer` (name), `type`, `output_shape` (such as `1x64x112x112`),
            `parameters` (0 where a layer is met again), `flops`; a last row `total`,
            where parameters and FLOPs outside any layer are counted too.
        blocks: The output shape of each module that holds layers, by name: what its
            branches come to together.
    """

    flops: int
    depth: int
    layers: pd.DataFrame
    blocks: dict[str, str]


class _LongestPath(TorchDispatchMode):
    """Follow tensors from the image on, counting the weighted layers behind each."""

    def __init__(self, images: Tensor) -> None:
        super().__init__()
        self.behind = WeakIdKeyDictionary()
        self.behind[images] = 0
        self.depth = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        given = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
        result = func(*args, **(kwargs or {}))
        known = [self.behind[t] for t in given if t in self.behind]
        if known:
            # A product of two tensors that both come from the image (attention's
            # queries by keys) has no weights of its own and is no layer.
            layer = func.overloadpacket in PRODUCTS and len(known) < len(given)
            count = max(known) + int(layer)
            for tensor in tree_leaves(result):
                if isinstance(tensor, Tensor):
                    self.behind[tensor] = count
            self.depth = max(self.depth, count)
        return result


def anatomy(network: nn.Module, image_size: int, channels: int) -> Anatomy:
    """Look into a network with one image that has a shape but no content.

    Args:
        network: Any network of images (N, C, H, W); neither its weights nor its
            mode are changed, whatever device it is on.

    Source:
        Depth is the number of convolution and linear layers on the longest path
        from image to logits: of parallel branches the longer counts, attention's
        query, key and value projections are one layer, its output another. It
        gives 18 for ResNet-18 (He et al. 2016) and 121 for DenseNet-121 (Huang et
        al. 2017).
    """
    images = torch.empty(1, channels, image_size, image_size, device="meta")
    state = {
        name: torch.empty_like(tensor, dtype=_dtype(tensor), device="meta")
        for name, tensor in [*network.named_parameters(), *network.named_buffers()]
    }
    counter, path = FlopCounterMode(display=False), _LongestPath(images)
    rows: list[dict[str, Any]] = []
    blocks: dict[str, str] = {}
    with (
        torch.no_grad(),
        _evaluating(network),
        sdpa_kernel(SDPBackend.MATH),
        _watched(network, counter.get_total_flops, rows, blocks),
        counter,
        path,
    ):
        functional_call(network, state, (images,))
    total = {
        "layer": "total",
        "type": type(network).__name__,
        "output_shape": blocks.pop(""),
        "parameters": sum(p.numel() for p in network.parameters()),
        "flops": int(counter.get_total_flops()),
    }
    return Anatomy(total["flops"], path.depth, pd.DataFrame([*rows, total]), blocks)


def _dtype(tensor: Tensor) -> torch.dtype:
    """Count half-precision networks like others: the image is float32."""
    return torch.float32 if tensor.is_floating_point() else tensor.dtype


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """Switch to evaluation mode without attention's fused path, then back."""
    modes = {module: module.training for module in network.modules()}
    fused = torch.backends.mha.get_fastpath_enabled()
    # The fused kernel hides the products that are to be counted.
    torch.backends.mha.set_fastpath_enabled(False)
    network.eval()
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
        for module, training in modes.items():
            module.training = training


@contextmanager
def _watched(
    network: nn.Module,
    total: Callable[[], int],
    rows: list[dict[str, Any]],
    blocks: dict[str, str],
) -> Iterator[None]:
    """Write down each layer, and each block's output, as they are called."""
    started: dict[str, int] = {}
    met: set[int] = set()

    def before(name: str, module: nn.Module, args: Any) -> None:
        started[name] = total()

    def after(name: str, module: nn.Module, args: Any, output: Any) -> None:
        tensor = next(t for t in tree_leaves(output) if isinstance(t, Tensor))
        shape = "x".join(map(str, tensor.shape))
        if not _is_layer(module):
            blocks[name] = shape
            return
        # functional_call swaps the parameters, so tensors keep no identity:
        # layers do.
        new = id(module) not in met
        met.add(id(module))
        rows.append(
            {
                "layer": name,
                "type": type(module).__name__,
                "output_shape": shape,
                "parameters": new * sum(p.numel() for p in module.parameters()),
                "flops": total() - started[name],
            }
        )

    handles = []
    inside: tuple[str, ...] = ()  # of the layers that hold parts of their own
    for name, module in network.named_modules():
        if name.startswith(inside):
            continue
        if isinstance(module, WHOLE):
            inside += (f"{name}.",)
        handles.append(module.register_forward_pre_hook(partial(before, name)))
        handles.append(module.register_forward_hook(partial(after, name)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _is_layer(module: nn.Module) -> bool:
    return isinstance(module, WHOLE) or not any(module.children())
