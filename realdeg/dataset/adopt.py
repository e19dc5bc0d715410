"""Pairs that others registered (RealSR, DRealSR, DIV2K): LR and HR folders become a dataset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from realdeg.errors import UserError
from realdeg.imagefolder import write_metadata
from realdeg.io.find import Match, NoPair
from realdeg.io.finding_settings import Finding
from realdeg.io.pairing import left_out, pair_by_stem
from realdeg.io.pairing_hint import adopted
from realdeg.io.pairing_settings import PairingSettings
from realdeg.io.photo import Photo, read, read_size
from realdeg.jobs import Ended, JobReport, Running, run_job
from realdeg.layout import keep_or_encode, pair_paths, refuse_holding, refuse_inside
from realdeg.records import PairRecord, with_files
from realdeg.settings import write_run


def adopt_folders(
    lr: Path,
    hr: Path,
    out: Path,
    *,
    scale: int | None = None,
    lr_suffix: str = "",
    hr_suffix: str = "",
    finding: Finding = Finding(),
    running: Running = Running(),
) -> JobReport:
    """Make a dataset of registered pairs without touching their pixels.

    PNG files are linked (or copied), others are decoded and written as PNG. A pair whose HR is not exactly
    `scale` times its LR is rejected.

    Args:
        lr: folder of LR images.
        hr: folder of HR images of the same stems.
        out: receives LR/, HR/, manifest.csv and the rest (docs/dataset.md).
        scale: HR size / LR size; None: the one that most pairs have.
        lr_suffix: text that ends LR stems and is no part of the common name, e.g. "_LR4".
        hr_suffix: likewise for HR.
        finding: which files of the folders are images.
        running: limit, workers, overwriting, when to give up, progress.

    Raises:
        UserError: folders unusable, no pairs, no scale, or `out` cannot be used.
    """
    refuse_inside(out, lr, hr)
    refuse_holding(out, (lr, hr))
    try:
        pairs = pair_by_stem(lr, hr, PairingSettings(lr_suffix=lr_suffix, hr_suffix=hr_suffix), finding)
    except NoPair as error:
        remedy = adopted(lr, hr, out, finding=finding) or error.remedy
        raise NoPair(error.subject, error.problem, remedy, exit_code=error.exit_code) from None
    scale = scale or infer_scale(pairs.matches)
    inputs = {"lr": lr, "hr": hr, "lr_suffix": lr_suffix or None, "hr_suffix": hr_suffix or None}

    def also(ended: Ended) -> None:
        write_run(out, "realdeg adopt", {**inputs, **finding.told(), "scale": scale})
        write_metadata(out, ended.rows)

    return run_job(
        partial(adopt_pair, out=out, scale=scale),
        pairs.matches,
        out,
        settings={"how": "adopted", "scale": scale},
        given=pairs.failed,
        left_out=left_out([pairs]),
        also=also,
        running=running,
    )


def infer_scale(matches: Sequence[Match]) -> int:
    """The scale that most pairs have, by their headers; only whole multiples count.

    Raises:
        UserError: there is none.
    """
    seen: Counter[int] = Counter()
    for match in matches:
        try:
            (h, w), (big_h, big_w) = read_size(match.lr), read_size(match.hr)
        except UserError:
            continue
        if big_h % h == 0 and big_w % w == 0 and big_h // h == big_w // w > 1:
            seen[big_h // h] += 1
    if seen:
        return seen.most_common(1)[0][0]
    raise UserError(
        matches[0].lr.parent,
        "no HR image is a whole multiple of its LR image",
        "register the photos with `realdeg align`",
    )


def adopt_pair(match: Match, out: Path, scale: int) -> PairRecord:
    """Check one pair and put it into the dataset: the work of one item."""
    lr, hr = read(match.lr), read(match.hr)
    record = PairRecord(
        match.key,
        "rejected",
        scale=scale,
        scene=match.key,
        how="adopted",
        source_lr=str(match.lr),
        source_hr=str(match.hr),
        detail={"lr_profile": lr.profile, "hr_profile": hr.profile, **_notes(lr, "lr"), **_notes(hr, "hr")},
    )
    (h, w), (big_h, big_w) = lr.size_hw, hr.size_hw
    if (big_h, big_w) != (scale * h, scale * w):
        reason = f"HR is {big_w}x{big_h}, not x{scale} of LR {w}x{h}; register them with `realdeg align`"
        return replace(record, reason=reason)
    to_lr, to_hr = pair_paths(match.key)
    keep_or_encode(hr, out / to_hr)
    keep_or_encode(lr, out / to_lr)
    return with_files(out, replace(record, status="ok", lr=to_lr, hr=to_hr))


def _notes(photo: Photo, side: str) -> dict[str, str]:
    """What was changed when a photo was read; no column where nothing was."""
    return {f"{side}_notes": "; ".join(photo.notes)} if photo.notes else {}
