"""RCAN's parts (Zhang et al., ECCV 2018) as a host: the network that D2C-SR's paper grows."""

from __future__ import annotations

from torch import nn

from train.nets.blocks import Head, MeanColour, ResidualGroup, conv3, upsampler
from train.nets.host import Host


def rcan_host(scale: int, width: int = 64, groups: int = 2, blocks: int = 4, reduction: int = 16) -> Host:
    """Host whose branch module M(G, B) is conv(RG_G(... RG_1(x))), without a residual around it.

    Args:
        scale: 2, 3, 4 or 8.
        width: feature channels n (paper: 64).
        groups: residual groups G a branch (paper: 2).
        blocks: channel-attention blocks B a group (paper: 4).
        reduction: of the channel attention.
    """

    def branch() -> nn.Module:
        parts = [ResidualGroup(width, blocks, reduction) for _ in range(groups)]
        return nn.Sequential(*parts, conv3(width, width))

    return Host(width, lambda: Head(width), branch, lambda: upsampler(scale, width), MeanColour)
