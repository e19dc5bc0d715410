"""How well a finished pair is registered, measured by a method that registration does not use.

Registration minimises differences of HR blurred and drawn on LR's grid. Here the pair as written is
reduced with the MATLAB bicubic operator, and the displacement of each window is read off the phase of its
cross spectrum (phase correlation; Stone et al., IEEE TGRS 2001), which neither brightness nor blur moves.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from realdeg.arraytypes import Array
from realdeg.imaging.resample import resize

WINDOWS = (32, 48, 64, 96)
WINDOWS_A_SIDE = 16
BAND = 0.30  # cycles per px; above, aliases and JPEG rule
MAX_SD_PX = 0.3
COHERENT = 0.5  # mean cosine of the phases that a shift leaves; noise alone reaches 0.45
UNSEEN = 2.0  # by how much displacements of pairs with known truth scatter beyond what their phases say
MIN_WINDOWS = 6
ROUNDS = 4
TAPER = 2.25  # equivalent noise bandwidth of a two-dimensional Hann window, bins
QUIET = 0.1  # of a textured window's power: what has less counts less
SILENT = 1e-3  # power of windows of a single value, but for the arithmetic (8-bit levels)
OVERLAP = 9 / 4  # by how much neighbours that share pixels overstate what they know together
RAYLEIGH_P95 = 2.448  # of the length of a vector whose components have sd 1
COARSE = 0.08  # cycles per px of the first look, where shifts of several px do not wrap


@dataclass(frozen=True, eq=False)
class Residual:
    """Displacement left in a pair, LR px.

    Attributes:
        p95: 95th percentile over the windows of the displacement, averaged over 3 x 3 neighbours.
        noise: the p95 that the measurement's own noise would give by itself.
        median: median of the same displacements.
        mean_x, mean_y: mean displacement of HR against LR: a shift that p95 alone would not show.
        zncc: zero-mean normalised cross-correlation of LR and reduced HR.
        centre: (N, 2) window centres (x, y), px of LR.
        shift: (N, 2) displacement of HR's content against LR's in each window.
        sd: (N,) standard deviation of `shift`, both components together, from the scatter of the phases.
    """

    p95: float
    noise: float
    median: float
    mean_x: float
    mean_y: float
    zncc: float
    centre: Array
    shift: Array
    sd: Array

    @property
    def beyond_noise(self) -> float:
        """What is left of `p95` without the noise; what a pair is judged by."""
        return float(np.sqrt(max(0.0, self.p95**2 - self.noise**2)))


def measure(lr: Array, hr: Array, scale: int, valid: Array | None = None) -> Residual | None:
    """Residual of a pair.

    Args:
        lr: (h, w, 3) uint8 or uint16.
        hr: (scale*h, scale*w, 3) of the same kind.
        scale: HR size / LR size.
        valid: (h, w), 0 where the pair is not valid: windows that touch such pixels are left out.

    Returns:
        The figures, or None where fewer than six windows show anything.
    """
    small = _grey(lr)
    seen = resize(_grey(hr), 1 / scale).astype(np.float32)
    inside = np.ones(small.shape, bool) if valid is None else valid > 0
    if not inside.any():
        return None
    a, b = (image[inside] - image[inside].mean(dtype=np.float64) for image in (small, seen))
    zncc = float((a * b).sum() / max(np.sqrt((a * a).sum() * (b * b).sum()), 1e-9))
    side = max((w for w in WINDOWS if w * 6 <= min(small.shape)), default=WINDOWS[0])
    if min(small.shape) < side:
        return None
    rows, columns = (_starts(n, side) for n in small.shape)
    centre = np.array([(x + (side - 1) / 2, y + (side - 1) / 2) for y in rows for x in columns])
    shift, sd = _window_shifts(small, seen, rows, columns, side)
    whole = [bool(inside[y : y + side, x : x + side].all()) for y in rows for x in columns]
    known = (sd < MAX_SD_PX) & np.array(whole)
    if known.sum() < MIN_WINDOWS:
        return None
    smooth, spread = _smoothed(shift, np.where(known, sd, np.inf), (len(rows), len(columns)))
    smooth, spread = smooth[known], spread[known]
    size = np.hypot(*smooth.T)
    weight = 1 / (sd[known] ** 2 + 0.01**2)
    mean = (shift[known] * weight[:, None]).sum(0) / weight.sum()
    return Residual(
        float(np.percentile(size, 95)),
        RAYLEIGH_P95 * float(np.sqrt((spread**2).mean() / 2)),
        float(np.median(size)),
        float(mean[0]),
        float(mean[1]),
        zncc,
        centre[known],
        shift[known],
        sd[known],
    )


def _window_shifts(a: Array, b: Array, rows: list[int], columns: list[int], side: int) -> tuple[Array, Array]:
    """(N, 2) shifts d with b(x + d) = a(x) and (N,) their standard deviations, row by row of windows."""
    fy, fx = np.meshgrid(np.fft.fftfreq(side), np.fft.rfftfreq(side), indexing="ij")
    radius = np.hypot(fx, fy)
    use = (radius > 0) & (radius <= BAND)
    use[side // 2 + 1 :, 0] = False  # conjugates of those above
    f = 2 * np.pi * np.stack([fx[use], fy[use]], axis=-1)
    first, second = (_spectra(image, rows, columns, side, use) for image in (a, b))
    cross = first * second.conj()
    size = np.abs(cross)
    # What LR does not show (it is soft, or noisy there) has no say: coherence over all windows tells.
    # Windows that hardly show anything are not made loud: one clipped corner would speak for all.
    power = size.mean(1, keepdims=True)
    quiet = QUIET * float(np.percentile(power, 90))
    loudness = 1 / np.maximum(power, max(quiet, 1e-20))
    powers = [(loudness * np.abs(spectrum) ** 2).sum(0) for spectrum in (first, second)]
    coherence = np.abs((loudness * cross).sum(0)) ** 2 / np.maximum(powers[0] * powers[1], 1e-30)
    # The root of the magnitude is the weight in a window: loud frequencies stand above noise.
    weight = np.sqrt(size) * (coherence / (1.05 - coherence))
    phase = cross / np.maximum(size, 1e-20)
    coarse = radius[use] <= COARSE
    shift = np.zeros((len(cross), 2))
    for round_ in range(ROUNDS):
        w = weight * coarse if round_ == 0 else weight
        left = np.angle(phase * np.exp(-1j * shift @ f.T))
        robust = w / (1 + (left / 0.8) ** 2)
        normal = np.einsum("nk,ki,kj->nij", robust, f, f, optimize=True) + 1e-9 * np.eye(2)
        right = np.einsum("nk,nk,ki->ni", robust, left, f, optimize=True)
        shift = shift + np.linalg.solve(normal, right[..., None])[..., 0]
    left = np.angle(phase * np.exp(-1j * shift @ f.T))
    agreement = (weight * np.cos(left)).sum(1) / np.maximum(weight.sum(1), 1e-20)
    # The sandwich estimate; the taper correlates neighbouring frequencies: one in 2.25 is a new observation.
    scatter = np.einsum("nk,ki,kj->nij", TAPER * (robust * left) ** 2, f, f, optimize=True)
    inverse = np.linalg.inv(normal)
    sd = UNSEEN * np.sqrt(np.trace(inverse @ scatter @ inverse, axis1=1, axis2=2))
    # Loud windows that do not agree show something else, quiet ones show nothing.
    shown = (power[:, 0] > SILENT) & ((agreement > COHERENT) | (power[:, 0] > quiet))
    return shift, np.where(shown, sd, np.inf)


def _spectra(image: Array, rows: list[int], columns: list[int], side: int, use: Array) -> Array:
    """(N, K) complex64 spectra of tapered windows at the frequencies that are used."""
    taper = np.outer(np.hanning(side + 2)[1:-1], np.hanning(side + 2)[1:-1]).astype(np.float32)
    found = []
    for top in rows:
        windows = np.stack([image[top : top + side, x : x + side] for x in columns])
        centred = (windows - windows.mean((1, 2), keepdims=True)) * taper
        found.append(np.fft.rfft2(centred)[:, use].astype(np.complex64))
    return np.concatenate(found)


def _smoothed(shift: Array, sd: Array, grid_hw: tuple[int, int]) -> tuple[Array, Array]:
    """(N, 2) mean over each window's 3 x 3 neighbours, weighted by certainty, and (N,) its own sd."""
    weight = np.where(np.isfinite(sd), 1 / (sd**2 + 0.02**2), 0.0).reshape(grid_hw)
    total = cv2.boxFilter(weight, -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
    result = np.empty_like(shift)
    for i in range(2):
        part = np.where(weight > 0, shift[:, i].reshape(grid_hw), 0) * weight
        around = cv2.boxFilter(part, -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
        result[:, i] = (around / np.maximum(total, 1e-12)).ravel()
    # Half-overlapping windows share pixels: nine neighbours are worth four.
    own = OVERLAP * np.where(
        weight > 0, weight**2 * np.where(np.isfinite(sd), sd, 0).reshape(grid_hw) ** 2, 0
    )
    around = cv2.boxFilter(own, -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
    return result, (np.sqrt(np.maximum(around, 0)) / np.maximum(total, 1e-12)).ravel()


def _starts(length: int, side: int) -> list[int]:
    count = int(np.clip(2 * length // side - 1, 1, WINDOWS_A_SIDE))
    return [int(v) for v in np.linspace(0, length - side, count).round()]


def _grey(image: Array) -> Array:
    """(H, W) float32 luma in 8-bit levels."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return grey if image.dtype == np.uint8 else grey / 257
