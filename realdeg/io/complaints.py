"""What C libraries print while they decode: kept off the terminal, and heard as part of the verdict.

libpng, libtiff and LibRaw write what they find wrong to descriptor 2 and go on. Descriptors belong to the
whole process, so decoders whose complaints matter run one at a time (`heard`); those that say everything by
their result run side by side and are only silenced (`quiet`). realdeg's programs write their own lines to a
copy of the descriptor (`cli.streams`), and so are not silenced with them.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import threading
from collections.abc import Iterator

LIBRARY_LINE = re.compile(
    r"(libpng|PNG|libtiff|TIFF\w*|fp|jpeg|Corrupt JPEG|libjpeg|LibRaw|webp|avif)\b.*", re.I
)
"""What a decoder prints begins like this; in `quiet`, anything else is somebody else's and is passed on."""


class _Descriptor:
    """Descriptor 2 led into a file while at least one decoder is at work."""

    def __init__(self) -> None:
        self.free = threading.Condition()
        self.quiet = 0
        self.alone = False
        self.kept: int | None = None
        self.sink: int | None = None

    def lead_away(self) -> None:
        with contextlib.suppress(OSError):  # no descriptor 2: then nothing can be printed on it
            kept = os.dup(2)
            self.sink = _anonymous_file()
            os.dup2(self.sink, 2, inheritable=True)
            self.kept = kept

    def lead_back(self) -> str:
        """What was printed meanwhile."""
        if self.kept is None or self.sink is None:
            return ""
        os.dup2(self.kept, 2, inheritable=True)
        os.close(self.kept)
        size = os.lseek(self.sink, 0, os.SEEK_END)
        os.lseek(self.sink, 0, os.SEEK_SET)
        text = os.read(self.sink, min(size, 1 << 20)).decode(errors="replace")
        os.close(self.sink)
        self.kept = self.sink = None
        return text


_descriptor = _Descriptor()


@contextlib.contextmanager
def heard() -> Iterator[list[str]]:
    """Lines that libraries print inside the block, there once it ends; no other decoder runs meanwhile."""
    lines: list[str] = []
    with _descriptor.free:
        _descriptor.free.wait_for(lambda: not _descriptor.alone and not _descriptor.quiet)
        _descriptor.alone = True
        _descriptor.lead_away()
    try:
        yield lines
    finally:
        with _descriptor.free:
            text = _descriptor.lead_back()
            _descriptor.alone = False
            _descriptor.free.notify_all()
        lines += [line for line in (" ".join(line.split()) for line in text.splitlines()) if line]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Nothing that a decoder prints inside the block reaches the terminal; other threads may decode too."""
    with _descriptor.free:
        _descriptor.free.wait_for(lambda: not _descriptor.alone)
        _descriptor.quiet += 1
        if _descriptor.quiet == 1:
            _descriptor.lead_away()
    try:
        yield
    finally:
        with _descriptor.free:
            _descriptor.quiet -= 1
            if not _descriptor.quiet:
                others = [
                    line for line in _descriptor.lead_back().splitlines() if not LIBRARY_LINE.match(line)
                ]
                if others:
                    os.write(2, "\n".join([*others, ""]).encode())
                _descriptor.free.notify_all()


def _anonymous_file() -> int:
    """Descriptor of a file without a name."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("complaints")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
