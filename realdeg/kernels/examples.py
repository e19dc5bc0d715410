"""Examples for an estimator of kernels: photos reduced by random blurs, with noise and JPEG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from realdeg.arraytypes import Array
from realdeg.imaging.blur import align_kernel, blur_subsample
from realdeg.imaging.codec import roundtrip
from realdeg.kernels import zoo
from realdeg.kernels.statistics import MIN_SIDE, statistics
from realdeg.seeds import stream

Rng = np.random.Generator

LUMA_SIGMA = 0.668  # of noise in luma, for 1 in each of R, G, B
LARGEST = (320, 256)  # LR px, of the part of a photo that becomes an example
SMALLEST = 96
CLEAN, NOISY, JPEG = 0.5, 0.2, 0.2  # shares; the rest has both
MOST_NOISE = 8.0  # 8-bit levels
SMOOTHED = 0.4  # share of noise that is not white
QUALITIES = (65, 98)
SOFT = 1_500_000  # px: larger photos are not sharp pixel by pixel, and are reduced
SHARP = (2, 4)  # by how much


@dataclass(frozen=True, eq=False)
class Example:
    """What the estimator sees, and what it should say.

    Attributes:
        seen: statistics of LR.
        kernel: (n, n) of `zoo.draw`.
    """

    seen: Array
    kernel: Array


def sharp(photo: Array) -> list[Array]:
    """A photo for training: itself, or where it is large, itself at several smaller sizes.

    Args:
        photo: (H, W) float32, 8-bit levels.
    """
    if photo.size <= SOFT:
        return [photo]
    height, width = photo.shape
    sizes = [(width // by, height // by) for by in range(SHARP[0], SHARP[1] + 1)]
    return [cv2.resize(photo, size, interpolation=cv2.INTER_AREA) for size in sizes]


def example(seed: int, number: int, photos: Sequence[Array], scale: int) -> Example:
    """One random example; a function of its number alone.

    Args:
        seed: of the training.
        number: of the example.
        photos: (H, W) float32, 8-bit levels; at least `MIN_SIDE` times `scale` a side.
        scale: HR size / LR size.
    """
    rng = stream(seed, f"kernel example {number}", f"x{scale}")
    kernel = zoo.draw(rng, scale)
    chances = np.sqrt([photo.size for photo in photos])
    hr = photos[int(rng.choice(len(photos), p=chances / chances.sum()))]
    hr = part(rng, hr, scale)
    lr = reduced(hr, kernel, scale)
    return Example(statistics(spoilt(rng, lr)), kernel)


def part(rng: Rng, photo: Array, scale: int) -> Array:
    """A random part of a photo, turned and mirrored, and sometimes paler."""
    sizes = []
    for side, most in zip(
        photo.shape, LARGEST if photo.shape[0] > photo.shape[1] else LARGEST[::-1], strict=True
    ):
        longest = min(side // scale, most)
        sizes.append(scale * int(rng.integers(min(SMALLEST, longest), longest + 1)))
    top, left = (int(rng.integers(0, n - size + 1)) for n, size in zip(photo.shape, sizes, strict=True))
    result = photo[top : top + sizes[0], left : left + sizes[1]]
    result = np.rot90(result, int(rng.integers(4)))
    if rng.random() < 0.5:
        result = result[:, ::-1]
    if rng.random() < 0.3:
        contrast = rng.uniform(0.5, 1)
        result = result * contrast + rng.uniform(0, 1 - contrast) * 255
    return np.ascontiguousarray(result, np.float32)


def reduced(hr: Array, kernel: Array, scale: int) -> Array:
    """LR of (H, W) float32 HR, 8-bit levels, not rounded."""
    result: Array = blur_subsample(hr[..., None] / np.float32(255), align_kernel(kernel, scale), scale)[
        ..., 0
    ]
    return np.clip(result, 0, 1) * np.float32(255)


def spoilt(rng: Rng, lr: Array) -> Array:
    """LR as 8-bit levels, by itself or with noise, JPEG, or both."""
    kind = rng.random()
    if CLEAN < kind <= CLEAN + NOISY or kind > CLEAN + NOISY + JPEG:
        noise = rng.standard_normal(lr.shape, dtype=np.float32)
        if rng.random() < SMOOTHED:  # as demosaicing and reduction leave it
            noise = cv2.GaussianBlur(noise, (0, 0), rng.uniform(0.4, 1.0))
            noise /= noise.std()
        lr = lr + noise * np.float32(LUMA_SIGMA * rng.uniform(0, MOST_NOISE))
    lr = np.clip(np.rint(lr), 0, 255)
    if kind > CLEAN + NOISY:
        lr = with_jpeg(lr, int(rng.integers(*QUALITIES)))
    return np.asarray(lr, np.float32)


def with_jpeg(lr: Array, quality: int) -> Array:
    """(H, W) float32 of whole 8-bit levels, through JPEG."""
    pixels = np.repeat(lr.astype(np.uint8)[..., None], 3, 2)
    return roundtrip(pixels, "jpeg", quality)[..., 0].astype(np.float32)


def usable(photo: Array, scale: int) -> bool:
    """Whether a photo is large enough for training."""
    return min(photo.shape) >= MIN_SIDE * scale
