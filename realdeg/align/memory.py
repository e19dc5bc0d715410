"""How much memory registering a pair takes, and how many pairs fit into a budget side by side."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from realdeg.errors import EXIT_USAGE, UserError
from realdeg.io.find import Match
from realdeg.io.photo import read_size

BASE = 380_000_000  # Python, NumPy, OpenCV, and SIFT on a million pixels: what does not grow with the photos
BYTES_A_PIXEL = {8: 10, 16: 13}  # of both photos together; measured: benchmarks/README.md
EIGHT_BIT = (".jpg", ".jpeg", ".webp", ".bmp")
SHARE = 0.8  # of what is available, where no budget is given
UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30}
CGROUP_FILES = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


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
    found = []
    try:
        text = Path("/proc/meminfo").read_text()
        found.append(1024 * int(re.search(r"MemAvailable:\s+(\d+)", text)[1]))  # type: ignore[index]
    except (OSError, TypeError):
        pass
    for name in CGROUP_FILES:
        try:
            limit = Path(name).read_text().strip()
        except OSError:
            continue
        if limit.isdigit() and int(limit) < 2**60:
            found.append(int(limit))
    return int(SHARE * min(found)) if found else None


def parse_size(text: str) -> int:
    """Bytes of "8G", "8GiB", "4000M" or a plain number.

    Raises:
        UserError: none of these.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?i?)b?\s*", text.lower())
    if not match or match[2] not in UNITS or float(match[1]) <= 0:
        raise UserError(
            "--memory", f"{text!r} is no amount of memory", "write 8G, 500M or 6GiB", exit_code=EXIT_USAGE
        )
    return int(float(match[1]) * UNITS[match[2]])
