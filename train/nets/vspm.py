"""The variational sparse representation module of VSpSR (NTIRE 2021): patches are a basis times coefficients.

The image is a deterministic part plus an explorable one, whose patch at LR pixel j and colour channel is
Z w_j: Z holds n basis vectors of s x s values, one set an image and channel, w_j the coefficients of the
pixel. Coefficients, and if wanted the basis, are normal variables whose means and variances are predicted.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from train.nets.bicubic import BicubicBase, quieten
from train.nets.noise import correlated, normal

SMALLEST = 16  # LR px a side: four poolings must leave a pixel
Patches = Literal["apart", "overlap"]
Interpolation = Literal["none", "bilinear", "bicubic"]


@dataclass(frozen=True)
class Normal:
    """An independent normal variable at each place.

    Attributes:
        mean: of any shape.
        log_variance: of the same shape; None: it is its mean.
    """

    mean: Tensor
    log_variance: Tensor | None

    def draw(self, noise: Tensor) -> Tensor:
        """Mean + deviation * noise."""
        if self.log_variance is None:
            return self.mean
        return self.mean + torch.exp(0.5 * self.log_variance) * noise


def _split(both: Tensor, stochastic: bool) -> Normal:
    if not stochastic:
        return Normal(both, None)
    mean, log_variance = both.chunk(2, dim=1)
    return Normal(mean, log_variance)


class BasisBranch(nn.Module):
    """The basis of an image.

    Args:
        count: basis vectors n, a multiple of 4.
        side: of a patch: 2, 3, 4, 6, 8 or 16 px.
        stochastic: means and logarithms of variances, else means.
    Shape:
        (N, 1, h, w), h and w at least 16 -> variables of shape (N, n, side, side).

    The published network ends at 4 x 4, and at 8 x 8 by a further transposed convolution. Other sides are
    ours: 2 without the transposed convolutions, 3 by one of 2 x 2, 6 and 16 by a further one of stride 2.
    """

    def __init__(self, count: int, side: int, *, stochastic: bool) -> None:
        super().__init__()
        self.stochastic = stochastic
        widths = (1, count // 4, count // 2, count, 2 * count)
        stages: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(widths):
            stages += [
                nn.Conv2d(inputs, outputs, 3, padding=1),
                nn.InstanceNorm2d(outputs),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
        self.encode = nn.Sequential(*stages)
        out = (2 if stochastic else 1) * count
        self.linear = nn.Linear(2 * count, out)
        layers: list[nn.Module] = [nn.Conv2d(out, out, 2, padding=1)]  # 1 x 1 -> 2 x 2
        doublings = {2: 0, 3: 0, 4: 0, 6: 1, 8: 1, 16: 2}[side]
        if side in (3, 6):
            layers.append(nn.ConvTranspose2d(out, out, 2))  # -> 3 x 3
        elif side > 2:
            layers.append(nn.ConvTranspose2d(out, out, 3))  # -> 4 x 4
        layers += [nn.ConvTranspose2d(out, out, 2, stride=2) for _ in range(doublings)]
        self.decode = nn.Sequential(*layers, nn.Conv2d(out, out, 1))

    def forward(self, image: Tensor) -> Normal:
        """The basis as variables."""
        pooled = self.encode(image).mean((-2, -1))
        return _split(self.decode(self.linear(pooled)[..., None, None]), self.stochastic)


class CoefficientBranch(nn.Module):
    """The coefficients at each LR pixel.

    Args:
        count: basis vectors n.
        stochastic: means and logarithms of variances, else means.
    Shape:
        (N, 1, h, w) -> variables of shape (N, n, h, w).
    """

    def __init__(self, count: int, *, stochastic: bool) -> None:
        super().__init__()
        self.stochastic = stochastic
        out = (2 if stochastic else 1) * count
        widths = (1, count // 4, count // 2, count, out)
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(widths):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.GroupNorm(1, outputs), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Conv2d(out, out, 1))

    def forward(self, image: Tensor) -> Normal:
        """The coefficients as variables."""
        return _split(self.layers(image), self.stochastic)


class Deterministic(nn.Module):
    """LR enlarged by interpolation and two convolutions, without a skip (released code).

    Shape:
        (B, 3, h, w) -> (B, 3, s h, s w).
    """

    def __init__(self, scale: int, interpolation: Interpolation) -> None:
        super().__init__()
        self.scale, self.interpolation = scale, interpolation
        self.layers = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 3, 3, padding=1))

    def forward(self, lr: Tensor) -> Tensor:
        """The deterministic part."""
        large = F.interpolate(lr, scale_factor=self.scale, mode=self.interpolation, align_corners=False)
        return self.layers(large)


class VSpM(nn.Module):
    """Basis, coefficients, and the two parts of the image.

    Args:
        scale: s, 2, 3, 4 or 8.
        count: basis vectors n, a multiple of 4 (paper: 64 or 256).
        stochastic_basis: the basis is drawn, too.
        stochastic_coefficients: the coefficients are drawn; else the image is one.
        interpolation: of the deterministic part; "none": it is given from outside.
        patches: "apart" (paper): s x s, side by side; "overlap" (ours): 2s x 2s under a window whose
            overlapping values sum to 1, so that a patch fades into its neighbours.
        correlation: px of LR over which the noise of coefficients is alike (ours); 0: independent (paper).
        bicubic: both parts are added to the bicubic image (ours), and begin near 0.
    Shape:
        (B, 3, h, w) in [0, 1], h and w at least 16 -> (B, 3, s h, s w).

    Raises:
        ValueError: a scale or count that it cannot have.
    """

    window: Tensor

    def __init__(
        self,
        scale: int,
        count: int = 256,
        *,
        stochastic_basis: bool = False,
        stochastic_coefficients: bool = True,
        interpolation: Interpolation = "bilinear",
        patches: Patches = "apart",
        correlation: float = 0.0,
        bicubic: bool = False,
    ) -> None:
        super().__init__()
        if scale not in (2, 3, 4, 8):
            raise ValueError(f"VSpSR has scales 2, 3, 4 and 8, not {scale}")
        if count < 4 or count % 4:
            raise ValueError(f"a basis has a multiple of 4 vectors, not {count}")
        self.scale, self.count, self.correlation = scale, count, correlation
        self.overlapping = patches == "overlap"
        side = 2 * scale if self.overlapping else scale
        self.basis = BasisBranch(count, side, stochastic=stochastic_basis)
        self.coefficients = CoefficientBranch(count, stochastic=stochastic_coefficients)
        self.mix = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(),
            nn.Conv2d(16, 3, 3, padding=1),
        )  # fmt: skip
        self.deterministic = Deterministic(scale, interpolation) if interpolation != "none" else None
        self.skip = BicubicBase(scale) if bicubic else None
        if bicubic:
            quieten(nn.ModuleList(m for m in (self.mix, self.deterministic) if m is not None))
        at = (torch.arange(side, dtype=torch.float64) + 0.5) / side
        line = torch.sin(math.pi * at).square() if self.overlapping else torch.ones_like(at)
        self.register_buffer("window", torch.outer(line, line).float(), persistent=False)

    def variables(self, lr: Tensor) -> tuple[Normal, Normal]:
        """Basis (3B, n, side, side) and coefficients (3B, n, h, w), predicted for each colour channel alone.

        Raises:
            ValueError: LR is under 16 px a side.
        """
        if min(lr.shape[-2:]) < SMALLEST:
            raise ValueError(f"LR of {lr.shape[-1]}x{lr.shape[-2]} px; VSpSR pools it from {SMALLEST} px on")
        channels = lr.flatten(0, 1)[:, None]
        return self.basis(channels), self.coefficients(channels)

    def drawn(
        self, basis: Normal, coefficients: Normal, of_basis: Tensor | None, of_coefficients: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """One basis and one set of coefficients, from white noise of their shapes (None where not drawn)."""
        found = []
        for variable, noise, sigma in (
            (basis, of_basis, 0.0), (coefficients, of_coefficients, self.correlation),
        ):  # fmt: skip
            found.append(variable.mean if noise is None else variable.draw(correlated(noise, sigma)))
        return found[0], found[1]

    def draw(
        self, basis: Normal, coefficients: Normal, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """The same with noise of a generator on the CPU, or of torch's own stream."""
        noises = [
            None if v.log_variance is None else normal(v.mean.shape, generator, v.mean)
            for v in (basis, coefficients)
        ]
        return self.drawn(basis, coefficients, *noises)

    def patchwork(self, basis: Tensor, coefficients: Tensor) -> Tensor:
        """Patches Z w, laid side by side or over each other: (B, 3, s h, s w)."""
        height, width = coefficients.shape[-2:]
        values = torch.einsum("bkyx,bkp->bpyx", coefficients, (basis * self.window).flatten(2))
        return self.laid(values, height, width)

    def laid(self, values: Tensor, height: int, width: int) -> Tensor:
        """Values of the patches, (3B, side**2, h, w), as an image (B, 3, s h, s w)."""
        if self.overlapping:
            s = self.scale
            size = (s * (height + 1), s * (width + 1))
            whole = F.fold(values.flatten(2), size, kernel_size=2 * s, stride=s)
            half, rest = s // 2, s - s // 2
            whole = whole[..., half : size[0] - rest, half : size[1] - rest]
            # Beyond the border no patch adds its share.
            ones = F.fold(
                self.window.flatten()[None, :, None].expand(1, -1, height * width), size, kernel_size=2 * s,
                stride=s,
            )[..., half : size[0] - rest, half : size[1] - rest]  # fmt: skip
            whole = whole / ones
        else:
            whole = F.pixel_shuffle(values, self.scale)
        return whole.view(-1, 3, *whole.shape[-2:])

    def base(self, lr: Tensor) -> Tensor:
        """The deterministic part (B, 3, s h, s w); a 0 where it is given from outside."""
        parts = [part(lr) for part in (self.deterministic, self.skip) if part is not None]
        return sum(parts, torch.zeros((), dtype=lr.dtype, device=lr.device))

    def forward(
        self, lr: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor, Normal, Normal]:
        """Image without an outside part, its explorable part, basis and coefficients."""
        basis, coefficients = self.variables(lr)
        explorable = self.mix(self.patchwork(*self.draw(basis, coefficients, generator)))
        return explorable + self.base(lr), explorable, basis, coefficients
