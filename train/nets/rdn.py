"""RDN (residual dense network; Zhang et al., CVPR 2018) as a host."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from train.nets.blocks import NoBase, conv3, upsampler
from train.nets.host import Host


class DenseGroup(nn.Module):
    """Residual dense block: x + conv1x1 of x and all that a chain of dense layers makes of it.

    Args:
        width: channels G0.
        layers: C.
        growth: channels G that each layer adds.
    """

    def __init__(self, width: int, layers: int, growth: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(conv3(width + i * growth, growth) for i in range(layers))
        self.fuse = nn.Conv2d(width + layers * growth, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, n, h, w) -> same."""
        seen = x
        for conv in self.convs:
            seen = torch.cat([seen, conv(seen).relu()], 1)
        return x + self.fuse(seen)


class DenseBody(nn.Module):
    """A convolution, D dense groups, and the fusion of all of them: conv(conv1x1(...))."""

    def __init__(self, width: int, groups: int, layers: int, growth: int) -> None:
        super().__init__()
        self.first = conv3(width, width)
        self.groups = nn.ModuleList(DenseGroup(width, layers, growth) for _ in range(groups))
        self.fuse = nn.Sequential(nn.Conv2d(groups * width, width, 1), conv3(width, width))

    def forward(self, x: Tensor) -> Tensor:
        """(B, n, h, w) -> same."""
        x, made = self.first(x), []
        for group in self.groups:
            x = group(x)
            made.append(x)
        return self.fuse(torch.cat(made, 1))


def rdn_host(scale: int, width: int = 64, groups: int = 16, layers: int = 8, growth: int = 64) -> Host:
    """RDN D16-C8-G64 as published; D20-C6-G32 is the smaller one.

    Args:
        scale: HR / LR size.
        width: channels G0.
        groups: dense groups D.
        layers: of a group, C.
        growth: G.
    """
    return Host(
        width,
        lambda: conv3(3, width),
        lambda: DenseBody(width, groups, layers, growth),
        lambda: upsampler(scale, width),
        NoBase,
    )
