"""`realdeg.psnr` and `realdeg.ssim`: how near one image is to another."""

from __future__ import annotations

from typing import Literal

from realdeg import inputs
from realdeg.arraytypes import Image
from realdeg.imaging.depth import to_8bit
from realdeg.inputs import ImageLike
from realdeg.metrics.psnr import psnr_rgb, psnr_y
from realdeg.metrics.ssim import WINDOW, ssim_rgb, ssim_y

Of = Literal["luma", "rgb"]
OF = ("luma", "rgb")


def psnr(image: ImageLike, reference: ImageLike, *, shave: int = 0, of: Of = "luma") -> float:
    """Peak signal-to-noise ratio of two images as files hold them.

    Args:
        image: (H, W, 3) RGB; more than 8 bits, and floats in [0, 1], are rounded to 8 bits first.
        reference: likewise, of the same size.
        shave: px cut from each side first; by custom the scale.
        of: "luma": BT.601 studio luma, as super-resolution papers state it; "rgb": all three channels.

    Returns:
        dB; infinity for equal images.

    Raises:
        BadInput: an argument that cannot be used, or images of different sizes.
        UserError: the file of a path cannot be read.

    Source:
        MATLAB and BasicSR agree to 1e-4 dB (tests/golden).

    Example:
        >>> import numpy as np, realdeg
        >>> grey = np.full((32, 32, 3), 100, np.uint8)
        >>> round(realdeg.psnr(grey, grey + np.uint8(5), of="rgb"), 2)
        34.15
    """
    one, other, shave = _both(image, reference, shave, 1)
    inputs.choice(of, "of", OF)
    return (psnr_y if of == "luma" else psnr_rgb)(one, other, shave=shave)


def ssim(image: ImageLike, reference: ImageLike, *, shave: int = 0, of: Of = "luma") -> float:
    """Structural similarity of two images as files hold them.

    Args:
        image, reference, shave, of: as of `psnr`; 11 px a side have to be left. "rgb": mean of the channels.

    Returns:
        At most 1, for equal images.

    Raises:
        BadInput: as `psnr`.
        UserError: the file of a path cannot be read.

    Source:
        Wang et al., Image quality assessment, IEEE TIP 2004; window and borders as in MATLAB and BasicSR.

    Example:
        >>> import numpy as np, realdeg
        >>> ramp = np.tile(np.arange(0, 256, 8, np.uint8), (32, 1))
        >>> realdeg.ssim(ramp, ramp)
        1.0
    """
    one, other, shave = _both(image, reference, shave, WINDOW)
    inputs.choice(of, "of", OF)
    return (ssim_y if of == "luma" else ssim_rgb)(one, other, shave=shave)


def _both(image: ImageLike, reference: ImageLike, shave: int, least: int) -> tuple[Image, Image, int]:
    one, other = (
        to_8bit(inputs.image(value, what)) for value, what in ((image, "image"), (reference, "reference"))
    )
    inputs.same_size(one, other, ("image", "reference"))
    shave = inputs.whole(shave, "shave", least=0)
    if min(one.shape[:2]) - 2 * shave < least:
        left = "x".join(str(max(0, n - 2 * shave)) for n in one.shape[1::-1])
        raise inputs.BadInput("shave", f"leaves {left} px of the image", f"{least} px a side are needed")
    return one, other, shave
