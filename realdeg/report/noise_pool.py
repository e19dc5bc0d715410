"""The page of a noise pool: patches, spectra, correlation, and how the noise grows with brightness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from realdeg.arraytypes import Array
from realdeg.pools.noise_pool import NoisePool
from realdeg.report.charts import cloud, curves
from realdeg.report.folder import Folder
from realdeg.report.kernel_pool import KernelCell, histogram_of
from realdeg.report.overview import Card, Figure

MOST_CELLS = 60
MOST_MEASURED = 1000  # patches of which spectra and correlations are taken, spread over the pool
MOST_POINTS = 1500
SHOWN = 96  # px of a patch that are shown, at 200 %
WINDOW = 32
MOST_WINDOWS = 64  # of a patch
LAGS, LARGE = 12, 256  # px
TO_GREY = 40.0  # 8-bit levels that the median patch's sigma is stretched to
CHANNELS = ("red", "green", "blue")


@dataclass(frozen=True)
class NoisePage:
    """What the template shows."""

    lead: str
    cards: Sequence[Card]
    cells: Sequence[KernelCell]
    stretch: float
    figures: Sequence[Figure]
    small: Sequence[Figure]
    correlation: Sequence[tuple[str, Sequence[str]]]
    about: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Measured:
    """A patch: mean level and standard deviation of each channel, 8-bit levels; level NaN where unknown."""

    level: Array
    sigma: Array


def noise_page(pool: NoisePool, folder: Folder) -> NoisePage:
    """Measure the patches and write their pictures.

    Args:
        pool: the patches.
        folder: the report's.

    Raises:
        UserError: the output cannot be written.
    """
    stored = pool.about.get("patches")
    told: Mapping[str, Any] = stored if isinstance(stored, dict) else {}
    measured = [
        Measured(pool.level(i), 255 * pool.residual(i).std((0, 1), dtype=np.float64))
        for i in range(len(pool.names))
    ]
    sigmas = [float(one.sigma.mean()) for one in measured]
    stretch = TO_GREY / max(median(sigmas), 0.05)
    shown = np.unique(np.linspace(0, len(measured) - 1, min(len(measured), MOST_CELLS)).round().astype(int))
    cells = [
        KernelCell(
            pool.names[i],
            folder.picture(_picture(pool, i, stretch), f"noise {pool.names[i]}", None),
            _lines(measured[i], told.get(pool.names[i])),
        )
        for i in shown
    ]
    spectrum, lags, correlation = _second_order(pool)
    small = [histogram_of(sigmas, "sigma, levels", "patches")]
    small.append(histogram_of([float(v) for one in measured if np.isfinite(v := one.level.mean())],
                              "mean level", "patches"))  # fmt: skip
    sizes = sorted({"x".join(map(str, patch.shape[1::-1])) for patch in pool.patches})
    size = sizes[0] if len(sizes) == 1 else f"{len(sizes)} sizes"
    return NoisePage(
        f"{len(measured):,} noise patches.",
        [
            Card(f"{len(measured):,}", "patches", more=size),
            Card(f"{median(sigmas):.2f}", "median sigma, levels"),
            Card(f"{min(sigmas):.2f} to {max(sigmas):.2f}", "sigma, levels"),
        ],
        cells,
        stretch,
        _figures(measured, pool.about.get("level_function"), spectrum, lags),
        [one for one in small if one],
        [(name, [f"{v:.3f}" for v in row]) for name, row in zip(CHANNELS, correlation, strict=True)],
        [
            (name, str(value)[:400])
            for name, value in sorted(pool.about.items())
            if name not in ("patches", "level_function")
        ],
    )


def _lines(one: Measured, told: Any) -> list[str]:
    lines = [f"sigma {' / '.join(f'{v:.2f}' for v in one.sigma)}"]
    if np.isfinite(one.level).all():
        lines.append(f"level {' / '.join(f'{v:.0f}' for v in one.level)}")
    if isinstance(told, dict):
        lines += [f"{name} {told[name]}" for name in ("how", "iso", "source") if told.get(name)]
    return lines


def _picture(pool: NoisePool, index: int, stretch: float) -> npt.NDArray[np.uint8]:
    patch = pool.residual(index, (slice(SHOWN), slice(SHOWN)))
    return np.rint(np.clip(128 + 255 * stretch * patch, 0, 255)).astype(np.uint8)


def _second_order(pool: NoisePool) -> tuple[Array, Array, Array]:
    """(16, 4) frequency and power of each channel, (LAGS + 1, 4) lag and autocorrelation; (3, 3) correlation.

    Means over patches; powers in 8-bit levels squared a pixel, so that white noise has its variance.
    Spectra are of 32 px windows, of smaller patches none. Spectra and neighbours are of `LARGE` px a side at
    most.
    """
    chosen = np.linspace(0, len(pool.names) - 1, min(len(pool.names), MOST_MEASURED)).round().astype(int)
    hann = np.hanning(WINDOW + 2)[1:-1]
    taper = np.outer(hann, hann)
    taper = (taper / np.sqrt(np.square(taper).mean()))[..., None]
    power, windows = np.zeros((WINDOW, WINDOW, 3)), 0
    across, down, weight = np.zeros((LAGS + 1, 3)), np.zeros((LAGS + 1, 3)), 0
    covariance = np.zeros((3, 3))
    for i in np.unique(chosen):
        patch = 255 * pool.residual(int(i)).astype(np.float64)
        flat = patch.reshape(-1, 3)
        covariance += flat.T @ flat / len(flat)
        patch = patch[:LARGE, :LARGE]
        if min(patch.shape[:2]) > LAGS:
            weight += 1
            for lag in range(LAGS + 1):
                end = None if lag == 0 else -lag
                across[lag] += (patch[:, lag:] * patch[:, :end]).mean((0, 1))
                down[lag] += (patch[lag:] * patch[:end]).mean((0, 1))
        if min(patch.shape[:2]) >= WINDOW:
            every = max(WINDOW // 2, round(np.sqrt(patch.shape[0] * patch.shape[1] / MOST_WINDOWS)))
            found = sliding_window_view(patch, (WINDOW, WINDOW), (0, 1))[::every, ::every]
            found = found.reshape(-1, 3, WINDOW, WINDOW).transpose(0, 2, 3, 1)
            power += np.square(np.abs(np.fft.fft2(found * taper, axes=(1, 2)))).sum(0)
            windows += len(found)
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(WINDOW), np.fft.fftfreq(WINDOW), indexing="ij"))
    rings = np.arange(1, WINDOW // 2 + 1) / WINDOW
    spectrum = np.zeros((0, 4))
    if windows:
        masks = [np.abs(radius - ring) <= 0.5 / WINDOW for ring in rings]
        spectrum = np.array(
            [[r, *power[m].mean(0) / windows / WINDOW**2] for r, m in zip(rings, masks, strict=True)]
        )
    lags = np.zeros((0, 3))
    if weight and across[0].min() > 0:
        both = [one.sum(1) / one[0].sum() for one in (across, down)]
        lags = np.stack([np.arange(LAGS + 1), *both], 1)
    sigma = np.sqrt(np.maximum(np.diag(covariance), 1e-12))
    return spectrum, lags, covariance / np.outer(sigma, sigma)


def _figures(measured: Sequence[Measured], fitted: Any, spectrum: Array, lags: Array) -> list[Figure]:
    made = []
    if len(spectrum):
        series = {name: [(row[0], row[1 + i]) for row in spectrum] for i, name in enumerate(CHANNELS)}
        svg = curves(series, x_label="frequency, cycles/px", y_label="power, levels² a pixel", log=True,
                     kinds={name: name for name in CHANNELS}, reach=0.5)  # fmt: skip
        made.append(Figure(svg, "Power spectrum of each channel, mean over directions, windows and patches. "
                           "White noise is a level line; denoising and JPEG take the right end down, "
                           "left-over content lifts the left."))  # fmt: skip
    if len(lags):
        series = {
            "across": [(row[0], row[1]) for row in lags],
            "down": [(row[0], row[2]) for row in lags],
        }
        svg = curves(series, x_label="distance, px", y_label="autocorrelation")
        made.append(Figure(svg, "Correlation of a pixel's noise with that of pixels to the right and below, "
                           "all channels: 0 from 1 px on for white noise."))  # fmt: skip
    points = {
        name: [
            (float(one.level[i]), float(one.sigma[i] ** 2)) for one in measured if np.isfinite(one.level[i])
        ]
        for i, name in enumerate(CHANNELS)
    }
    if points["red"]:
        every = -(-len(points["red"]) // MOST_POINTS)
        svg = cloud(
            {name: many[::every] for name, many in points.items()}, _lines_of(fitted),
            x_label="mean level", y_label="variance, levels²",
        )  # fmt: skip
        drawn = "; lines: the pool's own level function" if _lines_of(fitted) else ""
        made.append(Figure(svg, f"Variance of each patch's channels against their mean level{drawn}. "
                           "Shot noise rises on a straight line; tone curves bend it."))  # fmt: skip
    return made


def _lines_of(fitted: Any) -> dict[str, list[tuple[float, float]]]:
    """The level function of a header by channel; {} where there is none that can be drawn."""
    try:
        knots = np.asarray(fitted["knots"], np.float64)
        variance = np.asarray(fitted["variance"], np.float64)
        if variance.shape != (3, len(knots)):
            variance = variance.T
        if variance.shape != (3, len(knots)) or not np.isfinite(knots).all():
            return {}
    except (TypeError, KeyError, ValueError, IndexError):
        return {}
    return {
        name: [(float(a), float(b)) for a, b in zip(knots, row, strict=True) if np.isfinite(b)]
        for name, row in zip(CHANNELS, variance, strict=True)
    }
