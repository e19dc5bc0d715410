"""Which photos a folder holds, what each is called, and which two belong together."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from realdeg.errors import UserError
from realdeg.io.raw import RAW_SUFFIXES
from realdeg.records import PairRecord

PLAIN_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
IMAGE_SUFFIXES = (*PLAIN_SUFFIXES, *RAW_SUFFIXES)


@dataclass(frozen=True)
class Found:
    """One photo: its key (relative path without suffix, "/" between folders, NFC) and its file."""

    key: str
    path: Path


@dataclass(frozen=True)
class Match:
    """The two photos of one pair."""

    key: str
    lr: Path
    hr: Path


def find_images(folder: Path) -> list[Found]:
    """All photos below `folder`, in natural order of their keys (2 before 10).

    Hidden files and folders are skipped. Links are followed only to places inside `folder`.

    Raises:
        UserError: no such folder, no images in it, or two files that would share a key.
    """
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
    found.sort(key=lambda one: (natural(one.key), one.path.name))
    _refuse_twins(found)
    return found


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
    lr = _by_key(find_images(lr_folder), lr_suffix)
    hr = _by_key(find_images(hr_folder), hr_suffix)
    matches = [Match(one.key, one.path, hr[name].path) for name, one in lr.items() if name in hr]
    if not matches:
        some = [next(iter(side.values())).path.name for side in (lr, hr) if side]
        examples = f" (e.g. {' and '.join(some)})" if some else ""
        raise UserError(
            lr_folder,
            f"no photo has a partner of the same name in {hr_folder}{examples}",
            "give the two photos of a scene the same name",
        )
    alone = f"has no partner in {hr_folder}; give both photos of a scene the same name"
    lonely = [_lonely(one, alone, "lr") for name, one in lr.items() if name not in hr]
    alone = f"has no partner in {lr_folder}; give both photos of a scene the same name"
    lonely += [_lonely(one, alone, "hr") for name, one in hr.items() if name not in lr]
    return matches, sorted(lonely, key=lambda record: natural(record.key))


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


def _by_key(found: list[Found], suffix: str) -> dict[str, Found]:
    """Photos whose key ends with the suffix, by caseless key without it."""
    ours = [one for one in found if one.key.endswith(suffix) and not one.key.endswith(f"/{suffix}")]
    stripped = [Found(one.key.removesuffix(suffix), one.path) for one in ours]
    return {one.key.casefold(): one for one in stripped if one.key}


def _lonely(one: Found, problem: str, side: str) -> PairRecord:
    return PairRecord(
        key=one.key,
        status="failed",
        reason=f"{one.path.name}: {problem}",
        source_lr=str(one.path) if side == "lr" else "",
        source_hr=str(one.path) if side == "hr" else "",
    )
