"""Peak signal-to-noise ratio, on BT.601 luma or on RGB."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from realdeg.imaging.colour import luma

Image = npt.NDArray[np.uint8]
Convention = Literal["standard", "d2c"]
LUMA_D2C = np.array([65.738, 129.057, 25.064]) / 256  # EDSR, RCAN, D2C-SR: no offset


def psnr_y(sr: Image, hr: Image, *, shave: int, convention: Convention = "standard") -> float:
    """PSNR on luma in dB; infinity for equal images.

    Args:
        sr: (H, W, 3) uint8 RGB.
        hr: likewise.
        shave: pixels cut from each side first, by custom the scale.
        convention: "standard": BT.601 studio luma, not rounded; "d2c": the coefficients of D2C-SR's
            official code in RGB order (the same to 3e-5 dB).

    Raises:
        ValueError: shapes differ, or nothing is left after shaving.
    """
    a, b = (shaved(image, shave, sr.shape) for image in (sr, hr))
    if convention == "d2c":
        return _psnr(a @ LUMA_D2C - b @ LUMA_D2C)
    return _psnr(luma(a) - luma(b))


def psnr_rgb(sr: Image, hr: Image, *, shave: int) -> float:
    """PSNR in dB over all three channels in one mean; arguments and errors as `psnr_y`."""
    a, b = (shaved(image, shave, sr.shape).astype(np.float64) for image in (sr, hr))
    return _psnr(a - b)


def shaved(image: Image, shave: int, shape: tuple[int, ...]) -> Image:
    """The image without `shave` pixels on each side, checked for what metrics need.

    Raises:
        ValueError: not (H, W, 3) uint8, another shape than `shape`, or nothing left.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"metrics take (H, W, 3) uint8, got {image.shape} {image.dtype}")
    if image.shape != shape:
        raise ValueError(f"images of different sizes: {shape} and {image.shape}")
    if shave < 0 or min(image.shape[:2]) <= 2 * shave:
        raise ValueError(f"nothing is left of {image.shape[:2]} after shaving {shave} on each side")
    return image[shave : image.shape[0] - shave, shave : image.shape[1] - shave]


def _psnr(difference: npt.NDArray[np.float64]) -> float:
    error = float(np.square(difference).mean())
    return float("inf") if error == 0 else float(10 * np.log10(255.0**2 / error))
