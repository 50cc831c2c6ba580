"""Before anything trains: the plan with its cost, and one network looked at."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import nn

from lightbox.base.words import _
from lightbox.display.cells import millions
from lightbox.display.names import model_name, run_names, strategy_name
from lightbox.display.outputs import Prose, Table, escape_markdown
from lightbox.runs.cost import cost
from lightbox.runs.plan import configurations
from lightbox.runs.train import Prepared, prepare
from lightbox.sections.section import Section
from lightbox.settings.parameters import RunSettings
from lightbox.training.inference import predict

MOST_VAL = 64  # val images that the untrained network is asked about


@dataclass(frozen=True)
class Planned:
    """A run that is named before it exists."""

    config: RunSettings


def plan_table(section: Section) -> Table:
    """List the runs of a section with what each trains and takes.

    Returns:
        A row a run. The time is an estimate from one timed step, or from the run
        itself where the store has it.
    """
    plan = configurations(section.settings)
    rows, full, total = [], [], 0.0
    names = run_names([Planned(config) for config, _weights in plan])
    for (config, weights), name in zip(plan, names, strict=True):
        found = cost(config, section.data, weights=weights)
        total += found.seconds
        rows.append(
            {
                _("Run"): name,
                _("Trainable, M"): millions(found.trainable),
                _("of all, M"): millions(found.parameters),
                _("GFLOP per image"): f"{found.flops / 1e9:.2f}",
                _("Epochs at most"): config.epochs,
                _("Time at most"): duration(found.seconds),
            }
        )
        full.append(
            {"model": config.model, "strategy": config.strategy}
            | {"name": config.name, "seed": config.seed}
            | vars(found)
            | {"epochs": config.epochs}
        )
    caption = _(
        "The runs of this section, {images:,} training images an epoch, and what they "
        "take on this machine: {total} in all if none stops early. Times are "
        "estimates. A multiply-add counts as 2 FLOP; training an image takes about "
        "three times its forward pass, and frozen features are computed once."
    ).format(images=len(section.data.subset("train")), total=duration(total))
    return Table(
        pd.DataFrame(rows), "tbl-plan", caption, csv=pd.DataFrame(full), file="plan.csv"
    )


def duration(seconds: float) -> str:
    """Write a time as one would say it, to about a tenth."""
    if seconds < 90:
        return _("{count:.0f} s").format(count=max(seconds, 1))
    if seconds < 5400:
        return _("{count:.0f} min").format(count=seconds / 60)
    return _("{count:.1f} h").format(count=seconds / 3600)


def network_table(section: Section) -> Table:
    """Show the parts of the section's first network: what trains, what is frozen."""
    ways: dict[str, Prepared] = {}
    for config, weights in configurations(section.settings):
        same = config.model == section.settings.models[0]
        if same and config.strategy not in ways:
            ways[config.strategy] = prepare(config, section.data, weights=weights)
    made = next(iter(ways.values()))
    rows = []
    for name, part in made.network.named_children():
        count = sum(p.numel() for p in part.parameters())
        if not count:
            continue
        row = {_("Part"): name, _("Parameters"): f"{count:,}"}
        for strategy, each in ways.items():
            row[strategy_name(strategy).capitalize()] = _state(name, each)
        rows.append(row)
    caption = _(
        "The parts of {model} that hold parameters, in the order in which an image "
        "passes them. What is frozen keeps its weights and its BatchNorm statistics."
    ).format(model=model_name(section.settings.models[0]))
    return Table(pd.DataFrame(rows), "tbl-network", caption)


def _state(name: str, made: Prepared) -> str:
    """Say whether a part trains."""
    parts = {
        n for n, _module in made.network.named_modules() if n.split(".")[0] == name
    }
    if name in made.training:
        return _("trains")
    return _("trains in part") if parts & made.training else _("frozen")


def first_batch(section: Section) -> Prose:
    """Follow one batch through the section's first network before it has learnt.

    Returns:
        The head, the shapes, and how many val images the untrained network and the
        majority-class baseline get right.
    """
    config, weights = configurations(section.settings)[0]
    data = section.data
    made = prepare(config, data, weights=weights)
    batch = made.images.batch(
        torch.from_numpy(data.subset("train")[: config.batch_size])
    )
    val = data.subset("val")
    # Spread over val, whose images lie class by class.
    asked = val[np.linspace(0, len(val) - 1, min(MOST_VAL, len(val))).astype(int)]
    logits = predict(
        made.network,
        made.images,
        asked,
        compute=made.compute,
        batch_size=config.batch_size,
    )
    labels = made.images.labels.cpu().numpy()
    right = int((logits.argmax(axis=1) == labels[asked]).sum())
    counts = np.bincount(labels[data.subset("train")], minlength=len(data.classes))
    majority = int(counts.argmax())
    said = _(
        "A batch has the shape {batch} (images, channels, height, width). The head "
        "`{name}` of {model} is `{head}`; it makes of each image {outputs}. Before any "
        "training {model} classifies {right} of {asked} val images correctly; always "
        "answering {majority}, the most frequent class of train, is right on {always}."
    ).format(
        batch=tuple(batch.shape),
        name=made.head,
        model=model_name(config.model),
        head=_head(made.network.get_submodule(made.head)),
        outputs=_outputs(config, data.classes),
        right=right,
        asked=len(asked),
        majority=escape_markdown(data.classes[majority]),
        always=int((labels[asked] == majority).sum()),
    )
    return Prose(said)


def _head(head: nn.Module) -> str:
    """Write a head on one line."""
    return (
        " → ".join(" ".join(str(part).split()) for part in head)
        if isinstance(head, nn.Sequential)
        else str(head)
    )


def _outputs(config: RunSettings, classes: Sequence[str]) -> str:
    """Say what a head gives."""
    if config.output == "sigmoid":
        return _("one logit, of {name}").format(name=escape_markdown(classes[-1]))
    return _("{count} logits, one a class").format(count=len(classes))
