"""Blur, and blur with subsampling: which kernels there are, what is drawn for each, and how it is applied."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from realdeg.arraytypes import Image
from realdeg.arraytypes import Kernel as Weights
from realdeg.degrade.ops.context import (
    DrawContext,
    Op,
    missing_pool,
    name_of,
    names,
    names_if_given,
    number,
    value_of,
)
from realdeg.degrade.ops.distribution import Distribution, Names, Number, RecipeError
from realdeg.degrade.ops.step import LARGEST_KERNEL, LARGEST_SIDE, Part, PlanError, Pools, Size, Step, part
from realdeg.degrade.ops.words import format_number, format_numbers
from realdeg.errors import UserError
from realdeg.imaging import kernels
from realdeg.imaging.blur import AlignedKernel, align_kernel, blur, blur_subsample
from realdeg.imaging.border import BORDERS
from realdeg.imaging.depth import to_float

if TYPE_CHECKING:
    from torch import Tensor

GAUSSIANS = {  # and kinds like it, as captions call them
    "isotropic": "iso",
    "anisotropic": "aniso",
    "generalised_isotropic": "generalised iso",
    "generalised_anisotropic": "generalised aniso",
    "plateau_isotropic": "plateau iso",
    "plateau_anisotropic": "plateau aniso",
}
SMALLEST = 1e-3  # of a number that is read: at 0 a formula has no meaning
KINDS = (*GAUSSIANS, "sinc", "motion", "defocus", "pool")


@dataclass(frozen=True, kw_only=True)
class Kernel(Part):
    """The kernel of a step. `kind` says which."""

    kind: str

    def aligned(self, pools: Pools, scale: int) -> AlignedKernel:
        """The kernel where it has to lie.

        Args:
            pools: that the plan was drawn from.
            scale: factor of the subsampling that follows; 1 for none.

        Raises:
            UserError: the pool lacks the kernel, or has another of its name.
        """
        return align_kernel(self.weights(half=scale % 2 == 0), scale)

    def weights(self, *, half: bool) -> Weights:
        """(h, w) of a formula, sampled around the middle between four pixels (`half`) or around a pixel."""
        raise NotImplementedError

    def refuse_larger(self, size: Size, pools: Pools) -> None:
        """Refuse a camera's kernel that an image of this size says nothing of; formulas see mirrored borders.

        Raises:
            UserError: it is larger.
        """

    def describe(self) -> str:
        """In words."""
        raise NotImplementedError

    @classmethod
    def any_from_json(cls, raw: Mapping[str, Any]) -> tuple[Part, set[str]]:
        """The kernel whose kind JSON names."""
        kind = raw.get("kind")
        if "kind" not in raw:
            raise PlanError("lacks 'kind'")
        if not isinstance(kind, str) or kind not in KERNELS:
            raise PlanError(f"kind {str(kind)[:40]!r} is unknown")
        return KERNELS[kind].from_json(raw)


@dataclass(frozen=True, kw_only=True)
class GaussianKernel(Kernel):
    """A Gaussian, or one of its kin: generalised, or with a plateau (Real-ESRGAN's six kinds)."""

    kind: str = part(known=tuple(GAUSSIANS))
    size: int = part("size", "px", low=1, high=LARGEST_KERNEL)
    sigma: float = part("sigma", "px", low=SMALLEST)
    sigma_y: float | None = part("sigma", "px", default=None, low=SMALLEST)
    angle: float | None = part("angle", "degrees", default=None)
    beta: float | None = part("beta", default=None, low=SMALLEST)

    def __post_init__(self) -> None:
        """Refuse numbers that the kind has not, and a kind without its numbers."""
        for name, meant in (
            ("sigma_y", self.kind.endswith("anisotropic")),
            ("angle", self.kind.endswith("anisotropic")),
            ("beta", not self.kind.startswith(("isotropic", "anisotropic"))),
        ):
            if (getattr(self, name) is not None) != meant:
                raise PlanError(f"{self.kind} {'lacks' if meant else 'has no'} {name!r}")

    def weights(self, *, half: bool) -> Weights:
        """By its formula."""
        axes = self.size, self.sigma, self.sigma_y, math.radians(self.angle or 0.0)
        if self.beta is None:
            return kernels.gaussian(*axes, half=half)
        formula = kernels.generalised_gaussian if self.kind.startswith("generalised") else kernels.plateau
        return formula(*axes, beta=self.beta, half=half)

    def describe(self) -> str:
        """Kind, size, sigmas, angle, beta."""
        sigmas = [one for one in (self.sigma, self.sigma_y) if one is not None]
        words = [f"{GAUSSIANS[self.kind]} {format_number(self.size)} px"]
        words.append(f"sigma {format_numbers(sigmas, '/')} px")
        if self.angle is not None:
            words.append(f"{round(self.angle)}°")
        if self.beta is not None:
            words.append(f"beta {format_number(self.beta)}")
        return ", ".join(words)


@dataclass(frozen=True, kw_only=True)
class SincKernel(Kernel):
    """An ideal low-pass filter, cut off: it rings."""

    kind: str = part(known=("sinc",))
    size: int = part("size", "px", low=1, high=LARGEST_KERNEL)
    cutoff: float = part("cutoff", "rad/px", low=SMALLEST)

    def weights(self, *, half: bool) -> Weights:
        """By its formula."""
        return kernels.sinc(self.size, self.cutoff, half=half)

    def describe(self) -> str:
        """Size and cut-off."""
        return f"sinc {format_number(self.size)} px, cutoff {format_number(self.cutoff)} rad/px"


@dataclass(frozen=True, kw_only=True)
class MotionKernel(Kernel):
    """A line."""

    kind: str = part(known=("motion",))
    length: float = part("length", "px", low=SMALLEST, high=LARGEST_KERNEL)
    angle: float = part("angle", "degrees")

    def weights(self, *, half: bool) -> Weights:
        """By its formula."""
        return kernels.motion(self.length, math.radians(self.angle), half=half)

    def describe(self) -> str:
        """Length and angle."""
        return f"motion, {format_number(self.length)} px long, {round(self.angle)}°"


@dataclass(frozen=True, kw_only=True)
class DefocusKernel(Kernel):
    """A disk."""

    kind: str = part(known=("defocus",))
    radius: float = part("radius", "px", low=SMALLEST, high=LARGEST_KERNEL)

    def weights(self, *, half: bool) -> Weights:
        """By its formula."""
        return kernels.defocus(self.radius, half=half)

    def describe(self) -> str:
        """Its radius."""
        return f"defocus, radius {format_number(self.radius)} px"


@dataclass(frozen=True, kw_only=True)
class PoolKernel(Kernel):
    """A kernel of a camera, by its name in a pool and the hash of its content.

    `kernel_moved`: by how much it was moved (x, y; HR px), so that its centre of mass lies where LR pixels
    sit.
    """

    kind: str = part(known=("pool",))
    kernel: str = part()
    kernel_sha: str = part()
    kernel_moved: tuple[float, float] = part()

    def aligned(self, pools: Pools, scale: int) -> AlignedKernel:
        """As the pool has it."""
        if pools.kernels is None:
            raise UserError(self.kernel, "kernel is not in the pool", "give the kernel pool")
        return pools.kernels.placed(pools.kernels.index_of(self.kernel, self.kernel_sha), scale)

    def refuse_larger(self, size: Size, pools: Pools) -> None:
        """As any kernel."""
        if pools.kernels is None:
            return
        kernel = pools.kernels.kernels[pools.kernels.names.index(self.kernel)]
        if max(kernel.shape) > min(size):
            sizes = ("x".join(str(n) for n in shape[1::-1]) for shape in (kernel.shape, size))
            problem = "kernel of {} px is larger than the image of {} px".format(*sizes)
            raise UserError(self.kernel, problem, "use larger images or smaller kernels")

    def describe(self) -> str:
        """Its name."""
        return f"kernel {self.kernel}"


KERNELS: dict[str, type[Kernel]] = {
    **dict.fromkeys(GAUSSIANS, GaussianKernel),
    "sinc": SincKernel,
    "motion": MotionKernel,
    "defocus": DefocusKernel,
    "pool": PoolKernel,
}


@dataclass(frozen=True, kw_only=True)
class Blur(Step):
    """Blur at the image's own size."""

    op: ClassVar[str] = "blur"

    kernel: Kernel
    border: str = part(default="symmetric", known=BORDERS)

    def apply(self, image: Image, pools: Pools) -> Image:
        """By OpenCV, in float32."""
        at = self.kernel.aligned(pools, 1)
        self.kernel.refuse_larger(image.shape[:2], pools)
        return blur(to_float(image), at, self.border)  # type: ignore[arg-type]

    @classmethod
    def apply_batch(cls, images: Tensor, steps: Sequence[Self], pools: Pools) -> Tensor:
        """One grouped convolution."""
        return _batch(images, steps, pools, 1, steps[0].border)

    def together(self) -> tuple[object, ...]:
        """The border."""
        return (self.border,)

    def describe(self, before: Size | None = None) -> str:
        """The kernel."""
        return f"blur {self.kernel.describe()}"

    def names(self) -> Iterator[tuple[str, str]]:
        """The kind, and the kernel of a pool."""
        yield from _names(self.kernel)

    def manifest(self) -> dict[str, Any]:
        """The kernel of a pool."""
        return _manifest(self.kernel)


@dataclass(frozen=True, kw_only=True)
class Reduce(Step):
    """Blur and keep each n-th pixel."""

    op: ClassVar[str] = "reduce"

    factor: int = part(low=1, high=LARGEST_SIDE)
    kernel: Kernel
    border: str = part(default="symmetric", known=BORDERS)

    def apply(self, image: Image, pools: Pools) -> Image:
        """Of 8 bits exactly (`realdeg.imaging.blur.blur_subsample`), of others by OpenCV."""
        at = self.kernel.aligned(pools, self.factor)
        self.kernel.refuse_larger(image.shape[:2], pools)
        ready = image if image.dtype == np.uint8 else to_float(image)
        return blur_subsample(ready, at, self.factor, self.border)  # type: ignore[arg-type]

    @classmethod
    def apply_batch(cls, images: Tensor, steps: Sequence[Self], pools: Pools) -> Tensor:
        """One grouped convolution with a stride."""
        return _batch(images, steps, pools, steps[0].factor, steps[0].border)

    def together(self) -> tuple[object, ...]:
        """Factor and border."""
        return self.factor, self.border

    def size_after(self, size: Size | None) -> Size | None:
        """Divided by the factor."""
        if size is None:
            return None
        if self.factor > min(size):
            raise PlanError(f"reduce: factor {self.factor} for an image of {size[1]}x{size[0]} px")
        return size[0] // self.factor, size[1] // self.factor

    def describe(self, before: Size | None = None) -> str:
        """Factor and kernel."""
        return f"reduce by {format_number(self.factor)}, {self.kernel.describe()}"

    def names(self) -> Iterator[tuple[str, str]]:
        """The kind, the kernel of a pool, and how it is made smaller."""
        yield from _names(self.kernel)
        yield "resizing", "every n-th pixel after blur"

    def manifest(self) -> dict[str, Any]:
        """The kernel of a pool."""
        return _manifest(self.kernel)


@dataclass(frozen=True, kw_only=True)
class BlurOp(Op):
    """Blur by a kernel at the image's own size."""

    op: ClassVar[str] = "blur"

    kind: Names = names(KINDS, "isotropic", "Kernel; weights by name where there are several.")
    size: Distribution = number(
        {"odd": [7, 21]},
        "Side of Gaussian, generalised, plateau and sinc kernels, px.",
        low=1,
        high=LARGEST_KERNEL,
    )
    sigma: Distribution = number([0.2, 3], "Standard deviation along the kernel's first axis, px.", low=0.01)
    sigma_y: Distribution | None = number(
        None, "Along the second axis of anisotropic kernels; default as sigma.", low=0.01
    )
    angle: Distribution = number([-180, 180], "Of the first axis against x, degrees (also of motion).")
    beta: Distribution = number([1, 2], "Exponent of generalised and plateau kernels.", low=0.05)
    cutoff: Distribution = number(
        ["pi / 3", "pi"], "Of sinc kernels, radians a pixel.", low=0.01, high=3.1416
    )
    length: Distribution = number([1, 15], "Of motion, px.", low=1, high=LARGEST_KERNEL)
    radius: Distribution = number([0.5, 5], "Of defocus, px.", low=0.05, high=LARGEST_KERNEL)
    border: Names | None = names_if_given(BORDERS, "Beyond the edge; default the recipe's.")

    def steps(self, d: DrawContext, place: str) -> None:
        """One step "blur"."""
        kernel, border = self.drawn(d, place, 1)
        d.add(Blur(kernel=kernel, border=border))

    def drawn(self, d: DrawContext, place: str, scale: int) -> tuple[Kernel, str]:
        """Kernel, for an image that is subsampled by `scale` afterwards, and border."""
        rng = d.values(place)
        kernel = self.kernel(d, rng, name_of(self.kind, rng), scale)
        return kernel, name_of(self.border, rng) if self.border else d.border

    def kernel(self, d: DrawContext, rng: np.random.Generator, kind: str, scale: int) -> Kernel:
        """Numbers of a kernel of this kind, or one of the pool."""
        if kind == "pool":
            return _of_pool(d, rng, scale)
        if kind == "motion":
            length, angle = value_of(self.length, d, rng), value_of(self.angle, d, rng)
            return MotionKernel(kind=kind, length=length, angle=angle)
        if kind == "defocus":
            return DefocusKernel(kind=kind, radius=value_of(self.radius, d, rng))
        size = _odd(value_of(self.size, d, rng))
        if kind == "sinc":
            return SincKernel(kind=kind, size=size, cutoff=value_of(self.cutoff, d, rng))
        sigma = value_of(self.sigma, d, rng)
        more: dict[str, float] = {}
        if kind.endswith("anisotropic"):
            more["sigma_y"] = value_of(self.sigma_y or self.sigma, d, rng)
            more["angle"] = value_of(self.angle, d, rng)
        if not kind.startswith(("isotropic", "anisotropic")):
            more["beta"] = value_of(self.beta, d, rng)
        return GaussianKernel(kind=kind, size=size, sigma=sigma, **more)

    def check(self, scale: float) -> None:
        """As any operation; sides have to be odd."""
        super().check(scale)
        if isinstance(self.size, Number) and self.size.at(scale) % 2 != 1:
            raise RecipeError(f"size: {self.size.at(scale):g}, but an odd number of pixels is meant")

    def pools(self) -> set[str]:
        """The kernel pool, where one of its kinds is."""
        return {"kernel"} if "pool" in self.kind.names else set()


@dataclass(frozen=True, kw_only=True)
class ReduceOp(BlurOp):
    """Blur by a kernel and keep each s-th pixel: the camera model y = (x * k) subsampled.

    Whatever the kernel's size and the scale, LR pixel i sits at HR s i + (s - 1) / 2: formulas are
    sampled around that point, kernels of a pool are moved there by their centre of mass.
    """

    op: ClassVar[str] = "reduce"

    def steps(self, d: DrawContext, place: str) -> None:
        """One step "reduce", to LR's size."""
        factor = d.size[0] // d.lr_size[0]
        if any(n != factor * m for n, m in zip(d.size, d.lr_size, strict=True)):
            size = f"{d.size[1]}x{d.size[0]} px are no multiple of LR's {d.lr_size[1]}x{d.lr_size[0]}"
            raise UserError(d.key, f"{place}: {size}", "put `reduce` before resizing by other factors")
        kernel, border = self.drawn(d, place, factor)
        d.add(Reduce(factor=factor, kernel=kernel, border=border))
        d.size = d.lr_size


def _batch(images: Tensor, steps: Sequence[Blur | Reduce], pools: Pools, factor: int, border: str) -> Tensor:
    from realdeg.imaging import batched

    aligned = [step.kernel.aligned(pools, factor) for step in steps]
    for step in steps:
        step.kernel.refuse_larger((images.shape[-2], images.shape[-1]), pools)
    return batched.blur(images, aligned, factor, border)  # type: ignore[arg-type]


def _names(kernel: Kernel) -> Iterator[tuple[str, str]]:
    if isinstance(kernel, PoolKernel):
        yield "kind of blur", "kernel of the pool"
        yield "kernels drawn", kernel.kernel
    else:
        yield "kind of blur", kernel.kind.replace("_", " ")


def _manifest(kernel: Kernel) -> dict[str, Any]:
    made = kernel.to_json() if isinstance(kernel, PoolKernel) else {}
    return {name: value for name, value in made.items() if name != "kind"}


def _of_pool(d: DrawContext, rng: np.random.Generator, scale: int) -> PoolKernel:
    if d.kernels is None:
        raise missing_pool("kernel", d)
    index = int(rng.random() * len(d.kernels.names))
    x, y = d.kernels.placed(index, scale).moved
    return PoolKernel(
        kind="pool",
        kernel=d.kernels.names[index],
        kernel_sha=d.kernels.hash_of(index),
        kernel_moved=(round(x, 4), round(y, 4)),
    )


def _odd(value: float) -> int:
    whole = int(value)
    return whole if whole % 2 else whole + 1
