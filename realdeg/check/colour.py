"""What is between the colours of LR and HR in a finished pair, at equal blur."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from realdeg.align import psf
from realdeg.align.clusters import rms
from realdeg.align.crop import Box
from realdeg.align.homography import Homography
from realdeg.align.seen import seen
from realdeg.align.warp import Warp
from realdeg.arraytypes import Array
from realdeg.check.geometry import BLUR, grey, reduced

LEAST_PIXELS = 200
MARGIN = 4  # LR px at the borders, which no blur is asked of
ROUNDS = 5
ROBUST = 2.0  # times the typical difference; what moved, or shines, counts less
USUAL_BLUR = 0.5  # LR px, of an ordinary camera
CHROMATIC = 4.0  # levels: of the spread of colours that is needed to speak of saturation


@dataclass(frozen=True)
class Colour:
    """Differences of colour.

    Attributes:
        difference: (r, g, b) median of LR - HR, 8-bit levels.
        gain, offset: (r, g, b) of the line that makes LR's values of HR's; offset in 8-bit levels, at black.
        contrast: gain of luma.
        saturation: of LR against HR; None of pictures without colours.
        rms: root mean square of what is between them, 8-bit levels.
        left: of what gain and offset leave.
    """

    difference: tuple[float, float, float]
    gain: tuple[float, float, float]
    offset: tuple[float, float, float]
    contrast: float
    saturation: float | None
    rms: float
    left: float

    @property
    def cast(self) -> float:
        """By how much the channel that is farthest off differs from the mean of all, 8-bit levels."""
        return max(abs(one - sum(self.difference) / 3) for one in self.difference)

    def told(self) -> str:
        """What is off, in words, as LR is against HR."""
        red, green, blue = self.difference
        mean = (red + green + blue) / 3
        found = []
        if self.cast > max(3.0, 0.5 * abs(mean)):
            names = [f"{name} {one:+.0f}" for name, one in zip("RGB", self.difference, strict=True)]
            found.append(f"a cast ({', '.join(names)} levels)")
        elif abs(mean) > 3:
            found.append(f"{abs(mean):.0f} levels {'brighter' if mean > 0 else 'darker'}")
        if not 0.92 < self.contrast < 1.09:
            found.append(f"contrast x{self.contrast:.2f}")
        if self.saturation is not None and not 0.85 < self.saturation < 1.18:
            found.append(f"saturation x{self.saturation:.2f}")
        return " and ".join(found) or "no plain rule"


def compare(lr: Array, hr: Array, scale: int, shift: tuple[float, float] = (0.0, 0.0)) -> Colour | None:
    """Compare the colours of a pair.

    Args:
        lr: (h, w, 3) uint8 or uint16.
        hr: (scale*h, scale*w, 3) of the same kind.
        scale: HR size / LR size.
        shift: (x, y) of HR's content against LR's, LR px.

    Returns:
        None where hardly a pixel can be compared: clipped, or too small.
    """
    height, width = lr.shape[:2]
    edge = MARGIN + int(np.ceil(max(map(abs, shift))))
    if min(height, width) < 2 * edge + 8:
        return None
    blur = psf.estimate(grey(lr), reduced(hr, scale), BLUR if scale > 1 else 0.0)
    sigma = blur.sigma if blur else USUAL_BLUR
    hr_from_lr = Warp.plain(Homography.zoom(scale) @ Homography.translation(*shift))
    photos = seen(lr, hr, hr_from_lr, Box(edge, edge, width - 2 * edge, height - 2 * edge), sigma)
    ours, theirs, counts = photos.untouched.source, photos.target, photos.telling
    every = counts.all(-1)
    if every.sum() < LEAST_PIXELS:
        return None
    lines = [_line(ours[..., c][counts[..., c]], theirs[..., c][counts[..., c]]) for c in range(3)]
    after = np.stack([gain * ours[..., c] + offset for c, (gain, offset) in enumerate(lines)], -1)
    there, here = theirs[every], ours[every]
    contrast, _ = _line(here.mean(-1), there.mean(-1))
    off = [float(np.median((theirs - ours)[..., c][counts[..., c]])) * 255 for c in range(3)]
    return Colour(
        (off[0], off[1], off[2]),
        (lines[0][0], lines[1][0], lines[2][0]),
        (255 * lines[0][1], 255 * lines[1][1], 255 * lines[2][1]),
        contrast,
        _saturation(here, there),
        rms(ours - theirs, counts),
        rms(after - theirs, counts),
    )


def _line(x: Array, y: Array) -> tuple[float, float]:
    """Gain and offset of y by x, robustly; of a flat picture the offset alone."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    weight = np.ones_like(x)
    gain, offset = 1.0, float(np.median(y - x))
    for _ in range(ROUNDS):
        total = weight.sum()
        mean_x, mean_y = (weight * x).sum() / total, (weight * y).sum() / total
        spread = (weight * (x - mean_x) ** 2).sum() / total
        # A prior on 1: five levels of spread are believed half.
        prior = (2 / 255) ** 2
        gain = float(((weight * (x - mean_x) * (y - mean_y)).sum() / total + prior) / (spread + prior))
        offset = float(mean_y - gain * mean_x)
        off = np.abs(y - gain * x - offset)
        weight = 1 / (1 + (off / (ROBUST * max(float(np.median(off)), 0.5 / 255))) ** 2)
    return gain, offset


def _saturation(here: Array, there: Array) -> float | None:
    """How much farther apart LR's channels are than HR's, (N, 3) each, beside means."""
    chroma = [one - one.mean(-1, keepdims=True) for one in (here, there)]
    chroma = [one - one.mean(0) for one in chroma]
    spread = float((chroma[0] ** 2).mean())
    if 255 * np.sqrt(spread) < CHROMATIC:
        return None
    return float((chroma[0] * chroma[1]).mean()) / spread
