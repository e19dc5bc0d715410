"""The job of `realdeg align`: two folders of photos in, a dataset of registered pairs out."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np

from realdeg.align.coarse import MIN_INLIERS, rough
from realdeg.align.pair import Registration, make_pair, nearest_scale, register, softness
from realdeg.align.settings import AlignSettings
from realdeg.align.verdict import Rejection, large_residual
from realdeg.errors import UserError
from realdeg.imaging.colour import luma
from realdeg.io.find import Match, match_stems
from realdeg.io.photo import Photo, read
from realdeg.io.save import write_image
from realdeg.jobs import JobReport, Running, run_job
from realdeg.layout import pair_paths, refuse_inside, write_metadata
from realdeg.ledger import with_hashes
from realdeg.records import PairRecord
from realdeg.settings import to_mapping, write_run

PHOTOS_TO_INFER = 5


def align_folders(
    lr: Path,
    hr: Path,
    out: Path,
    settings: AlignSettings,
    *,
    lr_suffix: str = "",
    hr_suffix: str = "",
    running: Running = Running(),
) -> JobReport:
    """Register photos of the same scenes, paired by stem, into `out` (docs/dataset.md).

    Args:
        lr: folder of photos of the short focal length.
        hr: folder of photos of the long focal length, same stems.
        out: receives LR/, HR/, manifest.csv, metadata.csv, run.yaml and the ledger.
        settings: limits of registration; without a scale, the one that most photos show is taken.
        lr_suffix: text that ends LR stems and is not part of the common name ("001L" and "001H").
        hr_suffix: likewise for HR.
        running: limit, workers, overwriting, when to give up, progress.

    Raises:
        UserError: a folder is missing or empty, no stems match, or `out` cannot be used.
    """
    refuse_inside(out, lr, hr)
    matches, lonely = match_stems(lr, hr, lr_suffix=lr_suffix, hr_suffix=hr_suffix)
    if settings.scale is None:
        settings = replace(settings, scale=infer_scale(matches))
    report = run_job(
        partial(align_pair, out=out, settings=settings),
        matches,
        out,
        settings={"how": "registration", **to_mapping(settings)},
        given=lonely,
        running=running,
    )
    inputs = {"lr": lr, "hr": hr, "lr_suffix": lr_suffix or None, "hr_suffix": hr_suffix or None}
    write_run(out, "realdeg align", {**inputs, **asdict(settings)})
    write_metadata(out, report.records)
    return report


def infer_scale(matches: list[Match]) -> int:
    """Whole scale nearest to the median zoom of up to five pairs, spread over the folder.

    Raises:
        UserError: no pair could be registered even roughly.
    """
    places = np.unique(np.linspace(0, len(matches) - 1, PHOTOS_TO_INFER).round().astype(int))
    zooms = []
    for place in places:
        try:
            lr, hr = read(matches[place].lr), read(matches[place].hr)
        except UserError:
            continue
        start = rough(_grey(lr), _grey(hr))
        if start.inliers >= MIN_INLIERS:
            zooms.append(start.hr_from_lr.zoom_at((lr.pixels.shape[1] / 2, lr.pixels.shape[0] / 2)))
    if not zooms:
        tried = ", ".join(matches[place].key for place in places)
        raise UserError(
            tried,
            "the scale cannot be inferred: no common scene found",
            "give --scale, and check the folders",
        )
    return nearest_scale(float(np.median(zooms)))


def align_pair(match: Match, out: Path, settings: AlignSettings) -> PairRecord:
    """Register one pair of photos and write it: the work of one item."""
    lr, hr = read(match.lr), read(match.hr)
    record = PairRecord(
        match.key,
        "rejected",
        how="registration",
        scale=settings.scale or 0,
        scene=match.key,
        source_lr=str(match.lr),
        source_hr=str(match.hr),
        detail=_photos(lr, hr),
    )
    found = register(lr.pixels, hr.pixels, settings)
    if isinstance(found, Rejection):
        return _rejected(record, found)
    pair_lr, pair_hr, found = make_pair(lr.pixels, hr.pixels, found)
    record = replace(record, scale=found.scale, detail={**record.detail, **_figures(found)})
    if refused := large_residual(found.residual, settings, found.zoom, softness(found.blur)):
        return _rejected(record, refused)
    to_lr, to_hr = pair_paths(match.key)
    write_image(out / to_hr, pair_hr)
    write_image(out / to_lr, pair_lr)
    return with_hashes(out, replace(record, status="ok", lr=to_lr, hr=to_hr))


def _rejected(record: PairRecord, refused: Rejection) -> PairRecord:
    zoom = {"zoom": round(refused.zoom, 5)} if refused.zoom else {}
    return replace(record, reason=refused.reason, detail={**record.detail, **zoom})


def _figures(found: Registration) -> dict[str, object]:
    """What the manifest says of a registered pair; docs/dataset.md has the units."""
    field, residual = found.field, found.residual
    measured = (
        {
            "error_lr_px": round(residual.p95, 4),
            "error_median_lr_px": round(residual.median, 4),
            "shift_x_lr_px": round(residual.mean_x, 4),
            "shift_y_lr_px": round(residual.mean_y, 4),
            "zncc": round(residual.zncc, 5),
        }
        if residual
        else {}
    )
    brightness = found.tone.residual_8bit
    return {
        **measured,
        "sd_lr_px": round(found.motion.sd, 4),
        "disagreeing": round(found.motion.disagreeing, 4),
        "zoom": round(found.zoom, 5),
        "rotation_deg": round(found.rotation, 4),
        "brightness_rms_8bit": round(brightness, 3) if np.isfinite(brightness) else "",
        "blur_lr_px": round(found.blur, 3),
        "sift_inliers": found.inliers,
        "rounds": found.rounds,
        "lr_crop": [field.x, field.y, field.width, field.height],
        "hr_from_lr": [float(f"{value:.10g}") for value in found.hr_from_lr.matrix.ravel()],
    }


def _photos(lr: Photo, hr: Photo) -> dict[str, object]:
    known: dict[str, object] = {}
    for name, photo in (("lr", lr), ("hr", hr)):
        known[f"{name}_focal_mm"] = photo.focal_length_mm or ""
        known[f"{name}_orientation"] = photo.orientation
        known[f"{name}_profile"] = photo.profile
        if photo.digital_zoom and photo.digital_zoom > 1:
            known[f"{name}_digital_zoom"] = photo.digital_zoom
    return known


def _grey(photo: Photo) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    peak = np.iinfo(photo.pixels.dtype).max
    grey: np.ndarray[tuple[int, ...], np.dtype[np.uint8]] = np.rint(luma(photo.pixels * (255 / peak)))
    return grey.astype(np.uint8)
