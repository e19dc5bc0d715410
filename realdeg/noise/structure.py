"""Whether patches that are given as noise show pictures: content falls off with frequency faster than noise.

Measured on windows of 64 px by `coarseness`: pools of `realdeg noise` have medians of 0.4 to 1.5 (five sets
of photos), windows anywhere in photos and paintings 6 to 25 (eight sets).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from realdeg.arraytypes import Array
from realdeg.errors import UserError
from realdeg.noise.choice import STEEPEST, steepness
from realdeg.noise.spectrum import covariance, transform, without_shading
from realdeg.pools.noise_pool import NoisePool
from realdeg.words import command_line

LOOKED_AT = 64  # patches, spread over the pool
SIDE, SMALLEST = 64, 32  # px of the windows; in smaller ones content and noise are hard to tell apart
PICTURED = 3.0  # times the coarsest noise
FEW = 0.4  # share of such patches: pools of the classic rule have up to 0.3 of calm sets, photos 0.7 and more


def coarseness(pool: NoisePool) -> Array:
    """How coarse patches are, against the coarsest noise that cameras were seen to have.

    Args:
        pool: of noise.

    Returns:
        (n,) the energy of coarse against fine frequencies of grey, at the worst of three scales, in units of
        the most that noise had there; of `LOOKED_AT` patches at most, and none of less than `SMALLEST` px.
    """
    count = min(LOOKED_AT, len(pool.names))
    found = []
    for index in np.unique(np.linspace(0, len(pool.names) - 1, count).round().astype(int)):
        height, width = pool.patches[index].shape[:2]
        side = min(SIDE, height, width) // 2 * 2
        if side < SMALLEST:
            continue
        y, x = (height - side) // 2, (width - side) // 2
        window = 255 * pool.residual(int(index), (slice(y, y + side), slice(x, x + side)))
        bands = covariance(transform(without_shading(window[None])))
        beyond = steepness(bands, side)[0, :3] - STEEPEST[:3]  # those of grey
        found.append(float(np.exp(beyond.max())))
    return np.array(found)


def doubt(pool: NoisePool, path: Path) -> str:
    """One line where a noise pool shows pictures, with the figure; else "".

    Args:
        pool: of noise.
        path: where it lies.
    """
    found = coarseness(pool)
    pictures = found[found > PICTURED]
    if len(pictures) <= FEW * len(found):
        return ""
    share = f"{len(pictures)} of {len(found)} patches look like pictures, not noise"
    figure = f"{np.median(pictures):.0f} times as coarse as the coarsest noise of cameras"
    look = command_line("realdeg", "report", path)
    return f"{path}: {share}: {figure}; look at them with: {look}; `realdeg noise` takes noise alone"


def doubt_of(path: Path | None) -> str:
    """As `doubt`, of a pool on disk; what cannot be read is for others to say."""
    if path is None:
        return ""
    try:
        return doubt(NoisePool.read(path), path)
    except UserError:
        return ""
