"""Where registration starts: SIFT, quick and then slow, and without features where SIFT finds too few.

What is believed has evidence of its own: so many matches as do not agree by chance, or tiles that agree
each for itself. Where there is no start, the photos are looked at for the true reason.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from realdeg.align import verdict
from realdeg.align.coarse import MIN_INLIERS, PLENTY, QUICK_PIXELS, Start, reduced, rough
from realdeg.align.correlation import bettered, correlate
from realdeg.align.crop import common_field
from realdeg.align.repetition import own_likeness
from realdeg.align.settings import AlignSettings
from realdeg.align.verdict import Rejection
from realdeg.align.warp import Warp
from realdeg.arraytypes import Array

ZOOMS = (2.0, 4.0, 3.0, 8.0)  # tried where none is expected
EXACT_PX = 0.5  # LR px: a start that may be off by more is bettered
SMALLEST_FIELD = 32  # LR px a side, for tiles to be asked
MUCH_MORE = 2  # times the matches, for another start to be believed
TEXTURE = 1.5  # 8-bit levels, standard deviation of detail in the better half of a photo
LOOK_PIXELS = 150_000  # of a photo, to look for texture and repetition


def begin(lr: Array, hr: Array, settings: AlignSettings) -> Start | Rejection:
    """The similarity from which the polish sets out, or why there is none.

    Args:
        lr: (h, w) uint8 luma of the LR photo.
        hr: (H, W) uint8 luma of the HR photo.
        settings: `scale` is the expected zoom; None: any.

    Returns:
        A start that is good to some LR px over the field; its `inliers` are below `MIN_INLIERS` where it
        needed no features.
    """
    zoom = float(settings.scale) if settings.scale else None
    start = _by_features(lr, hr, zoom)
    if start.inliers < PLENTY and (other := _without_features(lr, hr, start, zoom)):
        return other
    if start.inliers < MIN_INLIERS and zoom:
        # A wrong scale hides the scene; look again without it, so that the reason is the zoom.
        start = rough(lr, hr, pixels=QUICK_PIXELS)
    if start.inliers < MIN_INLIERS:
        return _why_not(lr, hr, start, settings)
    return _bettered(lr, hr, start)


def as_another(lr: Array, hr: Array, found: Start, settings: AlignSettings) -> Rejection | None:
    """Why two photos of one scene may not match all the same: one is mirrored, or a negative.

    Args:
        lr, hr, settings: as for `begin`.
        found: the best start of the photos as they are.
    """
    if found.inliers >= PLENTY:
        return None
    zoom = float(settings.scale) if settings.scale else None
    for other, why in ((np.ascontiguousarray(np.fliplr(lr)), verdict.mirrored), (255 - lr, verdict.inverted)):
        start = rough(other, hr, zoom, QUICK_PIXELS)
        if start.inliers >= MIN_INLIERS and start.inliers > MUCH_MORE * found.inliers:
            return why(f"{start.inliers} SIFT matches agree")
        if zoom and (correlated := correlate(other, hr, zoom)):
            return why(f"{correlated.votes.agreeing} of {correlated.votes.tiles} tiles agree")
    return None


def _by_features(lr: Array, hr: Array, zoom: float | None) -> Start:
    """SIFT at few pixels; at more where that was not enough."""
    start = rough(lr, hr, zoom, QUICK_PIXELS)
    if start.inliers < PLENTY and max(lr.size, hr.size / (zoom or 1) ** 2) > 1.5 * QUICK_PIXELS:
        slow = rough(lr, hr, zoom)
        return slow if slow.inliers > start.inliers else start
    return start


def _without_features(lr: Array, hr: Array, start: Start, zoom: float | None) -> Start | None:
    """A start by correlation; of the few matches' own start where tiles agree with that."""
    if start.inliers >= MIN_INLIERS and (
        field := common_field(lr.shape, hr.shape, Warp.plain(start.hr_from_lr))
    ):
        found = bettered(lr, hr, start.hr_from_lr, field)
        if found.votes.certain:
            return replace(start, hr_from_lr=found.hr_from_lr)
    for guess in (zoom,) if zoom else ZOOMS:
        if correlated := correlate(lr, hr, guess):
            # On a lattice tiles agree on any period, and with another lattice of the same.
            if start.inliers < MIN_INLIERS and _own_likeness(lr, hr, guess) > verdict.SELF_LIKENESS:
                return None
            return replace(start, hr_from_lr=correlated.hr_from_lr)
    return None


def _bettered(lr: Array, hr: Array, start: Start) -> Start:
    """The start, bettered by tiles of the field where matches were few, or far from some of it."""
    field = common_field(lr.shape, hr.shape, Warp.plain(start.hr_from_lr))
    if field is None or min(field.width, field.height) < SMALLEST_FIELD or start.sd(field.corners) < EXACT_PX:
        return start
    found = bettered(lr, hr, start.hr_from_lr, field)
    return replace(start, hr_from_lr=found.hr_from_lr) if found.votes.certain else start


def _why_not(lr: Array, hr: Array, start: Start, settings: AlignSettings) -> Rejection:
    """Why no start was found: the first reason that the photos themselves confirm."""
    if small := verdict.small_photos(lr.shape, hr.shape, settings):
        return small
    scale = settings.scale or 1
    looks = [_look(lr), _look(reduced(hr, scale)[0])]
    for look, which in zip(looks, ("LR", "HR"), strict=True):
        if _texture(look) < TEXTURE:
            return verdict.featureless(which, _texture(look))
    if repeated := verdict.repeats_itself(start, _own_likeness(lr, hr, scale)):
        return repeated
    return as_another(lr, hr, start, settings) or verdict.other_scene(start)


def _own_likeness(lr: Array, hr: Array, scale: float) -> float:
    """How alike both photos are to themselves when moved by a period."""
    return min(own_likeness(_look(lr)), own_likeness(_look(reduced(hr, scale)[0])))


def _look(grey: Array) -> Array:
    return reduced(grey, float(np.sqrt(grey.size / LOOK_PIXELS)))[0]


def _texture(grey: Array) -> float:
    """Standard deviation of detail in the better half of the photo, noise smoothed, 8-bit levels."""
    image = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 1.5)
    image -= cv2.GaussianBlur(image, (0, 0), 8)
    local = cv2.GaussianBlur(image * image, (0, 0), 8)
    return float(np.sqrt(np.quantile(local, 0.75)))
