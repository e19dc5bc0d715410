"""IMDN (information multi-distillation; Hui et al., ACM MM 2019) as a host."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from train.nets.blocks import NoBase, conv3
from train.nets.host import Host

SLOPE = 0.05  # of the leaky ReLU
REDUCTION = 16


class ContrastAttention(nn.Module):
    """Channel attention by the sum of each channel's mean and standard deviation."""

    def __init__(self, width: int) -> None:
        super().__init__()
        hidden = max(1, width // REDUCTION)
        self.squeeze = nn.Conv2d(width, hidden, 1)
        self.excite = nn.Conv2d(hidden, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, n, h, w) -> same."""
        mean = x.mean((2, 3), keepdim=True)
        variance = (x - mean).square().mean((2, 3), keepdim=True)
        contrast = mean + (variance + 1e-12).sqrt()  # the root's slope at 0 is infinite
        gate: Tensor = self.excite(self.squeeze(contrast).relu()).sigmoid()
        return x * gate


class Distillation(nn.Module):
    """Four convolutions; of three a quarter of the channels is kept aside, and all that was kept is fused.

    Args:
        width: channels, a multiple of 4.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        if width % 4:
            raise ValueError(
                f"IMDN keeps a quarter of its channels aside, so {width} have to be a multiple of 4"
            )
        self.kept = width // 4
        rest = width - self.kept
        self.convs = nn.ModuleList(
            [conv3(width, width), conv3(rest, width), conv3(rest, width), conv3(rest, self.kept)]
        )
        self.attention = ContrastAttention(4 * self.kept)
        self.fuse = nn.Conv2d(4 * self.kept, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, n, h, w) -> same."""
        kept, rest = [], x
        for conv in self.convs[:-1]:
            made = F.leaky_relu(conv(rest), SLOPE)
            kept.append(made[:, : self.kept])
            rest = made[:, self.kept :]
        kept.append(self.convs[-1](rest))
        return x + self.fuse(self.attention(torch.cat(kept, 1)))


class DistillationBody(nn.Module):
    """Distillation blocks and the fusion of all of them: conv(lrelu(conv1x1(...)))."""

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Distillation(width) for _ in range(blocks))
        self.fuse = nn.Sequential(
            nn.Conv2d(blocks * width, width, 1), nn.LeakyReLU(SLOPE, inplace=True), conv3(width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, n, h, w) -> same."""
        made = []
        for block in self.blocks:
            x = block(x)
            made.append(x)
        return self.fuse(torch.cat(made, 1))


def imdn_host(scale: int, width: int = 64, blocks: int = 6) -> Host:
    """IMDN: published with 64 channels, six blocks; one convolution and one pixel shuffle enlarge."""
    return Host(
        width,
        lambda: conv3(3, width),
        lambda: DistillationBody(width, blocks),
        lambda: nn.Sequential(conv3(width, 3 * scale * scale), nn.PixelShuffle(scale)),
        NoBase,
    )
