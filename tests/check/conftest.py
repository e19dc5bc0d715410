"""Pairs whose faults are known, since they were made here."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from realdeg.imaging.resample import resize
from realdeg.io.photo import read

CLEAN = Path(__file__).parents[2] / "data" / "sample" / "clean"


def _taken(hr, scale, *, top_left=False, seed=0):
    """LR of HR: reduced on the centre grid, or every s-th pixel of a blurred HR; with a camera's noise."""
    image = hr.astype(np.float32)
    if top_left:
        low = cv2.GaussianBlur(image, (0, 0), 0.5 * scale)[::scale, ::scale]
    else:
        low = resize(image, 1 / scale)
    noise = np.random.default_rng(seed).normal(0, 1.5, low.shape)
    return np.clip(np.rint(low + noise), 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def photo():
    """A photo of the samples, cut to a multiple of 12, at most 384 px a side."""

    def cut(name="coffee.png", side=384):
        image = read(CLEAN / name).pixels
        height, width = (min(side, length) // 12 * 12 for length in image.shape[:2])
        return np.ascontiguousarray(image[-height:, -width:])  # where the tulips are sharp

    return cut


@pytest.fixture(scope="session")
def taken():
    """LR of an HR image (`_taken`)."""
    return _taken
