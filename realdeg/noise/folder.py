"""The job of `realdeg noise`: patches of noise from a folder of photos, into one pool.

The state of a job lies beside the pool, in NAME.job/, as with kernels; it may be deleted. What is taken from
a photo by the classic rule are windows of its pixels; by the default its calmest windows, of which
`realdeg.noise.patches` chooses when all photos are seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from realdeg.arraytypes import Array
from realdeg.errors import EXIT_USAGE, UserError
from realdeg.identity import state_of
from realdeg.io.find import Found, look
from realdeg.io.finding_settings import Finding
from realdeg.io.photo import Photo, read
from realdeg.jobs import Ended, JobReport, Running, run_job
from realdeg.layout import refuse_inside
from realdeg.noise.classic import Classic, classic
from realdeg.noise.patches import origin, pool_of_windows
from realdeg.noise.settings import NoiseSettings
from realdeg.noise.windows import REASONS, calm_windows
from realdeg.pools.found import PATCH_FILES, arrays_file, job_folder, told, with_arrays
from realdeg.pools.noise_pool import NoisePool
from realdeg.records import PairRecord
from realdeg.refusal import Refusal
from realdeg.settings import versions, write_run

SMALLEST = 32  # px, of windows whose spectrum is told
STEP = 16  # px; sizes of them are multiples
COUNTED = ("looked_at", "uneven", "dark")


def extract_noise_pool(
    src: Path,
    out: Path,
    settings: NoiseSettings,
    *,
    finding: Finding = Finding(),
    running: Running = Running(),
) -> JobReport:
    """Take noise patches from each photo in a folder; no pool is written where none has any.

    Args:
        src: folder of photos of the camera that is to be imitated.
        out: the pool: .npz, or by the classic rule also a folder of PNG files.
        settings: method and its numbers.
        finding: which files of the folder are photos.
        running: limit, workers, overwriting, when to give up, progress.

    Raises:
        UserError: no photos, a size that the method cannot have, or `out` cannot be used.
    """
    check(src, out, settings)
    job = job_folder(out)
    photos = look(src, finding)
    asked = {"how": "noise", **asdict(settings)}
    work = partial(extract_patches, job=job, settings=settings)

    def also(ended: Ended) -> None:
        write_run(job, "realdeg noise", {"src": src, **finding.told(), **asdict(settings)})
        # What an earlier run has written stays until a whole one replaces it.
        if ended.whole and (pool := pool_of(job, ended.records, settings)):
            pool.save(out)

    return run_job(
        work,
        photos.single,
        job,
        settings=asked,
        given=photos.refused("lr"),
        left_out=photos.left_out,
        also=also,
        running=running,
    )


def check(src: Path, out: Path, settings: NoiseSettings) -> None:
    """Refuse what cannot become a pool before anything is read.

    Raises:
        UserError: the size of patches, or the place of the output.
    """
    flat = settings.method == "flat"
    if flat and (settings.side < SMALLEST or settings.side % STEP):
        remedy = f"{SMALLEST} at least and a multiple of {STEP}, or `method=classic`"
        raise UserError("`size`", f"no patches of {settings.side} px", remedy, exit_code=EXIT_USAGE)
    if out.suffix.lower() != ".npz" and (flat or out.suffix):
        problem = f"such pools are not written as {out.suffix or 'a folder'}"
        remedy = "end it in .npz" if flat else "end it in .npz, or name a folder"
        raise UserError(out, problem, remedy, exit_code=EXIT_USAGE)
    refuse_inside(job_folder(out), src)
    refuse_inside(out, src)


WITHOUT = {
    "clipped": Refusal("is black or white nearly everywhere, where noise is cut off", "use another exposure"),
    "without noise": Refusal("shows no noise anywhere: the camera or an editor has smoothed it away"),
}
BLOCKS = Refusal("shows nothing but the blocks of a strong JPEG", "use less compressed photos")


def extract_patches(found: Found, job: Path, settings: NoiseSettings) -> PairRecord:
    """The windows of one photo: the work of one item."""
    photo = read(found.path)
    pixels = np.ascontiguousarray(photo.pixels)
    detail: dict[str, Any] = {
        "source": found.path.name,
        "source_sha256": state_of(found.path).sha256,
        "pixels": hashlib.blake2b(pixels.tobytes(), digest_size=8).hexdigest(),
        "iso": photo.iso,
        "camera": photo.camera,
    }
    record = PairRecord(
        found.key, "rejected", scene=found.key, how=settings.method, source_lr=str(found.path), detail=detail
    )
    if min(pixels.shape[:2]) < settings.side:
        height, width = pixels.shape[:2]
        refused = Refusal(
            f"is {width}x{height} px, {settings.side} a side are needed", "use a smaller `size`"
        )
        return replace(record, reason=told(found.path, refused))
    return (_calm if settings.method == "flat" else _by_rule)(photo, found, record, job, settings)


def _calm(photo: Photo, found: Found, record: PairRecord, job: Path, settings: NoiseSettings) -> PairRecord:
    size = settings.side
    seen = calm_windows(photo.pixels, size)
    detail = {
        **record.detail,
        "classic": len(classic(photo.pixels).windows),
        "looked_at": seen.looked_at,
        "refused": seen.refused,
        "windows": len(seen.y),
        "sound": seen.sound,
    }
    record = replace(record, detail=detail)
    if not len(seen.y):
        most = max(seen.refused, key=lambda name: seen.refused[name])
        return replace(record, reason=told(found.path, WITHOUT.get(most, BLOCKS)))
    windows = np.stack(
        [photo.pixels[y : y + size, x : x + size] for y, x in zip(seen.y, seen.x, strict=True)]
    )
    arrays = {"pixels": windows, "y": seen.y, "x": seen.x, "level": seen.level, "bands": seen.bands,
              "blocks": seen.blocks}  # fmt: skip
    return _written(job, record, arrays)


def _by_rule(
    photo: Photo, found: Found, record: PairRecord, job: Path, settings: NoiseSettings
) -> PairRecord:
    size = settings.side
    seen = classic(photo.pixels, size, settings.max_variance, settings.min_mean)
    record = replace(record, detail={**record.detail, **{name: getattr(seen, name) for name in COUNTED}})
    if not seen.windows:
        return replace(record, reason=told(found.path, _no_window(seen, photo, settings)))
    windows = np.stack([photo.pixels[y : y + size, x : x + size] for y, x, _, _ in seen.windows])
    columns = zip(*seen.windows, strict=True)
    arrays = dict(zip(("y", "x", "variance", "mean"), map(np.array, columns), strict=True))
    return _written(job, record, {"pixels": windows, **arrays})


def _no_window(seen: Classic, photo: Photo, settings: NoiseSettings) -> Refusal:
    if not seen.looked_at:
        height, width = photo.pixels.shape[:2]
        problem = f"is {width}x{height} px, more than {settings.side} a side are needed"
        return Refusal(problem, "use a smaller `size`")
    return Refusal(
        f"has no window of {settings.side} px: {seen.uneven} of {seen.looked_at} have a variance of "
        f"{settings.max_variance:g} or more, {seen.dark} a mean of {settings.min_mean:g} or less",
        "use `method=flat`, a smaller `size`, or a larger `max_variance` where the noise is strong",
    )


def _written(job: Path, record: PairRecord, arrays: Mapping[str, Array]) -> PairRecord:
    """Write what was taken of a photo."""
    detail = {**record.detail, "patches": len(arrays["y"])}
    return with_arrays(job, replace(record, status="ok", detail=detail), PATCH_FILES, arrays)


def pool_of(job: Path, records: Sequence[PairRecord], settings: NoiseSettings) -> NoisePool | None:
    """The pool of all that was found, with its origin; None where nothing was. Equal photos count once."""
    once = {record.detail["pixels"]: record for record in reversed(records) if record.ok}
    unique = [record for record in records if once.get(record.detail.get("pixels", "")) is record]
    if not unique:
        return None
    used = {"flat": ("energy", "shape", "per_level"), "classic": ("max_variance", "min_mean")}
    head = {
        "method": settings.method,
        "size": settings.side,
        **{name: getattr(settings, name) for name in used[settings.method]},
        "made_with": versions(),
    }
    if settings.method == "flat":
        return pool_of_windows(job, unique, settings, head)
    names, patches = [], []
    about: dict[str, dict[str, Any]] = {}
    for record in unique:
        with np.load(arrays_file(job, record, PATCH_FILES)) as taken:
            for number, patch in enumerate(taken["pixels"]):
                name = f"{record.key}_{number:03d}"
                names.append(name)
                patches.append(patch)
                place = {key: round(float(taken[key][number]), 4) for key in ("y", "x", "variance", "mean")}
                unit = 255 / np.iinfo(patch.dtype).max
                level = [round(float(one), 2) for one in patch.mean((0, 1), dtype=np.float64) * unit]
                about[name] = {**origin(record), **place, "level": level, "how": "classic"}
    return NoisePool(tuple(names), tuple(patches), {**head, "patches": about})


def counts(records: Sequence[PairRecord], pool: NoisePool | None, settings: NoiseSettings) -> dict[str, Any]:
    """Figures for the user: patches, and how many windows each test refused.

    Args:
        records: of a job.
        pool: that the default method made; None: no photo gave anything.
        settings: of the job.
    """
    found = [record.detail for record in records if "looked_at" in record.detail]

    def total(name: str) -> int:
        return sum(int(one.get(name, 0)) for one in found)

    if settings.method == "classic":
        return {
            "patches": total("patches"),
            "windows looked at": total("looked_at"),
            f"variance of {settings.max_variance:g} or more": total("uneven"),
            f"mean of {settings.min_mean:g} or less": total("dark"),
        }
    chosen = dict(pool.about["chosen"]) if pool else {}
    return {
        "patches": len(pool.names) if pool else 0,
        "of flat windows": chosen.get("flat", 0),
        "rescaled for photos without one": chosen.get("rescaled", 0),
        "made for photos without one": chosen.get("made", 0),
        "places looked at": total("looked_at"),
        **{name: sum(int(one["refused"][name]) for one in found) for name in REASONS},
        "calm windows": total("windows"),
        "stronger than the noise": chosen.get("strong", 0),
        "coarser than the noise": chosen.get("steep", 0),
        "patches by the classic rule": total("classic"),
    }
