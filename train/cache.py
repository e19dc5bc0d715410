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
from typing import Any

import numpy as np

from realdeg.atomic import whole_file, write_text
from realdeg.errors import UserError
from realdeg.identity import file_hash
from realdeg.records import fingerprint

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


def decoded(paths: Sequence[Path], folder: Path, say: Say = lambda text: None) -> list[np.ndarray]:
    """The images as read-only (H, W, 3) uint8 RGB memory maps, decoding those not yet in `folder`.

    An array's name is the SHA-256 of the file it came from. `index.json` remembers size, modification
    time and hash of each file, so that an unchanged file is not hashed again and a changed one is redone.

    Raises:
        UserError: an image does not decode, or `folder` cannot be written.
    """
    index = _read_index(folder)
    before = {name: dict(entry) for name, entry in index.items()}
    unseen = [path for path in paths if not _known(path, folder, index)]
    if unseen:
        say(f"decoding {len(unseen)} images once into {folder}")

    def entry(path: Path) -> dict[str, Any]:
        stat = path.stat()
        return {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "sha256": file_hash(path)}

    def enter(digest: str, path: Path) -> None:
        if _map(_array(folder, digest)) is None:
            _decode(path, _array(folder, digest))

    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        entries = dict(zip(unseen, pool.map(entry, unseen), strict=True))
        # Draws of one image share its HR: each content once, or two threads would write one file.
        contents = {entry["sha256"]: path for path, entry in entries.items()}
        list(pool.map(enter, contents, contents.values()))
    index |= {str(path.resolve()): entry for path, entry in entries.items()}
    if unseen:
        write_text(folder / INDEX, json.dumps(index, indent=0))
        _drop({entry["sha256"] for entry in before.values()} - {e["sha256"] for e in index.values()}, folder)
    arrays = [_map(_array(folder, index[str(path.resolve())]["sha256"])) for path in paths]
    return [array for array in arrays if array is not None]


def as_uint8(path: Path) -> np.ndarray:
    """An image file as (H, W, 3) uint8 RGB; 16 bits are rounded to 8.

    Raises:
        UserError: it does not decode.
    """
    from realdeg.io.photo import read

    pixels: np.ndarray = read(path).pixels
    if pixels.dtype == np.uint16:
        pixels = ((pixels.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    return np.ascontiguousarray(pixels)


def _decode(path: Path, target: Path) -> None:
    pixels = as_uint8(path)
    with whole_file(target) as temporary, temporary.open("wb") as file:
        np.save(file, pixels, allow_pickle=False)


def _known(path: Path, folder: Path, index: dict[str, dict[str, Any]]) -> bool:
    entry = index.get(str(path.resolve()))
    if entry is None:
        return False
    stat = path.stat()
    same = entry["size"] == stat.st_size and entry["mtime_ns"] == stat.st_mtime_ns
    return same and _map(_array(folder, entry["sha256"])) is not None


def _array(folder: Path, digest: str) -> Path:
    return folder / f"{digest[:32]}.npy"


def _map(path: Path) -> np.ndarray | None:
    """The array, or None where it is absent, cut short, or not what this module writes."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    whole = array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == 3
    # np.memmap is asked for each slice's type again and again; a plain view of it is 3 times faster.
    return np.asarray(array) if whole else None


def _read_index(folder: Path) -> dict[str, dict[str, Any]]:
    try:
        index = json.loads((folder / INDEX).read_text())
        return {str(n): e for n, e in index.items() if {"size", "mtime_ns", "sha256"} <= e.keys()}
    except (OSError, ValueError, AttributeError):
        return {}


def _drop(stale: set[str], folder: Path) -> None:
    for digest in stale:
        _array(folder, digest).unlink(missing_ok=True)


def check_sizes(
    keys: Sequence[str], lr: Sequence[np.ndarray], hr: Sequence[np.ndarray], *, scale: int, patch: int = 1
) -> None:
    """Refuse pairs that cannot be trained on.

    Raises:
        UserError: HR is not exactly `scale` times LR, or LR is smaller than a patch (LR pixels).
    """
    for key, small, large in zip(keys, lr, hr, strict=True):
        (h, w), big = small.shape[:2], large.shape[:2]
        if big != (scale * h, scale * w):
            raise UserError(
                key,
                f"its HR is {big[1]}x{big[0]}, not x{scale} of its LR {w}x{h}",
                "remove its row from manifest.csv or make the pair again",
            )
        if min(h, w) < patch:
            raise UserError(
                key,
                f"its LR is {w}x{h}, smaller than the patch of {patch}",
                f"use --patch {min(h, w)} or less, or remove its row from manifest.csv",
            )
