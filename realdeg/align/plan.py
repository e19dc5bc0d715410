"""What `realdeg align` will do, before it does it: which datasets, of which pairs, at which scale."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from realdeg.align.coarse import MIN_INLIERS, rough
from realdeg.errors import EXIT_USAGE, UserError
from realdeg.imaging.depth import to_8bit
from realdeg.io.find import Match, NoPair
from realdeg.io.finding_settings import Finding
from realdeg.io.pairing import PairSet, pair_by_rule, pair_by_stem, refuse_same_files
from realdeg.io.pairing_hint import advice, doubt
from realdeg.io.pairing_settings import PairingSettings
from realdeg.io.photo import Photo, read
from realdeg.layout import refuse_holding, refuse_inside

PHOTOS_TO_INFER = 5
SWAPPED = 0.8  # HR shows the scene larger in any honest pair; equal photos are left to the verdicts


@dataclass(frozen=True)
class Part:
    """One dataset to be made.

    Attributes:
        out: its folder.
        lr: folders of its LR photos.
        pairs: what will be registered, and what has no partner.
        scale: HR size / LR size; None: to be inferred from the photos.
    """

    out: Path
    lr: tuple[Path, ...]
    pairs: PairSet
    scale: int | None = None


def plan(
    lr: Sequence[Path],
    hr: Path | None,
    out: Path,
    pairing: PairingSettings = PairingSettings(),
    *,
    finding: Finding = Finding(),
    scale: int | None = None,
    workers: int = 1,
    on_photo: Callable[[int, int], None] | None = None,
) -> list[Part]:
    """Pair the photos and say which datasets will be made.

    One folder of LR photos, without a scale in names or table, makes one dataset: `out` itself. Several
    folders, or a rule or table that tells scales, make one dataset a scale: `out`/x2, `out`/x4 and so on.

    Args:
        lr: folders of LR photos; may be empty where a table names all photos.
        hr: folder of HR photos; likewise.
        out: where the datasets will be.
        pairing: how photos are paired.
        finding: which files of the folders are photos.
        scale: wanted HR size / LR size; where names tell scales, only that one is made.
        workers: threads, for pairing by content.
        on_photo: for pairing by content: called with steps done and all steps.

    Raises:
        UserError: folders are missing or unusable, nothing pairs, outputs would fall among the inputs, two
            folders have one scale, or no photo has the wanted one.
    """
    way = pairing.way
    if way != "csv" and not (lr and hr):
        raise UserError(
            "`hr`" if lr else "`lr`", "is missing", "name the folder of photos", exit_code=EXIT_USAGE
        )
    refuse_inside(out, *lr, *([hr] if hr else []))
    if way == "csv":
        from realdeg.io.pairlist import read_pairs

        assert pairing.pairs is not None
        parts = [Part(out, tuple(lr), pairs, pairs.scale) for pairs in read_pairs(pairing.pairs, lr, hr)]
    else:
        assert hr is not None
        if way == "rule" and any(rule.has_scale for rule in pairing.rules):
            sets = pair_by_rule(lr, hr, pairing, finding)
            parts = [Part(out, tuple(lr), pairs, pairs.scale) for pairs in sets]
        else:
            parts = []
            for one in lr:
                try:
                    pairs = _paired(one, hr, pairing, finding, workers, on_photo)
                except NoPair as error:
                    if way != "stem":
                        raise
                    remedy = advice(one, hr, out, finding=finding, scale=scale)
                    raise NoPair(error.subject, error.problem, remedy, exit_code=error.exit_code) from None
                parts.append(Part(out, (one,), pairs, scale=None))
    parts = [replace(part, pairs=refuse_same_files(part.pairs)) for part in parts]
    parts = _one_folder_each(parts, out, scale)
    for part in parts:
        photos = (path for match in part.pairs.matches for path in (match.lr, match.hr))
        refuse_holding(part.out, photos)
    return parts


def doubts(
    parts: Sequence[Part],
    hr: Path | None,
    out: Path,
    pairing: PairingSettings = PairingSettings(),
    *,
    finding: Finding = Finding(),
    scale: int | None = None,
) -> list[str]:
    """What is implausible of a plan, a line each: folders of which few photos have a partner by their names.

    Args:
        parts: of `plan`.
        hr, out, pairing, finding, scale: as there.
    """
    said = []
    for part in parts:
        failed = part.pairs.failed
        lonely = sum(not r.source_hr for r in failed), sum(not r.source_lr for r in failed)
        if hr and pairing.way == "stem" and (line := doubt(len(part.pairs.matches), lonely)):
            way = advice(part.lr[0], hr, out, finding=finding, scale=scale)
            said.append(f"{part.lr[0]}: {line}; {way}")
    return said


def infer_scale(matches: Sequence[Match]) -> int:
    """Whole scale nearest to the median zoom of up to five pairs, spread over the folder.

    Raises:
        UserError: no pair could be registered even roughly, or HR shows the scenes smaller than LR does.
    """
    from realdeg.align.pair import nearest_scale

    places = np.unique(np.linspace(0, len(matches) - 1, PHOTOS_TO_INFER).round().astype(int))
    zooms = [zoom for place in places if (zoom := _zoom(matches[place])) is not None]
    if not zooms:
        tried = ", ".join(matches[place].key for place in places)
        raise UserError(
            tried,
            "the scale cannot be inferred: no common scene found",
            "give `scale`, and check the folders",
        )
    zoom = float(np.median(zooms))
    if zoom < SWAPPED:
        problem = f"HR photos are smaller than the LR photos (x{zoom:.2g}, as measured)"
        raise UserError(matches[0].hr.parent, problem, "swap `lr` and `hr`")
    return nearest_scale(zoom)


def _paired(
    lr: Path,
    hr: Path,
    pairing: PairingSettings,
    finding: Finding,
    workers: int,
    on_photo: Callable[[int, int], None] | None,
) -> PairSet:
    """Pairs of two folders by a way that tells no scales."""
    match pairing.way:
        case "rule":
            return pair_by_rule([lr], hr, pairing, finding)[0]
        case "time":
            from realdeg.io.shot_time import pair_by_time

            return pair_by_time(lr, hr, pairing.max_seconds, finding)
        case "content":
            from realdeg.align.content import pair_by_content

            return pair_by_content(lr, hr, finding=finding, workers=workers, on_photo=on_photo)
        case _:
            return pair_by_stem(lr, hr, pairing, finding)


def _one_folder_each(parts: list[Part], out: Path, scale: int | None) -> list[Part]:
    """Give each part its scale and its folder; parts of told scales are filtered by the wanted one."""
    told = [part for part in parts if part.scale]
    if told and scale:
        parts = [part for part in told if part.scale == scale]
        if not parts:
            there = ", ".join(f"x{part.scale}" for part in told)
            raise UserError("`scale`", f"x{scale} is not there, only {there}", exit_code=EXIT_USAGE)
    elif not told and len(parts) == 1:
        return [replace(parts[0], scale=scale)]
    elif not told:
        if scale:
            problem = f"{scale} cannot hold for {len(parts)} folders in `lr`"
            raise UserError("`scale`", problem, "drop it, or give one `lr`", exit_code=EXIT_USAGE)
        parts = [replace(part, scale=infer_scale(_some(part))) for part in parts]
    first: dict[int | None, Part] = {}
    for part in parts:
        twin = first.setdefault(part.scale, part)
        if twin is not part:
            problem = f"has the scale of {twin.lr[0]}, x{part.scale}"
            raise UserError(part.lr[0], problem, "make two runs, with an output folder for each")
    return sorted((replace(part, out=out / f"x{part.scale}") for part in parts), key=lambda p: p.scale or 0)


def _some(part: Part) -> tuple[Match, ...]:
    """The part's pairs, of which there must be one to infer a scale from."""
    if not part.pairs.matches:
        raise UserError(part.lr[0], "holds no pair", part.pairs.failed[0].reason)
    return part.pairs.matches


def _zoom(match: Match) -> float | None:
    """HR px per LR px at the centre of LR, from a rough registration; None where there is none."""
    try:
        lr, hr = read(match.lr), read(match.hr)
    except UserError:
        return None
    small, large = _grey(lr), _grey(hr)
    start = rough(small, large)
    if start.inliers >= MIN_INLIERS:
        return start.hr_from_lr.zoom_at((small.shape[1] / 2, small.shape[0] / 2))
    start = rough(large, small)  # the other way round: swapped folders at a large zoom
    if start.inliers >= MIN_INLIERS:
        return 1 / start.hr_from_lr.zoom_at((large.shape[1] / 2, large.shape[0] / 2))
    return None


def _grey(photo: Photo) -> npt.NDArray[np.uint8]:
    grey = cv2.cvtColor(photo.pixels, cv2.COLOR_RGB2GRAY)
    return to_8bit(grey)
