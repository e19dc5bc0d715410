"""A trained VSpSR as a function of images, and as a space to draw from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from realdeg.errors import EXIT_USAGE, Unfit, UserError
from train.machine import Machine
from train.nets.noise import correlated, normal
from train.nets.vspm import SMALLEST, Normal, VSpM
from train.restore.model import Base, like, projected, self_ensemble, tensor
from train.restore.space import Guide, arc
from train.restore.tiling import by_tiles

HALO = 4  # LR px: the deterministic part's convolutions reach 2 HR px, interpolation 2 LR px
REACH = 3  # HR px of the final mix
MIXED = 256  # HR px of a tile of the final mix at most: sixteen channels of it stay in the cache
FACTOR = 4  # values of a factor for each coefficient at most: memory


@dataclass(frozen=True)
class VSpSR:
    """The module, what it is built on, and the machine they run on.

    Attributes:
        net: basis, coefficients, final mix.
        base: a trained model as deterministic part; None: the module's own.
        tile: side of a tile in HR pixels; larger images are mixed tile by tile.
        project: make images agree with LR (`realdeg.imaging.consistency`).
        ensemble: of single images, the mean over the eight ways to turn and mirror LR.
    """

    net: VSpM
    base: Base | None
    machine: Machine
    tile: int = 512
    project: bool = False
    ensemble: bool = False

    @property
    def scale(self) -> int:
        """HR / LR size."""
        return self.net.scale

    @property
    def nets(self) -> Mapping[str, nn.Module]:
        """Its networks by their names in a checkpoint."""
        held = {} if self.base is None else {f"mu.{name}": net for name, net in self.base.nets.items()}
        return {"net": self.net, **held}

    def __call__(self, lr: np.ndarray) -> np.ndarray:
        """(h, w, 3) uint8 or uint16 RGB -> the mode, (s h, s w, 3) of the same type."""
        return like(lr, self.predict(lr)[0])

    def predict(self, lr: np.ndarray) -> Tensor:
        """The mode alone, (1, 3, s h, s w) float32 in about [0, 1], on the CPU, not clamped.

        Args:
            lr: (h, w, 3) uint8 or uint16 RGB.

        Raises:
            Unfit: LR is under 16 px a side.
        """
        whole = _checked(lr)
        if self.ensemble:
            image = self_ensemble(lambda turned: PosteriorSampler(self, turned).mode()[None], whole)
        else:
            image = PosteriorSampler(self, whole).mode()[None]
        return projected(image[0].permute(1, 2, 0).numpy(), lr, self.scale)[None] if self.project else image

    def enlarge(self, lr: Tensor) -> Tensor:
        """(B, 3, h, w) in [0, 1] -> their modes (B, 3, s h, s w) float32, both on the device."""
        with torch.no_grad(), self.machine.autocast():
            basis, coefficients = self.net.variables(lr)
            image: Tensor = self.net.mix(self.net.patchwork(basis.mean, coefficients.mean)) + self.net.base(
                lr
            )
        return image.float() + self.base.enlarge(lr) if self.base is not None else image.float()

    def sampler(self, lr: np.ndarray, guide: Guide | None = None) -> PosteriorSampler:
        """Open a photo: arguments and errors of `train.restore.space.Space.sampler`."""
        if guide is not None:
            raise UserError(
                "--reference", "is nothing to a VSpSR", "leave it out, or use a RefVAE", exit_code=EXIT_USAGE
            )
        return PosteriorSampler(self, _checked(lr))


def _checked(lr: np.ndarray) -> Tensor:
    height, width = lr.shape[:2]
    if min(height, width) < SMALLEST:
        problem = f"is {width}x{height} px; VSpSR pools LR and needs {SMALLEST} px a side"
        raise Unfit("LR", problem, "give a larger photo")
    return tensor(lr)


class PosteriorSampler:
    """A photo opened for drawing (a `train.restore.space.Sampler`).

    Basis, coefficients and the deterministic part are computed once. Where neither the basis is drawn nor
    noise is correlated, the values of a patch, Z w, are normal with mean Z mu and covariance
    Z diag(sigma^2) Z', and independent of all other patches: side**2 numbers a pixel, through a Cholesky
    factor, then stand for n, and are the same in distribution.

    Args:
        model: to draw from.
        whole: (1, 3, h, w) in [0, 1].
    """

    def __init__(self, model: VSpSR, whole: Tensor) -> None:
        self.model, net, machine = model, model.net, model.machine
        with torch.inference_mode():
            self.lr = machine.bring(whole)
            self.size_hw = (whole.shape[-2], whole.shape[-1])
            with machine.autocast():
                basis, coefficients = net.variables(self.lr)
            self.basis, self.coefficients = _float(basis), _float(coefficients)
            self.outer = None if model.base is None else model.base.enlarge(self.lr)[0].cpu()
            drawn = self.coefficients.log_variance
            side = self.basis.mean.shape[-1]
            factored = (
                drawn is not None
                and self.basis.log_variance is None
                and not net.correlation
                and side**4 <= FACTOR * net.count
            )
            self.factor = _factor(net, self.basis.mean, drawn) if factored and drawn is not None else None
            self.mean = net.patchwork(self.basis.mean, self.coefficients.mean)
            self.deviation = None if drawn is None else torch.exp(0.5 * drawn)
            self.shape = drawn.shape if drawn is not None else self.coefficients.mean.shape

    @cached_property
    def deterministic(self) -> Tensor:
        """The part that is no sample's own, (3, s h, s w) on the CPU."""
        net, s = self.model.net, self.model.scale

        def part(y0: int, y1: int, x0: int, x1: int) -> Tensor:
            with torch.inference_mode(), self.model.machine.autocast():
                found = net.base(self.lr[..., y0:y1, x0:x1])
            return found.float().expand(1, 3, s * (y1 - y0), s * (x1 - x0))

        own = by_tiles(part, self.size_hw, s, self.model.tile, HALO)[0]
        return own if self.outer is None else own + self.outer

    def draw(self, seed: int) -> Tensor:
        """The sample of a seed, (3, s h, s w) float32 on the CPU, not clamped."""
        with torch.inference_mode():
            return self._image(*self._noises(seed))

    def mode(self) -> Tensor:
        """The image at the means of basis and coefficients."""
        with torch.inference_mode():
            return self._mixed(self.mean)

    def between(self, first: int, last: int, t: float) -> Tensor:
        """A point on the way between two samples, along the arc between their noises."""
        with torch.inference_mode():
            pairs = zip(self._noises(first), self._noises(last), strict=True)
            return self._image(*(None if a is None or b is None else arc(a, b, t) for a, b in pairs))

    def _noises(self, seed: int) -> tuple[Tensor | None, Tensor | None]:
        """Noise of the basis and of the coefficients, or of the patches' values."""
        generator = torch.Generator().manual_seed(seed)
        noises: list[Tensor | None] = []
        for variable in (self.basis, self.coefficients):
            if variable.log_variance is None:
                noises.append(None)
            elif variable is self.coefficients and self.factor is not None:
                shape = (self.factor.shape[0], *self.shape[-2:], self.factor.shape[-1])
                noises.append(normal(shape, generator, self.factor))
            else:
                noises.append(normal(variable.mean.shape, generator, variable.mean))
        return noises[0], noises[1]

    def _image(self, of_basis: Tensor | None, of_coefficients: Tensor | None) -> Tensor:
        net = self.model.net
        if self.factor is not None and of_coefficients is not None:
            values = torch.matmul(self.factor, of_coefficients[..., None])[..., 0].permute(0, 3, 1, 2)
            return self._mixed(self.mean + net.laid(values, *self.shape[-2:]))
        if self.deviation is None or of_coefficients is None:
            drawn = net.drawn(self.basis, self.coefficients, of_basis, of_coefficients)
            return self._mixed(net.patchwork(*drawn))
        away = correlated(of_coefficients, net.correlation) * self.deviation
        if of_basis is None:
            return self._mixed(self.mean + net.patchwork(self.basis.mean, away))
        return self._mixed(net.patchwork(self.basis.draw(of_basis), self.coefficients.mean + away))

    def _mixed(self, patches: Tensor) -> Tensor:
        """The final mix of (1, 3, s h, s w), and all parts added."""
        s = self.model.scale

        def part(y0: int, y1: int, x0: int, x1: int) -> Tensor:
            with self.model.machine.autocast():
                mixed: Tensor = self.model.net.mix(patches[..., s * y0 : s * y1, s * x0 : s * x1])
            return mixed.float()

        tile = min(self.model.tile, MIXED)
        explorable = by_tiles(part, self.size_hw, s, tile, -(-REACH // s))[0]
        return explorable + self.deterministic


def _float(variable: Normal) -> Normal:
    logs = variable.log_variance
    return Normal(variable.mean.float(), None if logs is None else logs.float())


def _factor(net: VSpM, basis: Tensor, log_variance: Tensor) -> Tensor:
    """L with L L' = Z diag(sigma^2) Z' at each pixel: (3, h, w, side**2, side**2)."""
    z = (basis * net.window).flatten(2)  # (3, n, p)
    products = torch.einsum("bkp,bkq->bkpq", z, z).flatten(2)
    covariance = torch.einsum("bkyx,bkm->byxm", log_variance.exp(), products)
    side = z.shape[-1]
    matrix = covariance.unflatten(-1, (side, side)).double()
    # Vectors of a basis may be alike: a little on the diagonal, far below a rounding of 8 bits.
    jitter = 1e-10 + 1e-7 * matrix.diagonal(dim1=-2, dim2=-1).mean(-1)[..., None, None]
    eye = torch.eye(side, dtype=torch.float64, device=matrix.device)
    return torch.linalg.cholesky(matrix + jitter * eye).float()
