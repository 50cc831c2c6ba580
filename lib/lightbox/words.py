"""The words of tables, figures and findings in English and Traditional Chinese."""

import re
from collections.abc import Mapping
from typing import Any

from lightbox.errors import ParameterError, did_you_mean

LANGUAGES = ("en", "zh")

# One row a word: English, then the Chinese of Taiwan.
_PAIRS: dict[str, tuple[str, str]] = {
    "model": ("Model", "模型"),
    "strategy": ("Strategy", "策略"),
    "feature_extraction": ("feature extraction", "特徵擷取"),
    "fine_tuning": ("fine-tuning", "微調"),
    "partial": ("partial fine-tuning", "部分微調"),
    "weights": ("Weights", "預訓練權重"),
    "image_size": ("Size, px", "影像邊長，px"),
    "epochs": ("Epochs", "週期數"),
    "batch_size": ("Batch", "批次大小"),
    "learning_rate": ("Learning rate", "學習率"),
    "seed": ("Seed", "亂數種子"),
    "accuracy": ("Accuracy", "準確率"),
    "accuracy_interval": ("Accuracy, % (95 % interval)", "準確率，%（95 % 信賴區間）"),
    "auroc": ("AUROC", "AUROC"),
    "sensitivity": ("Sens.", "敏感度"),
    "specificity": ("Spec.", "特異度"),
    "precision": ("Prec.", "精確率"),
    "f1": ("F1", "F1"),
    "nll": ("NLL, nats", "NLL，nat"),
    "time": ("Time, s", "時間，秒"),
    "parameters": ("Total, M", "參數，百萬"),
    "trainable": ("Trainable, M", "可訓練，百萬"),
    "majority": ("always {answer}", "一律答 {answer}"),
    "baseline": ("Majority answer", "多數類別"),
    "class": ("Class", "類別"),
    "split": ("Split", "資料集"),
    "train": ("train", "訓練"),
    "val": ("val", "驗證"),
    "test": ("test", "測試"),
    "images": ("Images", "影像數"),
    "groups": ("Patients or slides", "病人或切片數"),
    "share": ("{answer}, %", "{answer}，%"),
    "total": ("Total", "合計"),
    "epoch": ("Epoch", "週期"),
    "loss": ("Loss", "損失"),
    "log": ("log scale", "對數尺度"),
    "best_epoch": ("best epoch", "最佳週期"),
    "true": ("True class", "實際類別"),
    "predicted": ("Predicted class", "預測類別"),
    "caption_curves": (
        "Loss and accuracy per epoch on train and val. The vertical line and the "
        "dot mark the epoch whose weights were kept and tested.",
        "各週期在訓練集與驗證集上的損失與準確率。直線與圓點標示保留並用於測試的週期。",
    ),
    "caption_confusion": (
        "Confusion matrices on the test split: images, and per cent of the true "
        "class. Rows are true, columns predicted classes.",
        "測試集的混淆矩陣：影像數與佔實際類別的百分比。列為實際類別，行為預測類別。",
    ),
    "caption_samples": (
        "Sample images of each class from the {split} split.",
        "{split}集中各類別的影像樣本。",
    ),
    "caption_counts": (
        "Images per class in each split.",
        "各資料集中每個類別的影像數。",
    ),
    "caption_comparison": (
        "Results on the {images} test images, with 95 % Wilson intervals. Sensitivity, "
        "precision and F1 are those of {positive}; total and trainable parameters are "
        "in millions (M). Bold marks the "
        "highest value of a column (the lowest for NLL and time) among the trained "
        "models and is no statement of significance. The last row answers with the "
        "class frequencies of train.",
        "{images} 張測試影像的結果。區間為 95 % Wilson 信賴區間；敏感度、精確率與 F1 "
        "以 {positive} 為準。粗體為已訓練模型中該欄的最高值（NLL 與時間為最低值），"
        "不表示差異顯著。最後一列以訓練集的類別比例作答。",
    ),
    "each_class": ("each class, averaged", "各類別平均"),
    "caption_per_class": (
        "Every class against the rest, on the {images} test images.",
        "{images} 張測試影像上，各類別對其餘類別的結果。",
    ),
    "caption_splits": (
        "Images per class and split.",
        "各資料集與類別的影像數。",
    ),
}

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


def words(language: str) -> Mapping[str, str]:
    """Look up the words of one language.

    Args:
        language: `"en"` or `"zh"` (Traditional Chinese).

    Returns:
        A mapping from key to word or sentence; some hold `{fields}` to fill.

    Raises:
        ParameterError: If the language is neither of the two.
    """
    if language not in LANGUAGES:
        raise ParameterError(
            f"language {language!r} is not known; choose 'en' or 'zh'"
            f"{did_you_mean(str(language), LANGUAGES)}"
        )
    column = LANGUAGES.index(language)
    return {key: pair[column] for key, pair in _PAIRS.items()}


def model_name(model: str) -> str:
    """Write a model's name as papers do: `resnet18` becomes `ResNet-18`.

    Args:
        model: The name in torchvision.

    Returns:
        The display name; an unknown family keeps its own spelling.
    """
    for family in sorted(_FAMILIES, key=len, reverse=True):
        match = re.fullmatch(rf"{family}_?(.*)", model)
        if match:
            shown, rest = _FAMILIES[family], match[1].upper().replace("_", "-")
            if not rest:
                return shown
            joined = shown.endswith("v")  # MobileNet-v2, Inception-v3
            return f"{shown}{rest.lower()}" if joined else f"{shown}-{rest}"
    return model


def strategy_name(strategy: str, language: str = "en") -> str:
    """Name a strategy: `fine_tuning` is `fine-tuning`, in Chinese 微調.

    Args:
        strategy: `"feature_extraction"`, `"fine_tuning"` or `"partial"`.
        language: `"en"` or `"zh"`.

    Returns:
        The display name; an unknown strategy keeps its own spelling.
    """
    return words(language).get(strategy, strategy)


# What is named only where runs differ in it, in the order in which it is named.
SETTINGS = (
    "weights",
    "image_size",
    "epochs",
    "batch_size",
    "learning_rate",
    "seed",
)


def setting(run: Any, key: str) -> str:
    """Write one setting of a run as it is shown.

    Args:
        run: A finished run.
        key: A key of `SETTINGS`.

    Returns:
        The value; weights without the model, which another word already names.
    """
    return str(run.record["config"][key]).rpartition("_Weights.")[2]


def varying(runs: list[Any]) -> list[str]:
    """Find the settings, beside model and strategy, in which runs differ.

    Args:
        runs: Finished runs.

    Returns:
        Keys of the configuration, in the order of `SETTINGS`.
    """
    return [key for key in SETTINGS if len({setting(run, key) for run in runs}) > 1]


def run_names(runs: list[Any], language: str = "en") -> list[str]:
    """Name runs so that no two share a name: `ResNet-18 · fine-tuning`.

    Args:
        runs: Finished runs.
        language: `"en"` or `"zh"`.

    Returns:
        One name a run, with the settings behind it in which the runs differ.
    """
    terms, extra = words(language), varying(runs)
    names = []
    for run in runs:
        config = run.record["config"]
        parts = [
            model_name(config["model"]),
            strategy_name(config["strategy"], language),
        ]
        for key in extra:
            word = terms[key].partition(",")[0].partition("，")[0]
            parts.append(f"{word} {setting(run, key)}")
        names.append(" · ".join(parts))
    return names
