"""Pictures that are one picture: cut by a few pixels, compressed anew, or reduced to half the size.

A picture is known by three thumbnails of its luma, 16 x 16: of the whole, and of what whole multiples of 24
and 48 px cover. Cutting it to a multiple of a scale that divides 24 changes the second by nothing, and the
third is the second of its half. Two pictures are alike where a thumbnail of one and one of the other
correlate by 0.965, at like brightness and contrast. On BSD200 and T91 (see tests), of 291 photos, cut
to multiples of 2, 3, 4 and 8, as JPEG of quality 30, halved, and all of it together, each is known again; two
different ones correlate by 0.82 at most. Of tiles (mostly of sky), 2 % at 60 px and 0.3 % at 120 px are like
one of another photo, and are then not learned from.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from realdeg.atomic import write_bytes
from realdeg.errors import UserError
from realdeg.io.arrays import Npz, Unreadable
from realdeg.records import SHA256
from train.data.pairs import Pair

SIDE = 16
CUTS = (1, 24, 48)  # px that the measured part is a multiple of
ALIKE = 0.965  # correlation
LEVELS = 6.0  # largest difference of means, 8-bit levels
CONTRAST = 1.22  # largest ratio of standard deviations, each one level more
FLAT = 1.0  # standard deviation, levels, below which noise is not made more of
BLOCK = 2048  # pictures compared at a time
FILE = "alike.npz"

Thumbnails = npt.NDArray[np.uint8]


def thumbnails(image: npt.NDArray[np.uint8]) -> Thumbnails:
    """(H, W, 3) uint8 RGB -> (3, 16, 16) uint8 luma, one for each of `CUTS`."""
    made = []
    for cut in CUTS:
        high, wide = (side // cut * cut for side in image.shape[:2])
        part = image[:high, :wide] if high and wide else image
        small = cv2.resize(np.ascontiguousarray(part), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        made.append(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY))
    return np.stack(made)


def like_any(ones: Thumbnails, others: Thumbnails) -> npt.NDArray[np.bool_]:
    """Which pictures are like any of others: (N, 3, 16, 16) and (M, 3, 16, 16) -> (N,)."""
    found = np.zeros(len(ones), bool)
    mine, theirs = _Seen.of(ones), _Seen.of(others)
    for start in range(0, len(ones), BLOCK):
        there = slice(start, start + BLOCK)
        for begin in range(0, len(others), BLOCK):
            here = slice(begin, begin + BLOCK)
            for i in range(len(CUTS)):
                for j in range(len(CUTS)):
                    found[there] |= mine.like(theirs, (there, i), (here, j)).any(1)
    return found


@dataclass(frozen=True)
class _Seen:
    """Thumbnails without mean and contrast, and these."""

    shape: npt.NDArray[np.float32]
    mean: npt.NDArray[np.float32]
    spread: npt.NDArray[np.float32]

    @classmethod
    def of(cls, small: Thumbnails) -> _Seen:
        flat = small.reshape(len(small), len(CUTS), SIDE * SIDE).astype(np.float32)
        mean = flat.mean(-1)
        flat -= mean[..., None]
        spread = np.sqrt(np.square(flat).mean(-1))
        flat /= SIDE * np.maximum(spread, FLAT)[..., None]
        return cls(flat, mean, spread)

    def like(self, other: _Seen, mine: tuple[slice, int], theirs: tuple[slice, int]) -> npt.NDArray[np.bool_]:
        correlation = self.shape[mine] @ other.shape[theirs].T
        bright = np.abs(self.mean[mine][:, None] - other.mean[theirs]) < LEVELS
        ratio = (self.spread[mine][:, None] + 1) / (other.spread[theirs] + 1)
        # Two flat pictures of one brightness have no shape to compare: they are one.
        flat = (self.spread[mine][:, None] < FLAT) & (other.spread[theirs] < FLAT)
        return bright & (ratio < CONTRAST) & (ratio > 1 / CONTRAST) & ((correlation > ALIKE) | flat)


def of_pairs(
    pairs: Sequence[Pair], folder: Path, read: Callable[[Pair], npt.NDArray[np.uint8]]
) -> dict[str, Thumbnails]:
    """Thumbnails of pairs' HR by its hash, (3, 16, 16) each; without images that do not decode.

    Args:
        pairs: with their hashes.
        folder: where thumbnails are remembered.
        read: HR of a pair, (H, W, 3) uint8.

    Raises:
        UserError: `folder` cannot be written.
    """
    known = load(folder / FILE)
    unseen = {pair.hr_sha256: pair for pair in pairs if pair.hr_sha256 not in known}

    def made(pair: Pair) -> Thumbnails | None:
        try:
            return thumbnails(read(pair))
        except UserError:
            return None

    if unseen:
        with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
            found = zip(unseen, pool.map(made, unseen.values()), strict=True)
            known |= {sha: one for sha, one in found if one is not None}
        write_bytes(folder / FILE, packed(known))
    return {pair.hr_sha256: known[pair.hr_sha256] for pair in pairs if pair.hr_sha256 in known}


def stacked(small: Sequence[Thumbnails]) -> Thumbnails:
    """Thumbnails of N pictures, also of none, as one array."""
    return np.array(small, np.uint8).reshape(-1, len(CUTS), SIDE, SIDE)


def load(path: Path) -> dict[str, Thumbnails]:
    """Thumbnails by hash; none where the file is absent or damaged."""
    try:
        with Npz(path) as stored:
            names, small = hashes(stored["sha256"]), stored["thumbnails"]
    except (OSError, Unreadable):
        return {}
    if small.dtype != np.uint8 or small.shape != (len(names), len(CUTS), SIDE, SIDE):
        return {}
    return dict(zip(names, small, strict=True))


def hashes(array: npt.NDArray[Any]) -> list[str]:
    """SHA-256 hashes of an array of such texts.

    Raises:
        Unreadable: it holds something else.
    """
    found = [one.decode("latin-1") for one in array] if array.dtype.kind == "S" and array.ndim == 1 else None
    if found is None or not all(map(SHA256.fullmatch, found)):
        raise Unreadable("holds no hashes")
    return found


def packed(known: Mapping[str, Thumbnails], marks: Iterable[str] = ()) -> bytes:
    """An .npz file of thumbnails by hash, and of further hashes; equal content gives equal bytes."""
    names = sorted(known)
    whole = io.BytesIO()
    np.savez(
        whole,
        sha256=np.array(names, "S64"),
        thumbnails=stacked([known[name] for name in names]),
        marks=np.array(sorted(marks), "S64"),
    )
    return whole.getvalue()
