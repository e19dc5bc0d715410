"""Each image of a dataset decoded once, to a uint8 array that lies on disk and is mapped into memory.

Reading a crop from a PNG costs the inflation of the whole file, some hundred times more than copying
the crop's pixels. The cache holds what the PNGs hold and may be deleted at any time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypedDict

import numpy as np

from realdeg.atomic import whole_file, write_text
from realdeg.errors import UserError
from realdeg.identity import Reading, place, state_of
from realdeg.imaging.depth import to_8bit
from realdeg.io.arrays import Unreadable, map_npy
from realdeg.metrics.ssim import WINDOW
from realdeg.records import fingerprint
from realdeg.typed import Mistyped, read_json
from realdeg.words import counted

INDEX = "index.json"
Say = Callable[[str], None]


def cache_folder(data: Path, chosen: Path | None = None) -> Path:
    """Where the arrays of a dataset lie: `chosen`, `data/cache`, or a user folder if `data` is read-only."""
    if chosen is not None:
        return chosen
    folder = data / "cache"
    if os.access(folder if folder.is_dir() else data, os.W_OK):
        return folder
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "realdeg" / fingerprint(str(data.resolve()))


def decoded(
    paths: Sequence[Path],
    folder: Path,
    say: Say = lambda text: None,
    *,
    hashes: Sequence[str] | None = None,
) -> list[np.ndarray]:
    """The images as read-only (H, W, 3) uint8 RGB memory maps, decoding those not yet in `folder`.

    An array's name is the SHA-256 of the file it came from. `index.json` says which array was made of which
    file, so that the array of what a file held before goes.

    Args:
        paths: of the image files.
        folder: of the arrays.
        say: receives a line before anything is decoded.
        hashes: SHA-256 of the files, by whoever knows them (`realdeg.vouching`); None: found here.

    Raises:
        UserError: an image does not decode or is replaced meanwhile, or `folder` cannot be written.
    """
    if hashes is None:
        hashes = [state_of(path).sha256 for path in paths]
    # Draws of one image share its HR: each content once, or two threads would write one file.
    contents = dict(zip(hashes, paths, strict=True))
    unseen = {digest: path for digest, path in contents.items() if _map(_array(folder, digest)) is None}
    if unseen:
        say(f"decoding {counted(len(unseen), 'images')} once into {folder}")
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        list(pool.map(lambda digest: _decode(unseen[digest], digest, folder), unseen))
    before = _read_index(folder)
    index = before | {place(path): digest for path, digest in zip(paths, hashes, strict=True)}
    if index != before:
        write_text(folder / INDEX, json.dumps(index, indent=0))
        _drop(set(before.values()) - set(index.values()), folder)
    arrays = [_map(_array(folder, digest)) for digest in hashes]
    return [array for array in arrays if array is not None]


def cached(digest: str, folder: Path) -> np.ndarray | None:
    """The array of a file of that SHA-256, or None where it was not decoded into `folder`."""
    return _map(_array(folder, digest))


def as_uint8(path: Path) -> np.ndarray:
    """An image file as (H, W, 3) uint8 RGB; 16 bits are rounded to 8.

    Raises:
        UserError: it does not decode.
    """
    from realdeg.io.photo import read

    return np.ascontiguousarray(to_8bit(read(path).pixels))


def _decode(path: Path, digest: str, folder: Path) -> None:
    reading = Reading([path])
    pixels = as_uint8(path)
    if reading.states()[place(path)].sha256 != digest:
        raise UserError(path, "was replaced while it was read", "run again when it is complete")
    with whole_file(_array(folder, digest)) as temporary, temporary.open("wb") as file:
        np.save(file, pixels, allow_pickle=False)


def _array(folder: Path, digest: str) -> Path:
    return folder / f"{digest[:32]}.npy"


def _map(path: Path) -> np.ndarray | None:
    """The array, or None where it is absent, cut short, or not what this module writes."""
    try:
        array = map_npy(path)
    except (OSError, Unreadable):
        return None
    whole = array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == 3
    # np.memmap is asked for each slice's type again and again; a plain view of it is 3 times faster.
    return np.asarray(array) if whole else None


class _Older(TypedDict):
    sha256: str


def _read_index(folder: Path) -> dict[str, str]:
    """SHA-256 by file; entries of earlier versions, which also held size and date, too."""
    try:
        index: dict[str, str | _Older] = read_json(folder / INDEX, dict[str, str | _Older])
    except (OSError, Mistyped):
        return {}
    return {name: one if isinstance(one, str) else one["sha256"] for name, one in index.items()}


def _drop(stale: set[str], folder: Path) -> None:
    for digest in stale:
        _array(folder, digest).unlink(missing_ok=True)


def check_sizes(
    keys: Sequence[str], lr: Sequence[np.ndarray], hr: Sequence[np.ndarray], *, scale: int
) -> None:
    """Refuse pairs that are damaged, all at once.

    Raises:
        UserError: HR is not exactly `scale` times LR; it names the first five such pairs, and their number.
    """
    wrong = [
        (key, f"its HR is {large.shape[1]}x{large.shape[0]}, not x{scale} of its LR {w}x{h}")
        for key, small, large in zip(keys, lr, hr, strict=True)
        for h, w in [small.shape[:2]]
        if large.shape[:2] != (scale * h, scale * w)
    ]
    if len(wrong) == 1:
        remedy = "remove its row from manifest.csv or make the pair again"
        raise UserError(wrong[0][0], wrong[0][1], remedy)
    if wrong:
        problem = f"of {len(wrong)} pairs HR is not x{scale} of LR (of the first, {wrong[0][1]})"
        remedy = "remove their rows from manifest.csv or make the pairs again"
        raise UserError(first_of([key for key, _ in wrong]), problem, remedy)


def first_of(names: Sequence[str], count: int = 5) -> str:
    """The first names of a list, and that there are more: "a, b, c, d, e and 3 more"."""
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more


def large_enough(lr: Sequence[np.ndarray], patch: int) -> list[int]:
    """Which LR images hold a patch (LR px), by their places."""
    return [i for i, small in enumerate(lr) if min(small.shape[:2]) >= patch]


def check_measurable(key: str, hr: np.ndarray, shave: int) -> None:
    """Refuse an image that is smaller than the window of SSIM after shaving.

    Raises:
        UserError: names the pair.
    """
    h, w = hr.shape[:2]
    if min(h, w) - 2 * shave < WINDOW:
        problem = f"its HR is {w}x{h}, too small to measure SSIM with {shave} px shaved off"
        raise UserError(key, problem, "give it to split train, or remove its row from manifest.csv")
