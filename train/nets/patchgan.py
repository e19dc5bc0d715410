"""RefVAE's discriminator (released code): one PatchGAN, applied to an image and to two reductions of it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

LEVELS = 3
SMALLEST = 64  # px a side: instance norm needs two values at the smallest scale


class PatchGAN(nn.Module):
    """Judgements of patches, and the features that they rest on.

    Args:
        width: channels after the first convolution (released code: 32).
    Shape:
        (B, 3, H, W), H and W at least 64 -> judgements (B, N) of all patches at three scales, and a list of
        the features of four layers at each of them.
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        layers = [nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.LeakyReLU(0.2))]
        for i in range(3):
            inputs, outputs = width << i, width << (i + 1)
            layers.append(
                nn.Sequential(
                    nn.Conv2d(inputs, outputs, 4, stride=2, padding=1),
                    nn.InstanceNorm2d(outputs),
                    nn.LeakyReLU(0.2),
                )
            )
        self.layers = nn.ModuleList(layers)
        self.judge = nn.Conv2d(width << 3, 1, 3, padding=1)
        self.reduce = nn.MaxPool2d(3, stride=2, padding=1)
        for part in self.modules():
            if isinstance(part, nn.Conv2d):
                nn.init.normal_(part.weight, 0, 0.02)
                assert part.bias is not None
                nn.init.zeros_(part.bias)

    def forward(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Judgements and features."""
        said, seen = [], []
        for level in range(LEVELS):
            x = self.reduce(image) if level else image
            image = x
            for layer in self.layers:
                x = layer(x)
                seen.append(x)
            said.append(self.judge(x).flatten(1))
        return torch.cat(said, 1), seen
