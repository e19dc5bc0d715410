"""Noise by laws, and noise of a camera out of a pool."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from realdeg.arraytypes import Image
from realdeg.degrade.ops.context import (
    DrawContext,
    Op,
    flag,
    missing_pool,
    name_of,
    names,
    number,
    value_of,
)
from realdeg.degrade.ops.distribution import Distribution, Names, parse, support
from realdeg.degrade.ops.level_noise import InjectByLevel, level_noise
from realdeg.degrade.ops.light import Clip
from realdeg.degrade.ops.step import LARGEST_SIDE, Parameter, PlanError, Pools, Size, Step, part
from realdeg.degrade.ops.words import format_amount, format_number, format_numbers
from realdeg.errors import UserError
from realdeg.imaging import noise
from realdeg.imaging.depth import to_float
from realdeg.imaging.noise import CHANNELS

if TYPE_CHECKING:
    from torch import Tensor

MATCHES = ("none", "level")
LAWS = ("gaussian", "poisson", "gaussian_poisson", "speckle")


@dataclass(frozen=True, kw_only=True)
class GaussianNoise(Step):
    """Normal noise, or speckle: normal noise times the image.

    `sigma_8bit`: standard deviation, 8-bit levels; in its place `covariance`, nine numbers row by row, of
    correlated channels; `key`: of the field.
    """

    op: ClassVar[str] = "noise"

    law: str = part(known=("gaussian", "speckle"))
    channels: str = part(known=CHANNELS)
    sigma_8bit: float | None = part("sigma", "levels", default=None, low=0)
    covariance: tuple[float, ...] | None = part(default=None)
    key: str = part(hexadecimal=True)

    def __post_init__(self) -> None:
        """Refuse what is neither a sigma nor a covariance of three channels."""
        if (self.channels == "correlated") != (self.covariance is not None):
            raise PlanError("a covariance goes with correlated channels, and they with it")
        if (self.sigma_8bit is None) == (self.covariance is None):
            raise PlanError("lacks 'sigma_8bit'" if self.covariance is None else "a covariance and a sigma")
        if self.covariance is not None and len(self.covariance) != 9:
            raise PlanError("a covariance has nine numbers")

    def apply(self, image: Image, pools: Pools) -> Image:
        """In float32."""
        return noise.gaussian(
            to_float(image),
            int(self.key, 16),
            self.sigma_8bit or 0,
            self.channels,  # type: ignore[arg-type]
            self.covariance or (),
            speckle=self.law == "speckle",
        )

    @classmethod
    def apply_batch(cls, images: Tensor, steps: Sequence[Self], pools: Pools) -> Tensor:
        """Fields are drawn on the processor."""
        import torch

        from realdeg.imaging import batched

        drawn = _bits(images, steps)
        mixing = [
            noise.mixing(step.covariance) if step.covariance else (step.sigma_8bit or 0) * np.eye(3)
            for step in steps
        ]
        matrix = torch.from_numpy(np.stack(mixing) / 255).to(images)
        return batched.gaussian(images, drawn, matrix, speckle=steps[0].law == "speckle")

    def together(self) -> tuple[object, ...]:
        """The law."""
        return (self.law,)

    @property
    def sigmas(self) -> list[float]:
        """Standard deviations of the channels, or of all of them, 8-bit levels."""
        if self.covariance is None:
            return [self.sigma_8bit or 0]
        return [math.sqrt(max(self.covariance[i], 0)) for i in (0, 4, 8)]

    def describe(self, before: Size | None = None) -> str:
        """Law, channels, standard deviation."""
        return f"{self.title} {self.channels}, sigma {format_numbers(self.sigmas, '/')} levels"

    @property
    def title(self) -> str:
        """The law."""
        return "Gaussian noise" if self.law == "gaussian" else f"{self.law} noise"

    @property
    def short(self) -> str:
        """As all noise."""
        return "noise"

    def numbers(self, before: Size | None = None) -> Iterator[tuple[Parameter, float]]:
        """Standard deviations; those of correlated channels apart."""
        yield from super().numbers(before)
        if self.covariance:
            for sigma in self.sigmas:
                yield Parameter(self.op, f"{self.title}, correlated", "sigma", "levels"), sigma

    def names(self) -> Iterator[tuple[str, str]]:
        """Law and channels."""
        yield "noise", "Gaussian" if self.law == "gaussian" else self.law
        yield "channels of the noise", self.channels


@dataclass(frozen=True, kw_only=True)
class PoissonNoise(Step):
    """Photon noise.

    `photons`: counted at white, or "levels", BasicSR's rule; `amount`: factor on the noise; `key`: of the
    field.
    """

    op: ClassVar[str] = "noise"

    law: str = part(default="poisson", known=("poisson",), stated=True)
    photons: float | str = part("photons at white", known=("levels",), low=1e-6)
    amount: float = part("amount", default=1, low=0)
    channels: str = part(known=("colour", "grey"))
    key: str = part(hexadecimal=True)

    def apply(self, image: Image, pools: Pools) -> Image:
        """In float32."""
        image, photons = to_float(image), self.photons
        if isinstance(photons, str):
            photons = noise.distinct_levels(noise.luma(image) if self.channels == "grey" else image)
        return noise.poisson(image, int(self.key, 16), photons, self.channels, self.amount)  # type: ignore[arg-type]

    @classmethod
    def apply_batch(cls, images: Tensor, steps: Sequence[Self], pools: Pools) -> Tensor:
        """Bits are drawn on the processor."""
        import torch

        from realdeg.imaging import batched

        drawn = _bits(images, steps)
        grey = torch.tensor([step.channels == "grey" for step in steps], device=images.device)
        if steps[0].photons == "levels":
            photons = batched.distinct_levels(images, grey)
        else:
            photons = images.new_tensor([float(step.photons) for step in steps])
        amount = images.new_tensor([float(step.amount) for step in steps])
        return batched.poisson(images, drawn, photons, amount, grey)

    def together(self) -> tuple[object, ...]:
        """Whether photons follow from the image."""
        return (self.photons == "levels",)

    def describe(self, before: Size | None = None) -> str:
        """Channels, photons, amount."""
        levels = isinstance(self.photons, str)
        photons = "photons by levels" if levels else f"photons {format_number(self.photons)}"
        return f"Poisson noise {self.channels}, {photons}{format_amount(self.amount)}"

    @property
    def title(self) -> str:
        """The law."""
        return "Poisson noise"

    @property
    def short(self) -> str:
        """As all noise."""
        return "noise"

    def names(self) -> Iterator[tuple[str, str]]:
        """Law and channels."""
        yield "noise", "Poisson"
        yield "channels of the noise", self.channels


@dataclass(frozen=True, kw_only=True)
class Inject(Step):
    """Add a window of a noise patch, by its name in a pool and the hash of its content.

    `noise_y`, `noise_x`: the window's corner; `noise_mirrored`: whether the patch is smaller than the image
    and is mirrored on; `amount`: factor on the noise.
    """

    op: ClassVar[str] = "inject"

    noise: str = part()
    noise_sha: str = part()
    noise_y: int = part(low=0, high=LARGEST_SIDE)
    noise_x: int = part(low=0, high=LARGEST_SIDE)
    noise_mirrored: bool = part()
    amount: float = part("amount", default=1, low=0)

    def apply(self, image: Image, pools: Pools) -> Image:
        """In float32."""
        patch = self.window(image.shape[:2], pools)
        return to_float(image) + (patch if self.amount == 1 else patch * np.float32(self.amount))

    @classmethod
    def apply_batch(cls, images: Tensor, steps: Sequence[Self], pools: Pools) -> Tensor:
        """Windows are cut on the processor."""
        import torch

        size = (images.shape[-2], images.shape[-1])
        patches = np.stack([step.window(size, pools) * np.float32(step.amount) for step in steps])
        return images + torch.from_numpy(patches).to(images.device).permute(0, 3, 1, 2)

    def window(self, size_hw: Size, pools: Pools) -> Image:
        """The part of the patch that is added to an image of this size, (h, w, 3) float32.

        Raises:
            UserError: the pool lacks the patch, or has another of its name.
        """
        if pools.noises is None:
            raise UserError(self.noise, "noise patch is not in the pool", "give the noise pool")
        index, y, x = pools.noises.index_of(self.noise, self.noise_sha), self.noise_y, self.noise_x
        patch = pools.noises.residual(index, np.s_[y : y + size_hw[0], x : x + size_hw[1]])
        short = [n - p for n, p in zip(size_hw, patch.shape[:2], strict=True)]
        if any(short):  # it starts at the patch's corner then, and all of it is here
            patch = np.pad(patch, ((0, short[0]), (0, short[1]), (0, 0)), mode="symmetric")
        return patch

    def describe(self, before: Size | None = None) -> str:
        """The window."""
        at = f"x {format_number(self.noise_x)}, y {format_number(self.noise_y)}"
        mirrored = ", mirrored" if self.noise_mirrored else ""
        return f"noise patch {self.noise} at {at}{mirrored}{format_amount(self.amount)}"

    @property
    def title(self) -> str:
        """As all patches."""
        return "noise patch"

    @property
    def short(self) -> str:
        """As all patches."""
        return "patch"

    def names(self) -> Iterator[tuple[str, str]]:
        """The patch."""
        yield "noise", "patch of the pool"
        yield "noise patches drawn", self.noise

    def manifest(self) -> dict[str, Any]:
        """All but the amount."""
        return {name: value for name, value in self.to_json().items() if name.startswith("noise")}


@dataclass(frozen=True, kw_only=True)
class NoiseOp(Op):
    """Noise by a law: normal, photon noise, both one after the other, or normal times the image.

    Correlated channels are those of BSRGAN: covariance L^2 |U' D U| with random D in [0, 1] and a random
    rotation U, L the upper end of `sigma`.
    """

    op: ClassVar[str] = "noise"

    law: Names = names(LAWS, "gaussian", "Distribution.")
    sigma: Distribution = number([1, 25], "Standard deviation of gaussian and speckle, 8-bit levels.", low=0)
    photons: Distribution | None = field(
        default=parse([50, 150]),
        metadata={
            "distribution": True,
            "low": 0.5,
            "word": "levels",
            "plain": [50, 150],
            "help": 'Photons at white; "levels": BasicSR\'s rule.',
        },
    )
    amount: Distribution = number(1, "Factor on Poisson noise (BasicSR's scale).", low=0)
    channels: Names = names(
        CHANNELS, "colour", "Own noise for each channel, the same for all, or correlated."
    )
    clip: bool = flag(False, "Clip to [0, 1] afterwards.")

    def steps(self, d: DrawContext, place: str) -> None:
        """One step "noise", two for gaussian_poisson."""
        law = name_of(self.law, d.structure(place))
        rng = d.values(place)
        channels = name_of(self.channels, rng)
        if d.grey:
            channels = "grey"
        if law != "poisson":
            sigma = value_of(self.sigma, d, rng)
            covariance = None
            if channels == "correlated":
                covariance = _covariance(rng, support(self.sigma, d.s)[1])
            normal = GaussianNoise(
                law="speckle" if law == "speckle" else "gaussian",
                channels=channels,
                sigma_8bit=None if covariance else sigma,
                covariance=covariance,
                key=d.field_key(place),
            )
            d.add(normal)
        if law in ("poisson", "gaussian_poisson"):
            photons: float | str = value_of(self.photons, d, rng) if self.photons else "levels"
            counted = PoissonNoise(
                photons=photons,
                amount=value_of(self.amount, d, rng),
                # Photon noise in one colour space has no covariance to draw.
                channels="colour" if channels == "correlated" else channels,
                key=d.field_key(f"{place}:poisson"),
            )
            d.add(counted)
        if self.clip:
            d.add(Clip())


@dataclass(frozen=True, kw_only=True)
class InjectOp(Op):
    """Add a patch of camera noise from the pool (RealSR, Ji et al., CVPRW 2020, Algorithm 1).

    A patch larger than the image gives a random window; a smaller one is mirrored on from its corner. With
    match "level" patches are laid where the image is as bright as the photo they come from, scaled to the
    pool's level function; the patch that is named says how strong the noise is.
    """

    op: ClassVar[str] = "inject"

    match: Names = names(MATCHES, "none", "What patches have to share with the place that they are put.")
    amount: Distribution = number(1, "Factor on the noise.", low=0)
    clip: bool = flag(False, "Clip to [0, 1] afterwards.")

    def steps(self, d: DrawContext, place: str) -> None:
        """One step "inject"."""
        if d.noises is None:
            raise missing_pool("noise", d)
        rng = d.values(place)
        index = int(rng.random() * len(d.noises.names))
        of_pool = {"noise": d.noises.names[index], "noise_sha": d.noises.hash_of(index)}
        if name_of(self.match, d.structure(place)) == "level":
            digest = level_noise(d.noises).digest
            amount = value_of(self.amount, d, rng)
            d.add(
                InjectByLevel(**of_pool, pool_sha=digest, key=d.field_key(place), amount=amount), encoded=True
            )
        else:
            patch = d.noises.patches[index].shape[:2]
            y, x = (int(rng.random() * max(1, p - n + 1)) for p, n in zip(patch, d.size, strict=True))
            mirrored = any(p < n for p, n in zip(patch, d.size, strict=True))
            amount = value_of(self.amount, d, rng)
            d.add(
                Inject(**of_pool, noise_y=y, noise_x=x, noise_mirrored=mirrored, amount=amount), encoded=True
            )
        if self.clip:
            d.add(Clip(), encoded=True)

    def pools(self) -> set[str]:
        """The noise pool."""
        return {"noise"}


def _covariance(rng: np.random.Generator, level: float) -> tuple[float, ...]:
    """BSRGAN's covariance of the channels, 8-bit levels squared, row by row; its spectrum made positive."""
    diagonal = np.diag([rng.random() for _ in range(3)])
    turn = np.linalg.svd(np.array([[rng.random() for _ in range(3)] for _ in range(3)]))[0]
    values, vectors = np.linalg.eigh(np.abs(level**2 * turn.T @ diagonal @ turn))
    made = (vectors * np.abs(values)) @ vectors.T
    return tuple(round(float(one), 4) for one in made.ravel())


def _bits(images: Tensor, steps: Sequence[GaussianNoise | PoissonNoise]) -> Tensor:
    from realdeg.imaging import batched

    keys, grey = [int(step.key, 16) for step in steps], [step.channels == "grey" for step in steps]
    return batched.bits(keys, (images.shape[-2], images.shape[-1]), grey, images.device)
