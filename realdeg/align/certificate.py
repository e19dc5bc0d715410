"""What is known of one pair, for the manifest (a row of figures) and as a certificate (everything, JSON)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from realdeg.align.pair import Registration
from realdeg.align.residual import Residual
from realdeg.align.settings import AlignSettings
from realdeg.arraytypes import Array
from realdeg.atomic import write_bytes, write_text
from realdeg.io.photo import Photo
from realdeg.metrics.detail import Detail
from realdeg.names import file_name
from realdeg.settings import versions

FOLDER = "certificates"
SCHEMA = 1
CURVE_KNOTS = 33
CHANNELS = ("red", "green", "blue")
UNTOUCHED_QUALITY = 90


def write_certificate(
    out: Path,
    key: str,
    lr: Photo,
    hr: Photo,
    settings: AlignSettings,
    *,
    found: Registration | None,
    reason: str = "",
    mask: tuple[str, float] | None = None,
) -> Path:
    """Write `out/certificates/KEY.json` (docs/dataset.md has its entries).

    Args:
        out: the dataset's folder.
        key: of the pair.
        lr, hr: the photos.
        settings: of the registration.
        found: the registration, as far as it came; None where there is no common scene.
        reason: why the pair was rejected, or "".
        mask: path of the validity mask and the share of LR that is valid.
    """
    told: dict[str, Any] = {
        "schema": SCHEMA,
        "key": key,
        "status": "rejected" if reason else "ok",
        "reason": reason,
        "scale": settings.scale,
        "recipe": settings.method,
        "lr": _photo(lr),
        "hr": _photo(hr),
        "versions": dict(part.split(" ", 1) for part in versions().split(", ")),
    }
    if found is not None:
        told |= _registered(lr, hr, settings, found)
    if mask is not None:
        told["mask"] = {"path": mask[0], "valid": round(mask[1], 4)}
    path = out / FOLDER / f"{file_name(key)}.json"
    write_text(path, json.dumps(told, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n")
    return path


def write_untouched(out: Path, key: str, found: Registration) -> Path:
    """Write `out/certificates/KEY.webp`: the image that was adjusted as it was before, for the report."""
    picture = np.ascontiguousarray(found.colours.untouched[..., ::-1])
    done, data = cv2.imencode(".webp", picture, [cv2.IMWRITE_WEBP_QUALITY, UNTOUCHED_QUALITY])
    if not done:
        raise RuntimeError("OpenCV cannot write WebP")
    path = out / FOLDER / f"{file_name(key)}.webp"
    write_bytes(path, data.tobytes())
    return path


def figures(lr: Photo, hr: Photo, found: Registration) -> dict[str, object]:
    """What the manifest says of a registered pair; docs/dataset.md has the units."""
    field, residual, scale = found.field, found.residual, found.scale
    measured: dict[str, object] = {}
    if residual:
        measured = {
            "residual_lr_px": round(residual.p95, 4),
            "residual_noise_lr_px": round(residual.noise, 4),
            "residual_median_lr_px": round(residual.median, 4),
            "shift_x_lr_px": round(residual.mean_x, 4),
            "shift_y_lr_px": round(residual.mean_y, 4),
            "zncc": round(residual.zncc, 5),
        }
    colours = found.colours
    return {
        "error_lr_px": round(found.error, 4),
        "error_hr_px": round(found.error * scale, 4),
        "sd_lr_px": round(found.sd, 4),
        "sd_hr_px": round(found.sd * scale, 4),
        **{
            f"error_{name}_lr_px": _cell(v, 4) for name, v in zip(CHANNELS, found.channel_errors, strict=True)
        },
        **measured,
        "disagreeing": round(found.disagreeing, 4),
        "zoom": round(found.zoom, 5),
        "zoom_exif": exif_zoom(lr, hr) or "",
        "rotation_deg": round(found.rotation, 4),
        "lens_model": found.fit.model,
        "lens_lr_px": round(found.distortion, 3),
        "lateral_lr_px": _cell(found.lateral.largest(found.field), 4),
        "lateral_drawn": bool(found.lateral.applied),
        "lr_lateral_red_lr_px": _cell(found.lateral.own[0], 4),
        "lr_lateral_blue_lr_px": _cell(found.lateral.own[1], 4),
        "asymmetry_lr_px": round(float(np.hypot(*found.fit.asymmetry.shift)), 4),
        "brightness_model": colours.model,
        "brightness_before_8bit": _cell(colours.before),
        "brightness_rms_8bit": _cell(colours.after),
        "corner_gain": round(colours.tone.corner_gain, 4),
        "beyond_range": round(colours.beyond, 4),
        "clipped": round(colours.clipped, 4),
        "changed": round(colours.changed_share, 4),
        "blur_lr_px": round(found.psf.sigma, 3),
        "detail": round(found.detail.detail, 3) if found.detail else "",
        "detail_soft": round(found.detail.soft, 4) if found.detail else "",
        "enlarged": round(found.enlarged, 2) or "",
        "field": round(kept(hr, found), 4),
        "sift_inliers": found.inliers,
        "rounds": found.rounds,
        "lr_crop": [field.x, field.y, field.width, field.height],
        "hr_crop": _hr_crop(found),
        "hr_from_lr": _numbers(found.hr_from_lr.outer.matrix),
    }


def exif_zoom(lr: Photo, hr: Photo) -> float | None:
    """HR px per LR px that EXIF promises: ratio of the angles per pixel; None where it does not say.

    Only 35-mm focal lengths, or the focal lengths of one camera, can be compared.
    """
    one, other = lr.focal_35mm_mm, hr.focal_35mm_mm
    if not (one and other):
        same = lr.camera and lr.camera == hr.camera
        # The lens's own focal length stays what it is when the camera zooms digitally.
        one, other = ((p.focal_length_mm or 0) * (p.digital_zoom or 1) if same else None for p in (lr, hr))
    if not (one and other):
        return None
    return round(other / one * float(np.hypot(*hr.size_hw) / np.hypot(*lr.size_hw)), 4)


def kept(hr: Photo, found: Registration) -> float:
    """Share of the HR photo's area that the pair holds."""
    x, y = (found.hr_from_lr(found.field.corners)).T
    area = 0.5 * abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))))
    return min(1.0, area / (hr.size_hw[0] * hr.size_hw[1]))


def _registered(lr: Photo, hr: Photo, settings: AlignSettings, found: Registration) -> dict[str, Any]:
    field, fit = found.field, found.fit
    told: dict[str, Any] = {
        "scale": found.scale,
        "lr_crop": [field.x, field.y, field.width, field.height],
        "hr_crop": _hr_crop(found),
        "field": round(kept(hr, found), 4),
        "map": {
            "homography": _numbers(found.hr_from_lr.outer.matrix),
            "lens": {
                "model": fit.model,
                "terms": {name: _short(v) for name, v in found.hr_from_lr.lens.terms.items()},
                "centre": _numbers(found.hr_from_lr.lens.centre),
                "radius": _short(found.hr_from_lr.lens.radius),
                "centre_hr": _numbers(found.hr_from_lr.lens.centre_hr),
                "radius_hr": _short(found.hr_from_lr.lens.radius_hr),
                "largest_lr_px": _short(found.distortion),
            },
        },
        "zoom": {"measured": _short(found.zoom), "nominal": found.scale, "exif": exif_zoom(lr, hr)},
        "rotation_deg": _short(found.rotation),
        "lateral_colour": _lateral(found),
        "asymmetry_lr_px": _numbers(found.fit.asymmetry.shift),
        "error": {
            "p95_lr_px": _short(found.error),
            "p95_hr_px": _short(found.error * found.scale),
            "channels_p95_lr_px": [_short(v) for v in found.channel_errors],
            "sd_lr_px": _short(found.sd),
            "sd_hr_px": _short(found.sd * found.scale),
        },
        "tiles": _tiles(found),
        "disagreeing": _short(found.disagreeing),
        "brightness": _brightness(found, settings),
        "psf": {
            "sigma_major_lr_px": _short(found.psf.major),
            "sigma_minor_lr_px": _short(found.psf.minor),
            "angle_deg": _short(found.psf.angle),
        },
        "sift_inliers": found.inliers,
        "rounds": found.rounds,
    }
    if found.residual is not None:
        told["blind"] = _blind(found.residual)
    if found.detail is not None:
        told["detail"] = _detail(found.detail, found.enlarged)
    return told


def _lateral(found: Registration) -> dict[str, Any]:
    lateral = found.lateral
    told: dict[str, Any] = {
        "largest_lr_px": _short(lateral.largest(found.field)),
        "lr_red_blue_lr_px": _numbers(lateral.own),
        "drawn": [{name: _short(v) for name, v in terms.items()} for terms in lateral.applied],
    }
    if lateral.channels is not None:
        told["channels"] = [{name: _short(v) for name, v in c.terms.items()} for c in lateral.channels]
    return told


def _brightness(found: Registration, settings: AlignSettings) -> dict[str, Any]:
    colours, tone = found.colours, found.colours.tone
    told: dict[str, Any] = {
        "method": settings.brightness,
        "model": colours.model,
        "refused_models": dict(colours.refused),
        "adjusted": found.adjusted,
        "levels": _numbers(np.linspace(0, 1, CURVE_KNOTS)),
        "curves": [_numbers(curve) for curve in _knots(tone.of_greys())],
        "vignetting": {
            "used": colours.vignetting,
            "corner_gain": _short(tone.corner_gain),
            "log_gain": _numbers(tone.gain),
        },
        "before_8bit": _short(colours.before),
        "rms_8bit": _short(colours.after),
        "unexplained_8bit": _short(colours.unexplained),
        "range": [_numbers(ends) for ends in colours.measured],
        "beyond_range": _short(colours.beyond),
        "clipped": _short(colours.clipped),
        "changed": _short(colours.changed_share),
        "clusters": [
            {
                "rgb": list(one.colour),
                "share": _short(round(one.share, 5)),
                "before_8bit": _short(round(one.before, 4)),
                "after_8bit": _short(round(one.after, 4)),
            }
            for one in colours.clusters
        ],
    }
    if tone.matrix is not None:
        told["matrix"] = [_numbers(row) for row in tone.matrix]
        told["curves_after_matrix"] = [_numbers(curve) for curve in _knots(tone.curves)]
    return told


def _tiles(found: Registration) -> dict[str, Any]:
    tiles, corner = found.tiles, found.polished_field
    places = tiles.centre + np.array([corner.x - found.field.x, corner.y - found.field.y])
    off = found.fit.residual_shift
    known = np.isfinite(off).all(-1)
    sd = np.full(len(places), np.nan)
    sd[known] = np.sqrt(np.trace(np.linalg.inv(found.fit.information[known]), axis1=1, axis2=2))
    state = np.where(known, np.where(found.contradicting, "disagrees", "ok"), "weak")
    return {
        "grid_hw": list(tiles.grid_hw),
        "x": _numbers(places[:, 0]),
        "y": _numbers(places[:, 1]),
        "dx": _numbers(off[:, 0]),
        "dy": _numbers(off[:, 1]),
        "sd": _numbers(sd),
        "state": state.tolist(),
    }


def _detail(detail: Detail, enlarged: float) -> dict[str, Any]:
    return {
        "detail": _short(detail.detail),
        "soft": _short(detail.soft),
        "blur_hr_lr_px": _short(detail.blur_hr),
        "blur_lr_lr_px": _short(detail.blur_lr),
        "enlarged": _short(enlarged) if enlarged else None,
        "x": _numbers(detail.x),
        "y": _numbers(detail.y),
        "tiles": [_numbers(np.round(row, 3)) for row in detail.tiles],
    }


def _blind(residual: Residual) -> dict[str, Any]:
    return {
        "method": "phase correlation of windows on the finished pair",
        "p95_lr_px": _short(residual.p95),
        "noise_lr_px": _short(residual.noise),
        "median_lr_px": _short(residual.median),
        "mean_x": _short(residual.mean_x),
        "mean_y": _short(residual.mean_y),
        "zncc": _short(residual.zncc),
        "x": _numbers(residual.centre[:, 0]),
        "y": _numbers(residual.centre[:, 1]),
        "dx": _numbers(residual.shift[:, 0]),
        "dy": _numbers(residual.shift[:, 1]),
        "sd": _numbers(residual.sd),
    }


def _photo(photo: Photo) -> dict[str, Any]:
    return {
        "path": str(photo.path),
        "size_hw": list(photo.size_hw),
        "bit_depth": photo.bit_depth,
        "camera": photo.camera,
        "focal_mm": photo.focal_length_mm,
        "focal_35mm": photo.focal_35mm_mm,
        "digital_zoom": photo.digital_zoom,
        "iso": photo.iso,
        "taken": photo.taken.isoformat() if photo.taken else "",
        "profile": photo.profile,
        "orientation": photo.orientation,
        "notes": list(photo.notes),
    }


def _hr_crop(found: Registration) -> list[int]:
    """x, y, width, height of the whole HR pixels under the LR crop."""
    corners = found.hr_from_lr(found.field.corners + 0.5 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]))
    low, high = np.floor(corners.min(0) + 0.5).astype(int), np.ceil(corners.max(0) - 0.5).astype(int)
    return [int(v) for v in (*low, *(high - low + 1))]


def _knots(curves: Array) -> Array:
    places = np.linspace(0, curves.shape[1] - 1, CURVE_KNOTS).round().astype(int)
    return curves[:, places]


def _numbers(values: npt.ArrayLike) -> list[float | None]:
    return [_short(v) for v in np.asarray(values, dtype=np.float64).ravel()]


def _cell(value: float, digits: int = 3) -> object:
    """A figure for the manifest, an empty cell where nothing was measured."""
    return round(float(value), digits) if np.isfinite(value) else ""


def _short(value: float) -> float | None:
    """Seven digits, enough for a homography's effect to 1e-3 px; None for what is not finite."""
    return float(f"{value:.10g}") if np.isfinite(value) else None
