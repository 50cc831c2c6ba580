"""Strategies: which layers train, frozen ones that truly stay, and the proof.

`requires_grad = False` alone leaves BatchNorm's running statistics moving and
dropout active (pytorch #66073). Here a frozen layer is in eval mode during every
training step, and a hash over its parameters and buffers certifies it.
"""

import hashlib

import torch
from torch import Tensor, nn

from lightbox.base.errors import ParameterError, did_you_mean


def trainable_layers(
    network: nn.Module,
    strategy: str,
    *,
    head: str,
    first_trainable: str | None = None,
    frozen: tuple[str, ...] = (),
) -> set[str]:
    """Name the modules that train under a strategy.

    Args:
        strategy: `feature_extraction` (the head alone), `fine_tuning` (all) or
            `partial` (all from `first_trainable` on, in order of definition,
            which is torchvision's order of execution; or all but `frozen`).
        first_trainable: A module's name such as `layer4`.
        frozen: Names of modules, or `features.2:30` for the children 2 to 30 (both
            included) of `features`.

    Returns:
        Names of modules of which every parameter trains. A module that holds
        trainable and frozen parts is not among them.

    Raises:
        ParameterError: `partial` without a layer, with both ways, or with an
            unknown layer.
    """
    order = [name for name, _ in network.named_modules() if name]
    leaves = [name for name in order if not any(network.get_submodule(name).children())]
    if strategy == "fine_tuning":
        return {"", *order}
    if strategy == "feature_extraction":
        return {name for name in order if _within(name, head)}
    if bool(first_trainable) == bool(frozen):
        middle = leaves[len(leaves) // 2].rsplit(".", 1)[0]
        raise ParameterError(
            "strategy 'partial' needs either first_trainable, the name of the first "
            f"layer that trains, such as {middle!r}, or frozen, a list of layers"
        )
    if frozen:
        blocks = [name for entry in frozen for name in _expand(entry, order)]
        training = {
            leaf for leaf in leaves if not any(_within(leaf, block) for block in blocks)
        }
    else:
        _check_layer("first_trainable", first_trainable, order)
        first = next(
            i for i, name in enumerate(leaves) if _within(name, first_trainable)
        )
        training = set(leaves[first:])
    # A block trains where all of its leaves do; then its own parameters may too.
    for name in order:
        inside = [leaf for leaf in leaves if _within(leaf, name)]
        if inside and training.issuperset(inside):
            training.add(name)
    return training


def _expand(entry: str, order: list[str]) -> list[str]:
    """Name the layers that an entry of `frozen` means."""
    block, _, last = entry.partition(":")
    if not last:
        _check_layer("frozen", entry, order)
        return [entry]
    parent, _, first = block.rpartition(".")
    if not (first.isdigit() and last.isdigit() and int(first) <= int(last)):
        raise ParameterError(
            f"frozen: {entry!r} is no range; write children as 'features.2:30'"
        )
    names = [f"{parent}.{i}".lstrip(".") for i in range(int(first), int(last) + 1)]
    for name in names:
        _check_layer("frozen", name, order)
    return names


def _check_layer(parameter: str, name: str, order: list[str]) -> None:
    """Refuse a layer that the network does not have."""
    if name not in order:
        raise ParameterError(
            f"{parameter}: no layer is named {name!r}{did_you_mean(name, order)}"
        )


def _within(name: str, block: str) -> bool:
    """Tell whether a module is the block or lies inside it."""
    return name == block or name.startswith(f"{block}.")


def freeze(network: nn.Module, training: set[str]) -> None:
    """Let only the named modules' own parameters take gradients."""
    for name, module in network.named_modules():
        for parameter in module.parameters(recurse=False):
            parameter.requires_grad_(name in training)


def train_mode(network: nn.Module, training: set[str]) -> None:
    """Put the named modules into train mode and every other one into eval mode."""
    for name, module in network.named_modules():
        module.training = name in training


def frozen_tensors(network: nn.Module, training: set[str]) -> dict[str, Tensor]:
    """Collect every parameter and buffer that must not move, by name."""
    return {
        name: tensor
        for name, tensor in network.state_dict().items()
        if name.rpartition(".")[0] not in training
    }


def fingerprint(tensors: dict[str, Tensor]) -> str:
    """Hash names, shapes and bytes of tensors, bit by bit, in order of the names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
