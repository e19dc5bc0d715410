"""Whether a scene repeats itself, so that a registration may be off by a whole period."""

from __future__ import annotations

import cv2
import numpy as np
from scipy.signal import fftconvolve

from realdeg.arraytypes import Array

HIGH_PASS = 8.0  # px, for a sharp picture
SHARP = 0.8  # blur of a picture that resolves its pixels, px
MAX_SIDE = 384
MIN_DISTANCE = 8  # px; nearer, every texture resembles itself
NO_TEXTURE = 5e-4  # standard deviation, whether white is 1 or 255
MIN_OVERLAP = 0.25  # of the field, for a displacement to count


def high_pass(image: Array, blur: float = 0.0) -> Array:
    """(h, w) float32 without what varies slowly: brightness and vignetting are no texture.

    Args:
        image: (h, w).
        blur: standard deviation of the picture's own blur, px; a soft picture has no finer texture.
    """
    smooth = image.astype(np.float32)
    return smooth - cv2.GaussianBlur(smooth, (0, 0), HIGH_PASS * max(1.0, blur / SHARP))


def second_peak(fixed: Array, moving: Array) -> float:
    """Best correlation of two registered pictures when moved, as a share of that at rest; 0 to 1.

    Args:
        fixed: (h, w) float32 without its slow part.
        moving: (h, w) likewise, registered to `fixed`.
    """
    if min(fixed.std(), moving.std()) < NO_TEXTURE:
        return 0.0  # a wall does not repeat itself: there is nothing to repeat
    step = max(1, -(-max(fixed.shape) // MAX_SIDE))
    size = fixed.shape[1] // step, fixed.shape[0] // step
    a, b = (cv2.resize(i, size, interpolation=cv2.INTER_AREA) if step > 1 else i for i in (fixed, moving))
    one = np.ones_like(a)
    cross = fftconvolve(a, b[::-1, ::-1])
    energy_a = fftconvolve(a * a, one)
    energy_b = fftconvolve(one, (b * b)[::-1, ::-1])
    score = cross / np.sqrt(np.maximum(energy_a * energy_b, 1e-12 * (a * a).sum() * (b * b).sum() + 1e-20))
    height, width = a.shape
    y, x = np.ogrid[1 - height : height, 1 - width : width]
    overlap = (height - abs(y)) * (width - abs(x)) / (height * width)
    rest = float(score[height - 1, width - 1])
    score[(np.hypot(x, y) < MIN_DISTANCE) | (overlap < MIN_OVERLAP)] = 0
    return float(np.clip(score.max() / rest, 0, 1)) if rest > 1e-6 else 1.0
