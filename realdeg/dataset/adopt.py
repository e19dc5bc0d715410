"""Pairs that others registered (RealSR, DRealSR, DIV2K): LR and HR folders become a dataset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from realdeg.arraytypes import Array
from realdeg.errors import UserError
from realdeg.imagefolder import write_metadata
from realdeg.io.find import Match, NoPair
from realdeg.io.finding_settings import Finding
from realdeg.io.pairing import left_out, pair_by_stem
from realdeg.io.pairing_hint import adopted
from realdeg.io.pairing_settings import PairingSettings
from realdeg.io.photo import Photo, read, read_size
from realdeg.io.save import write_image
from realdeg.jobs import Ended, JobReport, Running, run_job
from realdeg.layout import keep_or_encode, pair_paths, refuse_holding, refuse_inside
from realdeg.records import PairRecord, with_files
from realdeg.refusal import Refusal
from realdeg.settings import write_run


@dataclass(frozen=True, eq=False)
class Seen:
    """What looking at a pair came to.

    Attributes:
        detail: columns of the manifest.
        refused: why the pair is not taken; None: it is.
        lr, hr: what to write in place of the files' own pixels; None: those.
    """

    detail: Mapping[str, Any] = field(default_factory=dict)
    refused: Refusal | None = None
    lr: Array | None = None
    hr: Array | None = None


class Look(Protocol):
    """Looks at the pairs that are taken in; picklable."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """What its outcome depends on, for the journal."""
        ...

    def __call__(self, lr: Array, hr: Array, scale: int) -> Seen:
        """Look at one: (h, w, 3) and (scale*h, scale*w, 3), uint8 or uint16."""
        ...


def adopt_folders(
    lr: Path,
    hr: Path,
    out: Path,
    *,
    scale: int | None = None,
    lr_suffix: str = "",
    hr_suffix: str = "",
    finding: Finding = Finding(),
    looking: Callable[[Sequence[Match], int], Look | None] | None = None,
    options: Mapping[str, Any] | None = None,
    running: Running = Running(),
) -> JobReport:
    """Make a dataset of registered pairs, without touching their pixels unless `looking` asks for it.

    PNG files are linked (or copied), others are decoded and written as PNG. A pair whose HR is not exactly
    `scale` times its LR is rejected.

    Args:
        lr: folder of LR images.
        hr: folder of HR images of the same stems.
        out: receives LR/, HR/, manifest.csv and the rest (docs/dataset.md).
        scale: HR size / LR size, 1 or more; None: the one that most pairs have.
        lr_suffix: text that ends LR stems and is no part of the common name, e.g. "_LR4".
        hr_suffix: likewise for HR.
        finding: which files of the folders are images.
        looking: of all pairs and their scale, what looks at each (`realdeg.check.adopting`); None: nothing.
        options: further ones of the command, for run.yaml.
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
    look = looking(pairs.matches, scale) if looking else None
    told = dict(look.settings) if look else {}
    inputs = {"lr": lr, "hr": hr, "lr_suffix": lr_suffix or None, "hr_suffix": hr_suffix or None}

    def also(ended: Ended) -> None:
        write_run(out, "realdeg adopt", {**inputs, **finding.told(), "scale": scale, **(options or {})})
        write_metadata(out, ended.rows)

    return run_job(
        partial(adopt_pair, out=out, scale=scale, look=look),
        pairs.matches,
        out,
        settings={"how": "adopted", "scale": scale, **told},
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
        if big_h % h == 0 and big_w % w == 0 and big_h // h == big_w // w:
            seen[big_h // h] += 1
    if seen:
        return seen.most_common(1)[0][0]
    raise UserError(
        matches[0].lr.parent,
        "no HR image is a whole multiple of its LR image",
        "register the photos with `realdeg align`",
    )


def adopt_pair(match: Match, out: Path, scale: int, look: Look | None = None) -> PairRecord:
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
    seen = look(lr.pixels, hr.pixels, scale) if look else Seen()
    record = replace(record, detail={**record.detail, **seen.detail})
    if seen.refused:
        return replace(record, reason=str(seen.refused))
    to_lr, to_hr = pair_paths(match.key)
    for photo, pixels, path in ((hr, seen.hr, to_hr), (lr, seen.lr, to_lr)):
        if pixels is None:
            keep_or_encode(photo, out / path)
        else:
            write_image(out / path, pixels)
    return with_files(out, replace(record, status="ok", lr=to_lr, hr=to_hr))


def _notes(photo: Photo, side: str) -> dict[str, str]:
    """What was changed when a photo was read; no column where nothing was."""
    return {f"{side}_notes": "; ".join(photo.notes)} if photo.notes else {}
