"""torchvision's networks by name, with the weights asked for and a new head."""

from typing import Any

import torch
import torchvision
from torch import nn
from torchvision.models.vision_transformer import interpolate_embeddings

from lightbox.base.errors import ParameterError, did_you_mean
from lightbox.networks.architectures import OWN, check_patch
from lightbox.networks.weights import AUXILIARY, load, resolve_weights, state_dict

# Side of a patch: these cut an image into whole patches, at any size that fits.
PATCHES = {
    "vit_b_16": 16,
    "vit_b_32": 32,
    "vit_h_14": 14,
    "vit_l_16": 16,
    "vit_l_32": 32,
    "vit_s2_patch10": 10,
    "vit_s2_patch15": 15,
}
OWN_LEAST = {"alexnet_2012": 63}  # pixels that its strides need; the others take 16


def names() -> list[str]:
    """List the classification networks: torchvision's and our own."""
    return [*torchvision.models.list_models(module=torchvision.models), *OWN]


def check(model: str, weights: str, image_size: int) -> None:
    """Refuse an unknown network or weights before anything slow begins.

    Raises:
        ParameterError: Either is unknown, or the images are too small for the
            network's strides.
        WeightsError: A weights file does not exist.
    """
    if model not in names():
        hint = did_you_mean(model, names()) or "; see torchvision.models.list_models()"
        raise ParameterError(
            f"models: torchvision has no classification network named {model!r}{hint}"
        )
    resolve_weights(model, weights)
    if patch := PATCHES.get(model):
        check_patch(patch, image_size)
        return
    least = OWN_LEAST.get(model, 16)
    if model not in OWN:
        meta = torchvision.models.get_model_weights(model).DEFAULT.meta
        least = max(meta["min_size"])
    if image_size < least:
        raise ParameterError(
            f"image_size = {image_size}: {model} needs {least} pixels or more"
        )


def build(
    model: str,
    weights: str,
    *,
    num_classes: int,
    channels: int,
    image_size: int = 224,
    first_layer: str = "sum",
    head_kind: str = "linear",
) -> tuple[nn.Module, str]:
    """Build a network with its weights, its input fitted and its head replaced.

    Args:
        num_classes: K, the outputs of the new head; 1 for a sigmoid.
        channels: 1 or 3.
        first_layer: With one channel, `sum` sums the kernels of the first
            convolution over RGB, which equals feeding the grey image three times;
            `reinitialise` draws them anew.
        head_kind: `linear`, or course report S4's `mlp_64` or `mlp_32`.

    Returns:
        The network, in float32 on the CPU, which maps images (N, channels, H, W)
        to logits (N, K), and the name of its head module.

    Raises:
        WeightsError: The weights are not on this machine and cannot be fetched,
            or the file is not this network's.
        ParameterError: An MLP head on a network that ends in a convolution.
    """
    found = resolve_weights(model, weights)
    options: dict[str, Any] = {}
    if model in AUXILIARY:
        # Their weights were trained on [-1, 1] inputs: torchvision converts RGB
        # inside the network, `preprocessing` states it for one channel.
        transform = found is not None and channels == 3
        options = {"aux_logits": False, "init_weights": found is None}
        options["transform_input"] = transform
    if model in PATCHES:
        options["image_size"] = image_size
    if model in OWN:
        network = OWN[model](**options)
    else:
        network = torchvision.models.get_model(model, weights=None, **options)
    head = head_name(network)
    if found is not None:
        state = state_dict(found)
        if model in PATCHES:
            state = interpolate_embeddings(image_size, PATCHES[model], state)
        load(network, state, head=head, source=str(found))
    if channels == 1:
        _one_channel(network, summed=first_layer == "sum")
    replace_head(network, head, num_classes, head_kind)
    return network, head


def head_name(network: nn.Module) -> str:
    """Find the layer that makes the logits: the last linear one, else convolution."""
    # SqueezeNet classifies with a 1 x 1 convolution and has no linear layer.
    for kind in (nn.Linear, nn.Conv2d):
        found = [n for n, module in network.named_modules() if isinstance(module, kind)]
        if found:
            return found[-1]
    raise ParameterError("the network has neither a linear nor a convolution layer")


def replace_head(
    network: nn.Module, head: str, num_classes: int, kind: str = "linear"
) -> None:
    """Put a fresh head with K outputs in the place of the last layer.

    Raises:
        ParameterError: An MLP head on a network that ends in a convolution.
    """
    old = network.get_submodule(head)
    if kind != "linear":
        if not isinstance(old, nn.Linear):
            raise ParameterError(
                f"head = {kind!r}: {type(network).__name__} ends in a convolution; "
                "use head 'linear'"
            )
        width = int(kind.removeprefix("mlp_"))
        new: nn.Module = _mlp(old.in_features, width, num_classes)
    elif isinstance(old, nn.Linear):
        new = nn.Linear(old.in_features, num_classes)
    else:
        new = nn.Conv2d(old.in_channels, num_classes, old.kernel_size)
    network.set_submodule(head, new)


def _mlp(features: int, width: int, outputs: int) -> nn.Sequential:
    """Build course report S4's head; its last sigmoid is in the loss."""
    return nn.Sequential(
        nn.BatchNorm1d(features),
        nn.Linear(features, 128),
        nn.ReLU(),
        nn.Dropout(0.25),
        nn.BatchNorm1d(128),
        nn.Linear(128, width),
        nn.Sigmoid(),
        nn.Dropout(0.2),
        nn.BatchNorm1d(width),
        nn.Linear(width, outputs),
    )


def _one_channel(network: nn.Module, *, summed: bool) -> None:
    """Make the first convolution take one channel."""
    name, first = next(
        (name, module)
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d)
    )
    grey = nn.Conv2d(
        1,
        first.out_channels,
        first.kernel_size,
        first.stride,
        first.padding,
        bias=first.bias is not None,
    )
    if summed:
        with torch.no_grad():
            grey.weight.copy_(first.weight.sum(dim=1, keepdim=True))
            if first.bias is not None:
                grey.bias.copy_(first.bias)
    network.set_submodule(name, grey)
