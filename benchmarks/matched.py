"""How near an LR image is to the real one, whatever the exposure: shared by the benchmarks of real pairs."""

from __future__ import annotations

import numpy as np

SHAVE = 4  # px of border that are left out


def matched_psnr(made: np.ndarray, real: np.ndarray) -> float:
    """PSNR in dB, peak 1, after the best gain and offset of each channel.

    Args:
        made, real: (h, w, 3) float in [0, 1].
    """
    errors = []
    for channel in range(3):
        x, y = (image[SHAVE:-SHAVE, SHAVE:-SHAVE, channel].ravel().astype(float) for image in (made, real))
        gain, offset = np.polyfit(x, y, 1)
        errors.append(np.square(gain * x + offset - y).mean())
    return float(-10 * np.log10(np.mean(errors)))
