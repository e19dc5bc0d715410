"""Which photos a folder holds, what each is called, which have one name, and what was left out."""

from __future__ import annotations

import errno
import os
import re
import stat
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from realdeg.errors import UserError
from realdeg.io import left_out as why
from realdeg.io.finding_settings import KINDS, Finding
from realdeg.io.raw import RAW_SUFFIXES
from realdeg.names import caseless
from realdeg.records import PairRecord

SUFFIXES = {
    "raw": RAW_SUFFIXES,
    "jpeg": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),  # MPO: its first picture
    "heif": (".heic", ".heif", ".hif"),
    "png": (".png", ".apng"),  # APNG: its first picture
    "tiff": (".tif", ".tiff"),
    "webp": (".webp",),
    "avif": (".avif",),
    "bmp": (".bmp",),
}
"""Of each of `KINDS`."""
PLAIN_SUFFIXES = tuple(sorted(s for kind in KINDS if kind != "raw" for s in SUFFIXES[kind]))
IMAGE_SUFFIXES = (*PLAIN_SUFFIXES, *RAW_SUFFIXES)
UNREAD_SUFFIXES = (
    *(
        ".dds",
        ".emf",
        ".eps",
        ".exr",
        ".gif",
        ".hdr",
        ".heics",
        ".ico",
        ".j2c",
        ".j2k",
        ".jls",
        ".jp2",
        ".jpf",
    ),
    *(".jpx", ".jxl", ".jxr", ".pbm", ".pcx", ".pfm", ".pgm", ".pnm", ".ppm", ".psb", ".psd", ".ras", ".svg"),
    *(".svgz", ".tga", ".wdp", ".xcf"),
)
"""Of pictures that are not read; they are counted."""
Side = Literal["lr", "hr"]
SAME_NAME = "give both photos of a scene the same name"


@dataclass(frozen=True)
class Found:
    """One photo: its key (relative path without suffix, "/" between folders, NFC) and its file."""

    key: str
    path: Path

    @property
    def sources(self) -> tuple[Path, ...]:
        """The file, as `realdeg.jobs` asks for it."""
        return (self.path,)


@dataclass(frozen=True)
class Match:
    """The two photos of one pair, and the scene they show where that is known; else each is its own."""

    key: str
    lr: Path
    hr: Path
    scene: str = ""

    @property
    def sources(self) -> tuple[Path, ...]:
        """Both files, as `realdeg.jobs` asks for them."""
        return (self.lr, self.hr)


@dataclass(frozen=True)
class Listing:
    """What a folder holds.

    Attributes:
        folder: that was looked at.
        found: its photos in natural order of their keys, without those that a preference left out.
        left_out: inputs that were not taken, by why (`realdeg.io.left_out`): how many.
        examples: one of each.
    """

    folder: Path
    found: tuple[Found, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    examples: Mapping[str, Path] = field(default_factory=dict)

    @property
    def single(self) -> list[Found]:
        """Photos whose name is their own."""
        return [group[0] for group in by_key(self.found).values() if len(group) == 1]

    @property
    def twins(self) -> list[list[Found]]:
        """Photos that share a key, letter case ignored: outputs are named by it."""
        return [group for group in by_key(self.found).values() if len(group) > 1]

    def refused(self, side: Side) -> list[PairRecord]:
        """A failed record for each twin; its key has the suffix, as others have the same one."""
        return [twin_record(one, group, side) for group in self.twins for one in group]


def look(folder: Path, finding: Finding = Finding()) -> Listing:
    """What `folder` holds at any depth: its photos, and how much was left out and why.

    Hidden files and folders are skipped. Links are followed to places inside `folder`, and outside where
    `finding` says so, but never into a folder that they lie in. Of photos that share a key, one of the
    preferred kind is taken if it is the only one of that kind; else all of them are in the listing.

    Raises:
        UserError: no such folder, a folder that cannot be read, or no images in it.
    """
    folder = Path(folder)
    if not folder.exists():
        raise UserError(folder, "does not exist", "check the path")
    if not folder.is_dir():
        raise UserError(folder, "is not a folder", "name the folder that holds the photos")
    walk = _Walk(folder.resolve(), finding.follow_links)
    paths = list(walk.below(folder, frozenset([_place(os.stat(folder))])))
    if not paths:
        raise UserError(folder, "holds no images", walk.remedy())
    found = [Found(_key(path, folder), path) for path in paths]
    found.sort(key=lambda one: (natural(one.key), one.path.name))
    if finding.prefer:
        chosen: list[Found] = []
        for group in by_key(found).values():
            kept = preferred(group, finding.prefer)
            chosen += kept
            for one in group if len(kept) < len(group) else ():
                if one is not kept[0]:
                    walk.leave(why.OTHER_KIND, one.path)
        found = sorted(chosen, key=lambda one: (natural(one.key), one.path.name))
    return Listing(folder, tuple(found), dict(walk.counts), walk.examples)


def preferred(twins: Sequence[Found], kind: str) -> Sequence[Found]:
    """The one of `kind` among photos of one name; all of them where it is not there, or not the only one."""
    ours = [one for one in twins if kind_of(one.path) == kind]
    return ours if len(ours) == 1 else twins


def kind_of(path: Path) -> str:
    """Kind of a photo, of `KINDS`, by its suffix; "" of another."""
    suffix = path.suffix.lower()
    return next((kind for kind, suffixes in SUFFIXES.items() if suffix in suffixes), "")


def find_images(folder: Path, finding: Finding = Finding()) -> list[Found]:
    """All photos below `folder`, in natural order of their keys (2 before 10); see `look`.

    Raises:
        UserError: no such folder, no images in it, or two files that would share a key.
    """
    listing = look(folder, finding)
    for first, twin, *_ in listing.twins:
        remedy = f"rename or remove one of them{_or_prefer([first, twin])}"
        raise UserError(twin.path, f"has the same name as {first.path}", remedy)
    return list(listing.found)


def find_all(folder: Path, finding: Finding = Finding()) -> list[Found]:
    """As `find_images`, but files that share a key (IMG_1.CR2, IMG_1.JPG) are the caller's to judge."""
    return list(look(folder, finding).found)


def twin_problem(one: Found, group: Sequence[Found]) -> UserError:
    """Why a photo that shares its name with others is not taken, as it would be said of its file."""
    others = " and ".join(other.path.name for other in group if other is not one)
    problem = f"has the same name as {others}, so both would be {one.key}.png"
    return UserError(named(str(one.path)), problem, f"rename one{_or_prefer(group)}")


def twin_record(one: Found, group: Sequence[Found], side: Side) -> PairRecord:
    """The failed record of a photo that shares its name with others."""
    return refused(one, twin_problem(one, group), side)


def refused(one: Found, problem: UserError, side: Side) -> PairRecord:
    """A failed record of a photo that is not read; its key has the suffix, as others may have its key."""
    key, path = (named(text) for text in (f"{one.key}{one.path.suffix}", str(one.path)))
    lr, hr = (path, "") if side == "lr" else ("", path)
    return PairRecord(key, "failed", str(problem), source_lr=lr, source_hr=hr)


def named(name: str) -> str:
    r"""A file's name with bytes that are not UTF-8 as \xNN; Python hands these out as lone surrogates."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _or_prefer(twins: Sequence[Found]) -> str:
    """The remedy of twins of which one is alone of its kind."""
    kinds = Counter(kind_of(one.path) for one in twins)
    alone = [kind for kind in KINDS if kinds[kind] == 1]
    return f", or choose by `prefer` {' or '.join(alone)}" if alone and len(kinds) > 1 else ""


def match_stems(
    lr_folder: Path,
    hr_folder: Path,
    *,
    lr_suffix: str = "",
    hr_suffix: str = "",
    finding: Finding = Finding(),
) -> tuple[list[Match], list[PairRecord]]:
    """Pair the photos of two folders by key, whatever their formats; letter case is ignored.

    Args:
        lr_folder: photos of the short focal length.
        hr_folder: photos of the same scenes; may be the same folder when both suffixes are given.
        lr_suffix: text that ends every LR stem and is no part of the key, e.g. "L" for 001L.png; photos
            whose stem ends otherwise are not meant and left out.
        hr_suffix: the same for HR, e.g. "_HR".
        finding: which files are photos.

    Returns:
        The pairs in natural order, and a failed record for each photo without a partner.

    Raises:
        UserError: a folder is unusable, or not a single pair was found.
    """
    refuse_same_names(lr_folder, hr_folder, lr_suffix, hr_suffix)
    return match_listed(look(lr_folder, finding), look(hr_folder, finding), lr_suffix, hr_suffix)


def refuse_same_names(lr_folder: Path, hr_folder: Path, lr_suffix: str, hr_suffix: str) -> None:
    """Stop where stems cannot tell LR from HR.

    Raises:
        UserError: one folder, and no suffix or the same one.
    """
    if Path(lr_folder).resolve() == Path(hr_folder).resolve() and lr_suffix == hr_suffix:
        raise UserError(
            lr_folder, "LR and HR are the same folder", "give two folders, or two different suffixes"
        )


def match_listed(
    of_lr: Listing, of_hr: Listing, lr_suffix: str = "", hr_suffix: str = ""
) -> tuple[list[Match], list[PairRecord]]:
    """As `match_stems`, of folders that were looked at."""
    lr_folder, hr_folder = of_lr.folder, of_hr.folder
    lr, hr = _without(of_lr.found, lr_suffix), _without(of_hr.found, hr_suffix)
    matches, failed = match_keys(lr, hr, lr_place=lr_folder, hr_place=hr_folder)
    if not matches:
        raise no_pair((lr, hr), (lr_folder, hr_folder), failed)
    return matches, failed


def match_keys(
    lr: Sequence[Found], hr: Sequence[Found], *, lr_place: object, hr_place: object, remedy: str = SAME_NAME
) -> tuple[list[Match], list[PairRecord]]:
    """Pair photos of equal key, letter case ignored.

    Args:
        lr: LR photos, in natural order.
        hr: HR photos.
        lr_place: where LR photos were looked for, as messages name it.
        hr_place: likewise for HR.
        remedy: what to do about a photo without partner.

    Returns:
        The pairs in LR's order; a failed record for each photo without a partner, and one for each key
        that has several photos on a side: which of them is meant cannot be known.
    """
    lrs, hrs = by_key(lr), by_key(hr)
    matches, failed = [], []
    for key, ours in lrs.items():
        theirs = hrs.get(key, [])
        if not theirs:
            failed += [lonely(one, f"has no partner in {hr_place}; {remedy}", "lr") for one in ours]
        elif len(ours) == len(theirs) == 1:
            matches.append(Match(ours[0].key, ours[0].path, theirs[0].path))
        else:
            failed.append(ambiguous(ours, theirs))
    for key, theirs in hrs.items():
        if key not in lrs:
            failed += [lonely(one, f"has no partner in {lr_place}; {remedy}", "hr") for one in theirs]
    return matches, sorted(failed, key=lambda record: natural(record.key))


class NoPair(UserError):
    """Not a single pair came of two folders since names do not match."""


def no_pair(
    photos: tuple[Sequence[Found], Sequence[Found]],
    places: tuple[Path, Path],
    failed: Sequence[PairRecord],
    remedy: str = "give the two photos of a scene the same name",
) -> UserError:
    """The error for LR and HR photos of which not a single pair came, with the records that say why."""
    unclear = [record.reason for record in failed if not (record.source_lr or record.source_hr)]
    if unclear:
        return UserError(places[0], "no photo has a single partner", unclear[0])
    some = [side[0].path.name for side in photos if side]
    examples = f" (e.g. {' and '.join(some)})" if some else ""
    return NoPair(places[0], f"no photo has a partner of the same name in {places[1]}{examples}", remedy)


def lonely(one: Found, problem: str, side: Side) -> PairRecord:
    """A failed record for a photo that found no partner."""
    return PairRecord(
        key=one.key,
        status="failed",
        reason=f"{one.path.name}: {problem}",
        source_lr=str(one.path) if side == "lr" else "",
        source_hr=str(one.path) if side == "hr" else "",
    )


def ambiguous(lr: Sequence[Found], hr: Sequence[Found]) -> PairRecord:
    """A failed record for photos of one name, of which more than one could be LR or HR of the pair."""
    side = lr if len(lr) > 1 else hr
    kind = "LR" if side is lr else "HR"
    unique = len({one.path.name for one in side}) == len(side)
    names = " and ".join(one.path.name if unique else str(one.path) for one in side[:3])
    names += " and more" if len(side) > 3 else ""
    problem = f"is ambiguous: {names} could each be its {kind} photo; rename or remove all but one"
    problem += _or_prefer(side)
    return PairRecord(side[0].key, "failed", f"{side[0].key}: {problem}")


def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key under which img2 comes before img10, the same on every system."""
    parts = re.findall(r"([0-9]+)|([^0-9]+)", text)
    return tuple(
        (0, int(number), number) if number else (1, 0, word.casefold() + word) for number, word in parts
    )


class _Walk:
    """One walk through a folder: it gives photos and counts what else it meets."""

    def __init__(self, root: Path, follow: bool) -> None:
        self.root = root
        self.follow = follow
        self.counts: Counter[str] = Counter()
        self.examples: dict[str, Path] = {}

    def leave(self, reason: str, path: Path) -> None:
        """Count a file that is not taken."""
        self.counts[reason] += 1
        self.examples.setdefault(reason, path)

    def below(self, folder: Path, above: frozenset[tuple[int, int]]) -> Iterator[Path]:
        """Photos below `folder`, whose own place and those of the folders over it are `above`."""
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            raise UserError(folder, f"cannot be read ({error.strerror})", "check its permissions") from None
        for entry in entries:
            path = folder / entry.name
            if entry.name.startswith("."):
                continue
            suffix = path.suffix.lower()
            if entry.is_symlink() and self._stays_out(path, suffix):
                continue
            if entry.is_dir():
                there = _place(os.stat(path))
                if there in above:
                    self.leave(why.BACK, path)
                else:
                    yield from self.below(path, above | {there})
            elif entry.is_file():
                if suffix in IMAGE_SUFFIXES:
                    yield path
                elif suffix in UNREAD_SUFFIXES:
                    self.leave(suffix, path)
            else:
                self._special(path)

    def _stays_out(self, path: Path, suffix: str) -> bool:
        """Whether a link is not followed."""
        try:
            mode = os.stat(path).st_mode
        except OSError as error:
            self.leave(why.BACK if error.errno == errno.ELOOP else why.DANGLING, path)
            return True
        if self.follow or Path(os.path.realpath(path)).is_relative_to(self.root):
            return False
        if not stat.S_ISREG(mode) or suffix in (*IMAGE_SUFFIXES, *UNREAD_SUFFIXES):
            self.leave(why.OUTSIDE, path)
        return True

    def _special(self, path: Path) -> None:
        try:
            mode = os.stat(path).st_mode
        except OSError:
            return  # gone since the folder was read
        kind = why.PIPE if stat.S_ISFIFO(mode) else why.SOCKET if stat.S_ISSOCK(mode) else why.DEVICE
        self.leave(kind, path)

    def remedy(self) -> str:
        """What to do about a folder without photos."""
        if self.counts[why.OUTSIDE]:
            links = f"{self.counts[why.OUTSIDE]} links lead outside the folder and are not followed"
            return f"{links}, e.g. {self.examples[why.OUTSIDE].name}; give `follow_links` to follow them"
        formats = f"formats read: {', '.join(s[1:] for s in PLAIN_SUFFIXES)} and camera RAW"
        return f"{formats}; {why.in_words(self.counts)}" if self.counts else formats


def _place(status: os.stat_result) -> tuple[int, int]:
    """What tells a folder from every other one, by whatever path it is reached."""
    return status.st_dev, status.st_ino


def _key(path: Path, folder: Path) -> str:
    return unicodedata.normalize("NFC", path.relative_to(folder).with_suffix("").as_posix())


def by_key(found: Sequence[Found]) -> dict[str, list[Found]]:
    """Photos by caseless key, in their order."""
    groups: dict[str, list[Found]] = {}
    for one in found:
        groups.setdefault(caseless(one.key), []).append(one)
    return groups


def _without(found: Sequence[Found], suffix: str) -> list[Found]:
    """Photos whose key ends with the suffix, by their key without it."""
    ours = [one for one in found if one.key.endswith(suffix) and not one.key.endswith(f"/{suffix}")]
    stripped = [Found(one.key.removesuffix(suffix), one.path) for one in ours]
    return [one for one in stripped if one.key]
