"""Building blocks of RCAN (Zhang et al., ECCV 2018) as D2C-SR uses them. Convolutions are 3x3 with bias."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

DIV2K_MEAN = (0.4488, 0.4371, 0.4040)  # RGB in [0, 1]


def conv3(inputs: int, outputs: int, *, bias: bool = True) -> nn.Conv2d:
    """3x3 convolution, stride 1, zero padding 1."""
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias)


class ChannelAttention(nn.Module):
    """Scale each channel by what its mean over the image says: x * sigmoid(W2 relu(W1 mean(x))).

    Args:
        width: channels.
        reduction: the hidden layer has width // reduction channels, at least one.
    """

    def __init__(self, width: int, reduction: int = 16) -> None:
        super().__init__()
        hidden = max(1, width // reduction)
        self.squeeze = nn.Conv2d(width, hidden, 1)
        self.excite = nn.Conv2d(hidden, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, n, h, w) -> same."""
        gate: Tensor = self.excite(self.squeeze(x.mean((2, 3), keepdim=True)).relu()).sigmoid()
        return x * gate


class RCAB(nn.Module):
    """Residual channel-attention block: x + CA(conv(relu(conv(x))))."""

    def __init__(self, width: int, reduction: int = 16) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv3(width, width),
            nn.ReLU(inplace=True),
            conv3(width, width),
            ChannelAttention(width, reduction),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, n, h, w) -> same."""
        return x + self.body(x)


class ResidualGroup(nn.Module):
    """x + conv(RCAB_B(... RCAB_1(x)))."""

    def __init__(self, width: int, blocks: int, reduction: int = 16) -> None:
        super().__init__()
        self.body = nn.Sequential(*[RCAB(width, reduction) for _ in range(blocks)], conv3(width, width))

    def forward(self, x: Tensor) -> Tensor:
        """(B, n, h, w) -> same."""
        return x + self.body(x)


class EnlargingConv(nn.Conv2d):
    """3x3 convolution and pixel shuffle in one: to the rounding `pixel_shuffle(conv(x), factor)`.

    Where channels lie last, a shuffle that splits the channels of a pixel moves single numbers. With the
    outputs in the order (row, column, channel) it moves runs of them, in half the time.

    Args:
        inputs, outputs: channels; the weight has factor**2 * outputs of them, in `pixel_shuffle`'s order.
        factor: of the enlargement.
    """

    def __init__(self, inputs: int, outputs: int, factor: int) -> None:
        super().__init__(inputs, factor * factor * outputs, 3, padding=1)
        self.factor = factor

    def forward(self, input: Tensor) -> Tensor:
        """(B, inputs, h, w) -> (B, outputs, factor h, factor w)."""
        r = self.factor
        assert self.bias is not None
        weight, bias = (
            p.unflatten(0, (-1, r * r)).transpose(0, 1).flatten(0, 1) for p in (self.weight, self.bias)
        )
        made = F.conv2d(input, weight, bias, padding=1).permute(0, 2, 3, 1)  # (B, h, w, r r outputs)
        b, h, w, channels = made.shape
        rows = made.reshape(b, h, w, r, channels // r).transpose(2, 3)
        return rows.reshape(b, h * r, w * r, channels // (r * r)).permute(0, 3, 1, 2)


def upsampler(scale: int, width: int) -> nn.Sequential:
    """Pixel-shuffle upsampling by 2s and 3s without activation, then conv to RGB.

    Raises:
        ValueError: a scale with other prime factors.
    """
    enlarging: list[nn.Module] = []
    for factor in steps_of(scale):
        # Identity holds the place of the shuffle in the names of weights.
        enlarging += [EnlargingConv(width, width, factor), nn.Identity()]
    return nn.Sequential(*enlarging, conv3(width, 3))


def steps_of(scale: int) -> list[int]:
    """The 2s and 3s whose product is a scale; none for a network that keeps the size.

    Raises:
        ValueError: a scale with other prime factors.
    """
    found, rest = [], scale
    for factor in (2, 3):
        while rest % factor == 0 and rest > 0:
            found.append(factor)
            rest //= factor
    if rest != 1 or scale < 1:
        raise ValueError(f"no upsampler for x{scale}: 2, 3 and their products")
    return found


class NoBase(nn.Module):
    """Nothing is added to predictions."""

    def forward(self, lr: Tensor) -> Tensor:
        """(1, 1, 1, 1) zero."""
        return lr.new_zeros(1, 1, 1, 1)


class MeanColour(nn.Module):
    """The mean colour of DIV2K as a constant buffer: the base that predictions are added to.

    Shape:
        lr (B, 3, h, w) -> (1, 3, 1, 1).
    """

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(DIV2K_MEAN).view(1, 3, 1, 1), persistent=False)

    def forward(self, lr: Tensor) -> Tensor:
        """The colour, whatever the image."""
        return self.mean


class Head(nn.Module):
    """Shallow feature h_0 = conv(x - m)."""

    mean: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(DIV2K_MEAN).view(1, 3, 1, 1), persistent=False)
        self.conv = conv3(3, width)

    def forward(self, lr: Tensor) -> Tensor:
        """(B, 3, h, w) RGB in [0, 1] -> (B, n, h, w)."""
        return self.conv(lr - self.mean)


def initialise(module: nn.Module, generator: torch.Generator, gain: float = 1.0) -> None:
    """Initial weights of the released code: normal(0, sqrt(gain / fan_in)), biases 0.

    Args:
        module: its convolutions are set in the order of `modules()`, so a seed gives the same weights.
        generator: CPU generator.
        gain: 1 as released; a host may need another (`Host.gain`).
    """
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            fan_in = part.weight[0].numel()
            with torch.no_grad():
                part.weight.normal_(0, (gain / fan_in) ** 0.5, generator=generator)
                if part.bias is not None:
                    part.bias.zero_()
