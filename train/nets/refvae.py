"""RefVAE (Liu, Siu, Wang, NTIRE 2021): the code of a reference picture is fused with the features of LR.

A frozen VGG-19 sees the bicubic image and the reference; a conditional variational autoencoder makes a code
of the reference and features of the code; statistics of LR's features scale and shift these; a decoder
makes an image of them, which is added to the bicubic one.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from train.nets.trunks import IMAGENET_MEAN, IMAGENET_STD, RELU, Trunk, vgg19

CHANNELS = 512  # of relu4_1
EIGHTH = 8  # of the image's resolution relu4_1 has
CODED = 64  # channels of them
SLOPE = 0.01
Norm = Literal["batch", "group"]


class Features(nn.Module):
    """VGG-19 up to relu4_1 with reflection padding and ImageNet's normalisation, frozen.

    Args:
        wanted: names of ReLUs, see `train.nets.trunks.RELU`.
    Shape:
        (B, 3, H, W), RGB in [0, 1], H and W at least 16 -> a tensor for each of `wanted`;
        relu4_1 is (B, 512, H // 8, W // 8).
    """

    mean: Tensor
    std: Tensor

    def __init__(self, wanted: tuple[str, ...] = ("4_1",)) -> None:
        super().__init__()
        self.trunk: Trunk = vgg19([RELU[name] for name in wanted], padding="reflect")
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)

    def forward(self, image: Tensor) -> list[Tensor]:
        """The wanted features."""
        return self.trunk((image - self.mean) / self.std)


class ResBlock(nn.Module):
    """LReLU(x + conv(LReLU(conv(x)))), 3 x 3 with zero padding.

    Shape:
        (B, n, h, w) -> same.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """The block."""
        return F.leaky_relu(x + self.second(F.leaky_relu(self.first(x), SLOPE)), SLOPE)


class RefVAENet(nn.Module):
    """All that learns; the VGG-19 that it looks through stands outside.

    Args:
        width: channels of the fused features (paper: 512), a multiple of 8.
        latent: length of the code z (paper: 256).
        grid: px a side of the features that a code is made of (released code: 16).
        norm: in the code's encoder: "batch" (paper), or "group" (ours): eight groups, the same in training
            and use whatever the references of a batch.

    Raises:
        ValueError: a width that is no multiple of 8.
    """

    def __init__(self, width: int = 512, latent: int = 256, norm: Norm = "batch", grid: int = 16) -> None:
        super().__init__()
        if width % 8 or width < 8:
            raise ValueError(f"the width is a multiple of 8, not {width}")
        self.width, self.latent, self.grid = width, latent, grid
        self.encode = nn.Sequential(
            nn.Conv2d(CHANNELS, CODED, 1), _norm(norm), nn.LeakyReLU(SLOPE),
            nn.Conv2d(CODED, CODED, 3, padding=1), _norm(norm), nn.LeakyReLU(SLOPE),
        )  # fmt: skip
        self.code = nn.Linear(CODED * grid * grid, 2 * latent)
        self.decode = nn.Linear(latent, CODED * grid * grid)
        self.head = nn.Sequential(nn.Conv2d(CODED, width, 1), ResBlock(width))
        self.statistics = nn.Sequential(
            nn.Conv2d(CHANNELS, width, 1),
            *[ResBlock(width) for _ in range(3)],
            nn.Conv2d(width, 2 * width, 1),
        )
        stages: list[nn.Module] = []
        for inputs in (width, width // 2, width // 4):
            stages += [
                nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
                nn.Conv2d(inputs, inputs // 2, 3, padding=1),
                nn.LeakyReLU(SLOPE),
            ]
        last = width // 8
        self.draw = nn.Sequential(
            *stages, nn.Conv2d(last, last, 1), nn.LeakyReLU(SLOPE), nn.Conv2d(last, 3, 3, padding=1)
        )

    def of_reference(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the variance of the code, each (B, latent).

        Args:
            features: relu4_1 of references, (B, 512, h, w) of any size.
        """
        grid = F.interpolate(
            self.encode(features), (self.grid, self.grid), mode="bilinear", align_corners=False
        )
        mean, log_variance = self.code(grid.flatten(1)).chunk(2, dim=1)
        return mean, log_variance

    def of_lr(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """F_mu and F_Sigma, each (B, width, H / 8, W / 8).

        Args:
            features: relu4_1 of the enlarged LR, (B, 512, H / 8, W / 8).
        """
        shift, scale = self.statistics(features).chunk(2, dim=1)
        return shift, scale

    def of_code(self, z: Tensor, size_hw: tuple[int, int]) -> Tensor:
        """C_R, (B, width, h, w), of codes (B, latent)."""
        grid = self.decode(z).view(-1, CODED, self.grid, self.grid)
        return self.head(F.interpolate(grid, size_hw, mode="bilinear", align_corners=False))

    def fused(self, z: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
        """F_{X|R} = C_R (1 + F_Sigma) + F_mu, (B, width, h, w)."""
        return self.of_code(z, (shift.shape[-2], shift.shape[-1])) * (1 + scale) + shift

    def forward(self, features: Tensor, z: Tensor) -> Tensor:
        """What is added to the bicubic image, (B, 3, H, W), from relu4_1 of it and codes."""
        return self.draw(self.fused(z, *self.of_lr(features)))


def padded(image: Tensor) -> Tensor:
    """(B, 3, H, W) with its last row and column repeated, to multiples of 8 px and at least 16."""
    # Not -(-side // 8): exported, such a division is cut towards 0.
    height, width = (max(2, (side + EIGHTH - 1) // EIGHTH) * EIGHTH for side in image.shape[-2:])
    return F.pad(image, (0, width - image.shape[-1], 0, height - image.shape[-2]), mode="replicate")


def _norm(norm: Norm) -> nn.Module:
    return nn.BatchNorm2d(CODED) if norm == "batch" else nn.GroupNorm(8, CODED)
