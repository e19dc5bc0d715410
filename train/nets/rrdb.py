"""RRDBNet (ESRGAN; Wang et al., ECCVW 2018) as a host."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from train.nets.blocks import NoBase, conv3, steps_of
from train.nets.host import Host

RESIDUAL = 0.2
SLOPE = 0.2  # of the leaky ReLU


class DenseBlock(nn.Module):
    """Residual dense block: five convolutions, each of which sees what all before it made.

    Args:
        width: channels.
        growth: channels that each of the first four adds.
    """

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(conv3(width + i * growth, growth if i < 4 else width) for i in range(5))
        self.act = nn.LeakyReLU(SLOPE, inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """(B, n, h, w) -> same."""
        seen = [x]
        for conv in self.convs[:-1]:
            seen.append(self.act(conv(torch.cat(seen, 1))))
        return x + RESIDUAL * self.convs[-1](torch.cat(seen, 1))


class RRDB(nn.Module):
    """Residual in residual: x + 0.2 (three dense blocks of x)."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*(DenseBlock(width, growth) for _ in range(3)))

    def forward(self, x: Tensor) -> Tensor:
        """(B, n, h, w) -> same."""
        return x + RESIDUAL * self.body(x)


class NearestTail(nn.Module):
    """Nearest neighbours and a convolution for each 2 or 3 of the scale, then two convolutions to RGB."""

    def __init__(self, scale: int, width: int) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        for factor in steps_of(scale):
            parts += [
                nn.Upsample(scale_factor=factor, mode="nearest"),
                conv3(width, width),
                nn.LeakyReLU(SLOPE, inplace=True),
            ]
        self.body = nn.Sequential(
            *parts, conv3(width, width), nn.LeakyReLU(SLOPE, inplace=True), conv3(width, 3)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, n, h, w) -> (B, 3, s h, s w)."""
        return self.body(x)


def rrdb_host(scale: int, width: int = 64, blocks: int = 23, growth: int = 32) -> Host:
    """RRDBNet: published with 64 channels, 23 blocks of growth 32, for x4."""

    def branch() -> nn.Module:
        return nn.Sequential(*(RRDB(width, growth) for _ in range(blocks)), conv3(width, width))

    return Host(width, lambda: conv3(3, width), branch, lambda: NearestTail(scale, width), NoBase)
