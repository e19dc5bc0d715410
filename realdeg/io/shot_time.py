"""Pairing by the time at which photos were taken."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from realdeg.errors import UserError
from realdeg.io.exif import seconds_apart
from realdeg.io.find import Found, Match, Side, lonely, look, natural
from realdeg.io.finding_settings import Finding
from realdeg.io.pairing import PairSet, left_out_of, refuse_same_folder
from realdeg.io.photo import read_taken
from realdeg.records import PairRecord

TIE_SECONDS = 1e-3


def pair_by_time(lr: Path, hr: Path, max_seconds: float, finding: Finding = Finding()) -> PairSet:
    """Pairs of photos that are each other's nearest in capture time; their key is HR's.

    A photo is left without partner, in a failed record, where its file tells no time, where no photo of
    the other side was taken within `max_seconds`, where two are equally near, or where its nearest is
    nearer to another one. Photos of one folder that share a name fail too.

    Raises:
        UserError: a folder is unusable, both are the same, or not a single pair was found.
    """
    refuse_same_folder(lr, hr)
    of_lr, of_hr = look(lr, finding), look(hr, finding)
    failed = [*of_lr.refused("lr"), *of_hr.refused("hr")]
    lrs, failed_lr = _timed(of_lr.single, "lr")
    hrs, failed_hr = _timed(of_hr.single, "hr")
    failed += [*failed_lr, *failed_hr]
    matches = []
    sides: tuple[tuple[list[_Timed], list[_Timed], Side], ...] = ((lrs, hrs, "lr"), (hrs, lrs, "hr"))
    for ours, theirs, side in sides:
        for one in ours:
            near = _nearest(one, theirs, max_seconds)
            back = _nearest(near[0], ours, max_seconds) if len(near) == 1 else []
            if back != [one]:
                failed.append(lonely(one.photo, _why(one, near, back, theirs, max_seconds), side))
            elif side == "lr":
                matches.append(Match(near[0].photo.key, one.photo.path, near[0].photo.path))
    if not matches:
        raise UserError(lr, f"no photo was taken with one of {hr}", failed[0].reason)
    matches.sort(key=lambda match: natural(match.key))
    return PairSet(tuple(matches), tuple(failed), left_out_of=left_out_of(of_lr, of_hr))


@dataclass(frozen=True)
class _Timed:
    photo: Found
    taken: datetime


def _timed(photos: Sequence[Found], side: Side) -> tuple[list[_Timed], list[PairRecord]]:
    """Photos whose capture time is known, and failed records for the others."""
    timed, failed = [], []
    for one in photos:
        try:
            taken = read_taken(one.path)
        except UserError as error:
            failed.append(replace(lonely(one, "", side), reason=str(error)))
            continue
        if taken:
            timed.append(_Timed(one, taken))
        else:
            problem = "does not tell when it was taken (no EXIF time); pair it by name or by a table"
            failed.append(lonely(one, problem, side))
    return timed, failed


def _nearest(one: _Timed, others: Sequence[_Timed], limit: float) -> list[_Timed]:
    """The photo taken nearest to `one`, and those that are equally near; none beyond `limit` seconds."""
    apart = [seconds_apart(one.taken, other.taken) for other in others]
    least = min(apart, default=math.inf)
    return [o for o, s in zip(others, apart, strict=True) if s <= limit and s - least < TIE_SECONDS]


def _why(one: _Timed, near: list[_Timed], back: list[_Timed], others: Sequence[_Timed], limit: float) -> str:
    """Why a photo has no partner."""
    if len(near) > 1:
        names = " and ".join(other.photo.path.name for other in near[:2])
        return f"{names} were taken equally near to it; pair them by a table"
    if near:
        rival = next(other for other in back if other is not one)
        verb = "equally near" if one in back else "nearer"
        name = near[0].photo.path.name
        return f"its nearest, {name}, was taken {verb} to {rival.photo.path.name}; pair them by a table"
    closest = min(others, key=lambda other: seconds_apart(one.taken, other.taken), default=None)
    problem = f"nothing was taken within {limit:g} s of it"
    if closest:
        seconds = seconds_apart(one.taken, closest.taken)
        problem += f" (nearest: {closest.photo.path.name}, {seconds:.1f} s)"
    return f"{problem}; check the cameras' clocks, or raise `max_seconds`"
