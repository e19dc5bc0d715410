"""Register two photos of one scene, on one screen.

The D2CRealSR recipe (Li et al., ECCV 2022, Sec. 4.1): rough SIFT registration, centre crop of the common
field, brightness alignment, registration again until nothing moves, crop of the edges. From the second
pass on the paper's SIFT is replaced by Gauss-Newton over all textured pixels (`polish`), unless its
classic form is asked for (`classic`). LR is cropped on whole pixels and never resampled, HR is
resampled once from its source.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import cv2
import numpy as np
import numpy.typing as npt

from realdeg.align import verdict
from realdeg.align.agreement import COHERENT_PX, contradicting
from realdeg.align.brightness import ColourMatch
from realdeg.align.classic import two_passes
from realdeg.align.colours import final_tone, like_lr
from realdeg.align.crop import Box, common_field
from realdeg.align.draw import draw_integer
from realdeg.align.error import bending, channel_p95, grid, predicted_p95
from realdeg.align.fit import Fit
from realdeg.align.homography import Homography
from realdeg.align.lateral import Lateral, lateral_colour
from realdeg.align.lens import Lens
from realdeg.align.polish import FIELD_MARGIN, Refinement, evaluate_map, refine
from realdeg.align.psf import Psf
from realdeg.align.residual import Residual, measure
from realdeg.align.scene import LR_BLUR, LumaImage
from realdeg.align.settings import AlignSettings
from realdeg.align.start import as_another, begin
from realdeg.align.tiles import Tiles
from realdeg.align.verdict import Rejection
from realdeg.align.warp import Warp
from realdeg.arraytypes import Array, Image
from realdeg.imaging.depth import peak, to_8bit
from realdeg.metrics.detail import Detail, resolution

UNCERTAIN_EDGE = 4  # LR px that are cut where the map is too uncertain at the border


@dataclass(frozen=True, eq=False)
class Registration:
    """Where LR lies in HR, and how sure that is.

    Attributes:
        hr_from_lr: map from pixels of the LR photo to pixels of the HR photo.
        scale: HR size / LR size of the pair.
        zoom, rotation: measured at the field's centre: HR px per LR px, degrees.
        field: the LR crop.
        colours: the correction that brings one image to the other's colours, and what is known of it.
        adjusted: "hr" or "lr": which one.
        psf: blur of HR that matches LR best, LR px.
        fit, tiles, polished_field: the last fit, the tiles it used, and the LR box that they cover.
        contradicting: (T,) tiles that contradict the map with their neighbours, or show something else.
        error: predicted 95th percentile of the map's error over the field, LR px.
        lateral: lateral colour, and by which map each channel of HR is drawn.
        channel_errors: like `error`, of red, green and blue; where lateral colour is not known, `error`.
        inliers: SIFT matches that agreed on the start; below 12 it came from correlation.
        rounds: registration passes until nothing moved.
        refused: why the pair is not good enough, as far as the map tells; None: it is.
        residual: what is left in the finished pair, measured independently; None before it is made.
        detail: what HR resolves more than LR; None before the pair is made, or where too little shows.
        enlarged: by how much HR was enlarged digitally at least, 0: it was not, as far as can be seen.
    """

    hr_from_lr: Warp
    scale: int
    zoom: float
    rotation: float
    field: Box
    colours: ColourMatch
    adjusted: str
    psf: Psf
    fit: Fit
    tiles: Tiles
    polished_field: Box
    contradicting: npt.NDArray[np.bool_]
    error: float
    lateral: Lateral
    channel_errors: tuple[float, ...]
    inliers: int
    rounds: int
    refused: Rejection | None = None
    residual: Residual | None = None
    detail: Detail | None = None
    enlarged: float = 0.0

    @property
    def softness(self) -> float:
        """How many px wide the smallest detail of LR is, at least 1."""
        return softness(self.psf.sigma)

    @property
    def disagreeing(self) -> float:
        """Share of the tiles with a say that contradict the map."""
        return float(self.contradicting.sum() / max(1, (self.tiles.usable | self.tiles.unlike).sum()))

    @property
    def sd(self) -> float:
        """Predicted standard deviation of the map, root mean square over the field, LR px."""
        return float(np.sqrt((self.fit.sd(grid(self.field)) ** 2).mean()))

    @property
    def distortion(self) -> float:
        """Largest displacement by the lenses that a homography cannot make, over the field, LR px."""
        return bending(self.hr_from_lr, self.field)


def register(lr: Image, hr: Image, settings: AlignSettings) -> Registration | Rejection:
    """Find where LR lies in HR.

    Args:
        lr: (h, w, 3) uint8 or uint16, RGB, sRGB-encoded: the photo of the short focal length.
        hr: (H, W, 3) of the long focal length.
        settings: limits; `scale` None takes the whole scale nearest to the measured zoom.
    """
    grey_lr, grey_hr = _grey8(lr), _grey8(hr)
    start = begin(grey_lr, grey_hr, settings)
    if isinstance(start, Rejection):
        return start
    plane = start.hr_from_lr
    warp = replace(Warp.plain(plane), lens=_lens(grey_lr, grey_hr, plane))
    field, zoom, scale = _measured(grey_lr, grey_hr, warp, settings, 0)
    if refused := verdict.wrong_zoom(zoom, scale, settings) or verdict.small_field(field, settings, zoom):
        # Some twelve matches may agree by chance on a start that leads nowhere.
        return as_another(grey_lr, grey_hr, start, settings) or refused
    assert field is not None
    if settings.method == "d2crealsr":
        warp = replace(warp, outer=two_passes(grey_lr, grey_hr, plane))
        found = evaluate_map(LumaImage.of(lr), like_lr(lr, hr, warp, field), warp, LR_BLUR)
    else:
        found = refine(LumaImage.of(lr), partial(like_lr, lr, hr), hr.shape[:2], warp, settings.tolerance)
    if not isinstance(found, Refinement):
        return verdict.small_field(found, settings, zoom) or verdict.no_texture(zoom)
    if settings.method == "realdeg":
        warp = found.fit.warp
    field, zoom, scale = _measured(grey_lr, grey_hr, warp, settings, settings.edge)
    if refused := verdict.wrong_zoom(zoom, scale, settings) or verdict.small_field(field, settings, zoom):
        return refused
    assert field is not None
    field = _where_it_holds(found, warp, field, settings)
    if refused := verdict.little_texture(found.tiles, zoom):
        return refused
    against = contradicting(
        found.tiles.grid_hw,
        found.fit.residual_shift,
        found.fit.information,
        COHERENT_PX * softness(found.psf.sigma),
    )
    against |= found.tiles.unlike | found.other
    say = int((found.tiles.usable | found.tiles.unlike).sum())
    colours = final_tone(lr, hr, warp, field, found.psf.sigma, settings)
    refused = (
        verdict.soft_lr(found.psf, settings, zoom)
        or verdict.repeated(found.second_peak_ratio, zoom)
        or verdict.disagreeing(int(against.sum()), say, settings, zoom)
        or verdict.other_light(colours, settings, zoom)
    )
    lateral = Lateral.unknown(warp.lens)
    if settings.method == "realdeg":
        lateral = lateral_colour(lr, hr, warp, field, found.psf.sigma, settings.lateral_colour)
    registration = Registration(
        hr_from_lr=warp,
        scale=scale,
        zoom=zoom,
        rotation=warp.rotation_at(field.centre),
        field=field,
        colours=colours,
        adjusted=settings.adjust,
        psf=found.psf,
        fit=found.fit,
        tiles=found.tiles,
        polished_field=found.field,
        contradicting=against,
        error=predicted_p95(found.fit, warp, field),
        lateral=lateral,
        channel_errors=channel_p95(found.fit, warp, field, lateral),
        inliers=start.inliers,
        rounds=found.rounds,
        refused=refused,
    )
    if (soft := verdict.soft_hr(found.psf, zoom)) and _shows_no_more(lr, hr, registration, settings):
        return replace(registration, refused=soft)
    return registration


def _shows_no_more(lr: Image, hr: Image, found: Registration, settings: AlignSettings) -> bool:
    """Whether HR is as soft as LR, and not LR sharpened until it looks like HR: HR's own edges tell."""
    if found.scale == 1:
        return True
    pair_lr, pair_hr, _ = make_pair(lr, hr, found)
    detail = resolution(pair_lr, pair_hr, found.scale)
    return detail is None or detail.detail < settings.min_detail


def make_pair(lr: Image, hr: Image, found: Registration) -> tuple[Image, Image, Registration]:
    """Cut LR, resample HR once through the whole map, apply the tone; measure what is left.

    Returns:
        LR crop (h, w, 3) as it was (or at HR's brightness, where that was asked for), HR
        (scale*h, scale*w, 3) of HR's type, and the registration with its `residual`.
    """
    field, scale, tone = found.field, found.scale, found.colours.tone
    lr_from_pair = Homography.translation(field.x, field.y) @ Homography.zoom(1 / scale)
    maps = [one @ lr_from_pair for one in found.lateral.maps(found.hr_from_lr)]
    source = hr
    if found.zoom > 1.02 * scale:
        # HR is reduced a little here: take away what its new grid cannot hold.
        sigma = 0.45 * np.sqrt((found.zoom / scale) ** 2 - 1)
        side = 2 * int(np.ceil(4 * sigma)) + 1  # OpenCV takes three sigma for 8 bits, too few here
        source = cv2.GaussianBlur(hr, (side, side), sigma)
    height, width = field.height * scale, field.width * scale

    def finish(block: Array, rows: slice) -> Array:
        return tone(block, rows, height) if found.adjusted == "hr" and tone.changes else block

    pair_hr = draw_integer(source, maps, (height, width), finish)
    pair_lr = np.ascontiguousarray(lr[field.slices])
    if found.adjusted == "lr" and tone.changes:
        white = peak(lr)
        pair_lr = np.rint(tone(pair_lr.astype(np.float32) / white) * white).astype(lr.dtype)
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


def _lens(lr: Array, hr: Array, plane: Homography) -> Lens:
    """Where the optical axes lie, as far as that is known: in the middle of both photos."""
    (h, w), (big_h, big_w) = lr.shape, hr.shape
    middle = plane.inverse()(np.array([(big_w - 1) / 2, (big_h - 1) / 2]))
    centre_hr = float(middle[0]), float(middle[1])
    zoom = plane.zoom_at(centre_hr)
    return Lens(
        ((w - 1) / 2, (h - 1) / 2),
        float(np.hypot(w, h)) / 2,
        centre_hr,
        float(np.hypot(big_w, big_h)) / 2 / zoom,
        {},
    )


def _measured(
    lr: Array, hr: Array, warp: Warp, settings: AlignSettings, edge: int
) -> tuple[Box | None, float, int]:
    """The common field without its edges, the zoom at its centre, and the scale."""
    field = common_field(lr.shape, hr.shape, warp, FIELD_MARGIN)
    field = field.inset(edge) if field else None
    zoom = warp.zoom_at(field.centre if field else warp.lens.centre)
    return field, zoom, settings.scale or nearest_scale(zoom)


def _where_it_holds(found: Refinement, warp: Warp, field: Box, settings: AlignSettings) -> Box:
    """The field, less its border where that alone would make the expected error too large."""
    cut = field.inset(max(0, UNCERTAIN_EDGE - settings.edge))
    limit = settings.max_error * softness(found.psf.sigma)
    if min(cut.width, cut.height) < settings.min_side or predicted_p95(found.fit, warp, field) <= limit:
        return field
    return cut


def _grey8(image: Image) -> Array:
    """(H, W) uint8 luma."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return to_8bit(grey)
