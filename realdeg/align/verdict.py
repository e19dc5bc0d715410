"""The grounds on which a pair is refused; each says what was found and what to do."""

from __future__ import annotations

from dataclasses import dataclass

from realdeg.align.brightness import ColourMatch
from realdeg.align.coarse import MIN_INLIERS, Start
from realdeg.align.crop import Box
from realdeg.align.psf import Psf
from realdeg.align.residual import Residual
from realdeg.align.settings import AlignSettings
from realdeg.align.tiles import Tiles
from realdeg.metrics.detail import Detail
from realdeg.refusal import Refusal

MIN_ZOOM = 1.15
MIN_USABLE_TILES = 12
MIN_ZNCC = 0.80
SOFT_HR = 0.15  # exact means of 2 x 2 HR pixels, the sharpest LR there is, have 0.25, seen as 0.19 to 0.26
MAX_MASKED = 0.5
CHANCE_TILES = 5  # so many contradict by chance in pictures of some hundred tiles
MAX_LIKENESS = 0.985
SELF_LIKENESS = 0.75  # of a photo with itself, noise included
MAX_DIGITAL_ZOOM = 1.02
DETAIL = "use a scene with detail"


@dataclass(frozen=True)
class Rejection(Refusal):
    """Why two photos give no pair.

    Attributes:
        zoom: measured HR px per LR px, 0 where it never became known.
    """

    zoom: float = 0.0


def small_photos(lr_hw: tuple[int, ...], hr_hw: tuple[int, ...], settings: AlignSettings) -> Rejection | None:
    """A photo is too small for the smallest pair asked for."""
    scale = settings.scale or 1
    for (height, width), which, least in ((lr_hw, "LR", 1), (hr_hw, "HR", scale)):
        if min(height, width) < least * settings.min_side:
            needed = f"{least * settings.min_side} a side are needed"
            return Rejection(
                f"too small: {which} has {width}x{height} px, and {needed}",
                "use larger photos, or lower `min_side`",
            )
    return None


def featureless(which: str, texture: float) -> Rejection:
    """A photo shows next to nothing."""
    return Rejection(
        f"too little texture: detail in {which} has a standard deviation of {texture:.1f} levels", DETAIL
    )


def other_scene(start: Start) -> Rejection:
    """Both photos have texture, and neither features nor correlation bring them together."""
    count = f"{start.inliers} SIFT matches agree, {MIN_INLIERS} needed"
    return Rejection(
        f"no common scene found ({count}; nor does correlation)",
        "different scenes, or views that share little",
    )


def mirrored(evidence: str) -> Rejection:
    """LR flipped left to right matches HR."""
    return Rejection(
        f"one of the photos is mirrored: flipped left to right, {evidence}",
        "flip it back; some front cameras mirror what they save",
    )


def inverted(evidence: str) -> Rejection:
    """The negative of LR matches HR."""
    return Rejection(
        f"contrast is inverted between the photos: of the negative {evidence}",
        "a negative, or another band of light?",
    )


def repeats_itself(start: Start, likeness: float) -> Rejection | None:
    """No start was found, and both photos look the same when moved."""
    if likeness <= SELF_LIKENESS:
        return None
    return Rejection(
        f"repeated texture: moved by a period, the photos correlate with themselves by {likeness:.0%}, and "
        f"{start.inliers} SIFT matches agree ({MIN_INLIERS} needed)",
        "use a scene that looks different everywhere",
    )


def wrong_zoom(zoom: float, scale: int, settings: AlignSettings) -> Rejection | None:
    """HR is not larger than LR, or the lenses' zoom is not the scale asked for."""
    if zoom < MIN_ZOOM and scale != 1:  # one grid for both was asked for: a camera against a better one
        which = "HR is smaller than LR" if zoom < 0.95 else "HR is no larger than LR"
        remedy = "swap the folders, or use a longer focal length"
        return Rejection(f"{which} (zoom x{zoom:.3f})", remedy, zoom)
    if scale and scale > zoom * settings.max_enlargement:
        return Rejection(
            f"zoom is x{zoom:.3f}, so x{scale} would enlarge HR by {scale / zoom:.2f}",
            "use a smaller `scale`, or raise `max_enlargement`",
            zoom,
        )
    if scale and zoom > scale * 1.5:
        return Rejection(f"zoom is x{zoom:.3f}, far from x{scale}", "use a larger `scale`", zoom)
    return None


def small_field(field: Box | None, settings: AlignSettings, zoom: float) -> Rejection | None:
    """Too little is seen by both photos."""
    if field and min(field.width, field.height) >= settings.min_side:
        return None
    size = f"{field.width}x{field.height}" if field else "nothing"
    needed = f"{settings.min_side} a side are needed"
    return Rejection(f"both photos share only {size} LR px", needed, zoom)


def no_texture(zoom: float) -> Rejection:
    """Hardly a tile fixes the position."""
    return Rejection("too little texture: hardly any tiles fix the position", DETAIL, zoom)


def little_texture(tiles: Tiles, zoom: float) -> Rejection | None:
    """Too few tiles fix the position."""
    usable = int(tiles.usable.sum())
    if usable >= MIN_USABLE_TILES:
        return None
    count = f"{usable} of {len(tiles.shift)}"
    return Rejection(f"too little texture: {count} tiles fix the position", DETAIL, zoom)


def disagreeing(against: int, usable: int, settings: AlignSettings, zoom: float) -> Rejection | None:
    """Tiles contradict the common map: parallax, or something moved."""
    limit = MAX_MASKED if settings.mask else settings.max_disagreeing
    share = against / max(1, usable)
    if share <= limit or against <= CHANCE_TILES:
        return None
    remedy = "" if settings.mask else "`mask` keeps the rest"
    return Rejection(
        f"{share:.0%} of the image contradicts the common motion (limit {limit:.0%}); "
        "parallax or something moved",
        remedy,
        zoom,
    )


def soft_hr(psf: Psf, zoom: float) -> Rejection | None:
    """HR matches LR best without being blurred: it holds no more detail than LR."""
    if psf.sigma > SOFT_HR:
        return None
    problem = f"HR is not sharper than LR (best blur {psf.sigma:.2f} LR px)"
    return Rejection(problem, "HR out of focus?", zoom)


def soft_lr(psf: Psf, settings: AlignSettings, zoom: float) -> Rejection | None:
    """LR shows far less than its pixels could."""
    if psf.sigma <= settings.max_blur:
        return None
    return Rejection(
        f"LR is blurred by {psf.sigma:.2f} LR px against HR (limit {settings.max_blur:g})",
        "LR out of focus? raise `max_blur` to keep it",
        zoom,
    )


def repeated(likeness: float, zoom: float) -> Rejection | None:
    """The scene fits itself as well when moved: where LR lies in HR cannot be told."""
    if likeness <= MAX_LIKENESS:
        return None
    return Rejection(
        f"repeated texture: moved by a period, HR fits LR {likeness:.0%} as well",
        "use a scene that looks different everywhere",
        zoom,
    )


def other_light(colours: ColourMatch, settings: AlignSettings, zoom: float) -> Rejection | None:
    """The light is not the same on both photos, so that no correction makes HR what LR saw."""
    limit = MAX_MASKED if settings.mask else settings.max_changed
    if colours.changed_share > limit:
        return Rejection(
            f"the light changed between the photos, on {colours.changed_share:.0%} of the image (limit "
            f"{limit:.0%}): moved shadows or things, or highlights clipped in one of them",
            "" if settings.mask else "`mask` keeps the rest",
            zoom,
        )
    if colours.unexplained > settings.max_colour:
        return Rejection(
            f"HR and LR differ by {colours.unexplained:.1f} levels after the correction of colours (limit "
            f"{settings.max_colour:g})",
            "the light or the processing changed between the photos",
            zoom,
        )
    return None


def digital_zoom(lr: float | None, hr: float | None, settings: AlignSettings) -> Rejection | None:
    """The camera enlarged a photo itself (EXIF DigitalZoomRatio): its pixels are interpolated."""
    for ratio, side in ((hr, "HR"), (lr, "LR")):
        if ratio and ratio > MAX_DIGITAL_ZOOM and settings.digital_zoom == "refuse":
            return Rejection(
                f"{side} was zoomed digitally by x{ratio:.2f}, so its pixels are interpolated",
                "use a longer lens, or `digital_zoom=accept`",
            )
    return None


def enlarged(factor: float, settings: AlignSettings, zoom: float) -> Rejection | None:
    """HR shows traces of interpolation, and is no sharper than these allow."""
    if not factor or settings.digital_zoom == "accept":
        return None
    return Rejection(
        f"HR was enlarged digitally, by x{factor:.1f} or more: interpolation has left its traces",
        "use a longer lens and photos as the camera wrote them, or `digital_zoom=accept`",
        zoom,
    )


def little_detail(
    detail: Detail | None, scale: int, settings: AlignSettings, zoom: float
) -> Rejection | None:
    """HR resolves no more than LR, everywhere or on a part of the field. Two photos of one size may."""
    if detail is None or scale == 1:
        return None
    if detail.detail < settings.min_detail:
        return Rejection(
            f"HR resolves only {detail.detail:.2f} times LR's detail (`min_detail` {settings.min_detail:g})",
            "HR out of focus, moved, or enlarged?",
            zoom,
        )
    limit = max(MAX_MASKED, settings.max_soft) if settings.mask else settings.max_soft
    if detail.soft > limit:
        return Rejection(
            f"HR resolves no more than LR on {detail.soft:.0%} of what LR shows (limit {limit:.0%}): "
            "out of focus there",
            "" if settings.mask else "`mask` keeps the rest",
            zoom,
        )
    return None


def large_error(
    predicted: float, residual: Residual | None, settings: AlignSettings, zoom: float, softness: float = 1.0
) -> Rejection | None:
    """The finished pair is off by too much, or cannot be measured."""
    if residual is None:
        return Rejection("too little texture to measure the residual", DETAIL, zoom)
    limit = settings.max_error * softness
    for value, what in ((predicted, "expected error"), (residual.beyond_noise, "residual")):
        if value > limit:
            return Rejection(
                f"{what} is {value:.3f} LR px (limit {limit:.3g})",
                "weak texture, lens or parallax; raise `max_error` to keep it",
                zoom,
            )
    if residual.zncc < MIN_ZNCC:
        problem = f"LR and HR look different (correlation {residual.zncc:.2f} < {MIN_ZNCC})"
        return Rejection(problem, zoom=zoom)
    return None
