"""The convolutions of VGG-19 and AlexNet, with torchvision's names of parameters, so that its files fit."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
RELU = {"1_2": 3, "2_2": 8, "3_4": 17, "4_1": 20, "5_4": 35}  # layers of `vgg19` that are these ReLUs
VGG19 = (
    64,
    64,
    "M",
    128,
    128,
    "M",
    256,
    256,
    256,
    256,
    "M",
    512,
    512,
    512,
    512,
    "M",
    512,
    512,
    512,
    512,
    "M",
)


class Trunk(nn.Module):
    """A frozen chain of layers, of which some outputs are wanted.

    Args:
        layers: `features` of a torchvision classifier.
        wanted: indices of layers whose outputs are returned.
    Shape:
        (B, 3, H, W) -> a tensor for each of `wanted`.
    """

    def __init__(self, layers: Sequence[nn.Module], wanted: Sequence[int]) -> None:
        super().__init__()
        self.features = nn.Sequential(*layers[: max(wanted) + 1])
        self.wanted = frozenset(wanted)
        self.requires_grad_(False)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Outputs of the wanted layers, in order."""
        found = []
        for i, layer in enumerate(self.features):
            image = layer(image)
            if i in self.wanted:
                found.append(image)
        return found

    def take(self, weights: Mapping[str, Tensor]) -> None:
        """Load a classifier's weights; what the trunk doesn't have is left.

        Raises:
            KeyError: a weight is missing.
            RuntimeError: a shape differs.
        """
        self.load_state_dict({name: weights[name] for name in self.state_dict()})


def vgg19(wanted: Sequence[int], padding: Literal["zeros", "reflect"] = "zeros") -> Trunk:
    """VGG-19 without batch norm (Simonyan and Zisserman, ICLR 2015).

    Args:
        wanted: 34 is conv5_4; `RELU` has the numbers of some ReLUs.
        padding: of the convolutions; it was trained with zeros. Reflection leaves no rim in style transfer.
    """
    layers: list[nn.Module] = []
    inputs = 3
    for size in VGG19:
        if isinstance(size, str):
            layers.append(nn.MaxPool2d(2, 2))
        else:
            # Not in place: a wanted convolution's output must stay what it was.
            layers += [nn.Conv2d(inputs, size, 3, padding=1, padding_mode=padding), nn.ReLU()]
            inputs = size
    return Trunk(layers, wanted)


def alexnet(wanted: Sequence[int] = (1, 4, 7, 9, 11)) -> Trunk:
    """AlexNet as torchvision has it (Krizhevsky, 2014); by default the five ReLUs that LPIPS takes."""
    layers = [
        nn.Conv2d(3, 64, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(),
    ]  # fmt: skip
    return Trunk(layers, wanted)


def seeded(trunk: nn.Module, seed: int) -> dict[str, Tensor]:
    """Weights of a trunk's shapes that keep the size of what passes through (He et al.); for tests."""
    generator = torch.Generator().manual_seed(seed)
    made = {}
    for name, tensor in itertools.chain(trunk.named_parameters(), trunk.named_buffers()):
        fan_in = tensor[0].numel() if tensor.ndim > 1 else 1
        scale = (2 / fan_in) ** 0.5 if tensor.ndim > 1 else 0.05
        made[name] = scale * torch.randn(tensor.shape, generator=generator)
    return made
