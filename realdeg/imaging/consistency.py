"""The closest image that reduces to a given LR image: an exact projection for MATLAB's bicubic.

Reducing is y = A x B', with banded A and B. The closest z with A z B' = y is x + A+ (y - A x B') B+', with
the pseudo-inverses A+ = A' (A A')^-1; A A' has a few diagonals. What leaves [0, 1] is clamped, and the two
are alternated (projections onto convex sets).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.linalg import cho_solve_banded, cholesky_banded

from realdeg.arraytypes import Array
from realdeg.imaging.resample import matrix

BLOCK = 8  # LR px that are reduced by one small dense matrix: faster than a sparse one
CLOSE = 1e-4  # of white: a residual below is far less than a rounding of 8 bits


@dataclass(frozen=True, eq=False)
class _Axis:
    """Reduction of one axis.

    Attributes:
        blocks: (LR positions, HR positions, weights) of each block.
        size: HR px.
        factor: Cholesky factor of A A', lower diagonals.
    """

    blocks: tuple[tuple[slice, slice, Array], ...]
    size: int
    factor: Array

    def reduce(self, image: Array) -> Array:
        """(n, ...) -> (n / s, ...)."""
        flat = image.reshape(self.size, -1)
        result = np.empty((self.blocks[-1][0].stop, flat.shape[1]), np.float32)
        for out, seen, weights in self.blocks:
            np.matmul(weights, flat[seen], out=result[out])
        return result.reshape(-1, *image.shape[1:])

    def restore(self, residual: Array, onto: Array) -> None:
        """Add A+ residual, of (n / s, ...), to (n, ...) in place."""
        flat = residual.reshape(len(residual), -1)
        result = onto.reshape(self.size, -1)
        solved = cho_solve_banded((self.factor, True), flat, check_finite=False)
        for out, seen, weights in self.blocks:
            result[seen] += weights.T @ solved[out]


@lru_cache(maxsize=16)
def _axis(size: int, scale: int) -> _Axis:
    count = size // scale
    whole = matrix(size, count, 1 / scale)
    blocks = []
    for start in range(0, count, BLOCK):
        part = whole[start : start + BLOCK]
        low, high = int(part.indices.min()), int(part.indices.max()) + 1
        dense = part[:, low:high].toarray().astype(np.float32)
        blocks.append((slice(start, start + dense.shape[0]), slice(low, high), dense))
    product = (whole @ whole.T).todia()
    width = int(product.offsets.max())
    bands = np.zeros((width + 1, count))
    for offset in range(width + 1):
        bands[offset, : count - offset] = product.diagonal(-offset)
    return _Axis(tuple(blocks), size, cholesky_banded(bands, lower=True).astype(np.float32))


def project(image: Array, lr: Array, scale: int, rounds: int = 4) -> Array:
    """The closest image in [0, 1] whose MATLAB-bicubic reduction is LR.

    Args:
        image: (s h, s w, C) float, white is 1; beyond [0, 1] is allowed.
        lr: (h, w, C) float in [0, 1].
        scale: s.
        rounds: projections at most; one is exact where nothing has to be clamped. After the last clamping
            reduction and LR may still differ next to saturated places.

    Returns:
        (s h, s w, C) float32 in [0, 1].

    Raises:
        ValueError: the image is not s times LR.
    """
    height, width = lr.shape[:2]
    if image.ndim != 3 or image.shape != (height * scale, width * scale, *lr.shape[2:]):
        raise ValueError(f"an image of shape {image.shape} is not {scale} times LR of shape {lr.shape}")
    rows, columns = _axis(height * scale, scale), _axis(width * scale, scale)
    result = np.array(image, np.float32, order="C")
    target = np.asarray(lr, np.float32)
    for _ in range(rounds):
        small = np.ascontiguousarray(rows.reduce(result).swapaxes(0, 1))  # (s w, h, C)
        residual = target.swapaxes(0, 1) - columns.reduce(small)  # (w, h, C)
        if np.abs(residual).max() < CLOSE and result.min() >= 0 and result.max() <= 1:
            break
        wide = np.zeros((width * scale, *residual.shape[1:]), np.float32)
        columns.restore(residual, wide)
        rows.restore(np.ascontiguousarray(wide.swapaxes(0, 1)), result)
        np.clip(result, 0, 1, out=result)
    return result
