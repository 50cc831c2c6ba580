"""Networks that torchvision lacks: AlexNet as published, a small ViT, ConvModel.

`OWN` names them, so that every other part builds them like any network.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torchvision.models.vision_transformer import VisionTransformer

from lightbox.base.errors import ParameterError


class AlexNet2012(nn.Module):
    """AlexNet as published: 96-256-384-384-256 channels, normalised and overlapping.

    torchvision's `alexnet` is the later one-weird-trick variant (64-192-384-256-256
    channels, no normalisation). The two GPUs' split of convolutions 2, 4 and 5 into
    groups is left out, as it served memory only.

    Source: Krizhevsky, Sutskever, Hinton, NeurIPS 2012, sections 3.3 to 3.5:
    response normalisation with k 2, n 5, alpha 1e-4, beta 0.75 after convolutions 1
    and 2; pooling 3 wide in steps of 2 after 1, 2 and 5. torch divides alpha by n,
    so it is given n times the published value.
    """

    def __init__(self, num_classes: int = 1000):
        super().__init__()
        normalise = partial(nn.LocalResponseNorm, 5, alpha=5e-4, beta=0.75, k=2.0)
        self.features = nn.Sequential(
            nn.Conv2d(3, 96, 11, stride=4, padding=2),
            nn.ReLU(inplace=True),
            normalise(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(96, 256, 5, padding=2),
            nn.ReLU(inplace=True),
            normalise(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(256, 384, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 384, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2),
        )
        # 6 x 6 at the published 227 (and at 224); other sizes are brought to it.
        self.avgpool = nn.AdaptiveAvgPool2d(6)
        self.classifier = nn.Sequential(
            nn.Dropout(),
            nn.Linear(256 * 6 * 6, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, num_classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, 3, H, W) to logits (N, K)."""
        features = self.avgpool(self.features(images))
        return self.classifier(torch.flatten(features, 1))


class ConvModel(nn.Module):
    """Three convolutions and two linear layers, the plain network of course report S2.

    The report prints the count of layers only; widths 32-64-128 and 128 units are
    our choice.
    """

    def __init__(self, num_classes: int = 1000):
        super().__init__()
        layers: list[nn.Module] = []
        for channels, width in [(3, 32), (32, 64), (64, 128)]:
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
            layers += [nn.MaxPool2d(2)]
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(4)
        self.classifier = nn.Sequential(
            nn.Linear(128 * 4 * 4, 128),
            nn.ReLU(inplace=True),
            nn.Linear(128, num_classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, 3, H, W) to logits (N, K)."""
        features = self.avgpool(self.features(images))
        return self.classifier(torch.flatten(features, 1))


def vit(patch: int, image_size: int, num_classes: int = 1000) -> VisionTransformer:
    """Build the vision transformer of course report S2, from scratch.

    It is torchvision's with 9 layers, 6 heads and 192 values per token; the report
    prints only the layers, and patches of 10 or 15 pixels on images of 150.

    Raises:
        ParameterError: The patch does not divide the image; names those that do.
    """
    check_patch(patch, image_size)
    return VisionTransformer(
        image_size=image_size,
        patch_size=patch,
        num_layers=9,
        num_heads=6,
        hidden_dim=192,
        mlp_dim=768,
        num_classes=num_classes,
    )


def cuts_patches(model: str) -> bool:
    """Tell vision transformers, which attend to patches of the image itself.

    MaxViT begins with convolutions and Swin attends within windows: neither is one.
    """
    return model.startswith("vit_")


def check_patch(patch: int, image_size: int) -> None:
    """Refuse a patch that does not divide the image; both in pixels.

    Raises:
        ParameterError: Names the patches, and the sizes near by, that fit.
    """
    if image_size % patch:
        fitting = [p for p in range(4, image_size // 2 + 1) if image_size % p == 0]
        below = image_size // patch * patch
        raise ParameterError(
            f"image_size = {image_size} is no multiple of the patch {patch}: patches "
            f"of {', '.join(map(str, fitting)) or 'no size'} divide it; or set "
            f"image_size to {below or patch} or {below + patch}"
        )


OWN: dict[str, Callable[..., nn.Module]] = {
    "alexnet_2012": AlexNet2012,
    "conv_model": ConvModel,
    "vit_s2_patch10": partial(vit, 10),
    "vit_s2_patch15": partial(vit, 15),
}
