"""Digital enlargement of a photo, from the traces that interpolation leaves.

An interpolated pixel is a weighted mean of its neighbours, and its weights return with a period of as many
pixels as the photo was enlarged by: so does what differences along a row take out of it (Gallagher 2005;
Popescu and Farid 2005; Mahdian and Saic 2008). A JPEG that was enlarged shows its blocks of 8 px besides, at
a period of 8 times the factor. Neither needs EXIF; both survive sharpening, and half of noise and JPEGs.

What looks alike and is none: blocks of the JPEG as it is (multiples of 1/8 cycle/px), a mosaic of colours
(1/2), a photo that was turned or corrected by a few per cent (the mosaic's 1/2, moved to 0.47), textures (in
one direction, or at no common frequency of rows and columns). All these are left out, and with them the
factors 4/3, 8/5, 8/3 and 4 unless a JPEG was enlarged, and 2 in JPEGs. A photo that was reduced has traces
too: `Enlargement.fits` tells.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.ndimage import maximum_filter1d, median_filter

from realdeg.arraytypes import Array, Image
from realdeg.imaging.depth import to_8bit

MIN_SIDE = 192  # px: less shows too few periods
SIDE = 1024  # px of a window, and length of the spectrum
WINDOWS = 2  # a side of a photo, at most
SLOW = 33  # px: what varies less quickly along a row is the scene
AROUND = 81  # bins that a peak is compared with
TEXTURES = 0.08  # cycles/px below which pictures have periods of their own
MOSAIC = 0.46  # cycles/px above which the trace of a mosaic may lie
BLOCK = 8  # px of a JPEG's blocks; of its colours' blocks, twice as many
LEAK = 3.0  # bins on each side of a peak that it shines into
FACTORS = np.exp(np.linspace(np.log(1.12), np.log(4.2), 600))
MOST = 5.0  # bits of a block's peak that count
BOTH = 1.5  # bits that odd and even multiples of the blocks' frequency need: even ones alone are another's
ALIKE = 1.0  # bits between factors that explain the blocks as well
LIMIT = 5.0  # bits of a trace over its surroundings: no real HR photo of seven sets has more than 4.7
LIMIT_BLOCKS = 3.5  # bits, mean over the blocks' multiples: real ones 2.8
STEEPNESS = 1.5  # of the confidence, per bit
SOFT = 0.38  # px of blur for each px of the factor: a photo that is sharper was not enlarged


@dataclass(frozen=True)
class Enlargement:
    """What interpolation has left in a photo.

    Attributes:
        factor: by which the photo was enlarged at least, if it was: one trace may come of r and of
            r / (r - 1), as of 1.5 and 3, blocks of r and 2 r; the smaller one is given.
        confidence: 0 to 1, that the photo was resampled; above 0.5 the trace is stronger than any in real HR
            photos that were not.
        trace: bits by which the trace stands above its surroundings.
    """

    factor: float
    confidence: float
    trace: float

    def fits(self, blur: float) -> bool:
        """Whether a photo of so much blur (a Gaussian's standard deviation, px) may have been enlarged.

        Interpolation cannot leave a photo sharper; one that was reduced is as sharp as its pixels.
        """
        return self.confidence > 0.5 and blur >= SOFT * self.factor


def enlargement(image: Image) -> Enlargement | None:
    """Look for traces of interpolation.

    Args:
        image: (H, W, 3) RGB, uint8, uint16 or float in [0, 1], as it comes from its file: resampling it here
            would leave traces of its own. At most four windows of 1024 px are looked at.

    Returns:
        The strongest trace, however weak (see its confidence); None for photos of less than 192 px a side.
    """
    if min(image.shape[:2]) < MIN_SIDE:
        return None
    third, fourth, length = _peaks(image)
    bits = np.log2(np.maximum((third + fourth) / 2, 1e-3))
    leak = LEAK * SIDE / length
    near = int(np.ceil(SIDE / length))
    bits = maximum_filter1d(bits, 2 * near + 1)
    frequency = np.arange(len(bits)) / SIDE
    own = _near_multiples(frequency, BLOCK) <= (leak + near) / SIDE
    own |= _near_multiples(frequency, 2 * BLOCK) <= (leak / 2 + near) / SIDE
    free = ~own & (frequency >= TEXTURES) & (frequency <= MOSAIC)
    at = int(np.where(free, bits, -np.inf).argmax())
    trace, factor = float(bits[at]), 1 / (1 - at / SIDE)
    if (twice := _doubled(third, fourth, bits, near)) > trace:
        trace, factor = twice, 2.0
    blocks, by_blocks = _blocks(np.where(own, np.nan, bits))
    over = max(trace - LIMIT, blocks - LIMIT_BLOCKS)
    if blocks > LIMIT_BLOCKS:
        factor = by_blocks
    return Enlargement(float(factor), float(1 / (1 + np.exp(-STEEPNESS * over))), trace)


def _peaks(image: Image) -> tuple[Array, Array, int]:
    """(513,) power over that around, of third and of fourth differences: the less of rows and columns.

    And the length of the rows that were looked at, px.
    """
    luma = cv2.cvtColor(to_8bit(image), cv2.COLOR_RGB2GRAY).astype(np.float32)
    height, width = (min(SIDE, n) for n in luma.shape)
    power = np.zeros((2, 2, SIDE // 2 + 1))
    length = SIDE
    for top in _starts(luma.shape[0]):
        for left in _starts(luma.shape[1]):
            window = luma[top : top + height, left : left + width]
            for axis in (0, 1):
                # Along a row in memory for both axes: twice as fast as differences of rows.
                found = np.ascontiguousarray(window if axis == 0 else window.T)
                for _ in range(2):
                    found = found[:, 1:] - found[:, :-1]
                for order in (0, 1):
                    found = found[:, 1:] - found[:, :-1]
                    row = cv2.reduce(cv2.absdiff(found, 0.0), 0, cv2.REDUCE_AVG)
                    row = row / max(float(row.mean()), 1e-6) - 1
                    row = (row - cv2.blur(row, (SLOW, 1)))[0, :SIDE]
                    length = min(length, len(row))
                    taper = np.hanning(len(row) + 2)[1:-1]
                    power[order, axis] += np.abs(np.fft.rfft(row * taper, SIDE)) ** 2
    around = median_filter(power, (1, 1, AROUND), mode="reflect")
    third, fourth = (power / np.maximum(around, 1e-12)).min(1)
    return third, fourth, length


def _starts(length: int) -> list[int]:
    """First pixels of windows along a side."""
    count = min(WINDOWS, max(1, length // SIDE))
    side = min(SIDE, length)
    return [(2 * i + 1) * length // (2 * count) - side // 2 for i in range(count)]


def _near_multiples(frequency: Array, period: int) -> Array:
    """Distance from the nearest multiple of 1 / period, cycles/px."""
    found = np.abs(frequency * period - np.rint(frequency * period)) / period
    return np.asarray(found)


def _doubled(third: Array, fourth: Array, bits: Array, near: int) -> float:
    """Bits of a trace at 1/2 that no mosaic and no JPEG explains.

    Of third differences, which lie between pixels: a mosaic is the same on both sides of each.
    """
    if max(bits[k * SIDE // BLOCK] for k in (1, 2, 3)) > 3:
        return 0.0
    one, other = (float(np.log2(max(part[-1 - near :].max(), 1e-3))) for part in (third, fourth))
    return one - max(other, 0.0)


def _blocks(bits: Array) -> tuple[float, float]:
    """Mean bits at the multiples of the frequency of enlarged blocks, and the factor that has most.

    `bits` are NaN where a JPEG's own blocks lie.
    """
    mean = np.zeros(len(FACTORS))
    for i, factor in enumerate(FACTORS):
        multiple = np.arange(1, int(BLOCK / 2 * factor) + 1)
        frequency = multiple / (BLOCK * factor)
        found = bits[np.rint(frequency * SIDE).astype(int)]
        use = np.isfinite(found) & (frequency > 0.03) & (frequency < MOSAIC)
        odd, even = use & (multiple % 2 == 1), use & (multiple % 2 == 0)
        if use.sum() < 3 or not odd.any():
            continue
        found = np.clip(found, -1, MOST)
        if found[odd].mean() > BOTH and (not even.any() or found[even].mean() > BOTH):
            mean[i] = found[use].mean()
    best = float(mean.max())
    if best == 0:
        return 0.0, 1.0
    # Half the factor has every second multiple for its own, and explains them as well.
    least = FACTORS[np.flatnonzero(mean >= best - ALIKE)[0]]
    around = np.where(np.abs(FACTORS / least - 1) < 0.03, mean, 0)
    return best, float(FACTORS[around.argmax()])
