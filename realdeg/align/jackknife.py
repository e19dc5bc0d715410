"""How uncertain a fit is by what leaving out parts of the field does to it.

The formal covariance takes tiles as independent. What is left of vignetting, tone, PSF and JPEG errs alike
in neighbouring tiles; leaving out whole blocks of them feels that (Kunsch 1989; delete-a-group jackknife).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from realdeg.arraytypes import Array

BLOCKS_A_SIDE = 5
MIN_BLOCKS = 12


def blocks_of(grid_hw: tuple[int, int], places: Array) -> npt.NDArray[np.int_]:
    """(N,) number of the block of each tile; `places` are indices into the grid of tiles."""
    rows, columns = grid_hw
    y, x = places // columns * BLOCKS_A_SIDE // rows, places % columns * BLOCKS_A_SIDE // columns
    return (y * BLOCKS_A_SIDE + x).astype(int)


def covariance(normals: Array, rights: Array, prior: Array, blocks: npt.NDArray[np.int_]) -> Array | None:
    """Covariance of a linear fit's parameters by the delete-one-block jackknife.

    Args:
        normals: (N, P, P) share of each tile in the normal matrix.
        rights: (N, P) share of each tile in the right side, from the residuals of the fit.
        prior: (P, P) added to the normal matrix.
        blocks: (N,) number of each tile's block.

    Returns:
        (P, P), or None where there are fewer than 12 blocks.
    """
    numbers = np.unique(blocks)
    if len(numbers) < MIN_BLOCKS:
        return None
    normal, right = normals.sum(0) + prior, rights.sum(0)
    left = []
    for number in numbers:
        out = blocks == number
        left.append(np.linalg.lstsq(normal - normals[out].sum(0), right - rights[out].sum(0), rcond=None)[0])
    off = np.array(left) - np.mean(left, axis=0)
    return (len(numbers) - 1) / len(numbers) * off.T @ off
