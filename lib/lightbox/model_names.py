"""How papers write the names of networks."""

import re

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
