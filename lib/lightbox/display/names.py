"""How runs, networks and settings are named."""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from lightbox.base.words import words

_FAMILIES = {
    "alexnet": "AlexNet",
    "convnext": "ConvNeXt",
    "densenet": "DenseNet",
    "efficientnet": "EfficientNet",
    "efficientnet_v2": "EfficientNet-V2",
    "googlenet": "GoogLeNet",
    "inception_v": "Inception-v",
    "maxvit": "MaxViT",
    "mnasnet": "MNASNet",
    "mobilenet_v": "MobileNet-v",
    "regnet": "RegNet",
    "resnet": "ResNet",
    "resnext": "ResNeXt",
    "shufflenet_v2": "ShuffleNet-v2",
    "squeezenet": "SqueezeNet",
    "swin": "Swin",
    "swin_v2": "Swin-v2",
    "vgg": "VGG",
    "vit": "ViT",
    "wide_resnet": "Wide ResNet",
}

# Networks that torchvision does not have.
_OWN = {
    "alexnet_2012": "AlexNet (2012)",
    "conv_model": "ConvModel",
    "vit_s2_patch10": "ViT, patch 10",
    "vit_s2_patch15": "ViT, patch 15",
}


def model_name(model: str) -> str:
    """Write a model's name as papers do: `resnet18` becomes `ResNet-18`.

    Args:
        model: The name in torchvision.

    Returns:
        The display name; an unknown family keeps its own spelling.
    """
    if model in _OWN:
        return _OWN[model]
    for family in sorted(_FAMILIES, key=len, reverse=True):
        match = re.fullmatch(rf"{family}_?(.*)", model)
        if match:
            shown, rest = _FAMILIES[family], match[1].upper().replace("_", "-")
            if not rest:
                return shown
            joined = shown.endswith("v")  # MobileNet-v2, Inception-v3
            return f"{shown}{rest.lower()}" if joined else f"{shown}-{rest}"
    return model


def strategy_name(strategy: str) -> str:
    """Name a strategy: `fine_tuning` is `fine-tuning`, in Chinese 微調.

    Args:
        strategy: `"feature_extraction"`, `"fine_tuning"` or `"partial"`.

    Returns:
        The display name; an unknown strategy keeps its own spelling.
    """
    return words().get(strategy, strategy)


# What is named only where runs differ in it, in the order in which it is named.
SETTINGS = (
    "weights",
    "first_layer",
    "first_trainable",
    "frozen",
    "head",
    "output",
    "image_size",
    "resize",
    "augmentation",
    "sampling",
    "loss",
    "gamma",
    "optimizer",
    "momentum",
    "schedule",
    "learning_rate",
    "batch_size",
    "epochs",
    "patience",
    "seed",
)
# Named by their value alone: the value says what it is of.
_BARE = ("loss", "optimizer")


def setting(run: Any, key: str) -> str:
    """Write one setting of a run as it is shown.

    Args:
        run: A finished run.
        key: A key of `SETTINGS`.

    Returns:
        The value; weights without the model, which another word already names,
        the focal loss with its gamma, an empty text for None.
    """
    config = run.config
    value = getattr(config, key)
    if value is None:
        return ""
    if key == "weights":
        return str(value).rpartition("_Weights.")[2]
    if key == "loss":
        gamma = f" γ = {config.gamma:g}" if value == "focal" else ""
        return words().get(value, value) + gamma
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return words().get(value, value) if key in _BARE else str(value)


def setting_title(key: str) -> str:
    """Name a setting as the head of a column.

    Args:
        key: A key of `SETTINGS`.

    Returns:
        The words.
    """
    return words()["loss_name" if key == "loss" else key]


def varying(runs: Sequence[Any]) -> list[str]:
    """Find the settings, beside model and strategy, in which runs differ.

    Args:
        runs: Finished runs.

    Returns:
        Keys of the configuration, in the order of `SETTINGS`; `gamma` only as
        part of `loss`.
    """
    shown = (key for key in SETTINGS if key != "gamma")
    return [key for key in shown if len({setting(run, key) for run in runs}) > 1]


def seed_groups(runs: Sequence[Any]) -> list[list[Any]]:
    """Put runs together that differ in their seed alone.

    Args:
        runs: Finished runs.

    Returns:
        The groups, by the place of their first run.
    """
    groups: dict[str, list[Any]] = {}
    for run in runs:
        config = run.config.model_dump(exclude={"seed"})
        key = json.dumps(config, sort_keys=True, default=str)
        groups.setdefault(key, []).append(run)
    return list(groups.values())


def set_names(runs: Sequence[Any]) -> list[str] | None:
    """Give the labels of the sets, where they tell runs of a model apart.

    Args:
        runs: Finished runs.

    Returns:
        A label a run; None where a run has none, or all have the same.
    """
    names = [run.config.name for run in runs]
    return names if all(names) and len(set(names)) > 1 else None


def run_names(runs: Sequence[Any], *, seeds: bool = True) -> list[str]:
    """Name runs so that no two share a name: `ResNet-18 · fine-tuning`.

    Args:
        runs: Finished runs.
        seeds: Whether seeds are named where they differ.

    Returns:
        One name a run, with the label of its set behind it, or, where labels do
        not tell all runs apart, the settings in which the runs differ.
    """
    extra = [key for key in varying(runs) if key != "seed"]
    heads = []
    for run in runs:
        config = run.config
        strategy = strategy_name(config.strategy)
        heads.append([model_name(config.model), strategy])
    labels = set_names(runs)
    told = len({(*h, n) for h, n in zip(heads, labels or [], strict=False)})
    if labels and told == len(seed_groups(runs)):
        tails = [[label] for label in labels]
    else:
        tails = [_named(run, extra) for run in runs]
    if seeds and "seed" in varying(runs):
        for run, tail in zip(runs, tails, strict=True):
            tail += _named(run, ["seed"])
    return [" · ".join([*head, *tail]) for head, tail in zip(heads, tails, strict=True)]


def _named(run: Any, keys: list[str]) -> list[str]:
    """Name settings by word and value, such as `Batch 32`."""
    parts = []
    for key in keys:
        value = setting(run, key)
        word = setting_title(key).partition(",")[0].partition("，")[0]
        parts += [value if key in _BARE else f"{word} {value}"] if value else []
    return parts


UNPRINTABLE = "\N{REPLACEMENT CHARACTER}"


def literal(text: str) -> str:
    r"""Make a name stand for itself in a drawing, where `$` would begin a formula.

    Args:
        text: A file, patient, class or run.

    Returns:
        One line: dollars behind a backslash, and a mark in the place of every
        character that cannot be printed.
    """
    shown = "".join(char if char.isprintable() else UNPRINTABLE for char in text)
    return shown.replace("$", r"\$")


def shortened(text: str, fits: Callable[[str], bool]) -> str:
    """Take the middle out of a name that is too long for its place.

    Args:
        text: A file, patient or class.
        fits: Whether a text has room.

    Returns:
        The name, with an ellipsis where something is left out.
    """
    for kept in range(len(text), 0, -1):
        left_out = "…" if kept < len(text) else ""
        shown = text[: (kept + 1) // 2] + left_out + text[len(text) - kept // 2 :]
        if fits(shown):
            return shown
    return "…"


def short_names(runs: Sequence[Any], *, seeds: bool = True) -> list[str]:
    """Name runs without what all of them share.

    Args:
        runs: Finished runs.
        seeds: Whether seeds are named where they differ.

    Returns:
        A name a run, as `words.run_names` gives them but for the shared parts.
    """
    names = run_names(list(runs), seeds=seeds)
    parts = [name.split(" · ") for name in names]
    shared = set.intersection(*map(set, parts)) if len(parts) > 1 else set()
    short = [" · ".join(p for p in each if p not in shared) for each in parts]
    return short if all(short) and len(set(short)) == len(set(names)) else names
