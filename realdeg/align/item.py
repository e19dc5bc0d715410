"""The work of one item of `realdeg align`: two photo files in, a pair and what is known of it out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from realdeg.align import verdict
from realdeg.align.certificate import exif_zoom, figures, write_certificate, write_untouched
from realdeg.align.finished import finish
from realdeg.align.mask import MASKS, write_mask
from realdeg.align.pair import Registration, register
from realdeg.align.settings import AlignSettings
from realdeg.align.verdict import Rejection
from realdeg.io.find import Match
from realdeg.io.photo import Photo, read
from realdeg.io.save import write_image
from realdeg.layout import pair_paths
from realdeg.names import file_name
from realdeg.records import PairRecord, with_files

REJECTED = "rejected"


def align_pair(match: Match, out: Path, settings: AlignSettings) -> PairRecord:
    """Register one pair of photos and write it, with its certificate."""
    lr, hr = read(match.lr), read(match.hr)
    record = PairRecord(
        match.key,
        "rejected",
        how="registration",
        scale=settings.scale or 0,
        scene=match.scene or match.key,
        source_lr=str(match.lr),
        source_hr=str(match.hr),
        detail=_photos(lr, hr),
    )
    if refused := verdict.digital_zoom(lr.digital_zoom, hr.digital_zoom, settings):
        return _rejected(record, refused, out, lr, hr, settings, None)
    found = register(lr.pixels, hr.pixels, settings)
    if isinstance(found, Rejection):
        return _rejected(record, found, out, lr, hr, settings, None)
    refused = found.refused
    if refused is None or settings.keep_rejects:
        made = finish(lr.pixels, hr.pixels, found, settings)
        found, refused = made.found, made.refused
        to_lr, to_hr = pair_paths(match.key)
        if refused:
            to_lr, to_hr = (f"{REJECTED}/{path}" for path in (to_lr, to_hr))
        if not refused or settings.keep_rejects:
            write_image(out / to_hr, made.hr)
            write_image(out / to_lr, made.lr)
            record = with_files(out, record, to_lr, to_hr)
    record = replace(record, scale=found.scale, detail={**record.detail, **figures(lr, hr, found)})
    if refused:
        return _rejected(record, refused, out, lr, hr, settings, found)
    mask = None
    if settings.mask:
        to_mask = f"{MASKS}/{file_name(match.key)}.png"
        mask = to_mask, write_mask(out / to_mask, found)
        record = replace(record, detail={**record.detail, "mask": mask[0], "valid": round(mask[1], 4)})
        record = with_files(out, record, mask[0])
    certificate = write_certificate(out, match.key, lr, hr, settings, found=found, mask=mask)
    written = [certificate.relative_to(out).as_posix()]
    if found.colours.tone.changes:
        written.append(write_untouched(out, match.key, found).relative_to(out).as_posix())
    return with_files(out, replace(record, status="ok", lr=to_lr, hr=to_hr), *written)


def _rejected(
    record: PairRecord,
    refused: Rejection,
    out: Path,
    lr: Photo,
    hr: Photo,
    settings: AlignSettings,
    found: Registration | None,
) -> PairRecord:
    certificate = write_certificate(out, record.key, lr, hr, settings, found=found, reason=str(refused))
    record = with_files(out, record, certificate.relative_to(out).as_posix())
    zoom = {"zoom": round(refused.zoom, 5)} if refused.zoom else {}
    return replace(record, reason=str(refused), detail={**record.detail, **zoom})


def _photos(lr: Photo, hr: Photo) -> dict[str, object]:
    known: dict[str, object] = {"zoom_exif": exif_zoom(lr, hr) or ""}
    for name, photo in (("lr", lr), ("hr", hr)):
        known[f"{name}_focal_mm"] = photo.focal_length_mm or ""
        known[f"{name}_orientation"] = photo.orientation
        known[f"{name}_profile"] = photo.profile
        if photo.digital_zoom and photo.digital_zoom > 1:
            known[f"{name}_digital_zoom"] = photo.digital_zoom
    return known
