"""`realdeg.estimate_kernel`: the blur of a photo, from the photo alone or against a sharper one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from realdeg import inputs, ipp
from realdeg.api.rejection import Rejection, rejection
from realdeg.imaging.depth import to_float
from realdeg.inputs import ImageLike
from realdeg.io.save import to_uint
from realdeg.kernels.folder import SCALES, figures_of
from realdeg.kernels.from_pairs import PairKernel, kernel_of_pair
from realdeg.kernels.from_photo import kernel_by_estimator, kernel_by_kernelgan
from realdeg.kernels.settings import KernelSettings
from realdeg.refusal import Refusal
from realdeg.settings import from_mapping


@dataclass(frozen=True, eq=False)
class KernelEstimate:
    """A blur kernel and how far to trust it.

    Attributes:
        kernel: (n, n) float64, sum 1, applied as correlation; its centre of mass (from a photo alone), or its
            middle (from a pair), is where LR pixels sit.
        scale: HR size / LR size that it is for; its pixels are HR's.
        confidence: 1 for a kernel without error, 1/2 where the error is as large as the kernel.
        figures: further ones, as in the manifest of `realdeg kernels`.
    """

    kernel: npt.NDArray[np.float64] = field(repr=False)
    scale: int
    confidence: float
    figures: Mapping[str, float]


@ipp.without()  # as in jobs: the same pixels on every processor
def estimate_kernel(
    image: ImageLike, scale: int, *, hr: ImageLike | None = None, **settings: Any
) -> KernelEstimate | Rejection:
    """Estimate the blur kernel between a photo and the sharp image, `scale` times as large, behind it.

    Args:
        image: (h, w, 3) LR photo, uint8, uint16, or float in [0, 1]; RGB, sRGB-encoded. Grey,
            `realdeg.Photo`, pictures of Pillow and paths are taken as well.
        scale: 2, 3, 4 or 8 (other scales with `weights` of one's own); with `hr` any.
        hr: (scale h, scale w, 3), the other image of a registered pair: the kernel is then fitted by least
            squares. None: it is told by the photo alone.
        settings: fields of `realdeg.kernels.settings.KernelSettings`: `method` ("amortised", 20 ms, or
            "kernelgan", minutes, with torch), `min_confidence`, `weights`, `iterations`, `seed`; with `hr`:
            `size`.

    Returns:
        The estimate, or why there is none: too small, flat, clipped, out of focus, too little confidence.

    Raises:
        BadInput: an argument that cannot be used, an unknown setting, or a size that does not fit.
        UserError: the file of a path, or of weights, cannot be read; no weights for this scale.

    Source:
        docs/kernel_estimator.md; Bell-Kligler et al., KernelGAN, NeurIPS 2019.

    Example:
        >>> import realdeg
        >>> hr = realdeg.read("data/sample/clean/coffee.png").pixels[:396, :600]
        >>> lr, plan = realdeg.Recipe.load("bicubic")(hr, scale=2, seed=0)
        >>> found = realdeg.estimate_kernel(lr, 2, hr=hr)
        >>> found.kernel.shape, round(float(found.kernel.sum()), 6), found.confidence > 0.99
        ((14, 14), 1.0, True)
        >>> realdeg.estimate_kernel(lr[:40, :40], 2).reason
        'the image is 40x40 px, 64 px a side are needed; use larger photos'
    """
    by = inputs.scale(scale)
    asked = from_mapping(KernelSettings, {**settings, "scale": by}, "estimate_kernel")
    if hr is not None:
        small, large = inputs.pair(image, hr, by)
        found = kernel_of_pair(to_float(small), to_float(large), by, asked.size)
        if not isinstance(found, PairKernel):
            return rejection(f"the pair {found}")
        figures = figures_of(found)
        return KernelEstimate(found.kernel, by, figures.pop("confidence"), figures)
    pixels = inputs.image(image, "image")
    if asked.method == "kernelgan":
        if by not in SCALES:
            raise inputs.BadInput("scale", f"KernelGAN does not know x{by}", "it knows x2 and x4")
        kernel, figures = kernel_by_kernelgan(to_float(pixels), "image", asked)
        if isinstance(kernel, Refusal):
            return rejection(f"the image {kernel}")
    else:
        pixels = to_uint(pixels, np.uint16) if pixels.dtype == np.float32 else pixels
        told = kernel_by_estimator(pixels, asked)
        if isinstance(told, Refusal):
            return rejection(f"the image {told}")
        kernel, figures = told
    return KernelEstimate(np.asarray(kernel, np.float64), by, figures.pop("confidence"), figures)
