"""A trained RefVAE as a function of images, and as a space to draw from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from realdeg.imaging.square import fitted
from train.machine import Machine
from train.nets.bicubic import BicubicBase
from train.nets.refvae import EIGHTH, Features, RefVAENet, padded
from train.restore.model import like, projected, self_ensemble, tensor
from train.restore.space import Guide, arc, noise
from train.restore.tiling import by_tiles

SEEN = 4  # px of relu4_1 that a value of it depends on, each side: 30 px of the image
DRAWN = 3  # px of the fused features that a pixel depends on, each side: 22 px of the image


@dataclass(frozen=True)
class RefVAE:
    """Networks, their scale and the machine they run on.

    Attributes:
        net: all that has learned.
        features: VGG-19 to relu4_1, last of its outputs.
        scale: s.
        side: of a reference, px.
        tile: side of a tile in HR pixels; larger images are seen and drawn tile by tile.
        project: make images agree with LR (`realdeg.imaging.consistency`).
        ensemble: of single images, the mean over the eight ways to turn and mirror LR.
    """

    net: RefVAENet
    features: Features
    scale: int
    machine: Machine
    side: int = 256
    tile: int = 512
    project: bool = False
    ensemble: bool = False

    @property
    def nets(self) -> Mapping[str, nn.Module]:
        """Its network by its name in a checkpoint."""
        return {"net": self.net}

    def __call__(self, lr: np.ndarray) -> np.ndarray:
        """(h, w, 3) uint8 or uint16 RGB -> the mode with LR as reference, (s h, s w, 3) of the same type."""
        return like(lr, self.predict(lr)[0])

    def predict(self, lr: np.ndarray) -> Tensor:
        """The mode with LR as its own reference, (1, 3, s h, s w) float32 in about [0, 1], not clamped.

        Args:
            lr: (h, w, 3) uint8 or uint16 RGB.
        """
        training = self.net.training
        self.net.eval()
        whole, guide = tensor(lr), (lr,)
        if self.ensemble:
            image = self_ensemble(lambda turned: PosteriorSampler(self, turned, guide).mode()[None], whole)
        else:
            image = PosteriorSampler(self, whole, guide).mode()[None]
        self.net.train(training)
        return projected(image[0].permute(1, 2, 0).numpy(), lr, self.scale)[None] if self.project else image

    def sampler(self, lr: np.ndarray, guide: Guide | None = None) -> PosteriorSampler:
        """Open a photo: arguments and errors of `train.restore.space.Space.sampler`."""
        self.net.eval()
        return PosteriorSampler(self, tensor(lr), (lr,) if guide in (None, "self") else guide)


class PosteriorSampler:
    """A photo opened for drawing (a `train.restore.space.Sampler`).

    LR's features and their statistics are computed once, a reference's code once for each reference.

    Args:
        model: to draw from.
        whole: (1, 3, h, w) in [0, 1].
        guide: "noise", "prior" or pictures.
    """

    def __init__(self, model: RefVAE, whole: Tensor, guide: Guide | None) -> None:
        self.model, self.guide = model, guide
        self.known: dict[int, tuple[Tensor, Tensor]] = {}
        net, machine = model.net, model.machine
        with torch.inference_mode():
            large = BicubicBase(model.scale)(whole)
            self.large = large[0]
            image = padded(large)
            self.eighth_hw = image.shape[-2] // EIGHTH, image.shape[-1] // EIGHTH

            def see(y0: int, y1: int, x0: int, x1: int) -> Tensor:
                part = image[..., EIGHTH * y0 : EIGHTH * y1, EIGHTH * x0 : EIGHTH * x1]
                with machine.autocast():
                    return model.features(machine.bring(part))[-1].float()

            tile = max(1, model.tile // EIGHTH)
            features = machine.bring(by_tiles(see, self.eighth_hw, 1, tile, SEEN))
            with machine.autocast():
                shift, scale = net.of_lr(features)
            self.shift, self.factor = shift.float(), scale.float()

    def draw(self, seed: int) -> Tensor:
        """The sample of a seed, (3, s h, s w) float32 on the CPU, not clamped."""
        with torch.inference_mode():
            mean, deviation = self._code(seed)
            return self._image(mean + deviation * noise(mean.shape, seed).to(mean))

    def mode(self) -> Tensor:
        """The image at the mean of the first reference's code."""
        with torch.inference_mode():
            return self._image(self._code(0)[0])

    def between(self, first: int, last: int, t: float) -> Tensor:
        """A point on the way between two samples: codes straight on, their noises along an arc."""
        with torch.inference_mode():
            (mean_a, deviation_a), (mean_b, deviation_b) = self._code(first), self._code(last)
            eps = arc(noise(mean_a.shape, first), noise(mean_a.shape, last), t).to(mean_a)
            mean, deviation = ((1 - t) * a + t * b for a, b in ((mean_a, mean_b), (deviation_a, deviation_b)))
            return self._image(mean + deviation * eps)

    def _code(self, seed: int) -> tuple[Tensor, Tensor]:
        """Mean and deviation of the code that the sample of a seed leans on, (1, latent) each."""
        model = self.model
        if self.guide == "prior":
            zero = torch.zeros(1, model.net.latent, device=model.machine.device)
            return zero, torch.ones_like(zero)
        if isinstance(self.guide, Sequence) and not isinstance(self.guide, str):
            seed %= len(self.guide)
        if seed not in self.known:
            reference = model.machine.bring(self._reference(seed))
            with model.machine.autocast():
                features = model.features(reference)[-1]
            mean, log_variance = model.net.of_reference(features.float())
            self.known[seed] = mean, torch.exp(0.5 * log_variance)
        return self.known[seed]

    def _reference(self, i: int) -> Tensor:
        """(1, 3, side, side) in [0, 1]."""
        side = self.model.side
        if isinstance(self.guide, Sequence) and not isinstance(self.guide, str):
            return tensor(fitted(self.guide[i], side))
        return torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(i))

    def _image(self, z: Tensor) -> Tensor:
        net, machine = self.model.net, self.model.machine
        with machine.autocast():
            fused = net.fused(z, self.shift, self.factor)

        def part(y0: int, y1: int, x0: int, x1: int) -> Tensor:
            with machine.autocast():
                drawn: Tensor = net.draw(fused[..., y0:y1, x0:x1])
            return drawn.float()

        image = by_tiles(part, self.eighth_hw, EIGHTH, self.model.tile, DRAWN)[0]
        return image[:, : self.large.shape[-2], : self.large.shape[-1]] + self.large
