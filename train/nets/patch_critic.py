"""The discriminator of VSpSR (released code): four convolutions and a map of judgements."""

from __future__ import annotations

from torch import Tensor, nn

LAYERS = ((3, 64, 4, 2), (64, 128, 4, 2), (128, 256, 1, 1), (256, 512, 1, 1))


class PatchCritic(nn.Module):
    """Convolutions without padding, batch norm, one number an image: the mean over its map.

    Args:
        sigmoid: before the mean over the map (released code); under least squares it saturates.
    Shape:
        (B, 3, H, W), H and W at least 10 -> (B,).
    """

    def __init__(self, *, sigmoid: bool = True) -> None:
        super().__init__()
        self.sigmoid = sigmoid
        layers: list[nn.Module] = []
        for inputs, outputs, kernel, stride in (
            (3, 64, 4, 2),
            (64, 128, 4, 2),
            (128, 256, 1, 1),
            (256, 512, 1, 1),
        ):
            layers += [
                nn.Conv2d(inputs, outputs, kernel, stride), nn.BatchNorm2d(outputs), nn.LeakyReLU(0.01),
            ]  # fmt: skip
        self.layers = nn.Sequential(*layers, nn.Conv2d(512, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        """How real each image looks."""
        map_: Tensor = self.layers(image)
        return (map_.sigmoid() if self.sigmoid else map_).mean((1, 2, 3))
