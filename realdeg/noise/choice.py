"""Which calm windows show nothing but noise, and how strong a set's noise is at each brightness.

Of all that the photos of one camera show at a brightness, noise is the least: a floor that windows of many
photos share, while texture lies above it. So a window's energy is held against the lowest of the set at its
brightness; and the shape of its spectrum, coarse against fine, against that of the calmest windows, since
content falls off with frequency faster than noise does.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from realdeg.arraytypes import Array
from realdeg.noise.spectrum import BANDS, chroma, coefficients, extrapolate_bands, luma, variance
from realdeg.pools.level_function import KNOTS, NoiseLevelFunction

NEAR = 24.0  # 8-bit levels: windows of about a knot's brightness
LOWEST_SHARE, FEWEST = 0.05, 8  # of the windows about a knot, whose median is the floor
CALM = 1.5  # times the floor: windows that tell the usual shape
SHAPES = ((2, 4, 7, 9), (4, 6, 7, 9), (5, 7, 8, 10))  # bands of numerator and denominator, half open
# Most that noise of any camera was seen to have: JPEG photos of PolyU and Nam, their lowest tenth left out.
STEEPEST = np.log([8.0, 5.0, 8.0, 200.0, 40.0])
FINE = slice(BANDS - 5, BANDS - 1)  # 0.125 to 0.5 cycles/px
BLOCKS = 1.18  # of windows' blockiness: without JPEG it is 1.06 to 1.15
MOST_GAIN = 64.0  # six stops of sensitivity
GROWTH = 1.25  # from a band to the next coarser one


@dataclass(frozen=True, eq=False)
class FlatWindows:
    """Calm windows of all photos.

    Attributes:
        photo: (n,) number of the photo.
        level: (n, 3) mean of the channels, 8-bit levels.
        bands: (n, BANDS, 3, 3) covariance of the channels by band, 8-bit levels squared.
        blocks: (n,) how blocky the windows are (`realdeg.noise.windows.blockiness`).
        sound: (n,) whether a window may become a patch.
        size: side of the windows, px.
    """

    photo: Array
    level: Array
    bands: Array
    blocks: Array
    sound: Array
    size: int


@dataclass(frozen=True, eq=False)
class WindowChoice:
    """What was decided.

    Attributes:
        taken: (n,) whether a window shows noise alone.
        score: (n,) lower is better: how far it lies from the floor and the usual shape, logarithmic.
        strong, steep: windows refused for their energy, and of the rest for their shape.
    """

    taken: Array
    score: Array
    strong: int
    steep: int


def choose(seen: FlatWindows, energy: float, shape: float) -> WindowChoice:
    """Windows that show noise alone.

    Args:
        seen: of all photos.
        energy: most of a window's energy, times the floor.
        shape: most of coarse against fine energy, times the usual.
    """
    score = np.full(len(seen.photo), np.inf)
    taken = seen.sound.copy()
    if not taken.any():
        return WindowChoice(taken, score, 0, 0)
    bands, level = seen.bands[taken], seen.level[taken]
    strength = np.log(variance(extrapolate_bands(bands), seen.size).sum(1) + 1e-9)
    above = strength - _floor(level.mean(1), strength)
    shapes = steepness(bands, seen.size)
    # The lower quartile: among the calmest some may still show texture, which only adds to the coarse.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # grey sets have no shape of colour
        usual = np.nanquantile(shapes[above <= np.log(CALM)], 0.25, axis=0)
    beyond = np.nan_to_num(shapes - np.fmin(usual, STEEPEST), nan=-np.inf).max(1)
    low, good = above <= np.log(energy), beyond <= np.log(shape)
    score[taken] = np.maximum(above, 0) + np.maximum(beyond, 0)
    taken[taken] = low & good
    return WindowChoice(taken, score, int((~low).sum()), int((low & ~good).sum()))


def _floor(level: Array, strength: Array) -> Array:
    """Least energy of the set at each window's brightness, logarithmic."""
    floor = np.full(len(KNOTS), np.nan)
    for number, knot in enumerate(KNOTS):
        near = np.sort(strength[np.abs(level - knot) < NEAR])
        if len(near):
            floor[number] = np.median(near[: max(FEWEST, int(LOWEST_SHARE * len(near)))])
    known = np.isfinite(floor)
    return np.interp(level, KNOTS[known], floor[known])


def steepness(bands: Array, size: int) -> Array:
    """(n, 5) logarithm of coarse against fine energy, of grey at three scales and of colour at two."""
    count = coefficients(size)

    def mean(values: Array, first: int, end: int) -> Array:
        weight = count[first:end]
        return (values[:, first:end] * weight).sum(1) / max(weight.sum(), 1) + 1e-3

    grey, colour = luma(bands), chroma(bands)
    ratios = [mean(grey, a, b) / mean(grey, c, d) for a, b, c, d in SHAPES]
    ratios += [np.where(_coloured(colour), mean(colour, a, b) / mean(colour, c, d), np.nan)
               for a, b, c, d in SHAPES[:2]]  # fmt: skip
    return np.log(np.stack(ratios, 1))


def _coloured(colour: Array) -> Array:
    """(n,) whether there is any colour in windows, of their (n, BANDS) energies."""
    return colour.max(1) > 1e-2


def is_coloured(bands: Array) -> bool:
    """Whether any of a photo's windows shows colour, of their (n, BANDS, 3, 3) covariances."""
    return bool(_coloured(chroma(bands)).any())


def strengths(seen: FlatWindows, law: NoiseLevelFunction, spectrum: Array, blocky: bool) -> Array:
    """How much stronger the noise of each window is than a law says, whatever else the window shows.

    From its fine energy, which content adds least to: the lowest of grey and colour and of all fine bands
    counts, since content only adds. JPEG, though, takes fine energy out of calm places and puts it into
    others; fine bands then count together.

    Args:
        seen: windows.
        law: of the set.
        spectrum: (BANDS, 3, 3) of the set's noise, of mean variance 1.
        blocky: whether JPEG has been at it, see `is_blocky`.

    Returns:
        (n,) factors on the variance, `MOST_GAIN` at most and its inverse at least.
    """
    count = coefficients(seen.size)
    expected = law(seen.level).mean(1)
    ratio = np.full(len(seen.photo), np.inf)
    parts = [FINE] if blocky else [slice(band, band + 1) for band in range(BANDS - 5, BANDS)]
    for energy in (luma, chroma):
        bands, one = energy(seen.bands), energy(spectrum)
        for part in parts:
            weight = count[part] / count[part].sum()
            found = (bands[:, part] @ weight) / np.maximum(one[part] @ weight * expected, 1e-6)
            ratio = np.where(_coloured(bands), np.minimum(ratio, found), ratio)
    return np.clip(ratio, 1 / MOST_GAIN, MOST_GAIN)


def is_blocky(seen: FlatWindows, choice: WindowChoice) -> bool:
    """Whether JPEG has been at a set's noise: by windows with noise alone, or by the least blocky ones."""
    if choice.taken.any():
        return bool(np.median(seen.blocks[choice.taken]) > BLOCKS)
    return bool(np.quantile(seen.blocks, 0.25) > BLOCKS)


def mean_spectrum(bands: Array, size: int) -> Array:
    """(BANDS, 3, 3) mean of windows that show noise alone, each of mean variance 1, lowest bands drawn on."""
    even = extrapolate_bands(bands)
    strength = variance(even, size).mean(1)
    return (even / np.maximum(strength, 1e-9)[:, None, None, None]).mean(0)


def least_spectrum(bands: Array, size: int) -> Array:
    """(BANDS, 3, 3) what noise may be in windows that all show content, of mean variance 1.

    The mean of those with the least fine energy; from fine to coarse it may grow by `GROWTH` a band, as noise
    of cameras does, and content by more.
    """
    fine = luma(bands)[:, FINE].sum(1)
    calm = bands[fine <= np.quantile(fine, 0.2)].mean(0)
    for band in range(BANDS - 3, -1, -1):
        most = GROWTH * np.trace(calm[band + 1])
        calm[band] *= min(1.0, most / max(np.trace(calm[band]), 1e-9))
    return mean_spectrum(calm[None], size)
