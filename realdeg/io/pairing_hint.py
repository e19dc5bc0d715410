"""What to try where names do not tell which photos belong together: two cameras name files differently."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from realdeg.errors import UserError
from realdeg.io.find import Found, Listing, look
from realdeg.io.finding_settings import Finding
from realdeg.io.pairing_settings import PairingSettings
from realdeg.io.rule import NAMINGS, Rule
from realdeg.words import command_line

LONGEST = 12  # characters of a suffix
USUAL = 0.5  # share of a side's photos that end alike, and of the pairs that a guess has to find
CHEAP = 2000  # photos whose times are read: a header each, a second or two in all
SETTLED = (
    0.5  # share of the pairs there could be: with more of them, photos that are left over are just alone
)


@dataclass(frozen=True)
class Guess:
    """Another way of pairing, and how many pairs it would find.

    Attributes:
        options: of `realdeg align`.
        pairs: that it would find.
    """

    options: tuple[str, ...]
    pairs: int


def advice(lr: Path, hr: Path, out: Path, *, finding: Finding = Finding(), scale: int | None = None) -> str:
    """The command that pairs two folders whose names do not match, with the number of pairs it would find.

    Args:
        lr, hr: folders of photos.
        out: that the user has named.
        finding: which files are photos.
        scale: that the user has named.

    Returns:
        E.g. "12 of 40 would match with: realdeg align --lr A --hr B --pair-by time -o OUT; ..."; the way
        by content is always named, without a number: it takes looking at every photo.

    Raises:
        UserError: a folder is unusable.
    """
    of_lr, of_hr = look(lr, finding), look(hr, finding)
    most = min(len(of_lr.found), len(of_hr.found))
    told: list[str | os.PathLike[str]] = ["--scale", str(scale)] if scale else []

    def command(*options: str) -> str:
        return command_line("realdeg", "align", "--lr", lr, "--hr", hr, *options, *told, "-o", out)

    guess = best(of_lr, of_hr, finding)
    content = command("--pair-by", "content")
    if guess is None:
        return f"compare them by content: {content}"
    guessed = f"{guess.pairs} of {most} would match with: {command(*guess.options)}"
    if guess.pairs < USUAL * most:
        return f"compare them by content: {content}; {guessed}"
    return f"{guessed}; or compare them by content: {content}"


def adopted(lr: Path, hr: Path, out: Path, *, finding: Finding = Finding()) -> str:
    """As `advice`, for pairs that are registered already, whose names differ in nothing but their ends.

    Args:
        lr, hr, out, finding: as in `advice`.

    Returns:
        "" where no ends make names equal.
    """
    of_lr, of_hr = look(lr, finding), look(hr, finding)
    guess = _suffixes(of_lr.found, of_hr.found)
    if guess is None:
        return ""
    line = command_line("realdeg", "adopt", "--lr", lr, "--hr", hr, *guess.options, "-o", out)
    return f"{guess.pairs} of {min(len(of_lr.found), len(of_hr.found))} would match with: {line}"


def best(lr: Listing, hr: Listing, finding: Finding = Finding()) -> Guess | None:
    """The guess with the most pairs, the plainest of equal ones; None where none finds half of them.

    Capture times are looked at last, since files have to be opened for them, and only of `CHEAP` photos.
    """
    most = min(len(lr.found), len(hr.found))
    by_name = [one for one in (_suffixes(lr.found, hr.found), *_namings(lr.found, hr.found)) if one]
    found = max(by_name, key=lambda one: one.pairs, default=None)
    if found and found.pairs >= max(USUAL * most, min(2, most)):
        return found
    return _times(lr, hr, finding)


def doubt(found: int, lonely: tuple[int, int]) -> str:
    """What to say where few photos found a partner by their names; "" where half of those that could did.

    Args:
        found: pairs.
        lonely: LR photos and HR photos without a partner.
    """
    most = found + min(lonely)
    return "" if found >= SETTLED * most else f"only {found} of {most} photos found a partner by name"


def _suffixes(lr: Sequence[Found], hr: Sequence[Found]) -> Guess | None:
    """Ends of names without which most of them are equal."""
    keys = [{one.key.casefold() for one in side} for side in (lr, hr)]
    guesses: list[tuple[int, bool, int, Guess]] = []
    for mine in _endings(lr):
        for theirs in _endings(hr):
            stems = [
                {key.removesuffix(end.casefold()) for key in side if key.endswith(end.casefold())} - {""}
                for side, end in zip(keys, (mine, theirs), strict=True)
            ]
            common = stems[0] & stems[1]
            split = any(s[-1].isdigit() and (mine[:1].isdigit() or theirs[:1].isdigit()) for s in common)
            if common and (mine or theirs) and not split:  # a number is the name of a photo, whole
                options = [f"--{side}-suffix={end}" for side, end in (("lr", mine), ("hr", theirs)) if end]
                # 001_LR4 is 001 and _LR4, not 001_ and LR4.
                whole = all(stem[-1].isalnum() for stem in common)
                guess = Guess(tuple(options), len(common))
                guesses.append((len(common), whole, -len(mine) - len(theirs), guess))
    return max(guesses, key=lambda one: one[:3], default=(0, True, 0, None))[-1]


def _endings(photos: Sequence[Found]) -> list[str]:
    """No end, and those that at least half of the names have; digits alone are numbers of photos."""
    found = [""]
    for length in range(1, LONGEST + 1):
        ends = Counter(one.key[-length:] for one in photos if len(one.key) > length)
        end, count = max(ends.items(), key=lambda item: item[1], default=("", 0))
        if count < USUAL * len(photos):
            break
        if not end.isdigit() and "/" not in end:
            found.append(end)
    return found


def _namings(lr: Sequence[Found], hr: Sequence[Found]) -> list[Guess]:
    """Names of published sets."""
    guesses = []
    for name, rules in NAMINGS.items():
        keys = [
            {told[0].casefold() for one in side if (told := Rule(rule).parse(one.key))}
            for side, rule in zip((lr, hr), rules, strict=True)
        ]
        if pairs := len(keys[0] & keys[1]):
            guesses.append(Guess(("--naming", name), pairs))
    return guesses


def _times(lr: Listing, hr: Listing, finding: Finding) -> Guess | None:
    """Capture times."""
    from realdeg.io.shot_time import pair_by_time

    if len(lr.found) + len(hr.found) > CHEAP:
        return None
    try:
        pairs = pair_by_time(lr.folder, hr.folder, PairingSettings.max_seconds, finding)
    except UserError:
        return None
    return Guess(("--pair-by", "time"), len(pairs.matches))
