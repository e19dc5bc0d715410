"""Intel's IPP inside OpenCV, which realdeg works without.

OpenCV's x86 builds hand resizing, transforms, logarithms and more to IPP, which has other code for each
generation of processors: the last bit, and in 8 bits a whole level, then depends on the machine. OpenCV's own
code gives the same on all that have AVX2 (docs/reliability.md). It is not slower where it counts here.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator


def off() -> None:
    """Do without IPP: in all threads of this process, and in those that it starts.

    Call it before OpenCV has worked. Of threads in which it already has, the calling one alone is reached.
    """
    os.environ["OPENCV_IPP"] = "disabled"  # OpenCV looks when it first computes, not when it is imported
    os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")  # else it prints a line about that
    if cv2 := sys.modules.get("cv2"):
        cv2.ipp.setUseIPP(False)


@contextlib.contextmanager
def without() -> Iterator[None]:
    """No IPP in this thread while the block runs; for a process that belongs to others."""
    import cv2

    before = cv2.ipp.useIPP()
    cv2.ipp.setUseIPP(False)
    try:
        yield
    finally:
        cv2.ipp.setUseIPP(before)
