"""Whether a scene repeats itself, so that a registration may be off by a whole period.

Judged on each photo's correlation with itself: what correlates with the *other* photo a few pixels aside
may be a second plane of the scene, which is parallax, not repetition.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from scipy import fft

from realdeg.arraytypes import Array

HIGH_PASS = 8.0  # px, for a sharp picture
SHARP = 0.8  # blur of a picture that resolves its pixels, px
MAX_SIDE = 384
MIN_DISTANCE = 8  # px; nearer, every texture resembles itself
NO_TEXTURE = 5e-4  # standard deviation, whether white is 1 or 255
MIN_OVERLAP = 0.25  # of the field, for a displacement to count
OWN_OVERLAP = 0.5  # likewise where no other photo confirms it: small overlaps are alike by chance
OWN_BLUR = 1.0  # px, against noise
OWN_DIP = 0.15  # by which likeness falls on the way to a period; a blob's own slope is none
BLOCKS = 4  # a side, in which two photos are compared at rest
LEAST_AT_REST = 0.5  # correlation of two photos at rest below which it is not noise that they differ by


def high_pass(image: Array, blur: float = 0.0) -> Array:
    """(h, w) float32 without what varies slowly: brightness and vignetting are no texture.

    Args:
        image: (h, w).
        blur: standard deviation of the picture's own blur, px; a soft picture has no finer texture.
    """
    smooth = image.astype(np.float32)
    return smooth - cv2.GaussianBlur(smooth, (0, 0), HIGH_PASS * max(1.0, blur / SHARP))


def second_peak(fixed: Array, moving: Array) -> float:
    """How alike a scene is to itself when moved by the worst distance, noise taken out of account; 0 to 1.

    Noise lowers a picture's correlation with itself moved by s, its share of signal, and that of two pictures
    at rest by sqrt(s1 s2); so sqrt(own1 own2) / at rest is that of the scene. Both must repeat alike.

    Args:
        fixed: (h, w) float32 without its slow part.
        moving: (h, w) likewise, registered to `fixed`.
    """
    if min(fixed.std(), moving.std()) < NO_TEXTURE:
        return 0.0  # a wall does not repeat itself: there is nothing to repeat
    step = max(1, -(-max(fixed.shape) // MAX_SIDE))
    size = fixed.shape[1] // step, fixed.shape[0] // step
    a, b = (cv2.resize(i, size, interpolation=cv2.INTER_AREA) if step > 1 else i for i in (fixed, moving))
    rest = _at_rest(a, b)
    if rest < LEAST_AT_REST:
        return 0.0  # the photos differ: another ground
    (own_a, far), (own_b, _) = (_own(i, MIN_OVERLAP) for i in (a, b))
    alike = np.sqrt(np.maximum(own_a, 0) * np.maximum(own_b, 0)) / rest
    return float(np.clip(alike[far].max(initial=0.0), 0, 1))


def own_likeness(grey: Array) -> float:
    """How alike one photo is to itself when moved by a period, from -1 to 1; 0 where it has none.

    Args:
        grey: (h, w) in 8-bit levels.
    """
    image = high_pass(cv2.GaussianBlur(grey.astype(np.float32), (0, 0), OWN_BLUR))
    if image.std() < NO_TEXTURE:
        return 0.0
    own, far = _own(image, OWN_OVERLAP)
    at = np.unravel_index(int(np.where(far, own, -1).argmax()), own.shape)
    aside = [i if 2 * i < n else i - n for i, n in zip(at, own.shape, strict=True)]
    way = np.rint(np.linspace(0, 1, 65)[:, None] * aside).astype(int)
    likeness = float(own[at])
    return likeness if likeness - float(own[way[:, 0], way[:, 1]].min()) > OWN_DIP else 0.0


def _own(image: Array, overlap: float) -> tuple[Array, npt.NDArray[np.bool_]]:
    """A picture's correlation with itself by displacement, wrapped round, and which displacements count."""
    height, width = image.shape
    size = [fft.next_fast_len(2 * side, real=True) for side in image.shape]
    light = image.astype(np.float32)
    signal, energy, here = (fft.rfft2(i, size) for i in (light, light * light, np.ones_like(light)))
    cross, one, other = (
        fft.irfft2(i, size) for i in (signal * signal.conj(), energy * here.conj(), here * energy.conj())
    )
    floor = 1e-6 * float((light * light).sum()) ** 2
    y = np.rint(fft.fftfreq(size[0], 1 / size[0]))[:, None]
    x = np.rint(fft.fftfreq(size[1], 1 / size[1]))[None]
    common = np.maximum(height - abs(y), 0) * np.maximum(width - abs(x), 0) / (height * width)
    counts = (np.hypot(x, y) >= MIN_DISTANCE) & (common >= overlap)
    return cross / np.sqrt(np.maximum(np.maximum(one, 0) * np.maximum(other, 0), floor)), counts


def _at_rest(a: Array, b: Array) -> float:
    """Correlation of two registered pictures in the blocks where they agree best: noise is in all of them."""
    rows, columns = (np.linspace(0, side, BLOCKS + 1).astype(int) for side in a.shape)
    products = (
        np.add.reduceat(np.add.reduceat(i, rows[:-1], 0), columns[:-1], 1) for i in (a * b, a * a, b * b)
    )
    cross, one, other = products
    weight = np.sqrt(one * other)
    score = (cross / np.maximum(weight, 1e-20)).ravel()
    order = np.argsort(score)
    share = np.cumsum(weight.ravel()[order]) / max(float(weight.sum()), 1e-20)
    return float(score[order][np.searchsorted(share, 0.75)])
