"""VDSR (Kim et al., CVPR 2016) as a host: it works on the enlarged image, so its stem enlarges."""

from __future__ import annotations

from torch import Tensor, nn

from train.nets.bicubic import BicubicBase
from train.nets.blocks import conv3
from train.nets.host import Host


class EnlargedStem(nn.Module):
    """relu(conv(bicubic(lr))), without bias."""

    def __init__(self, scale: int, width: int) -> None:
        super().__init__()
        self.enlarge = BicubicBase(scale)
        self.conv = conv3(3, width, bias=False)

    def forward(self, lr: Tensor) -> Tensor:
        """(B, 3, h, w) -> (B, n, s h, s w)."""
        return self.conv(self.enlarge(lr).to(self.conv.weight.dtype)).relu()


def vdsr_host(scale: int, width: int = 64, layers: int = 18) -> Host:
    """VDSR for RGB: 20 convolutions without bias, 18 of them the body; adds the bicubic image.

    Args:
        scale: HR / LR size.
        width: channels.
        layers: of the body.
    """

    def branch() -> nn.Module:
        parts: list[nn.Module] = []
        for _ in range(layers):
            parts += [conv3(width, width, bias=False), nn.ReLU(inplace=True)]
        return nn.Sequential(*parts)

    return Host(
        width,
        lambda: EnlargedStem(scale, width),
        branch,
        lambda: conv3(width, 3, bias=False),
        lambda: BicubicBase(scale),
        skip=False,
        gain=2.0,
    )
