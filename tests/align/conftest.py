"""Simulated captures with exact truth, shared by the tests of registration."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from realdeg.align.homography import Homography
from realdeg.imaging.capture import Camera, capture
from realdeg.seeds import stream

CLEAN = Path(__file__).parents[2] / "data" / "sample" / "clean"


@cache
def scene(name: str = "coffee.png") -> np.ndarray:
    """A bundled photo, enlarged so that captures sample it finely."""
    image = cv2.cvtColor(cv2.imread(str(CLEAN / name)), cv2.COLOR_BGR2RGB)
    return cv2.resize(image, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)


def photograph(
    picture, scale, *, turn=0.8, shift=(3.3, -2.1), exposure=0.9, seed=0, hr_blur=0.6, hr_picture=None
):
    """LR and HR captures of `picture` at zoom `scale`, and the true `hr_from_lr`."""
    height, width = picture.shape[:2]
    hr_hw = (int(height / 1.3), int(width / 1.3))
    lr_hw = (int(height / 1.15 / scale), int(width / 1.15 / scale))
    rng = stream(seed, "capture", str(scale))

    def look(size_hw, pitch, degrees, offset, tilt):
        a, middle = np.radians(degrees), Homography.translation(-(size_hw[1] - 1) / 2, -(size_hw[0] - 1) / 2)
        c, s = pitch * np.cos(a), pitch * np.sin(a)
        place = Homography.translation((width - 1) / 2 + offset[0], (height - 1) / 2 + offset[1])
        return place @ Homography(np.array([[c, -s, 0], [s, c, 0], [tilt, -tilt, 1]])) @ middle

    scene_from_hr = look(hr_hw, 1.02, 0.0, (0, 0), 0.0)
    scene_from_lr = look(lr_hw, 1.02 * scale * 1.01, turn, shift, 2e-6 * scale)
    lr = capture(picture, scene_from_lr.matrix, Camera(lr_hw, 0.5, exposure, 1.05, 1.2), rng)
    seen = picture if hr_picture is None else hr_picture
    hr = capture(seen, scene_from_hr.matrix, Camera(hr_hw, hr_blur, 1.0, 1.0, 1.0), rng)
    return lr, hr, scene_from_hr.inverse() @ scene_from_lr


@pytest.fixture(name="scene", scope="session")
def _scene():
    return scene


@pytest.fixture(name="photograph", scope="session")
def _photograph():
    return photograph
