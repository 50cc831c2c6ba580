"""The networks of a section: a reason for each, and the layers of each."""

import pandas as pd
import torch
import torchvision

from lightbox.base.words import language, words
from lightbox.display.names import model_name
from lightbox.display.outputs import Prose, Table
from lightbox.networks import models
from lightbox.networks.anatomy import Anatomy, anatomy
from lightbox.networks.architectures import OWN
from lightbox.networks.weights import NO_WEIGHTS
from lightbox.sections.section import Section
from lightbox.settings.parameters import TrainingParameters

# What each family is tried for: English, then Traditional Chinese.
_REASONS = {
    "alexnet": (
        "the network that began it (2012): few layers, quick, a fair low bar",
        "開啟深度學習的網路（2012 年）：層數少、速度快，是合理的低標",
    ),
    "conv_model": (
        "three convolutions and two linear layers: what a plain small network does",
        "三層卷積與兩層全連接：單純小型網路的表現",
    ),
    "convnext": (
        "a convolutional network rebuilt with the habits of transformers",
        "以 Transformer 的設計習慣重建的卷積網路",
    ),
    "densenet": (
        "every layer sees all earlier ones, so features are reused and few "
        "parameters go far; the usual choice in published chest X-ray work",
        "每一層都連到先前所有層，特徵重複使用、參數精簡，是胸部 X 光文獻的常見選擇",
    ),
    "efficientnet": (
        "depth, width and image size scaled together: accuracy per operation is "
        "high, though training is slow for its size",
        "深度、寬度與影像尺寸一併縮放：單位運算的準確率高，但訓練相對緩慢",
    ),
    "googlenet": (
        "parallel filters of several sizes see fine texture and larger shapes at "
        "once, with few parameters, so it overfits late",
        "並行的多尺寸濾波器同時看見細緻紋理與較大形狀，參數少、較晚過擬合",
    ),
    "mobilenet": (
        "made for phones: few operations, which suits a machine without a GPU",
        "為手機設計：運算量小，適合沒有 GPU 的電腦",
    ),
    "resnet": (
        "skip connections let gradients reach the first layers, so it trains "
        "reliably on few images; the baseline that others are compared with",
        "跳接讓梯度傳到最前面的層，影像少也能穩定訓練，是最常用的比較基準",
    ),
    "shufflenet": (
        "grouped convolutions keep operations to a minimum",
        "分組卷積將運算量降到最低",
    ),
    "squeezenet": (
        "1 x 1 convolutions in place of large ones: very few parameters",
        "以 1 x 1 卷積取代大卷積核：參數極少",
    ),
    "swin": (
        "attention inside shifted windows: a transformer with some of the locality "
        "of convolutions",
        "移動視窗內的注意力：帶有卷積局部性的 Transformer",
    ),
    "vgg": (
        "plain 3 x 3 convolutions and very large linear layers: simple to read, "
        "much capacity, and prone to learn small sets by heart",
        "單純的 3 x 3 卷積與龐大的全連接層：結構易懂、容量大，但容易背下小資料集",
    ),
    "vit": (
        "attention between image patches, with no built-in notion of locality: "
        "without pretraining it needs far more images than a course set has",
        "影像區塊間的注意力，沒有內建局部性：若無預訓練，所需影像遠多於課程資料集",
    ),
}
_OTHER = ("one more architecture to compare", "另一種供比較的架構")


def why(settings: TrainingParameters) -> Prose:
    """Give the reason for each network, and what pretraining it brings.

    Parameters, operations and ImageNet accuracy are those that torchvision
    records with its weights (at their own image size).

    Args:
        settings: The section's parameters.

    Returns:
        A bulleted list, then a sentence on the weights.
    """
    chinese = language() == "zh"
    lines = []
    for name in settings.models:
        # At the beginning of a word: `maxvit` is no `vit`, `wide_resnet` a `resnet`.
        found = (key for key in _REASONS if f"_{key}" in f"_{name}")
        family = next(found, "")
        reason = _REASONS.get(family, _OTHER)[chinese]
        said = _facts(name, settings.image_size, chinese)
        between, end = ("：", "。") if chinese else (": ", ". ")
        lines.append(f"- **{model_name(name)}**{between}{reason}{end}{said}")
    return Prose("\n".join([*lines, "", _weights(settings.weights, chinese)]))


def _facts(name: str, image_size: int, chinese: bool) -> str:
    """Give a network's size, and what its published weights reach on ImageNet."""
    if name in OWN:
        with torch.device("meta"):
            network, _ = models.build(
                name, NO_WEIGHTS, num_classes=1000, channels=3, image_size=image_size
            )
        millions = sum(p.numel() for p in network.parameters()) / 1e6
        giga = anatomy(network, image_size, 3).flops / 1e9
        return (
            f"參數 {millions:.1f} 百萬、每張 {image_size} 像素影像 {giga:.2g} GFLOP；"
            "沒有公開的預訓練權重，由隨機權重開始。"
            if chinese
            else f"{millions:.1f} million parameters, {giga:.2g} GFLOP per image of "
            f"{image_size} pixels; it has no published weights and begins at random."
        )
    facts = torchvision.models.get_model_weights(name).DEFAULT.meta
    # torchvision counts a multiply-add as one operation; the tables count two.
    millions, giga = facts["num_params"] / 1e6, 2 * facts["_ops"]
    accuracy = facts["_metrics"]["ImageNet-1K"]["acc@1"]
    return (
        f"參數 {millions:.1f} 百萬、每張影像 {giga:.1f} GFLOP，"
        f"ImageNet 準確率 {accuracy:.1f} %。"
        if chinese
        else f"{millions:.1f} million parameters, {giga:.1f} GFLOP per image, "
        f"{accuracy:.1f} % on ImageNet."
    )


def _weights(weights: str, chinese: bool) -> str:
    """Say where training starts from."""
    if weights == "none":
        return (
            "本次執行不使用預訓練權重（0 張預訓練影像）：特徵擷取讀的是隨機濾波器的"
            "輸出，它與微調的差距不能說明預訓練的價值。"
            if chinese
            else "No pretrained weights are used in this run (0 images of "
            "pretraining): feature extraction reads the output of random filters, and "
            "its distance from fine-tuning says nothing about the worth of pretraining."
        )
    return (
        f"權重為 `{weights}`，前處理（平均、標準差、內插）依該權重的設定。"
        if chinese
        else f"Training starts from `{weights}`, with the mean, standard deviation and "
        "interpolation that belong to those weights."
    )


# A network of more weighted or pooling layers is shown block by block.
MOST_ROWS = 30
LEAST_BLOCKS = 6
WITHOUT_SHAPE = ("Dropout", "ReLU", "Identity", "BatchNorm", "SiLU", "LocalResponse")


def layers(section: Section, label: str = "tbl-layers") -> Table:
    """Show the layers of each network: output shape, parameters, operations.

    Args:
        section: A training section; its networks, with their heads, at its image
            size and channels.
        label: The table's label.

    Returns:
        The table, deep networks by blocks; its CSV has every layer.
    """
    settings, data, terms = section.settings, section.data, words()
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
        seen = anatomy(network, settings.image_size, data.channels)
        full.append(seen.layers.assign(model=model))
        shown.append(condense(seen).assign(model=model_name(model)))
    rows = pd.concat(shown, ignore_index=True)
    heads = {
        "en": ("Layer", "Type", "Output", "Parameters", "MFLOP"),
        "zh": ("層", "類型", "輸出", "參數", "MFLOP"),
    }[language()]
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
    }[language()]
    csv = pd.concat(full, ignore_index=True)
    csv = csv[["model", *[name for name in csv if name != "model"]]]
    return Table(
        frame,
        label,
        caption.format(size=settings.image_size),
        csv=csv,
        file=f"{label}.csv",
    )


def condense(seen: Anatomy) -> pd.DataFrame:
    """Shorten the list of layers to what a page can hold.

    Args:
        seen: A network's layers, the last row the total, and its blocks' outputs.

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
