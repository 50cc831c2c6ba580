"""How runs, networks and settings are named."""

import re
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from lightbox.base.words import N_, _
from lightbox.settings.parameters import RunSettings

# As papers write them; torchvision has them in small letters with underscores.
_FAMILIES = (
    *("AlexNet", "ConvNeXt", "DenseNet", "EfficientNet", "EfficientNet-V2"),
    *("GoogLeNet", "Inception-v", "MaxViT", "MNASNet", "MobileNet-v", "RegNet"),
    *("ResNet", "ResNeXt", "ShuffleNet-v2", "SqueezeNet", "Swin", "Swin-v2"),
    *("VGG", "ViT", "Wide ResNet"),
)

# Networks that torchvision does not have.
_OWN = {
    "alexnet_2012": "AlexNet (2012)",
    "conv_model": "ConvModel",
    "vit_s2_patch10": "ViT, patch 10",
    "vit_s2_patch15": "ViT, patch 15",
}


# What is named only where runs differ in it, in the order in which it is named.
SETTINGS = {
    "weights": N_("Weights"),
    "first_layer": N_("First layer"),
    "first_trainable": N_("Trains from"),
    "frozen": N_("Frozen"),
    "head": N_("Head"),
    "output": N_("Output"),
    "image_size": N_("Size, px"),
    "resize": N_("Resizing"),
    "augmentation": N_("Augmentation"),
    "sampling": N_("Sampling"),
    "loss": N_("Loss function"),
    "gamma": "γ",  # shown as part of the loss
    "optimizer": N_("Optimizer"),
    "momentum": N_("Momentum"),
    "schedule": N_("Schedule"),
    "learning_rate": N_("Learning rate"),
    "batch_size": N_("Batch"),
    "epochs": N_("Epochs"),
    "patience": N_("Patience"),
    "seed": N_("Seed"),
}
STRATEGIES = {
    "feature_extraction": N_("feature extraction"),
    "fine_tuning": N_("fine-tuning"),
    "partial": N_("partial fine-tuning"),
}
VALUES = {
    "cross_entropy": N_("cross-entropy"),
    "weighted_cross_entropy": N_("weighted cross-entropy"),
    "sgd": "SGD",
    "rmsprop": "RMSprop",
    "adam": "Adam",
    "adamw": "AdamW",
}
# Named by their value alone: the value says what it is of.
_BARE = ("loss", "optimizer")


class Configured(Protocol):
    """A run, as far as its name needs one."""

    @property
    def config(self) -> RunSettings:
        """What it was made from."""


Named = TypeVar("Named", bound=Configured)


def model_name(model: str) -> str:
    """Write a model's name as papers do: `resnet18` becomes `ResNet-18`.

    An unknown family keeps its own spelling.
    """
    if model in _OWN:
        return _OWN[model]
    for family in sorted(_FAMILIES, key=len, reverse=True):
        prefix = re.sub("[- ]", "_", family.lower())
        match = re.fullmatch(rf"{prefix}_?(.*)", model)
        if match and not match[1]:
            return family
        if match:
            rest = match[1].upper().replace("_", "-")
            joined = family.endswith("v")  # MobileNet-v2, Inception-v3
            return f"{family}{rest.lower()}" if joined else f"{family}-{rest}"
    return model


def strategy_name(strategy: str) -> str:
    """Name a strategy: `fine_tuning` is `fine-tuning`."""
    return _(STRATEGIES.get(strategy, strategy))


def setting(run: Configured, key: str) -> str:
    """Write one setting of `SETTINGS` as it is shown; an empty text for None.

    Weights go without the model, which another word already names; the focal loss
    has its gamma behind it.
    """
    value = getattr(run.config, key)
    if value is None:
        return ""
    if key == "weights":
        return value.rpartition("_Weights.")[2]
    if key == "loss" and value == "focal":
        return f"focal γ = {run.config.gamma:g}"
    if key in _BARE:
        return _(VALUES.get(value, value))
    if isinstance(value, tuple):
        return ", ".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def setting_title(key: str) -> str:
    """Name a setting as the head of a column."""
    return _(SETTINGS[key])


def varying(runs: Sequence[Configured]) -> list[str]:
    """Find the settings, beside model and strategy, in which runs differ.

    Gamma is told with the loss alone.
    """
    told = (key for key in SETTINGS if key != "gamma")
    return [key for key in told if len({setting(run, key) for run in runs}) > 1]


def seed_groups(runs: Sequence[Named]) -> list[list[Named]]:
    """Put runs together that differ in their seed alone, by the place of the first."""
    groups: dict[RunSettings, list[Named]] = {}
    for run in runs:
        groups.setdefault(run.config.model_copy(update={"seed": 0}), []).append(run)
    return list(groups.values())


def set_names(runs: Sequence[Configured]) -> list[str] | None:
    """Give the labels of the sets; None where they do not tell runs apart."""
    names = [run.config.name for run in runs]
    return names if all(names) and len(set(names)) > 1 else None


def run_names(runs: Sequence[Configured], *, seeds: bool = True) -> list[str]:
    """Name runs so that no two share a name: `ResNet-18 · fine-tuning`.

    Behind it stands the label of a run's set or, where labels do not tell all runs
    apart, the settings in which the runs differ; seeds too, unless that is False.
    """
    names = [
        [model_name(run.config.model), strategy_name(run.config.strategy)]
        for run in runs
    ]
    keys, labels = varying(runs), set_names(runs)
    if labels:
        labelled = [[*name, label] for name, label in zip(names, labels, strict=True)]
        if len(set(map(tuple, labelled))) == len(seed_groups(runs)):
            names, keys = labelled, [key for key in keys if key == "seed"]
    if not seeds:
        keys = [key for key in keys if key != "seed"]
    return [
        " · ".join([*name, *_told(run, keys)])
        for name, run in zip(names, runs, strict=True)
    ]


def _told(run: Configured, keys: list[str]) -> list[str]:
    """Tell settings by word and value, such as `Batch 32`; no unit is in the word."""
    parts = []
    for key in keys:
        value = setting(run, key)
        word = _("Size") if key == "image_size" else setting_title(key)
        if value:
            parts.append(value if key in _BARE else f"{word} {value}")
    return parts


def short_names(runs: Sequence[Configured], *, seeds: bool = True) -> list[str]:
    """Name runs as `run_names` does, without what all of them share."""
    names = run_names(runs, seeds=seeds)
    parts = [name.split(" · ") for name in names]
    shared = set.intersection(*map(set, parts)) if len(parts) > 1 else set()
    short = [" · ".join(p for p in each if p not in shared) for each in parts]
    return short if all(short) and len(set(short)) == len(set(names)) else names


UNPRINTABLE = "\N{REPLACEMENT CHARACTER}"


def literal(text: str) -> str:
    """Make a name stand for itself in a drawing, where `$` would begin a formula.

    A mark stands in the place of every character that cannot be printed.
    """
    shown = "".join(char if char.isprintable() else UNPRINTABLE for char in text)
    return shown.replace("$", r"\$")


def shortened(text: str, fits: Callable[[str], bool]) -> str:
    """Take the middle out of a file, patient or class that has no room as it is."""
    for kept in range(len(text), 0, -1):
        left_out = "…" if kept < len(text) else ""
        shown = text[: (kept + 1) // 2] + left_out + text[len(text) - kept // 2 :]
        if fits(shown):
            return shown
    return "…"
