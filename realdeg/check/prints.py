"""What a picture is known again by: a hash of the whole, and codes of its strongest places.

The hash is OpenCV's pHash (Zauner, 2010), of all eight ways that a picture can lie. It finds copies that were
compressed, brightened or made smaller. Codes find crops: the SIFT descriptors (Lowe, 2004) of the strongest
places as signs of 64 fixed projections (Charikar, 2002), and those of the picture seen in a mirror.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from realdeg.arraytypes import Array
from realdeg.seeds import stream

LONGEST = 400  # px; larger pictures are reduced
PLACES = 160
DETECTED = 4 * PLACES
WAYS = 8
BITS = 64
SAME = 6  # bits by which codes of one place differ at most
LEAST_SPREAD = 2.0  # 8-bit levels; flatter pictures all have one hash
CELLS = 4  # a side; the strongest places of each part, so that a crop holds some
Codes = npt.NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class Print:
    """What a picture is known by.

    Attributes:
        hashes: (8,) of the picture as it is, turned by a quarter, half and three quarters, and mirrored so.
        codes, mirrored: (n,) of its strongest places, and of the same in its mirror image; of places that
            look alike none is there, since texture of many like places is found in many pictures.
        flat: whether it is so plain that its hash says nothing.
    """

    hashes: Codes
    codes: Codes
    mirrored: Codes
    flat: bool

    def arrays(self) -> dict[str, Array]:
        """For a file (`realdeg.pools.found.with_arrays`)."""
        return {"hashes": self.hashes, "codes": self.codes, "mirrored": self.mirrored,
                "flat": np.array(self.flat)}  # fmt: skip


def print_of(image: Array) -> Print:
    """The print of a picture.

    Args:
        image: (H, W, 3) uint8 or uint16.
    """
    grey = small_grey(image, LONGEST)
    codes, mirrored = _codes(grey)
    return Print(_hashes(grey), codes, mirrored, float(grey.std()) < LEAST_SPREAD)


def small_grey(image: Array, longest: int) -> npt.NDArray[np.uint8]:
    """(h, w) luma of a picture whose longer side is at most `longest` px."""
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    factor = longest / max(grey.shape)
    if factor < 1:
        size = tuple(max(1, round(side * factor)) for side in grey.shape[::-1])
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(grey)


def ways(image: Array) -> list[Array]:
    """A picture as it is, turned by quarters, and its mirror image likewise."""
    return [np.ascontiguousarray(np.rot90(one, k)) for one in (image, image[:, ::-1]) for k in range(4)]


def _hashes(grey: npt.NDArray[np.uint8]) -> Codes:
    made = [cv2.img_hash.pHash(cv2.resize(one, (64, 64), interpolation=cv2.INTER_AREA)) for one in ways(grey)]
    return np.array([np.frombuffer(one.tobytes(), ">u8")[0] for one in made], np.uint64)


def _codes(grey: npt.NDArray[np.uint8]) -> tuple[Codes, Codes]:
    """Codes of the strongest places, and of their mirror images."""
    sift = cv2.SIFT_create(DETECTED)  # type: ignore[attr-defined]
    found, descriptors = sift.detectAndCompute(grey, None)
    if descriptors is None:
        return np.zeros(0, np.uint64), np.zeros(0, np.uint64)
    height, width = grey.shape
    chosen = _spread(found, (height, width))
    some = descriptors[chosen].astype(np.float32)
    codes = _signs(some)
    single = (np.bitwise_count(codes[:, None] ^ codes) <= SAME).sum(1) == 1
    return codes[single], _signs(mirrored(some[single]))


def mirrored(descriptors: Array) -> Array:
    """(n, 128) SIFT descriptors of the mirror image, of those of the image: rows, columns, directions."""
    parts = descriptors.reshape(-1, 4, 4, 8)[:, ::-1]
    return np.ascontiguousarray(parts[..., -np.arange(8) % 8].reshape(-1, 128))


def _spread(found: tuple[cv2.KeyPoint, ...], size_hw: tuple[int, int]) -> list[int]:
    """Indices of the strongest places of each part of the picture, in an order that hangs on nothing else."""
    ranked = sorted(range(len(found)), key=lambda i: (-found[i].response, found[i].pt, found[i].angle))
    in_part: dict[tuple[int, int], int] = {}
    first: list[int] = []
    rest: list[int] = []
    for i in ranked:
        x, y = found[i].pt
        part = int(y * CELLS / size_hw[0]), int(x * CELLS / size_hw[1])
        in_part[part] = in_part.get(part, 0) + 1
        (first if in_part[part] <= PLACES // CELLS**2 else rest).append(i)
    return (first + rest)[:PLACES]


@cache
def _projections() -> Array:
    """(128, 64) fixed directions, each of mean 0 so that what all descriptors share has no say."""
    bits = np.unpackbits(np.frombuffer(stream(0, "", "prints").bytes(128 * BITS // 8), np.uint8))
    signs = 2.0 * bits.reshape(128, BITS) - 1
    return np.asarray(signs - signs.mean(0), np.float32)


def _signs(descriptors: Array) -> Codes:
    root = np.sqrt(descriptors / np.maximum(descriptors.sum(1, keepdims=True), 1e-9))  # RootSIFT
    bits = root @ _projections() > 0
    return np.packbits(bits, axis=1).view(">u8")[:, 0].astype(np.uint64)
