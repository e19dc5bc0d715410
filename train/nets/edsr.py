"""EDSR (Lim et al., CVPRW 2017) as a host, and its baseline: SRResNet without batch normalisation."""

from __future__ import annotations

from torch import Tensor, nn

from train.nets.blocks import Head, MeanColour, conv3, upsampler
from train.nets.host import Host


class ResidualBlock(nn.Module):
    """x + scale * conv(relu(conv(x))).

    Args:
        width: channels.
        scale: of the residual (EDSR with 256 channels: 0.1).
    """

    def __init__(self, width: int, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = scale
        self.body = nn.Sequential(conv3(width, width), nn.ReLU(inplace=True), conv3(width, width))

    def forward(self, x: Tensor) -> Tensor:
        """(B, n, h, w) -> same."""
        residual = self.body(x)
        return x + (residual if self.scale == 1 else self.scale * residual)


def edsr_host(scale: int, width: int = 256, blocks: int = 32, residual: float = 0.1) -> Host:
    """EDSR: conv(blocks(x)) about its own skip; published with 256 channels, 32 blocks."""

    def branch() -> nn.Module:
        return nn.Sequential(*(ResidualBlock(width, residual) for _ in range(blocks)), conv3(width, width))

    return Host(width, lambda: Head(width), branch, lambda: upsampler(scale, width), MeanColour)


def srresnet_host(scale: int, width: int = 64, blocks: int = 16) -> Host:
    """SRResNet (Ledig et al., CVPR 2017) without batch normalisation, as published in EDSR's paper."""
    return edsr_host(scale, width, blocks, residual=1.0)
