"""Which photos a folder holds, what each is called, and which two have the same name."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from realdeg.errors import UserError
from realdeg.io.raw import RAW_SUFFIXES
from realdeg.records import PairRecord

PLAIN_SUFFIXES = (
    *(".avif", ".bmp", ".heic", ".heif", ".hif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"),
)
IMAGE_SUFFIXES = (*PLAIN_SUFFIXES, *RAW_SUFFIXES)
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


def find_images(folder: Path) -> list[Found]:
    """All photos below `folder`, in natural order of their keys (2 before 10).

    Hidden files and folders are skipped. Links are followed only to places inside `folder`.

    Raises:
        UserError: no such folder, no images in it, or two files that would share a key.
    """
    found = find_all(folder)
    _refuse_twins(found)
    return found


def find_all(folder: Path) -> list[Found]:
    """As `find_images`, but files that share a key (IMG_1.CR2, IMG_1.JPG) are the caller's to judge."""
    folder = Path(folder)
    if not folder.exists():
        raise UserError(folder, "does not exist", "check the path")
    if not folder.is_dir():
        raise UserError(folder, "is not a folder", "name the folder that holds the photos")
    outside: list[Path] = []
    paths = list(_walk(folder, folder.resolve(), (folder.resolve(),), outside))
    if not paths:
        remedy = f"formats read: {', '.join(s[1:] for s in PLAIN_SUFFIXES)} and camera RAW"
        if outside:
            remedy = (
                f"{len(outside)} links lead outside the folder and are not followed, e.g. {outside[0].name}"
            )
        raise UserError(folder, "holds no images", remedy)
    found = [Found(_key(path, folder), path) for path in paths]
    return sorted(found, key=lambda one: (natural(one.key), one.path.name))


def match_stems(
    lr_folder: Path, hr_folder: Path, *, lr_suffix: str = "", hr_suffix: str = ""
) -> tuple[list[Match], list[PairRecord]]:
    """Pair the photos of two folders by key, whatever their formats; letter case is ignored.

    Args:
        lr_folder: photos of the short focal length.
        hr_folder: photos of the same scenes; may be the same folder when both suffixes are given.
        lr_suffix: text that ends every LR stem and is no part of the key, e.g. "L" for 001L.png; photos
            whose stem ends otherwise are not meant and left out.
        hr_suffix: the same for HR, e.g. "_HR".

    Returns:
        The pairs in natural order, and a failed record for each photo without a partner.

    Raises:
        UserError: a folder is unusable, or not a single pair was found.
    """
    shared = Path(lr_folder).resolve() == Path(hr_folder).resolve()
    if shared and lr_suffix == hr_suffix:
        raise UserError(
            lr_folder, "LR and HR are the same folder", "give two folders, or two different suffixes"
        )
    lr = _without(find_all(lr_folder), lr_suffix)
    hr = _without(find_all(hr_folder), hr_suffix)
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
    lrs, hrs = _by_key(lr), _by_key(hr)
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
    return UserError(places[0], f"no photo has a partner of the same name in {places[1]}{examples}", remedy)


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
    return PairRecord(side[0].key, "failed", f"{side[0].key}: {problem}")


def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key under which img2 comes before img10, the same on every system."""
    parts = re.findall(r"([0-9]+)|([^0-9]+)", text)
    return tuple(
        (0, int(number), number) if number else (1, 0, word.casefold() + word) for number, word in parts
    )


def _walk(folder: Path, root: Path, above: tuple[Path, ...], outside: list[Path]) -> Iterator[Path]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise UserError(folder, f"cannot be read ({error.strerror})", "check its permissions") from None
    for entry in entries:
        path = folder / entry.name
        if entry.name.startswith("."):
            continue
        if entry.is_symlink():
            target = Path(os.path.realpath(path))
            if not target.is_relative_to(root):
                outside.append(path)
                continue
            if target in above:
                continue  # a loop
        if entry.is_dir():
            yield from _walk(path, root, (*above, Path(os.path.realpath(path))), outside)
        elif path.suffix.lower() in IMAGE_SUFFIXES and entry.is_file():
            yield path


def _key(path: Path, folder: Path) -> str:
    return unicodedata.normalize("NFC", path.relative_to(folder).with_suffix("").as_posix())


def _refuse_twins(found: list[Found]) -> None:
    """Outputs are named by key, and many file systems ignore case: two such photos cannot both be kept."""
    seen: dict[str, Found] = {}
    for one in found:
        twin = seen.setdefault(one.key.casefold(), one)
        if twin is not one:
            raise UserError(one.path, f"has the same name as {twin.path}", "rename or remove one of them")


def _by_key(found: Sequence[Found]) -> dict[str, list[Found]]:
    """Photos by caseless key, in their order."""
    groups: dict[str, list[Found]] = {}
    for one in found:
        groups.setdefault(one.key.casefold(), []).append(one)
    return groups


def _without(found: list[Found], suffix: str) -> list[Found]:
    """Photos whose key ends with the suffix, by their key without it."""
    ours = [one for one in found if one.key.endswith(suffix) and not one.key.endswith(f"/{suffix}")]
    stripped = [Found(one.key.removesuffix(suffix), one.path) for one in ours]
    return [one for one in stripped if one.key]
