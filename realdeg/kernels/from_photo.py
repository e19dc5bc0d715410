"""The kernel of one photo from the photo alone: by the estimator, or by KernelGAN."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from realdeg.arraytypes import Array, Image
from realdeg.errors import Unfit
from realdeg.identity import state_of
from realdeg.imaging.blur import align_kernel, blur_subsample_reference
from realdeg.imaging.depth import to_8bit, to_float
from realdeg.imaging.detail import busiest
from realdeg.imaging.kernels import centre_of_mass
from realdeg.io.find import Found
from realdeg.io.photo import Photo, read
from realdeg.kernels import statistics as blur_statistics
from realdeg.kernels.estimator import Estimate, estimator
from realdeg.kernels.settings import KernelSettings
from realdeg.pools.found import Kernel, cells, told, with_cells, with_kernels
from realdeg.records import PairRecord
from realdeg.refusal import Refusal

FLAT_8BIT = 2.0  # a photo whose steepest 3 % of slopes stay below shows no blur
CLIPPED_8BIT = 0.5
MOST_CLIPPED = 0.5
LARGEST = (768, 1024)  # px: of a larger photo its busiest part is looked at
WIDEST = 1.2  # LR px, standard deviation: few lenses are worse; photos enlarged three times and more are
MOST_UNUSUAL = 0.1  # share of statistics that no photo in training had
MIN_SUM, MAX_SUM = 0.7, 1.4  # of a converged G's kernel
MAX_BICUBIC = 0.04  # G has not even learned bicubic reduction (mean square on [-1, 1])
UNSTEADY_8BIT = 2.0  # such a residual halves the confidence


def learn_photo(found: Found, job: Path, settings: KernelSettings) -> PairRecord:
    """The kernel, or the kernels of the parts, of one photo: the work of one item."""
    photo = read(found.path)
    record = PairRecord(
        found.key,
        "rejected",
        scale=settings.scale,
        scene=found.key,
        how=settings.method,
        source_lr=str(found.path),
        detail={
            "source": found.path.name,
            "source_sha256": state_of(found.path).sha256,
            "pixels": hashlib.blake2b(
                np.ascontiguousarray(photo.pixels).tobytes(), digest_size=8
            ).hexdigest(),
        },
    )
    if settings.method == "kernelgan":
        return _by_kernelgan(photo, found, record, job, settings)
    return _by_estimator(photo, found, record, job, settings)


def unusable(pixels: Array, min_side: int) -> Refusal | None:
    """Why a photo, float in [0, 1], tells nothing of its blur."""
    height, width = pixels.shape[:2]
    if min(height, width) < min_side:
        return Refusal(f"is {width}x{height} px, {min_side} px a side are needed", "use larger photos")
    clipped = (pixels <= CLIPPED_8BIT / 255) | (pixels >= 1 - CLIPPED_8BIT / 255)
    if (share := float(clipped.all(2).mean())) > MOST_CLIPPED:
        return Refusal(f"is black or white to {share:.0%}", "use a better exposed one")
    slopes = np.hypot(*np.gradient(pixels.mean(2) * 255))
    if (steep := float(np.quantile(slopes, 0.97))) < FLAT_8BIT:
        problem = f"is flat: steep slopes of {steep:.1f} levels a pixel, {FLAT_8BIT:.0f} are needed"
        return Refusal(problem, "use another")
    return None


# Estimator


def _by_estimator(
    photo: Photo, found: Found, record: PairRecord, job: Path, settings: KernelSettings
) -> PairRecord:
    estimator(settings.scale, settings.weights)  # what is wrong with weights is wrong with no photo

    def kernel_of(at: tuple[slice, slice]) -> Kernel:
        return kernel_by_estimator(photo.pixels[at], settings)

    return with_cells(job, record, *cells(settings.grid, photo.pixels.shape[:2], kernel_of))


def kernel_by_estimator(pixels: Image, settings: KernelSettings) -> Kernel:
    """The kernel of a photo, or of a part of one, by the amortised estimator.

    Args:
        pixels: (H, W, 3) uint8 or uint16; of a large one the busiest part is looked at.
        settings: scale, weights and least confidence.

    Returns:
        (n, n) kernel with its figures, or why there is none.

    Raises:
        UserError: weights that cannot be used.
    """
    net = estimator(settings.scale, settings.weights)
    part = worth_seeing(pixels)
    if refused := unusable(to_float(part), blur_statistics.MIN_SIDE):
        return refused
    try:
        estimate = net(blur_statistics.statistics(blur_statistics.grey_of(part)))
    except Unfit as error:
        return Refusal(f"gets no kernel from {settings.weights or 'the weights'}", error.remedy)
    return doubtful(estimate, settings) or (estimate.kernel, figures_of(estimate))


def figures_of(estimate: Estimate) -> dict[str, float]:
    """Figures of an estimated kernel, by column."""
    return {
        "confidence": round(estimate.confidence, 4),
        "expected_db": round(estimate.expected_db, 2),
        "unusual": round(estimate.unusual, 4),
        "moved_px": round(estimate.moved, 4),
        "width_px": round(width_of(estimate.kernel), 4),
    }


def worth_seeing(pixels: Array) -> Array:
    """The busiest part of `LARGEST` px of a photo, or all of it."""
    height, width = (min(n, most) for n, most in zip(pixels.shape[:2], LARGEST, strict=True))
    if (height, width) == pixels.shape[:2]:
        return pixels
    top, left = busiest(to_8bit(pixels), height, width)
    return pixels[top : top + height, left : left + width]


def doubtful(estimate: Estimate, settings: KernelSettings) -> Refusal | None:
    """Why an estimate is not to be used."""
    wide = width_of(estimate.kernel) / settings.scale
    if wide > WIDEST:
        return Refusal(
            f"is blurred by {wide:.1f} of its pixels (standard deviation; {WIDEST:g} at most), "
            "as photos are that were enlarged",
            "reduce it first",
        )
    if estimate.unusual > MOST_UNUSUAL:
        return Refusal(
            f"is like no photo in training in {estimate.unusual:.0%} of its statistics, "
            "as photos are that were enlarged",
            "use another",
        )
    if estimate.confidence < settings.min_confidence:
        return Refusal(
            f"tells too little of its blur (confidence {estimate.confidence:.2f}, "
            f"{settings.min_confidence:g} is needed)",
            "use another, or lower `min_confidence`",
        )
    return None


def width_of(kernel: Array) -> float:
    """Root mean of the two variances of a kernel, px; negative lobes do not count."""
    weights = np.maximum(kernel, 0)
    weights = weights / weights.sum()
    x, y = centre_of_mass(weights)
    rows, columns = np.indices(kernel.shape)
    return float(np.sqrt((((rows - y) ** 2 + (columns - x) ** 2) * weights).sum() / 2))


# KernelGAN


def _by_kernelgan(
    photo: Photo, found: Found, record: PairRecord, job: Path, settings: KernelSettings
) -> PairRecord:
    kernel, figures = kernel_by_kernelgan(photo.as_float(), found.key, settings)
    record = replace(record, detail={**record.detail, **figures})
    if isinstance(kernel, Refusal):
        return replace(record, reason=told(found.path, kernel))
    return with_kernels(job, replace(record, status="ok"), [kernel])


def kernel_by_kernelgan(
    pixels: Image, key: str, settings: KernelSettings
) -> tuple[Array | Refusal, dict[str, float]]:
    """The kernel of a photo by KernelGAN.

    Args:
        pixels: (H, W, 3) float32 in [0, 1].
        key: of the photo; what is drawn depends on it and the seed.
        settings: scale (2 or 4), iterations and seed.

    Returns:
        (n, n) kernel, or why there is none; and what is known of it, by column.
    """
    from realdeg.kernels import kernelgan

    if refused := unusable(pixels, kernelgan.MIN_SIDE):
        return refused, {}
    with one_thread():
        made = kernelgan.estimate_kernels(
            [pixels], [key], iterations=settings.iterations, seed=settings.seed
        )[0]
    total = float(made.kernel.sum())
    figures = {"sum": round(total, 4), "bicubic_mse": round(made.bicubic, 5)}
    if not (MIN_SUM < total < MAX_SUM) or made.bicubic > MAX_BICUBIC:
        problem = f"has not converged in {settings.iterations} iterations (sum {total:.2f}, "
        problem += f"squared error to bicubic {made.bicubic:.3f})"
        return Refusal(problem, "use more iterations or another photo"), figures
    kernel = kernelgan.pruned(made.kernel)
    x, y = centre_of_mass(made.kernel)
    residual = steadiness(pixels, kernel, kernelgan.pruned(made.before))
    kept = float(np.minimum(kernel, made.kernel / total).clip(0).sum())
    figures |= {
        "centre_x": round(x - kernelgan.MIDDLE, 4),
        "centre_y": round(y - kernelgan.MIDDLE, 4),
        "kept": round(kept, 4),
        "residual_8bit": round(residual, 4),
        "confidence": round(1 / (1 + (residual / UNSTEADY_8BIT) ** 2), 4),
    }
    # Its centre goes where LR pixels sit; what that formula of KernelGAN's is for is `align_kernel` here.
    kernel = kernelgan.centred(kernel, 2)
    kernel = kernel / kernel.sum()
    if settings.scale == 4:
        kernel = kernelgan.analytic_x4(kernel)
    return kernel, figures


def steadiness(pixels: Array, kernel: Array, before: Array) -> float:
    """RMS difference, 8-bit levels, of the photo reduced by 2 by a kernel and by an earlier state of it.

    What is judged is the wobble of training about the kernel: small where the photo determines it.
    """
    height, width = (n // 2 * 2 for n in pixels.shape[:2])
    one, other = (
        blur_subsample_reference(pixels[:height, :width], align_kernel(k, 2), 2) for k in (kernel, before)
    )
    return float(255 * np.sqrt(np.square(one - other).mean()))


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """One thread of torch, so that sums, and with them kernels, do not depend on the number of cores.

    Numbers too small for a full mantissa become 0: training begins with many, and they take long.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(before)
