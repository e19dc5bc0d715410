"""The noise of a camera, of many registered pairs: how it goes with brightness, and how it is spread.

Residuals of pairs hold the model's error, which goes with the slopes of the picture: a term in the slope
takes it out of the variances, and patches in which it would be a large part are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from realdeg.arraytypes import Array
from realdeg.camera.pair_noise import PairNoise
from realdeg.noise.spectrum import EDGES, coefficients, covariance, transform
from realdeg.pools.level_function import NoiseLevelFunction, level_function

FEWEST_LEVELS = 32.0  # 8-bit levels that windows have to span before a slope over brightness is stated
MOST_CONTENT = 0.5  # of a window's variance, by its slope; windows above tell nothing of noise
FEWEST = 8  # patches that are kept however steep they are


def noise_law(noises: Sequence[PairNoise]) -> dict[str, Any]:
    """Variance of each channel: a + b level + k slope; errors by leaving out a pair at a time.

    Args:
        noises: of the pairs.

    Returns:
        `offset`, `slope` (a, b; 8-bit levels), `content` (k, variance a level of RMS slope) and
        `offset_error`, `slope_error`, `content_error`, lists of R, G, B; None where brightness spans too
        little, or fewer than two pairs are known.
    """
    names = ("offset", "slope", "content")
    law: dict[str, list[float | None]] = {name: [] for name in (*names, *(f"{one}_error" for one in names))}
    for c in range(3):
        whole = _fit(noises, c)
        without = [
            _fit([*noises[:i], *noises[i + 1 :]], c)
            for i, noise in enumerate(noises)
            if len(noise.window_slopes)
        ]
        known = np.array([line for line in without if line is not None])
        enough = len(known) > 1 and len(known) == len(without)
        spread = known.std(0) * np.sqrt(len(known) - 1) if enough else (None,) * 3  # the jackknife's
        for i, name in enumerate(names):
            law[name].append(None if whole is None else round(float(whole[i]), 6))
            error = spread[i]
            law[f"{name}_error"].append(None if error is None else round(float(error), 6))
    return law


def _fit(noises: Sequence[PairNoise], channel: int) -> Array | None:
    """(a, b, k), each window weighed by its own relative precision, and far ones less."""
    level = np.concatenate([noise.window_levels[:, channel] for noise in noises] or [np.zeros(0)])
    slope = np.concatenate([noise.window_slopes for noise in noises] or [np.zeros(0)])
    variance = np.concatenate([noise.window_variances[:, channel] for noise in noises] or [np.zeros(0)])
    if len(level) < 3 or np.ptp(level) < FEWEST_LEVELS:
        return None
    rows = np.stack([np.ones(len(level)), level, slope], 1)
    fitted = np.full(len(level), np.median(variance))
    steep = True
    for _ in range(8):
        scale = np.maximum(fitted, 0.1 * max(float(np.median(variance)), 1e-6))
        weight = 1 / (scale * (1 + np.abs(variance / scale - 1)))
        used = rows if steep else rows[:, :2]
        found = np.linalg.lstsq(used * weight[:, None], variance * weight, rcond=None)[0]
        if steep and found[2] < 0:  # content only adds
            steep = False
            continue
        fitted = used @ found
    return found if steep else np.r_[found, 0.0]


def by_level(noises: Sequence[PairNoise], law: dict[str, Any]) -> NoiseLevelFunction | None:
    """The level function of windows in which noise prevails, less what their slope accounts for.

    Args:
        noises: of the pairs.
        law: from `noise_law`.

    Returns:
        None where no pair has a flat window.
    """
    levels = np.concatenate([noise.window_levels for noise in noises])
    slopes = np.concatenate([noise.window_slopes for noise in noises])
    variances = np.concatenate([noise.window_variances for noise in noises])
    if not len(slopes):
        return None
    content = slopes[:, None] * np.array([k or 0.0 for k in law["content"]])
    calm = (content <= MOST_CONTENT * variances).all(1)
    if not calm.any():
        calm = slopes <= np.median(slopes)
    left = np.maximum(variances - content, (1 - MOST_CONTENT) * variances)
    return level_function(levels[calm], left[calm])


def prevailing(noise: PairNoise, law: dict[str, Any]) -> Array:
    """(n,) whether noise prevails in the patches of a pair."""
    content = noise.slopes[:, None] * np.array([k or 0.0 for k in law["content"]])
    power = np.square(255 * noise.patches).mean((1, 2))
    return (content <= MOST_CONTENT * power).all(1)


def noise_shape(patches: Sequence[Array]) -> dict[str, Any]:
    """How noise is spread over neighbours, channels and frequencies.

    Args:
        patches: (p, p, 3) each.

    Returns:
        `neighbours`: correlation along x and along y, means of the channels; `channels`: of RG, RB, GB;
        `spectrum`: of bands of frequency (`from`, `to`, cycles/px) the power of R, G, B, white noise being 1,
        and its `error`, standard errors between patches. None without patches.
    """
    if not patches:
        return {"neighbours": None, "channels": None, "spectrum": None}
    power = sum(np.square(patch, dtype=np.float64).sum() / patch.size for patch in patches)
    along = sum((p[:, 1:] * p[:, :-1]).mean(dtype=np.float64) for p in patches) / power
    down = sum((p[1:] * p[:-1]).mean(dtype=np.float64) for p in patches) / power
    product = sum(np.einsum("yxc,yxd->cd", p, p, dtype=np.float64) for p in patches)
    scale = np.sqrt(np.diag(product))
    both = product / np.maximum(np.outer(scale, scale), 1e-30)
    return {
        "neighbours": [round(float(along), 4), round(float(down), 4)],
        "channels": [round(float(both[i, j]), 4) for i, j in ((0, 1), (0, 2), (1, 2))],
        "spectrum": _spectrum(np.stack(patches)),
    }


def _spectrum(patches: Array) -> list[dict[str, Any]]:
    count = coefficients(patches.shape[1])
    bands = np.diagonal(covariance(transform(patches)), axis1=2, axis2=3)  # (n, BANDS, 3)
    bands = bands / np.maximum(bands.mean(0).T @ count / count.sum(), 1e-30)
    found = []
    for band in np.flatnonzero(count):
        error = bands[:, band].std(0, ddof=1) / np.sqrt(len(bands)) if len(bands) > 1 else None
        found.append(
            {
                "from": round(float(EDGES[band]), 4),
                "to": round(float(EDGES[band + 1]), 4),
                "power": np.round(bands[:, band].mean(0), 4).tolist(),
                "error": None if error is None else np.round(error, 4).tolist(),
            }
        )
    return found
