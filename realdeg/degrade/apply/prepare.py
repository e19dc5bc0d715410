"""HR of a source: the one place that says how a clean image is prepared for plans."""

from __future__ import annotations

import numpy as np

from realdeg.arraytypes import Image
from realdeg.errors import Unfit
from realdeg.imaging.resample import resize


def mod_crop(hr: Image, scale: int) -> Image:
    """HR cut at the right and bottom to multiples of the scale."""
    height, width = (n // scale * scale for n in hr.shape[:2])
    return hr[:height, :width]


def prepare_hr(source: Image, scale: int, cleanup: int = 1) -> Image:
    """HR of a source: reduced by MATLAB's bicubic (`cleanup` of a recipe), cut to multiples of the scale.

    Reducing removes noise and artefacts of the source (RealSR, Ji et al., CVPRW 2020, reduces by 2). Plans
    are drawn for HR and applied to HR; who has a source prepares it first.

    Args:
        source: (H, W, 3) uint8 or uint16.
        scale: HR size / LR size.
        cleanup: of the recipe or the plan, 1 = not at all.

    Returns:
        (h, w, 3) of the source's type, contiguous; the source itself where nothing is to be done.

    Raises:
        Unfit: nothing is left of it.
    """
    pixels = resize(source, 1 / cleanup) if cleanup > 1 else source
    if min(pixels.shape[:2]) < scale:
        after = f" after a clean-up by {cleanup}" if cleanup > 1 else ""
        problem = f"is {pixels.shape[1]}x{pixels.shape[0]} px{after}, too small for x{scale}"
        raise Unfit("the image", problem, "use larger images or a smaller scale")
    return np.ascontiguousarray(mod_crop(pixels, scale))
