"""How much memory a process may take, so that an item that needs more fails by a line and not by the kernel.

The limit is on data (RLIMIT_DATA): what a process allocates for itself alone. Address space (RLIMIT_AS) says
little: torch, OpenBLAS and glibc reserve gigabytes that nothing ever touches, and mapped files count too.
Linux alone has such a limit; elsewhere nothing is limited.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from realdeg.errors import EXIT_USAGE, UserError

GB = 10**9
LEAST = 4 * GB
"""A default never goes below: `align` and `degrade` took up to 3.5 GB for photos of 50 million pixels."""
SPARED = 0.1  # of what is free, for all that is not data: libraries, pipes, the kernel
UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30}
NO_LIMIT = 1 << 60  # a control group without one states a number beyond all memories
MACHINE = Path("/proc/meminfo")
OWN_GROUPS = Path("/proc/self/cgroup")
GROUPS = Path("/sys/fs/cgroup")
SHORT = re.compile(
    r"bad_?alloc|out of memory|(insufficient|not enough) memory|memory allocation"
    r"|(cannot|can't|could not|unable to|failed to) allocate(?! memory in static TLS)|mempool overflow"
    r"|failed to map segment",
    re.I,
)
"""How libraries say that they got no memory: OpenCV, torch, LibRaw, libjpeg, libheif, the loader."""


@dataclass(frozen=True)
class Most:
    """Memory that a process may take.

    Attributes:
        data: bytes.
        asked: whether it follows from what somebody asked for.
    """

    data: int
    asked: bool = False

    def refusal(self, subject: str | os.PathLike[str]) -> UserError:
        """What is said of a file that needs more."""
        problem = f"needs more than {self.data / GB:.3g} GB of memory"
        remedy = "raise `memory`" if self.asked else "make it smaller, or free some memory"
        return UserError(subject, problem, remedy)


def share(workers: int, asked: int | None = None) -> Most | None:
    """What each of so many processes may take: an even share of what was asked for, else of what is free.

    Args:
        workers: processes besides this one, at work at the same time.
        asked: bytes for all together.

    Returns:
        None where there is no such limit, or nothing says what is free.
    """
    if not _has_limits():
        return None
    if asked is not None:
        return Most(asked // workers, asked=True)
    free = free_bytes()
    return None if free is None else Most(max(LEAST, int(free * (1 - SPARED)) // workers))


def _has_limits() -> bool:
    if sys.platform != "linux":
        return False
    try:
        import resource  # noqa: F401
    except ImportError:  # a build of Python without it
        return False
    return True


def own_share(asked: int | None = None) -> Most | None:
    """The same for this process alone, which keeps what it has."""
    most = share(1, asked)
    return most if most is None or most.asked else Most(most.data + own_data())


def parse_size(text: str) -> int:
    """Bytes of "8G", "8GiB", "4000M" or a plain number.

    Raises:
        UserError: none of these.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?i?)b?\s*", text.lower())
    if not match or match[2] not in UNITS or float(match[1]) <= 0:
        raise UserError(
            "`memory`", f"{text!r} is no amount of memory", "write 8G, 500M or 6GiB", exit_code=EXIT_USAGE
        )
    return int(float(match[1]) * UNITS[match[2]])


@contextlib.contextmanager
def limited(most: Most | None) -> Iterator[None]:
    """No more memory than that for this process while the block runs; a tighter limit stays."""
    if most is None:
        yield
        return
    import resource

    before = resource.getrlimit(resource.RLIMIT_DATA)
    limits = [most.data, *(limit for limit in before if limit != resource.RLIM_INFINITY)]
    resource.setrlimit(resource.RLIMIT_DATA, (min(limits), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def ran_out(error: BaseException | None) -> bool:
    """Whether an error comes of memory that was not to be had, by its class or words or those behind it."""
    while error is not None:
        if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
            return True
        if SHORT.search(error.problem if isinstance(error, UserError) else str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False


def own_data() -> int:
    """Bytes of data that this process has now (Linux)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[5])
    return pages * os.sysconf("SC_PAGE_SIZE")


def free_bytes() -> int | None:
    """Memory that can still be had, by the machine and by the control groups of this process.

    Returns:
        None where neither says.
    """
    free = [bytes_left for bytes_left in (_of_machine(), *_of_groups()) if bytes_left is not None]
    return max(min(free), 0) if free else None


def _of_machine() -> int | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in MACHINE.read_text(encoding="utf-8").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
    return None


def _of_groups() -> list[int | None]:
    """What the groups of this process have left; those above it may be narrower."""
    left = []
    with contextlib.suppress(OSError):
        for line in OWN_GROUPS.read_text(encoding="utf-8").splitlines():
            _, kinds, path = line.split(":", 2)
            if kinds in ("", "memory"):
                names = V2 if not kinds else V1
                root = GROUPS / kinds
                inner = root / path.lstrip("/")
                # In a container the path is the host's and the root is our own group.
                folders = [inner, *inner.parents[: len(inner.parts) - len(root.parts)]]
                left += [_left(folder, *names) for folder in folders]
    return left


V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
V2 = ("memory.max", "memory.current", "inactive_file")


def _left(group: Path, most: str, used: str, cached: str) -> int | None:
    """Limit less use; pages of files that were read are given back when they are wanted."""
    with contextlib.suppress(OSError, ValueError):  # no such group, or "max"
        limit, now = (
            int((group / most).read_text(encoding="utf-8")),
            int((group / used).read_text(encoding="utf-8")),
        )
        stat = dict(line.split() for line in (group / "memory.stat").read_text(encoding="utf-8").splitlines())
        return None if limit >= NO_LIMIT else limit - now + int(stat.get(cached, 0))
    return None
