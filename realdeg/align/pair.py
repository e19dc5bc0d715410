"""Register two photos of one scene: the D2CRealSR recipe (Li et al., ECCV 2022, Sec. 4.1) on one screen.

Rough SIFT registration, centre crop of the common field, brightness alignment, registration again until
nothing moves, crop of the edges. From the second pass on the paper's SIFT is replaced by Gauss-Newton
over all textured pixels, which is several times more exact; LR is cropped on whole pixels and never
resampled, HR is resampled once from its source.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from realdeg.align import verdict
from realdeg.align.brightness import Tone, match_brightness
from realdeg.align.coarse import rough
from realdeg.align.crop import Box, common_field, draw
from realdeg.align.homography import Homography
from realdeg.align.refine import Motion, common_motion, tile_shifts
from realdeg.align.residual import Residual, measure
from realdeg.align.settings import AlignSettings
from realdeg.align.verdict import Rejection
from realdeg.imaging.colour import linear_to_srgb, srgb_to_linear

Image = npt.NDArray[Any]
Grey = npt.NDArray[Any]

LR_BLUR = 0.45  # HR is blurred by this many LR px before it is drawn on LR's grid
BLURS = (0.0, 0.15, 0.3, 0.45, 0.6, 0.8, 1.0, 1.3, 1.7, 2.2, 3.0)
WIDE = ((3.0, 4), (1.5, 8), (0.0, 8))  # blur of both pictures (LR px) and parameters, coarse to fine
MAX_ROUNDS = 12
FIELD_MARGIN = 4.0


@dataclass(frozen=True, eq=False)
class Registration:
    """Where LR lies in HR, and how sure that is.

    Attributes:
        hr_from_lr: map from pixels of the LR photo to pixels of the HR photo.
        scale: HR size / LR size of the pair.
        zoom, rotation: measured at the field's centre: HR px per LR px, degrees.
        field: the LR crop.
        tone: curves that bring HR to LR's brightness.
        blur: blur of HR that matches LR best, LR px.
        motion: the last Gauss-Newton fit: its predicted standard deviation and disagreeing tiles.
        inliers: SIFT matches that agreed on the start.
        rounds: registration passes until nothing moved.
        residual: what is left in the finished pair, measured independently; None before it is made.
    """

    hr_from_lr: Homography
    scale: int
    zoom: float
    rotation: float
    field: Box
    tone: Tone
    blur: float
    motion: Motion
    inliers: int
    rounds: int
    residual: Residual | None = None


def register(lr: Image, hr: Image, settings: AlignSettings) -> Registration | Rejection:
    """Find where LR lies in HR.

    Args:
        lr: (h, w, 3) uint8 or uint16, RGB, sRGB-encoded: the photo of the short focal length.
        hr: (H, W, 3) of the long focal length.
        settings: limits; `scale` None takes the whole scale nearest to the measured zoom.
    """
    grey_lr, grey_hr = _grey8(lr), _grey8(hr)
    start = rough(grey_lr, grey_hr, zoom=float(settings.scale) if settings.scale else None)
    if refused := verdict.no_start(start):
        # A wrong scale hides the scene from SIFT; look again without it, so that the reason is the zoom.
        start = rough(grey_lr, grey_hr) if settings.scale else start
        if refused := verdict.no_start(start):
            return refused
    hr_from_lr = _rough_again(grey_lr, grey_hr, start.hr_from_lr)
    field = common_field(grey_lr.shape, grey_hr.shape, hr_from_lr, FIELD_MARGIN)
    zoom = hr_from_lr.zoom_at(field.centre if field else (0.0, 0.0))
    scale = settings.scale or nearest_scale(zoom)
    if refused := verdict.wrong_zoom(zoom, scale, settings) or verdict.small_field(field, settings, zoom):
        return refused
    settled = settle(grey_lr, grey_hr, hr_from_lr, settings)
    if isinstance(settled, Rejection):
        return settled
    hr_from_lr, motion, blur, rounds = settled
    field = common_field(grey_lr.shape, grey_hr.shape, hr_from_lr, FIELD_MARGIN)
    field = field.inset(settings.edge) if field else None
    zoom = hr_from_lr.zoom_at(field.centre if field else (0.0, 0.0))
    scale = settings.scale or nearest_scale(zoom)
    if refused := (
        verdict.wrong_zoom(zoom, scale, settings)
        or verdict.small_field(field, settings, zoom)
        or verdict.little_texture(motion, zoom)
        or verdict.soft(blur, zoom)
        or verdict.disagreeing(motion, settings, zoom)
    ):
        return refused
    assert field is not None
    tone = _colour_tone(lr, hr, hr_from_lr, field, zoom, blur, settings)
    rotation = hr_from_lr.rotation_at(field.centre)
    return Registration(hr_from_lr, scale, zoom, rotation, field, tone, blur, motion, start.inliers, rounds)


def settle(
    lr: npt.NDArray[Any], hr: npt.NDArray[Any], hr_from_lr: Homography, settings: AlignSettings
) -> tuple[Homography, Motion, float, int] | Rejection:
    """Alternate brightness and geometry until no corner moves by `settings.tolerance` LR px.

    Returns:
        hr_from_lr, the last fit, the blur (LR px) at which HR looks most like LR, and the rounds taken.
    """
    blur, rounds, motion = LR_BLUR, 0, None
    for wide, parameters in (*WIDE, (0.0, 8)):
        if rounds and wide == 0.0:
            blur = _best_blur(lr, hr, hr_from_lr)
        field = common_field(lr.shape, hr.shape, hr_from_lr, FIELD_MARGIN)
        zoom = hr_from_lr.zoom_at(field.centre if field else (0.0, 0.0))
        if refused := verdict.small_field(field, settings, zoom):
            return refused
        assert field is not None
        fixed = _smooth(lr[field.slices].astype(np.float32) / 255, wide)
        blurred = _blurred(hr, zoom * max(blur, 0.05))
        for _ in range(MAX_ROUNDS):
            rounds += 1
            hr_from_box = hr_from_lr @ Homography.translation(field.x, field.y)
            seen = linear_to_srgb(np.clip(draw(blurred, hr_from_box, fixed.shape), 0, 1))
            tone = match_brightness(seen, lr[field.slices].astype(np.float32) / 255, "linear")
            moving = _smooth(tone(seen), wide)
            motion = common_motion(
                tile_shifts(fixed, moving), fixed.shape, parameters=parameters, softness=softness(blur)
            )
            if motion is None:
                break
            hr_from_lr = hr_from_box @ motion.map @ Homography.translation(-field.x, -field.y)
            move = np.abs(motion.map(corners := field.corners - [field.x, field.y]) - corners).max()
            if move < settings.tolerance * (1 if wide == 0 else 4):
                break
    assert field is not None
    zoom = hr_from_lr.zoom_at(field.centre)
    if refused := verdict.little_texture(motion, zoom):
        return refused
    assert motion is not None
    return hr_from_lr, motion, blur, rounds


def make_pair(
    lr: Image, hr: Image, found: Registration
) -> tuple[npt.NDArray[Any], npt.NDArray[Any], Registration]:
    """Cut LR, resample HR once through the whole map, apply the tone; measure what is left.

    Returns:
        LR crop (h, w, 3) as it was, HR (scale*h, scale*w, 3) of HR's type, and the registration with
        its `residual`.
    """
    field, scale = found.field, found.scale
    hr_from_pair = found.hr_from_lr @ Homography.translation(field.x, field.y) @ Homography.zoom(1 / scale)
    source = hr
    if found.zoom > 1.02 * scale:
        # HR is reduced a little here: take away what its new grid cannot hold.
        source = cv2.GaussianBlur(hr, (0, 0), 0.45 * np.sqrt((found.zoom / scale) ** 2 - 1))
    pair_hr = draw(source, hr_from_pair, (field.height * scale, field.width * scale), sharp=True)
    pair_hr = found.tone.apply_integer(pair_hr)
    pair_lr = np.ascontiguousarray(lr[field.slices])
    return pair_lr, pair_hr, replace(found, residual=measure(pair_lr, pair_hr, scale))


def nearest_scale(zoom: float) -> int:
    """The whole scale of at least 2 whose ratio to the zoom is nearest to one."""
    return min(range(2, 17), key=lambda scale: abs(np.log(zoom / scale))) if zoom > 0 else 0


def softness(blur: float) -> float:
    """How many px wide the smallest detail of an LR photo is, 1 for a sharp one, from its blur in px.

    A sharp photo is matched by HR blurred by 0.4 to 0.6 LR px. Limits on errors grow with softness: a
    picture that was enlarged before, or is out of focus, has pixels finer than what it shows.
    """
    return max(1.0, blur / 0.6)


def _rough_again(lr: npt.NDArray[Any], hr: npt.NDArray[Any], hr_from_lr: Homography) -> Homography:
    """SIFT once more on the common field alone, at LR's full resolution, where the first saw less."""
    field = common_field(lr.shape, hr.shape, hr_from_lr)
    whole = lr.shape[0] * lr.shape[1]
    if field is None or min(field.width, field.height) < 32 or 2 * field.width * field.height > whole:
        return hr_from_lr
    inner = rough(np.ascontiguousarray(lr[field.slices]), hr, zoom=hr_from_lr.zoom_at(field.centre))
    if verdict.no_start(inner):
        return hr_from_lr
    return inner.hr_from_lr @ Homography.translation(-field.x, -field.y)


def _best_blur(lr: npt.NDArray[Any], hr: npt.NDArray[Any], hr_from_lr: Homography) -> float:
    """Blur of HR, in LR px, at which it correlates best with LR in the middle of the field."""
    field = common_field(lr.shape, hr.shape, hr_from_lr, FIELD_MARGIN)
    if field is None:
        return LR_BLUR
    width, height = min(field.width, 512), min(field.height, 512)
    middle = Box(field.x + (field.width - width) // 2, field.y + (field.height - height) // 2, width, height)
    zoom = hr_from_lr.zoom_at(middle.centre)
    around = Box(*_around(hr_from_lr(middle.corners), hr.shape, margin=int(6 * zoom)))
    part = hr[around.slices]
    part_from_box = Homography.translation(-around.x, -around.y) @ hr_from_lr
    part_from_box = part_from_box @ Homography.translation(middle.x, middle.y)
    fixed = lr[middle.slices].astype(np.float32) / 255
    scores = []
    for blur in BLURS:
        linear = _blurred(part, zoom * max(blur, 0.05))
        seen = linear_to_srgb(np.clip(draw(linear, part_from_box, fixed.shape), 0, 1))
        # Fine detail alone tells the sharpness; contrast and shading would drown it.
        a, b = fixed - _smooth(fixed, 2.0), seen - _smooth(seen, 2.0)
        scores.append(float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum() + 1e-12)))
    best = int(np.argmax(scores))
    if best in (0, len(BLURS) - 1):
        return BLURS[best]
    curve = np.polyfit(BLURS[best - 1 : best + 2], scores[best - 1 : best + 2], 2)
    return float(np.clip(-curve[1] / (2 * curve[0]), BLURS[best - 1], BLURS[best + 1]))


def _around(points: npt.NDArray[Any], size_hw: tuple[int, ...], margin: int) -> tuple[int, int, int, int]:
    """x, y, width, height of the whole-pixel box around points, within an image."""
    low = np.maximum(np.floor(points.min(0)).astype(int) - margin, 0)
    high = np.minimum(np.ceil(points.max(0)).astype(int) + margin + 1, [size_hw[1], size_hw[0]])
    return int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1])


def _colour_tone(
    lr: Image,
    hr: Image,
    hr_from_lr: Homography,
    field: Box,
    zoom: float,
    blur: float,
    settings: AlignSettings,
) -> Tone:
    """Tone curves per channel, from HR at LR's sharpness on LR's grid."""
    if settings.brightness == "none":
        return Tone.none()
    around = Box(*_around(hr_from_lr(field.corners), hr.shape, margin=int(4 * zoom)))
    part = cv2.GaussianBlur(hr[around.slices], (0, 0), zoom * max(blur, 0.3))
    part_from_box = Homography.translation(-around.x, -around.y) @ hr_from_lr
    part_from_box = part_from_box @ Homography.translation(field.x, field.y)
    seen = draw(part, part_from_box, (field.height, field.width))
    peak_hr, peak_lr = np.iinfo(hr.dtype).max, np.iinfo(lr.dtype).max
    return match_brightness(
        seen.astype(np.float32) / peak_hr, lr[field.slices].astype(np.float32) / peak_lr, settings.brightness
    )


def _blurred(grey: npt.NDArray[Any], sigma: float) -> Grey:
    """Linear light of a grey picture, blurred: light adds up on a sensor, encoded values do not."""
    table = srgb_to_linear(np.linspace(0, 1, 256, dtype=np.float32)).astype(np.float32)
    return cv2.GaussianBlur(table[grey], (0, 0), sigma)


def _smooth(image: Grey, sigma: float) -> Grey:
    return cv2.GaussianBlur(image, (0, 0), sigma) if sigma else image


def _grey8(image: Image) -> npt.NDArray[Any]:
    """(H, W) uint8 luma."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return grey if grey.dtype == np.uint8 else (grey >> 8).astype(np.uint8)
