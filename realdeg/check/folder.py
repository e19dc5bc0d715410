"""The job of `realdeg check`: pairs are looked at, prints compared, and an audit is written.

Below work/ lie three jobs, each with its journal: pairs/, with a row for each pair and the prints of its HR;
others/, of the pictures that the set is held against; twins/, of pictures that may be one. The audit is made
of them at the end, so that other limits cost no second look; work/ may be deleted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from realdeg.arraytypes import Array
from realdeg.check import pair, same, twins
from realdeg.check.audit import Audit, Picture, Twin, audited
from realdeg.check.gather import Gathered, PairItem
from realdeg.check.prints import Print, print_of
from realdeg.check.settings import CheckSettings
from realdeg.errors import UserError
from realdeg.identity import place
from realdeg.imaging.depth import to_8bit
from realdeg.io.find import look
from realdeg.io.finding_settings import Finding
from realdeg.io.photo import read
from realdeg.jobs import JobReport, Running, run_job
from realdeg.layout import refuse_inside
from realdeg.pools.found import arrays_file, with_arrays
from realdeg.records import MANIFEST, PairRecord, read_manifest
from realdeg.settings import write_run

WORK, PAIRS, OTHERS, TWINS = "work", "pairs", "others", "twins"
PRINT_FILES = "prints"
ITEMS_A_WORKER = 8
SETTLED = {"how": "check", "version": 4}  # of what is measured: another one makes earlier rows stale


@dataclass(frozen=True)
class Other:
    """A picture that the set is held against."""

    key: str
    path: Path
    of: Path

    @property
    def sources(self) -> tuple[Path, ...]:
        """The file, as `realdeg.jobs` asks for it."""
        return (self.path,)


@dataclass(frozen=True)
class Suspect:
    """Two pictures that may be one."""

    key: str
    first: Path
    second: Path

    @property
    def sources(self) -> tuple[Path, ...]:
        """Both files, as `realdeg.jobs` asks for them."""
        return (self.first, self.second)


@dataclass(frozen=True)
class Checked:
    """What `check` ends with.

    Attributes:
        audit: of all pairs that could be looked at; None where a job did not come to its end.
        reports: of the jobs: on the pairs, on the pictures they are held against, on those that may be one.
    """

    audit: Audit | None
    reports: tuple[JobReport, ...]


def check(
    gathered: Gathered,
    out: Path,
    settings: CheckSettings,
    *,
    against: Sequence[Path] = (),
    finding: Finding = Finding(),
    inputs: Sequence[Path] = (),
    options: Mapping[str, Any] | None = None,
    running: Running = Running(),
) -> Checked:
    """Look at pairs, and write audit.csv, duplicates.csv, summary.json and lists of keys by verdict.

    Args:
        gathered: the pairs.
        out: receives the audit.
        settings: limits.
        against: datasets, or folders of pictures, that the pairs must not share pictures with.
        finding: which files of a folder are pictures.
        inputs: folders in which nothing may be written.
        options: of the command, for run.yaml.
        running: limit, workers, overwriting, when to give up, progress.

    Raises:
        UserError: a folder is unusable, or `out` cannot be used.
    """
    refuse_inside(out, *inputs, *against)
    theirs = [one for number, folder in enumerate(against, 1) for one in _others(folder, number, finding)]
    work, reports = out / WORK, []
    plain = replace(running, limit=None, only=None, on_progress=None)
    steps = (
        (partial(look_at_pair, job=work / PAIRS), gathered.items, PAIRS, running),
        (partial(look_at_picture, job=work / OTHERS), theirs, OTHERS, _workers_for(theirs, plain)),
    )
    for look_at, items, name, how in steps:
        if not items and name != PAIRS:
            continue
        given = gathered.failed if name == PAIRS else ()
        left_out = gathered.left_out if name == PAIRS else None
        reports.append(
            run_job(
                look_at, items, work / name, settings=SETTLED, given=given, left_out=left_out, running=how
            )
        )
        if _stopped(reports[-1]):
            return Checked(None, tuple(reports))
    prints = [*_prints(gathered.items, reports[0], work / PAIRS)]
    asking = len(prints)
    if theirs:
        prints += _prints(theirs, reports[1], work / OTHERS)
    near = twins.candidates([one for _, one in prints], asking)
    pictures = [picture for picture, _ in prints]
    # One file may be of several pairs, or of a set that is held against itself.
    near = [one for one in near if place(pictures[one.first].path) != place(pictures[one.second].path)]
    suspects = [_suspect(pictures[one.first], pictures[one.second]) for one in near]
    found: list[Twin] = []
    if suspects:
        once = list({one.key: one for one in suspects}.values())
        how = _workers_for(once, plain)
        reports.append(run_job(look_at_both, once, work / TWINS, settings=SETTLED, running=how))
        if _stopped(reports[-1]):
            return Checked(None, tuple(reports))
        told = {record.key: record for record in reports[-1].records if record.ok}
        for one, suspect in zip(near, suspects, strict=True):
            if suspect.key in told and told[suspect.key].detail.get("kind"):
                found.append(Twin.of(pictures[one.first], pictures[one.second], told[suspect.key].detail))
    audit = audited(gathered.items, reports[0].records, found, settings)
    audit.write(out, how=gathered.how, against=[str(folder) for folder in against], limits=asdict(settings))
    write_run(out, "realdeg check", {**(options or {}), **asdict(settings)})
    return Checked(audit, tuple(reports))


def _workers_for(items: Sequence[object], running: Running) -> Running:
    """No more processes than have some items to do: to start one takes as long as to look at several."""
    return replace(running, workers=max(1, min(running.workers, len(items) // ITEMS_A_WORKER)))


def _stopped(report: JobReport) -> bool:
    return bool(report.interrupted or report.stopped or report.unfinished)


# One pair, one picture, two pictures


def look_at_pair(item: PairItem, job: Path) -> PairRecord:
    """Everything that is looked at in a pair by itself: the work of one item."""
    lr, hr = read(item.lr), read(item.hr)
    (h, w), (big_h, big_w) = lr.size_hw, hr.size_hw
    scale = big_h // h if (big_h % h, big_w % w) == (0, 0) and big_h // h == big_w // w else 0
    record = PairRecord(
        item.key, "ok", scale=scale, scene=item.scene, split=item.split, how="check",
        source_lr=str(item.lr), source_hr=str(item.hr),
    )  # fmt: skip
    figures: dict[str, Any] = {"size": f"{w}x{h}", "hr_size": f"{big_w}x{big_h}"}
    if scale:
        valid = read_mask(item.mask, (h, w)) if item.mask else None
        figures |= pair.examine(lr.pixels, hr.pixels, scale, valid).figures
    else:
        figures["sizes"] = f"HR is {big_w}x{big_h}, no whole multiple of LR's {w}x{h}"
    return with_arrays(job, replace(record, detail=figures), PRINT_FILES, print_of(hr.pixels).arrays())


def look_at_picture(item: Other, job: Path) -> PairRecord:
    """The print of a picture that the set is held against: the work of one item."""
    record = PairRecord(item.key, "ok", how="check", source_hr=str(item.path))
    return with_arrays(job, record, PRINT_FILES, print_of(read(item.path).pixels).arrays())


def look_at_both(item: Suspect) -> PairRecord:
    """Whether two pictures are one: the work of one item."""
    found = same.compare(read(item.first).pixels, read(item.second).pixels)
    detail: dict[str, Any] = {"kind": ""}
    if found:
        detail = {**asdict(found), "share": round(found.share, 3), "correlation": round(found.correlation, 4)}
    return PairRecord(
        item.key, "ok", how="check", source_lr=str(item.first), source_hr=str(item.second), detail=detail
    )


def read_mask(path: Path, size_hw: tuple[int, int]) -> Array:
    """(h, w) uint8 mask of a pair, 0 where it is not valid.

    Raises:
        UserError: it cannot be read, or has another size than LR.
    """
    mask = to_8bit(read(path).pixels)[..., 0]
    if mask.shape != size_hw:
        problem = f"has another size than its LR {size_hw[1]}x{size_hw[0]}"
        raise UserError(path, problem, "run the job again, or remove the pair")
    return mask


# What they need


def _others(folder: Path, number: int, finding: Finding) -> list[Other]:
    """The pictures of a set: HR of a dataset of ours, all pictures of another folder."""
    if (folder / MANIFEST).is_file():
        records = [record for record in read_manifest(folder) if record.ok]
        return [Other(f"{number}/{record.key}", folder / record.hr, folder) for record in records]
    listing = look(folder, finding)
    return [Other(f"{number}/{one.key}{one.path.suffix}", one.path, folder) for one in listing.found]


def _prints(
    items: Sequence[PairItem] | Sequence[Other], report: JobReport, job: Path
) -> list[tuple[Picture, Print]]:
    """Pictures of which there is a print, in order."""
    records = {record.key: record for record in report.records if record.ok}
    found = []
    for item in items:
        if item.key in records:
            with np.load(arrays_file(job, records[item.key], PRINT_FILES)) as file:
                told = Print(file["hashes"], file["codes"], file["mirrored"], bool(file["flat"]))
            found.append((_picture(item), told))
    return found


def _picture(item: PairItem | Other) -> Picture:
    if isinstance(item, PairItem):
        return Picture(item.key, item.hr, "", item.scene, item.split)
    return Picture(item.key.partition("/")[2], item.path, str(item.of))


def _suspect(first: Picture, second: Picture) -> Suspect:
    """The item of two pictures, named by their places, so that a later run knows it."""
    text = f"{place(first.path)}\n{place(second.path)}"
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=10).hexdigest()
    return Suspect(digest, first.path, second.path)
