"""The networks of a section: a reason for each, and the layers of each."""

from pathlib import Path

import pandas as pd
import torch
import torchvision
import yaml

from lightbox.base.words import _, joined
from lightbox.display.names import model_name
from lightbox.display.outputs import Prose, Table
from lightbox.networks import models
from lightbox.networks.anatomy import Anatomy, anatomy
from lightbox.networks.architectures import OWN
from lightbox.networks.weights import NO_WEIGHTS
from lightbox.sections.section import Section
from lightbox.settings.parameters import TrainingParameters

# A network of more weighted or pooling layers is shown block by block.
MOST_ROWS = 30
LEAST_BLOCKS = 6
WITHOUT_SHAPE = ("Dropout", "ReLU", "Identity", "BatchNorm", "SiLU", "LocalResponse")


def why(settings: TrainingParameters) -> Prose:
    """Give the reason for each network, and what pretraining it brings.

    Parameters, operations and ImageNet accuracy are those that torchvision
    records with its weights (at their own image size).
    """
    text = Path(__file__).with_name("networks.yaml").read_text(encoding="utf-8")
    reasons = yaml.safe_load(text)
    lines = []
    for name in settings.models:
        # At the beginning of a word: `maxvit` is no `vit`, `wide_resnet` a `resnet`.
        fitting = (each for key, each in reasons.items() if f"_{key}" in f"_{name}")
        reason = _(next(fitting, "")) or _("one more architecture to compare")
        line = _("- **{network}**: {reason}.").format(
            network=model_name(name), reason=reason
        )
        lines.append(joined([line, _facts(name, settings.image_size)]))
    if settings.weights == NO_WEIGHTS:
        weights = _(
            "No pretrained weights are used in this run (0 images of pretraining): "
            "feature extraction reads the output of random filters, and its distance "
            "from fine-tuning says nothing about the worth of pretraining."
        )
    else:
        weights = _(
            "Training starts from `{weights}`, with the mean, standard deviation and "
            "interpolation that belong to those weights."
        ).format(weights=settings.weights)
    return Prose("\n".join([*lines, "", weights]))


def _facts(name: str, image_size: int) -> str:
    """Give a network's size, and what its published weights reach on ImageNet."""
    if name in OWN:
        with torch.device("meta"):
            network, _head = models.build(
                name, NO_WEIGHTS, num_classes=1000, channels=3, image_size=image_size
            )
        return _(
            "{millions:.1f} million parameters, {giga:.2g} GFLOP per image of {size} "
            "pixels; it has no published weights and begins at random."
        ).format(
            millions=sum(p.numel() for p in network.parameters()) / 1e6,
            giga=anatomy(network, image_size, 3).flops / 1e9,
            size=image_size,
        )
    facts = torchvision.models.get_model_weights(name).DEFAULT.meta
    return _(
        "{millions:.1f} million parameters, {giga:.1f} GFLOP per image, "
        "{accuracy:.1f} % on ImageNet."
    ).format(
        millions=facts["num_params"] / 1e6,
        # torchvision counts a multiply-add as one operation; the tables count two.
        giga=2 * facts["_ops"],
        accuracy=facts["_metrics"]["ImageNet-1K"]["acc@1"],
    )


def layers(section: Section) -> Table:
    """Show the layers of each network: output shape, parameters, operations."""
    settings, data = section.settings, section.data
    shown, full = [], []
    for model in settings.models:
        with torch.device("meta"):  # shapes only: nothing is initialised
            network, _head = models.build(
                model,
                NO_WEIGHTS,
                num_classes=1 if settings.output == "sigmoid" else len(data.classes),
                channels=data.channels,
                image_size=settings.image_size,
                first_layer=settings.first_layer,
                head_kind=settings.head,
            )
        seen = anatomy(network, settings.image_size, data.channels)
        full.append(seen.layers.assign(model=model))
        shown.append(condense(seen).assign(model=model_name(model)))
    rows = pd.concat(shown, ignore_index=True)
    frame = pd.DataFrame(
        {
            # A network's name once: the rows under it are its own.
            _("Model"): rows["model"].where(~rows["model"].duplicated(), ""),
            _("Layer"): rows["layer"],
            _("Type"): rows["type"],
            _("Output"): rows["output_shape"]
            .str.removeprefix("1x")
            .str.replace("x", "×"),
            _("Parameters"): [f"{n:,}" for n in rows["parameters"]],
            _("MFLOP"): [f"{n / 1e6:,.2f}" for n in rows["flops"]],
        }
    )
    caption = _(
        "The layers of each network for one image of {size} pixels. Deep networks are "
        "shown block by block; layers that keep the shape are counted in the totals. "
        "MFLOP: 10⁶ operations, a multiply-add counted as 2."
    ).format(size=settings.image_size)
    csv = pd.concat(full, ignore_index=True)
    csv.insert(0, "model", csv.pop("model"))
    return Table(frame, "tbl-layers", caption, csv=csv, file="tbl-layers.csv")


def condense(seen: Anatomy) -> pd.DataFrame:
    """Shorten the list of layers to what a page can hold.

    Returns:
        The layers that change the shape or have weights, if they are few; else
        one row a block, which is the shortest beginning of the layers' names
        that gives at least six. The total stays last.
    """
    layers, total = seen.layers.iloc[:-1], seen.layers.iloc[-1:]
    plain = layers["type"].str.startswith(WITHOUT_SHAPE)
    if (~plain).sum() <= MOST_ROWS:
        return pd.concat([layers[~plain], total], ignore_index=True)
    parts = layers["layer"].str.split(".")
    for length in range(1, int(parts.str.len().max()) + 1):
        block = parts.str[:length].str.join(".")
        if block.nunique() >= LEAST_BLOCKS:
            break
    blocks = layers.groupby(block, sort=False).agg(
        count=("layer", "size"),
        type=("type", "last"),
        output_shape=("output_shape", "last"),
        parameters=("parameters", "sum"),
        flops=("flops", "sum"),
    )
    # Of branches the last layer's output is a part of what the block gives.
    shapes = blocks["output_shape"].items()
    blocks["output_shape"] = [seen.blocks.get(name, last) for name, last in shapes]
    blocks["type"] = blocks["type"].where(blocks["count"] == 1, "block")
    # Layers without weights or a new shape say nothing, here either.
    silent = blocks["type"].str.startswith(WITHOUT_SHAPE)
    kept = blocks[~silent].drop(columns="count").rename_axis("layer").reset_index()
    return pd.concat([kept, total], ignore_index=True)
