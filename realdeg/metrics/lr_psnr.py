"""LR-PSNR: does a super-resolved image agree with the LR image it came from?"""

from __future__ import annotations

import numpy as np

from realdeg.imaging.resample import resize
from realdeg.metrics.psnr import Image, psnr_rgb


def lr_psnr(sr: Image, hr: Image, *, scale: int) -> float:
    """PSNR over RGB of both images reduced by `scale`, dB (NTIRE 2021, Learning the SR Space).

    The reference is HR reduced with the MATLAB bicubic operator, not the LR photo. HR is cropped to
    multiples of 8 from the top left and SR to HR's size, as in the challenge's toolkit.

    Args:
        sr: (H, W, 3) uint8 RGB.
        hr: likewise.
        scale: 2, 3, 4 or 8.

    Raises:
        ValueError: shapes differ, or the images are smaller than 8 px.
    """
    if sr.shape != hr.shape:
        raise ValueError(f"images of different sizes: {sr.shape} and {hr.shape}")
    height, width = hr.shape[0] // 8 * 8, hr.shape[1] // 8 * 8
    small = [np.asarray(resize(image[:height, :width], 1 / scale), np.uint8) for image in (sr, hr)]
    return psnr_rgb(small[0], small[1], shave=0)
