"""How much memory registering a pair takes, and how many pairs fit into a budget side by side."""

from __future__ import annotations

from collections.abc import Iterable

from realdeg.errors import UserError
from realdeg.io.find import Match
from realdeg.io.photo import read_size
from realdeg.memory import free_bytes

BASE = 380_000_000  # Python, NumPy, OpenCV, and SIFT on a million pixels: what does not grow with the photos
BYTES_A_PIXEL = {8: 10, 16: 13}  # of both photos together; measured: benchmarks/README.md
EIGHT_BIT = (".jpg", ".jpeg", ".webp", ".bmp")
SHARE = 0.8  # of what is available, where no budget is given


def predicted_bytes(lr_size_hw: tuple[int, int], hr_size_hw: tuple[int, int], bit_depth: int = 16) -> int:
    """Upper bound of the memory of one worker on a pair, bytes.

    Args:
        lr_size_hw, hr_size_hw: sizes of the photos.
        bit_depth: 8 or 16, of the deeper one.
    """
    pixels = lr_size_hw[0] * lr_size_hw[1] + hr_size_hw[0] * hr_size_hw[1]
    return BASE + BYTES_A_PIXEL[bit_depth] * pixels


def largest(matches: Iterable[Match]) -> int:
    """Prediction for the largest pair, from the files' headers; photos that cannot be read count nothing."""
    most = BASE
    for match in matches:
        try:
            sizes = read_size(match.lr), read_size(match.hr)
        except UserError:
            continue
        shallow = all(path.suffix.lower() in EIGHT_BIT for path in (match.lr, match.hr))
        most = max(most, predicted_bytes(*sizes, 8 if shallow else 16))
    return most


def workers_within(budget: int, need: int, workers: int) -> int:
    """How many of `workers` fit into a budget when each needs `need` bytes; at least one."""
    return max(1, min(workers, budget // need))


def available() -> int | None:
    """80 % of the memory that this process may still take, bytes; None where the system does not say."""
    free = free_bytes()
    return None if free is None else int(SHARE * free)
