"""How far two images are apart to a classifier: a VGG-19 term for training, and LPIPS for judging."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from realdeg.errors import UserError
from train.nets.trunks import IMAGENET_MEAN, IMAGENET_STD, Trunk, alexnet, vgg19
from train.restore.pretrained import weights

CONV5_4 = 34
LPIPS_FILES = ("alexnet", "lpips_alex")
# LPIPS' own, of [-1, 1]; on [0, 1] they are ImageNet's means and deviations, rounded.
LPIPS_SHIFT, LPIPS_SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)


class VGGDistance(nn.Module):
    """Mean absolute, or square, difference of features of VGG-19, which is frozen.

    D2C-SR (ECCV 2022, Table 2) states the term without layer or weight; conv5_4, before its ReLU, is
    ESRGAN's (Wang et al., ECCV Workshops 2018). VSpSR (NTIRE 2021) squares differences after that ReLU.

    Args:
        path: torchvision's weights; None: torch's cache, or fetched.
        trust: also weights that aren't the published ones.
        layer: of the features, see `train.nets.trunks.vgg19`.
        squared: the square in place of the absolute difference.
    Shape:
        two (B, 3, H, W), RGB in [0, 1], H and W at least 16 -> scalar; gradients reach the first.

    Raises:
        UserError: the weights are not to be had.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, path: Path | None = None, layer: int = CONV5_4, *, squared: bool = False, trust: bool = False
    ) -> None:
        super().__init__()
        self.squared = squared
        self.trunk = _filled(vgg19([layer]), "vgg19", path, trust)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)

    def forward(self, image: Tensor, wanted: Tensor) -> Tensor:
        """The distance."""
        (mine,) = self.trunk((image - self.mean) / self.std)
        with torch.no_grad():
            (theirs,) = self.trunk((wanted - self.mean) / self.std)
        return F.mse_loss(mine, theirs) if self.squared else F.l1_loss(mine, theirs)


class LPIPS(nn.Module):
    """Learned perceptual distance (Zhang et al., CVPR 2018), AlexNet, version 0.1, as a map.

    Args:
        trunk: AlexNet's weights; None: torch's cache, or fetched.
        heads: the linear layers; likewise.
        trust: also weights that aren't the published ones.
    Shape:
        two (B, 3, H, W), RGB in [0, 1] -> (B, 1, H, W) >= 0; its mean is the distance. H and W at least 31.

    Raises:
        UserError: weights are not to be had.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, trunk: Path | None = None, heads: Path | None = None, *, trust: bool = False) -> None:
        super().__init__()
        self.trunk = _filled(alexnet(), "alexnet", trunk, trust)
        found = weights("lpips_alex", heads, trust=trust)
        self.heads = nn.ParameterList()
        for i, channels in enumerate((64, 192, 384, 256, 256)):
            head = found.get(f"lin{i}.model.1.weight")
            if head is None or head.shape != (1, channels, 1, 1):
                raise UserError(heads or "LPIPS", "does not hold its linear layers", "give another file")
            self.heads.append(nn.Parameter(head.float(), requires_grad=False))
        self.register_buffer("shift", torch.tensor(LPIPS_SHIFT).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor(LPIPS_SCALE).view(1, 3, 1, 1), persistent=False)

    def features(self, image: Tensor) -> list[Tensor]:
        """Features of unit length at each place: they may be kept for an image that is compared often."""
        return [_unit(f) for f in self.trunk((2 * image - 1 - self.shift) / self.scale)]

    def forward(self, image: Tensor, other: Tensor) -> Tensor:
        """The map of the distance."""
        return self.between(self.features(image), self.features(other), image.shape[-2:])

    def between(self, mine: list[Tensor], theirs: list[Tensor], size: tuple[int, int] | torch.Size) -> Tensor:
        """The same from features of images of (H, W) = `size`."""
        maps = [
            F.interpolate(F.conv2d((a - b).square(), head), tuple(size), mode="bilinear", align_corners=False)
            for a, b, head in zip(mine, theirs, self.heads, strict=True)
        ]
        return torch.stack(maps).sum(0)


def _unit(features: Tensor) -> Tensor:
    return features / (features.square().sum(1, keepdim=True).sqrt() + 1e-10)


def _filled(trunk: Trunk, name: str, path: Path | None, trust: bool) -> Trunk:
    try:
        trunk.take(weights(name, path, trust=trust))
    except (KeyError, RuntimeError):
        raise UserError(path or name, f"does not hold {name}'s weights", "give another file") from None
    return trunk
