"""The grounds on which a pair is refused; each says what was found and what to do."""

from __future__ import annotations

from dataclasses import dataclass

from realdeg.align.coarse import MIN_INLIERS, Start
from realdeg.align.crop import Box
from realdeg.align.refine import Motion
from realdeg.align.residual import Residual
from realdeg.align.settings import AlignSettings

MIN_ZOOM = 1.15
MIN_USABLE_TILES = 12
MIN_ZNCC = 0.80
SOFT_HR = 0.20


@dataclass(frozen=True)
class Rejection:
    """Why two photos give no pair.

    Attributes:
        reason: one line for the manifest: what was found; what to do.
        zoom: measured HR px per LR px, 0 where it never became known.
    """

    reason: str
    zoom: float = 0.0


def no_start(start: Start) -> Rejection | None:
    """Too few SIFT matches agree: other scene, or nothing to match."""
    if start.inliers >= MIN_INLIERS:
        return None
    return Rejection(
        f"no common scene found ({start.inliers} SIFT matches agree, {MIN_INLIERS} needed); "
        "different scenes, or a surface without texture"
    )


def wrong_zoom(zoom: float, scale: int, settings: AlignSettings) -> Rejection | None:
    """HR is not larger than LR, or the lenses' zoom is not the scale asked for."""
    if zoom < MIN_ZOOM:
        which = "HR is smaller than LR" if zoom < 0.95 else "HR is no larger than LR"
        return Rejection(f"{which} (zoom x{zoom:.3f}); swap the folders, or use a longer focal length", zoom)
    if scale and scale > zoom * settings.max_enlargement:
        return Rejection(
            f"zoom is x{zoom:.3f}, so x{scale} would enlarge HR by {scale / zoom:.2f}; "
            "use a smaller --scale, or raise --max-enlargement",
            zoom,
        )
    if scale and zoom > scale * 1.5:
        return Rejection(f"zoom is x{zoom:.3f}, far from x{scale}; use a larger --scale", zoom)
    return None


def small_field(field: Box | None, settings: AlignSettings, zoom: float) -> Rejection | None:
    """Too little is seen by both photos."""
    if field and min(field.width, field.height) >= settings.min_side:
        return None
    size = f"{field.width}x{field.height}" if field else "nothing"
    return Rejection(f"both photos share only {size} LR px; {settings.min_side} a side are needed", zoom)


def little_texture(motion: Motion | None, zoom: float) -> Rejection | None:
    """Too few tiles fix the position."""
    if motion and motion.usable >= MIN_USABLE_TILES:
        return None
    count = f"{motion.usable} of {motion.total}" if motion else "hardly any"
    return Rejection(f"too little texture: {count} tiles fix the position; use a scene with detail", zoom)


def disagreeing(motion: Motion, settings: AlignSettings, zoom: float) -> Rejection | None:
    """Tiles contradict the common motion: parallax, or something moved."""
    if motion.disagreeing <= settings.max_disagreeing:
        return None
    return Rejection(
        f"{motion.disagreeing:.0%} of the image contradicts the common motion "
        f"(limit {settings.max_disagreeing:.0%}); parallax or something moved",
        zoom,
    )


def soft(blur: float, zoom: float) -> Rejection | None:
    """HR matches LR best without being blurred: it holds no more detail than LR."""
    if blur > SOFT_HR:
        return None
    return Rejection(f"HR is not sharper than LR (best blur {blur:.2f} LR px); HR out of focus?", zoom)


def large_residual(
    residual: Residual | None, settings: AlignSettings, zoom: float, softness: float = 1.0
) -> Rejection | None:
    """The finished pair is off by too much, or cannot be measured."""
    if residual is None:
        return Rejection("too little texture to measure the residual; use a scene with detail", zoom)
    limit = settings.max_error * softness
    if residual.p95 > limit:
        return Rejection(
            f"residual is {residual.p95:.3f} LR px (limit {limit:.3g}); "
            "lens distortion or parallax; raise --max-error to keep it",
            zoom,
        )
    if residual.zncc < MIN_ZNCC:
        return Rejection(f"LR and HR look different (correlation {residual.zncc:.2f} < {MIN_ZNCC})", zoom)
    return None
