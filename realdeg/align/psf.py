"""The blur that HR needs to look like LR: a Gaussian with two axes, read off the spectra of both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from realdeg.arraytypes import Array

WINDOW = 64
MAX_WINDOWS = 144
BAND = (0.04, 0.38)  # cycles per px; above, aliases rule
MIN_COHERENCE = 0.15
QUIET = 0.1  # of a textured window's power: what has less counts less


@dataclass(frozen=True)
class Psf:
    """Blur of HR that matches LR best, as a Gaussian on LR's grid.

    Attributes:
        major, minor: standard deviations along its axes, LR px; 0 where LR is sharper than HR.
        angle: direction of the major axis, degrees from x towards y, in (-90, 90].
    """

    major: float
    minor: float
    angle: float

    @property
    def sigma(self) -> float:
        """Standard deviation of the round Gaussian of the same mean variance, LR px."""
        return float(np.sqrt((self.major**2 + self.minor**2) / 2))


def estimate(fixed: Array, drawn: Array, base: float) -> Psf | None:
    """Blur between two registered pictures on one grid.

    The transfer function T(f) = <F D*> / <|D|^2>, averaged over windows, is fitted by a Gaussian,
    log T = c - 2 pi^2 f' S f, each frequency weighted by its coherence.

    Args:
        fixed: (h, w) float32, LR.
        drawn: (h, w) float32, HR on LR's grid, blurred by a round Gaussian of `base` LR px.
        base: LR px.

    Returns:
        The blur from HR to LR, `base` included; None where nothing is coherent.
    """
    side = min(WINDOW, *fixed.shape)
    if side < 16:
        return None
    f, d = (_windows(image, side) for image in (fixed, drawn))
    if len(f) > MAX_WINDOWS:  # the ones with most detail
        detail = np.var(np.diff(d, axis=2), axis=(1, 2))
        best = np.sort(np.argsort(-detail, kind="stable")[:MAX_WINDOWS])
        f, d = f[best], d[best]
    taper = np.outer(np.hanning(side), np.hanning(side))
    spectra_f, spectra_d = (np.fft.rfft2((x - x.mean((1, 2), keepdims=True)) * taper) for x in (f, d))
    # Textured windows have the same say: otherwise a few with strong contrast would decide. Windows of sky
    # or wall have less: their noise, which both photos do not share, would pass for a lack of contrast.
    power = (np.abs(spectra_d) ** 2).mean((1, 2), keepdims=True)
    loudness = 1 / np.maximum(power, max(QUIET * float(np.percentile(power, 90)), 1e-12))
    cross = (loudness * spectra_f * spectra_d.conj()).sum(0).real
    power_d = (loudness * np.abs(spectra_d) ** 2).sum(0)
    power_f = (loudness * np.abs(spectra_f) ** 2).sum(0)
    fy, fx = np.meshgrid(np.fft.fftfreq(side), np.fft.rfftfreq(side), indexing="ij")
    radius = np.hypot(fx, fy)
    coherence = cross**2 / np.maximum(power_d * power_f, 1e-30)
    use = (radius > BAND[0]) & (radius < BAND[1]) & (cross > 0) & (coherence > MIN_COHERENCE)
    if use.sum() < 24:
        return None
    x, y, c = fx[use], fy[use], np.clip(coherence[use], 0, 0.999)
    log_gain = np.log(cross[use] / power_d[use])
    weight = np.sqrt(c / (1 - c))
    design = np.stack(
        [np.ones_like(x), -2 * np.pi**2 * x * x, -4 * np.pi**2 * x * y, -2 * np.pi**2 * y * y], -1
    )
    for _ in range(3):
        solution = np.linalg.lstsq(design * weight[:, None], log_gain * weight, rcond=None)[0]
        off = np.abs(log_gain - design @ solution) * np.sqrt(c / (1 - c))
        weight = np.sqrt(c / (1 - c)) / np.sqrt(1 + (off / (2 * np.median(off) + 1e-9)) ** 2)
    xx, xy, yy = solution[1:]
    variances, axes = np.linalg.eigh(np.array([[xx, xy], [xy, yy]]) + base**2 * np.eye(2))
    minor, major = np.sqrt(np.maximum(variances, 0))
    angle = float(np.degrees(np.arctan2(axes[1, 1], axes[0, 1])))
    angle = angle - 180 if angle > 90 else angle + 180 if angle <= -90 else angle
    return Psf(float(major), float(minor), angle)


def _windows(image: Array, side: int) -> Array:
    """(N, side, side) windows without overlap, around the middle."""
    rows, columns = image.shape[0] // side, image.shape[1] // side
    top, left = (image.shape[0] - rows * side) // 2, (image.shape[1] - columns * side) // 2
    cut = image[top : top + rows * side, left : left + columns * side]
    blocks = cut.reshape(rows, side, columns, side).swapaxes(1, 2)
    return blocks.reshape(-1, side, side)
