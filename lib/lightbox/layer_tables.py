"""Tables of the layers of a section's networks."""

import pandas as pd
import torch

from lightbox import models
from lightbox.anatomy import layer_table
from lightbox.display import Table
from lightbox.model_names import model_name
from lightbox.section import Section
from lightbox.weights import NO_WEIGHTS
from lightbox.words import words

# A network of more weighted or pooling layers is shown block by block.
MOST_ROWS = 30
LEAST_BLOCKS = 6
WITHOUT_SHAPE = ("Dropout", "ReLU", "Identity", "BatchNorm", "SiLU", "LocalResponse")


def layers(section: Section, language: str = "en", label: str = "tbl-layers") -> Table:
    """Show the layers of each network: output shape, parameters, operations.

    Args:
        section: A training section; its networks, with their heads, at its image
            size and channels.
        language: `"en"` or `"zh"`.
        label: The table's label.

    Returns:
        The table, deep networks by blocks; its CSV has every layer.
    """
    settings, data, terms = section.settings, section.data, words(language)
    outputs = 1 if settings.output == "sigmoid" else len(data.classes)
    shown, full = [], []
    for model in settings.models:
        with torch.device("meta"):  # shapes only: nothing is initialised
            network, _ = models.build(
                model,
                NO_WEIGHTS,
                num_classes=outputs,
                channels=data.channels,
                image_size=settings.image_size,
                first_layer=settings.first_layer,
                head_kind=settings.head,
            )
        table = layer_table(network, settings.image_size, data.channels)
        full.append(table.assign(model=model))
        shown.append(condense(table).assign(model=model_name(model)))
    rows = pd.concat(shown, ignore_index=True)
    heads = {
        "en": ("Layer", "Type", "Output", "Parameters", "MFLOP"),
        "zh": ("層", "類型", "輸出", "參數", "MFLOP"),
    }[language]
    frame = pd.DataFrame(
        {
            # A network's name once: the rows under it are its own.
            terms["model"]: rows["model"].where(~rows["model"].duplicated(), ""),
            heads[0]: rows["layer"],
            heads[1]: rows["type"],
            heads[2]: rows["output_shape"].str.removeprefix("1x").str.replace("x", "×"),
            heads[3]: [f"{n:,}" for n in rows["parameters"]],
            heads[4]: [f"{n / 1e6:,.2f}" for n in rows["flops"]],
        }
    )
    caption = {
        "en": "The layers of each network for one image of {size} pixels. Deep "
        "networks are shown block by block; layers that keep the shape are counted "
        "in the totals. MFLOP: 10⁶ operations, a multiply-add counted as 2.",
        "zh": "各網路處理一張 {size} 像素影像的各層。較深的網路以區塊表示；"
        "不改變形狀的層只計入合計。MFLOP 為 10⁶ 次運算，乘加計為 2。",
    }[language]
    csv = pd.concat(full, ignore_index=True)
    csv = csv[["model", *[name for name in csv if name != "model"]]]
    return Table(
        frame,
        label,
        caption.format(size=settings.image_size),
        csv=csv,
        file=f"{label}.csv",
    )


def condense(table: pd.DataFrame) -> pd.DataFrame:
    """Shorten a layer table to what a page can hold.

    Args:
        table: Of `layer_table`, its last row the total.

    Returns:
        The layers that change the shape or have weights, if they are few; else
        one row a block, which is the shortest beginning of the layers' names
        that gives at least six. The total stays last.
    """
    layers, total = table.iloc[:-1], table.iloc[-1:]
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
    blocks["type"] = blocks["type"].where(blocks["count"] == 1, "block")
    # Layers without weights or a new shape say nothing, here either.
    silent = blocks["type"].str.startswith(WITHOUT_SHAPE)
    kept = blocks[~silent].drop(columns="count").rename_axis("layer").reset_index()
    return pd.concat([kept, total], ignore_index=True)
