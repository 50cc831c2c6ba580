"""A stored network built again, and where on an image its answer comes from."""

from typing import Any, NamedTuple

import numpy as np
import torch
from captum.attr import LayerAttribution, LayerGradCam
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook

from lightbox.base.files import StoreError
from lightbox.networks import models
from lightbox.networks.weights import AUXILIARY, NO_WEIGHTS
from lightbox.runs.store import Run, read_weights


class Layer(NamedTuple):
    """The layer that Grad-CAM weighs, a named module, and the cells of its output."""

    name: str
    height: int
    width: int


def rebuild(run: Run) -> tuple[nn.Module, str]:
    """Build a run's network again, with the weights that it was tested with.

    Returns:
        The network in eval mode, float32 on the CPU, none of its parameters
        taking gradients; and the name of its head.

    Raises:
        StoreError: The weights are damaged or gone, or are another network's.
    """
    config, data = run.config, run.data
    # A new network draws its weights: the caller's random numbers stay as they are.
    with torch.random.fork_rng(devices=[]):
        network, head = models.build(
            config.model,
            NO_WEIGHTS,
            num_classes=1 if config.output == "sigmoid" else len(data.classes),
            channels=data.channels,
            image_size=config.image_size,
            head_kind=config.head,
        )
    pretrained = config.weights != NO_WEIGHTS
    if config.model in AUXILIARY and pretrained and data.channels == 3:
        # No part of the weights: such a network converts RGB inside.
        network.transform_input = True
    state = read_weights(run)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise StoreError(
            f"the weights of run {run.id} in {run.folder} cannot be used ({reason}): "
            "delete the run's folder and run again"
        ) from None
    return network.eval().requires_grad_(False), head


def normalised(pixels: np.ndarray, run: Run) -> Tensor:
    """Bring images, (N, H, W, C) of uint8, to (N, C, H, W) as the network expects."""
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    mean, std = (
        torch.tensor(run.record["input"][key]).view(1, -1, 1, 1)
        for key in ("mean", "std")
    )
    return (images - mean) / std


def last_convolution(network: nn.Module, head: str, images: Tensor) -> Layer | None:
    """Find the layer that Grad-CAM is made for: the last one with maps of features.

    It is the last convolution that is executed and has more than one cell, widened
    to the outermost block that ends in maps of the same size: `layer4` of a ResNet.
    The head counts for nothing, nor does a convolution that only cuts the image
    into patches, as that of a vision transformer does.

    Args:
        images: At least one, (N, C, H, W).

    Returns:
        The layer, or None where the network has none.
    """
    names = {module: name for name, module in network.named_modules()}
    sizes: dict[str, tuple[int, int]] = {}
    order: list[str] = []

    def remember(module: nn.Module, inputs: Any, output: Any) -> None:
        name = names.get(module, "")
        sizes.pop(name, None)
        if isinstance(output, Tensor) and output.ndim == 4:
            sizes[name] = (output.shape[2], output.shape[3])
            if isinstance(module, nn.Conv2d) and not _cuts_patches(module):
                order.append(name)

    hook = register_module_forward_hook(remember)
    try:
        with torch.no_grad():
            network(images[:1])
    finally:
        hook.remove()
    usable = [name for name in order if name != head and min(sizes[name]) > 1]
    if not usable:
        return None
    last = usable[-1]
    parts = last.split(".")
    for end in range(1, len(parts) + 1):
        block = ".".join(parts[:end])
        holds_head = head == block or head.startswith(f"{block}.")
        if not holds_head and sizes.get(block) == sizes[last]:
            return Layer(block, *sizes[last])
    return None


def _cuts_patches(module: nn.Conv2d) -> bool:
    """Tell a convolution that moves in steps of its own width."""
    width = module.kernel_size[0]
    return width > 1 and module.stride[0] >= width


def class_maps(
    network: nn.Module, layer: str, images: Tensor, targets: list[int]
) -> np.ndarray:
    """Compute Grad-CAM: where a layer's features speak for a class.

    The network may be frozen: its images take the gradients. A single output is
    the logit of the second class; the first class's is its negative.

    Args:
        network: Maps images to logits (N, K) or (N, 1); left as it was.
        images: (N, C, H, W), float32.
        targets: The position of each image's class.

    Returns:
        (N, H, W), float32, at least 0, enlarged to the images bilinearly.

    Source:
        Selvaraju et al. 2017, arXiv 1610.02391, equations 1 and 2: the logit, not
        the probability, is explained.
    """

    def logits(inputs: Tensor) -> Tensor:
        answer = network(inputs)
        return torch.cat([-answer, answer], dim=1) if answer.shape[1] == 1 else answer

    method = LayerGradCam(logits, network.get_submodule(layer))
    inputs = images.clone().requires_grad_(True)
    maps = method.attribute(inputs, target=targets, relu_attributions=True)
    size = tuple(images.shape[2:])
    enlarged = LayerAttribution.interpolate(maps.detach(), size, "bilinear")
    return enlarged[:, 0].numpy()
